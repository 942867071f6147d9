"""The person with a box: it is rigid, hands hold it while it moves, it rests where they let go of it."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21
from mocaplift.train.data.carried_box import BOX_SIZE, CORNERS, eased, person_with_box
from mocaplift.train.data.motion_bank import MotionBank
from mocaplift.train.figure_clips import SUBJECTS
from mocaplift.values import Layout, Motion3D
from tests.walker import walker

FIGURE = SUBJECTS["box"].figure
BOX = FIGURE.layout.index(*CORNERS)
WRISTS = FIGURE.layout.index("left_wrist", "right_wrist")


def bank(height: float = 1.0) -> MotionBank:
    xyz = walker(frames=1200, fps=60.0).keypoints.xyz.astype(np.float32)
    xyz[..., 1] *= height
    return MotionBank(xyz, np.array([0]), np.array([1200]), np.array([1.0]))


@pytest.fixture(name="clips", scope="module")
def _clips() -> list[Motion3D]:
    rng, motions = np.random.default_rng(0), bank()
    return [person_with_box(rng, FIGURE.layout, 8.0, motions) for _ in range(8)]


def test_the_box_is_rigid_and_that_of_the_figure(clips) -> None:
    shape = np.stack(list(CORNERS.values())) * BOX_SIZE
    wanted = np.linalg.norm(shape[:, None] - shape, axis=-1)
    for clip in clips:
        box = clip.xyz[:, BOX]
        found = np.linalg.norm(box[:, :, None] - box[:, None], axis=-1)
        np.testing.assert_allclose(found, np.broadcast_to(wanted, found.shape), atol=1e-9)
        # No mirror image: left, up and ahead are right-handed.
        low, left, up, front = (
            box[:, FIGURE.layout.at(f"box_{name}") - BOX[0]]
            for name in ("low_back_right", "low_back_left", "high_back_right", "low_front_right")
        )
        assert (np.einsum("tk,tk->t", np.cross(left - low, up - low), front - low) > 0).all()
    lengths = {(start, end): length for start, end, length in FIGURE.bones if start.startswith("box")}
    for (start, end), length in lengths.items():
        assert np.linalg.norm((CORNERS[start] - CORNERS[end]) * BOX_SIZE) == pytest.approx(length, abs=1e-3)


def test_hands_hold_it_whenever_it_moves(clips) -> None:
    moved = 0
    for clip in clips:
        middle = clip.xyz[:, BOX].mean(axis=1)
        speed = np.linalg.norm(np.gradient(middle, 1 / clip.fps, axis=0), axis=-1)
        away = np.linalg.norm(clip.xyz[:, WRISTS] - middle[:, None], axis=-1)
        moves = speed > 0.3
        moved += moves.sum()
        assert away[moves].max(initial=0.0) < 0.40  # m; half its width is 0.2
    assert moved > 0.2 * sum(len(clip.xyz) for clip in clips)


def test_it_is_put_down_and_stands_still(clips) -> None:
    rests = 0
    for clip in clips:
        box = clip.xyz[:, BOX]
        still = np.linalg.norm(np.diff(box, axis=0), axis=-1).max(axis=1) < 1e-9
        rests += still.sum()
        high = np.array(["high" in FIGURE.layout.joints[place] for place in BOX])
        level = box[:-1][still][..., 1]
        np.testing.assert_allclose(np.ptp(level[:, high], axis=1), 0.0, atol=1e-6)
        np.testing.assert_allclose(level[:, high].mean(axis=1) - level[:, ~high].mean(axis=1), BOX_SIZE[1])
    assert rests > 30


def test_the_rest_of_the_person_is_as_recorded_and_arms_keep_their_lengths(clips) -> None:
    for clip in clips:
        for side in ("left", "right"):
            for start, end in (("shoulder", "elbow"), ("elbow", "wrist")):
                ends = clip.xyz[:, FIGURE.layout.index(f"{side}_{start}", f"{side}_{end}")]
                length = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=-1)
                assert np.ptp(length) < 0.02 * length.mean()


def test_nobody_upright_and_other_layouts_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InvalidData, match="shows somebody upright"):
        person_with_box(rng, FIGURE.layout, 4.0, bank(height=0.2))
    with pytest.raises(InvalidData, match="no joint 'wheel'"):
        person_with_box(rng, Layout("cart", (*BODY21.joints, "wheel")), 4.0, bank())


def test_changes_begin_and_end_gently() -> None:
    np.testing.assert_allclose(eased(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])), [0.0, 0.0, 0.5, 1.0, 1.0])
