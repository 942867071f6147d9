"""A person's motion on another figure's bones: its lengths, the person's angles, and feet that stay."""

import numpy as np
import pytest

from mocaplift import kinematics, rotations
from mocaplift.errors import InvalidData
from mocaplift.export import TEMPLATES, ExportOptions, rig
from mocaplift.export.rigged import prepared
from mocaplift.layouts import CONTACT_POINTS, SMPL24
from mocaplift.quality import largest_turn
from mocaplift.values import Layout, Skeleton, SkeletonMotion
from tests.walker import FOOT_POINTS, walker

FIGURE = {"proportions": "template"}


def _on_figure(walk, template: str) -> tuple[SkeletonMotion, float]:
    """Return the motion on a template's figure, and by how much its legs are longer."""
    from mocaplift.export.proportions import on_figure

    moved = on_figure(walk.motion, walk.contacts, TEMPLATES[template])
    legs = [np.linalg.norm(m.skeleton.offsets[SMPL24.index("left_knee", "left_ankle")], axis=-1).sum()
            for m in (moved, walk.motion)]  # fmt: skip
    return moved, legs[0] / legs[1]


def _toes(motion: SkeletonMotion, scale: float) -> np.ndarray:
    """Return where the tips of the big toes are [T 2 3], if they are as long as scaled ones."""
    xyz, turned = kinematics.forward(motion.skeleton, motion.rotations, motion.root)
    tips = []
    for side in ("left", "right"):
        joint, offset = FOOT_POINTS[f"{side}_big_toe"]
        at = SMPL24.at(joint)
        tips.append(xyz[:, at] + scale * rotations.rotate(turned[:, at], offset))
    return np.stack(tips, axis=1)


@pytest.mark.parametrize("template", ["native", "mixamo", "ue5", "rigify"])
def test_planted_feet_stay_planted_and_on_the_floor(template):
    walk = walker(120, heading=0.7)
    moved, scale = _on_figure(walk, template)
    toes = _toes(moved, scale)
    stands = walk.contacts[:, [CONTACT_POINTS.index(f"{side}_big_toe") for side in ("left", "right")]]
    steps = np.linalg.norm(np.diff(toes, axis=0), axis=-1)[stands[1:] & stands[:-1]]
    # 0.5 mm per frame: a leg that would have to be straighter than straight gives way.
    assert steps.max() < 5e-4
    expected = scale * _toes(walk.motion, 1.0)
    assert np.abs(toes - expected)[..., 1][stands].max() < 5e-4
    travelled = [np.linalg.norm(np.diff(m.root[[0, -1]], axis=0)) for m in (walk.motion, moved)]
    assert travelled[1] == pytest.approx(scale * travelled[0], rel=0.01)


@pytest.mark.parametrize("template", ["mixamo", "ue5", "rigify"])
def test_bones_have_the_figures_lengths_in_the_file(template):
    walk = walker(4)
    rigged = rig(walk.motion, ExportOptions(template=template, **FIGURE))
    at = {joint: bone for bone, joint in enumerate(rigged.joints) if joint}
    rest, _ = rigged.rest_world()
    for part, length in TEMPLATES[template].lengths.items():
        above = {"knee": "hip", "ankle": "knee", "shoulder": "collar", "elbow": "shoulder", "wrist": "elbow"}[
            part
        ]
        for side in ("left", "right"):
            found = np.linalg.norm(rest[at[f"{side}_{part}"]] - rest[at[f"{side}_{above}"]])
            assert found == pytest.approx(length, abs=1e-9)


def test_the_upper_body_keeps_its_angles_and_nothing_jumps():
    walk = walker(120)
    moved, _ = _on_figure(walk, "rigify")
    kept = [joint for joint in SMPL24.joints if not joint.endswith(("hip", "knee", "ankle"))]
    columns = SMPL24.index(*kept)
    turned = rotations.angle_between(moved.rotations[:, columns], walk.motion.rotations[:, columns])
    assert np.degrees(turned).max() < 1e-4
    # Feet keep their direction in the world.
    _, before = kinematics.forward(walk.motion.skeleton, walk.motion.rotations, walk.motion.root)
    _, after = kinematics.forward(moved.skeleton, moved.rotations, moved.root)
    ankles = SMPL24.index("left_ankle", "right_ankle")
    assert np.degrees(rotations.angle_between(before[:, ankles], after[:, ankles])).max() < 1e-4
    assert largest_turn(moved) < 1.3 * largest_turn(walk.motion)


def test_the_persons_own_lengths_change_nothing():
    walk = walker(30)
    same, _ = prepared(walk.motion, ExportOptions())
    assert same is walk.motion


def test_other_skeletons_have_no_figure():
    stick = Skeleton(Layout("stick", ("base", "tip")), (-1, 0), np.array([[0, 0, 0], [0, 1.0, 0]]))
    motion = SkeletonMotion(stick, np.tile(rotations.IDENTITY, (2, 2, 1)), np.zeros((2, 3)), 30.0)
    with pytest.raises(
        InvalidData, match="need the skeleton smpl24, but this is stick; choose --proportions actor"
    ):
        rig(motion, ExportOptions(**FIGURE))
