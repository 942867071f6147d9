"""Motions of figures that are no people: lifted from one camera, with bones of constant length, on a tree of them.

What `pipeline` is for people, without what only people have: no body model, no floor, no feet.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from mocaplift.cameras import centre, rays
from mocaplift.errors import ConfigError, InvalidData
from mocaplift.export.rigged import Rigged
from mocaplift.export.timing import exact_rate
from mocaplift.fit.rigid_bones import settled_bones, with_rigid_bones
from mocaplift.lift.mvlift.conditions import expected_sigma
from mocaplift.lift.mvlift.figure import Figure, bone_order
from mocaplift.lift.mvlift.figure_clip import FigureClip
from mocaplift.lift.mvlift.lifter import lift
from mocaplift.lift.mvlift.network import Denoiser
from mocaplift.rotations import from_matrix, make_continuous
from mocaplift.values import Layout, Motion3D
from mocaplift.windows import crossfaded_points, windows

# The least error of a ray (units): what is seen is not exactly a joint.
RAY_ERROR = 0.015
# What lifted points are off by in the solve, in their expected errors: those of neighbouring frames and joints go
# together. On held-out clips of the four-legged creature 3 gives less error than 1 and 2.
ERRORS_TOGETHER = 3.0
# Frames that are solved together, fewer for figures of many joints: the system's numbers are bounded.
MOST_FRAMES, FEWEST_FRAMES, MOST_NUMBERS = 240, 24, 2e7
# What a parent's turn is worth against the directions of bones, which may leave a twist open.
STEADY = 1e-3
# A bone that moves less (units) in its parent's axes keeps its place there.
STAYS = 0.005
TIP = 0.25  # of the last bone: how far it goes on


def check_layout(told: Figure, network: Figure, told_by: str, network_name: str) -> None:
    """Refuse a network of another figure than a layout file describes.

    Raises:
        ConfigError: joints, pairs, root or bones differ; the message names both figures and what differs.
    """
    mine, theirs = told.as_header(), network.as_header()
    for header in (mine, theirs):
        header["bones"] = sorted(sorted(map(str, bone[:2])) for bone in header["bones"])
    for part in ("joints", "pairs", "root", "bones"):
        if mine[part] != theirs[part]:
            raise ConfigError(
                f"{network_name} is for the figure {network.layout.name} ({len(network.layout)} joints), but "
                f"{told_by} describes {told.layout.name} ({len(told.layout)} joints): their {part} differ"
            )


def lift_figure(clip: FigureClip, network: Denoiser) -> Motion3D:
    """Return the motion of a figure from one camera: world metres (+Y up), bones of constant length.

    Raises:
        InvalidData: too few keypoints in every frame.
    """
    lifted = lift([clip.keypoints], [clip.camera], network)
    figure, eye = network.figure, centre(clip.camera)
    points, sigma = (lifted.xyz - eye) / figure.unit, ERRORS_TOGETHER * lifted.sigma / figure.unit
    ends = np.stack([figure.starts, figure.ends], axis=-1)
    lengths = settled_bones(points, ends, figure.lengths, np.array(figure.layout.mirror))
    direction = rays(clip.camera, np.nan_to_num(clip.keypoints.xy))
    errors = np.hypot(expected_sigma(clip.keypoints, figure), RAY_ERROR)
    size = int(np.clip(MOST_NUMBERS / (3 * len(figure.layout)) ** 2, FEWEST_FRAMES, MOST_FRAMES))
    spans = windows(len(points), size, size // 4)
    pieces = [
        with_rigid_bones(
            points[span],
            sigma[span],
            direction[span],
            errors[span],
            ends,
            lengths,
            lifted.fps,
        )
        for span in spans
    ]
    return replace(lifted, xyz=crossfaded_points(pieces, spans) * figure.unit + eye)


def rigged(motion: Motion3D, figure: Figure) -> Rigged:
    """Return points on the figure's tree of bones, each turned from the first frame's pose to where its end is.

    A bone below a joint with several moves where turning does not bring it; so do the first joints of further
    trees, which hang on the first one.

    Raises:
        InvalidData: the motion has no frames or gaps, or another layout than the figure.
    """
    if motion.layout.joints != figure.layout.joints:
        raise InvalidData(
            f"the motion is of the layout {_told(motion.layout)}, but the figure of {_told(figure.layout)}"
        )
    if not len(motion.xyz) or not np.isfinite(motion.xyz).all():
        raise InvalidData("a file of motion needs at least one frame, and no gaps")
    joints, parents, is_top = _tree(figure)
    xyz = motion.xyz[:, joints]
    turned = _turns(xyz, parents, is_top)
    above = [max(parent, 0) for parent in parents]
    back = np.swapaxes(turned[:, above], -1, -2)
    places = (back @ (xyz - xyz[:, above])[..., None])[..., 0]
    places[:, 0], local = xyz[:, 0], back @ turned
    local[:, 0] = turned[:, 0]
    wander = np.abs(places - places.mean(axis=0)).max(axis=(0, 2))
    moving = np.flatnonzero((wander > STAYS * figure.unit) | is_top).tolist()
    still = np.zeros((len(joints), 4))
    still[:, 0] = 1.0
    return Rigged(
        names=tuple(figure.layout.joints[joint] for joint in joints),
        parents=tuple(parents),
        offsets=np.concatenate([places[:1, 0], places[:, 1:].mean(axis=0)]),
        rest=still,
        rotations=make_continuous(from_matrix(local)),
        places={bone: places[:, bone] for bone in moving},
        fps=exact_rate(motion.fps),
        joints=(None,) * len(joints),
        tips={bone: TIP * places[0, bone] for bone in range(1, len(joints)) if bone not in parents},
    )


def _told(layout: Layout) -> str:
    return f"{layout.name} ({', '.join(layout.joints)})"


def _tree(figure: Figure) -> tuple[list[int], list[int], list[bool]]:
    """Return joints, each after its parent, the parents' places among them, and which of them begin a tree."""
    above = {child: parent for parent, child in bone_order(figure)}
    first = figure.layout.at(figure.root[0])
    joints, parents, is_top = [first], [-1], [True]
    for place, joint in enumerate(joints):
        others = [each for each in range(len(figure.layout)) if each not in above and each != first]
        for child in (others if place == 0 else []) + [child for child in above if above[child] == joint]:
            joints.append(child)
            parents.append(place)
            is_top.append(child not in above)
    return joints, parents, is_top


def _turns(
    xyz: Float[np.ndarray, "T J 3"], parents: list[int], is_top: list[bool]
) -> Float[np.ndarray, "T J 3 3"]:
    """Return how what hangs on each joint is turned from the first frame, in the world.

    Where its bones leave a twist open it turns as its parent does, and the first one as it did a frame before.
    """
    turned = np.tile(np.eye(3), (*xyz.shape[:2], 1, 1))
    for joint, parent in enumerate(parents):
        below = [bone for bone, above in enumerate(parents) if above == joint and not is_top[bone]]
        if parent >= 0:
            turned[:, joint] = turned[:, parent]
        if not below:
            continue
        bones = xyz[:, below] - xyz[:, [joint]]
        bones = bones / np.maximum(np.linalg.norm(bones, axis=-1, keepdims=True), 1e-9)
        wanted = np.einsum("tbi,bj->tij", bones, bones[0])
        if parent >= 0:
            turned[:, joint] = _nearest_turns(wanted + STEADY * turned[:, joint])
            continue
        for frame in range(1, len(xyz)):
            turned[frame, joint] = _nearest_turns(wanted[frame] + STEADY * turned[frame - 1, joint])
    return turned


def _nearest_turns(matrix: Float[np.ndarray, "*lead 3 3"]) -> Float[np.ndarray, "*lead 3 3"]:
    """Return the rotations nearest to matrices (Kabsch)."""
    u, _, v = np.linalg.svd(matrix)
    u[..., 2] *= np.sign(np.linalg.det(u @ v))[..., None]
    return u @ v
