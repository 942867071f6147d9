"""The motion of a person on the bones of another figure: its lengths, the person's angles, and feet that stay.

The path is scaled by the length of the legs, and so is where the ankles go: what stood still stands still. Legs
then reach for their ankles from the new hips, and the rest of the body keeps its angles.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from mocaplift import kinematics, legs, rotations
from mocaplift.errors import InvalidData
from mocaplift.export.templates import Template
from mocaplift.layouts import CONTACT_POINTS, SMPL24
from mocaplift.values import Skeleton, SkeletonMotion

SIDES = ("left", "right")
# Legs are stretched to this share of their length, no farther: hips come down instead.
LONGEST_REACH = 0.998
# Hips come down for a leg out of reach, smoothly: within about this time before and after.
DROP_TIME = 0.15  # s


def on_figure(
    motion: SkeletonMotion, contacts: Bool[np.ndarray, "T F"] | None, template: Template
) -> SkeletonMotion:
    """Return the motion with the bone lengths of a template's figure; without any of its own, a mean adult's.

    Bones rest in the directions in which the person's do. `contacts` tell when a foot rolls about its ball.

    Raises:
        InvalidData: the skeleton is not ours.
    """
    skeleton = motion.skeleton
    if skeleton.layout.joints != SMPL24.joints:
        raise InvalidData(
            f"proportions of a template need the skeleton {SMPL24.name}, but this is {skeleton.layout.name}; "
            "choose --proportions actor"
        )
    figure = Skeleton(skeleton.layout, skeleton.parents, _offsets(skeleton, template))
    scale = legs.usual_leg_length(figure) / legs.usual_leg_length(skeleton)
    xyz, turned = kinematics.forward(skeleton, motion.rotations, motion.root)
    ankles = {side: _ankle_path(skeleton, figure, side, contacts, (xyz, turned), scale) for side in SIDES}
    left, right = SMPL24.index("left_hip", "right_hip")
    middle = (xyz[:, left] + xyz[:, right]) / 2
    lift = np.array([0.0, _ankle_lift(skeleton, figure, scale), 0.0])
    centre = figure.offsets[[left, right]].mean(axis=0)
    root = scale * middle + lift - rotations.rotate(turned[:, 0], centre)
    root = root - _needed_drop(figure, root, turned, ankles, float(motion.fps))
    moved = replace(motion, skeleton=figure, root=root)
    turns = motion.rotations.copy()
    xyz, _ = kinematics.forward(figure, motion.rotations, root)
    for side in SIDES:
        _reach(moved, turns, legs.leg_of(figure, xyz, turned, side), turned, side, ankles[side])
    return replace(moved, rotations=rotations.make_continuous(rotations.normalize(turns)))


def _offsets(skeleton: Skeleton, template: Template) -> Float[np.ndarray, "J 3"]:
    """Return the person's offsets, each as long as the figure's."""
    from mocaplift.body import load_body

    mean = load_body().mean_offsets
    wanted = np.linalg.norm(mean, axis=-1)
    own = template.lengths or {}
    if own:
        hips_to_ankles = wanted[SMPL24.index("left_knee", "left_ankle")].sum()
        wanted = wanted * (own["knee"] + own["ankle"]) / hips_to_ankles
    for position, joint in enumerate(SMPL24.joints):
        part = joint.removeprefix("left_").removeprefix("right_")
        wanted[position] = own.get(part, wanted[position])
    lengths = np.linalg.norm(skeleton.offsets, axis=-1, keepdims=True)
    # A bone without length has no direction of its own: the mean adult's is as good as any.
    direction = np.where(lengths > 0, skeleton.offsets, mean)
    direction = direction / np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1e-12)
    direction[0] = 0.0
    return direction * wanted[:, None]


def _ankle_lift(skeleton: Skeleton, figure: Skeleton, scale: float) -> float:
    """Return how much higher (m) than scaled the ankles are when the balls of the feet are at scaled height."""
    balls = SMPL24.index("left_foot", "right_foot")
    return float((scale * skeleton.offsets[balls, 1] - figure.offsets[balls, 1]).mean())


def _ankle_path(
    skeleton: Skeleton,
    figure: Skeleton,
    side: str,
    contacts: Bool[np.ndarray, "T F"] | None,
    pose: tuple[Float[np.ndarray, "T J 3"], Float[np.ndarray, "T J 4"]],
    scale: float,
) -> Float[np.ndarray, "T 3"]:
    """Return where an ankle goes: along the scaled path, but round the ball while the foot rolls about it.

    A foot of other length than scaled moves its ankle differently then. What this adds up to fades in the swing.
    """
    xyz, turned = pose
    ankle, ball = SMPL24.index(f"{side}_ankle", f"{side}_foot")
    lift = np.array([0.0, _ankle_lift(skeleton, figure, scale), 0.0])
    path = scale * xyz[:, ankle] + lift
    if contacts is None:
        return path
    heel = contacts[:, CONTACT_POINTS.index(f"{side}_heel")]
    toe = contacts[:, CONTACT_POINTS.index(f"{side}_big_toe")]
    apart = rotations.rotate(turned[:, ankle], scale * skeleton.offsets[ball] - figure.offsets[ball])
    rolls = toe[1:] & ~heel[1:] & toe[:-1]
    steps = np.concatenate([np.zeros((1, 3)), np.where(rolls[:, None], np.diff(apart, axis=0), 0.0)])
    # A foot that comes down on its ball is as high as the ball says from the first.
    first = np.where((toe & ~heel)[:, None], (apart - lift) * np.array([0.0, 1.0, 0.0]), 0.0)
    return path + _blended(np.cumsum(steps, axis=0), first, heel | toe)


def _blended(
    added: Float[np.ndarray, "T 3"], first: Float[np.ndarray, "T 3"], stands: Bool[np.ndarray, "T"]
) -> Float[np.ndarray, "T 3"]:
    """Return what has been added up since a foot came down, on top of what it began with.

    In the swing it goes from what the last stance ended with to what the next begins with.
    """
    frames = len(added)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], stands, [False]]).astype(int)))
    out, end, last = np.zeros_like(added), 0, np.zeros(3)
    for begin, over in zip([*edges[::2], frames], [*edges[1::2], frames], strict=True):
        following = first[begin] if begin < frames else np.zeros(3)
        share = (np.arange(1, begin - end + 1) / (begin - end + 1))[:, None]
        out[end:begin] = last + share**2 * (3 - 2 * share) * (following - last)
        out[begin:over] = following + added[begin:over] - added[begin:over][:1]
        if over > begin:
            end, last = int(over), out[over - 1]
    return out


def _needed_drop(
    figure: Skeleton,
    root: Float[np.ndarray, "T 3"],
    turned: Float[np.ndarray, "T J 4"],
    ankles: dict[str, Float[np.ndarray, "T 3"]],
    fps: float,
) -> Float[np.ndarray, "T 3"]:
    """Return how far (m, upwards) the hips are too high for the legs to reach, smoothly."""
    drop = np.zeros(len(root))
    for side in SIDES:
        hip, knee, ankle = SMPL24.index(f"{side}_hip", f"{side}_knee", f"{side}_ankle")
        longest = LONGEST_REACH * np.linalg.norm(figure.offsets[[knee, ankle]], axis=-1).sum()
        gap = root + rotations.rotate(turned[:, 0], figure.offsets[hip]) - ankles[side]
        highest = np.sqrt(np.maximum(longest**2 - np.sum(gap[:, [0, 2]] ** 2, axis=-1), 0.0))
        # A leg that points upwards is not brought nearer by lower hips.
        drop = np.maximum(drop, np.where(gap[:, 1] > 0, gap[:, 1] - highest, 0.0))
    half = max(round(fps * DROP_TIME), 1)
    # The mean of maxima over the same stretch is nowhere below what is needed.
    widest = np.lib.stride_tricks.sliding_window_view(np.pad(drop, 2 * half, mode="edge"), 2 * half + 1).max(
        -1
    )
    smooth = np.convolve(widest, np.full(2 * half + 1, 1 / (2 * half + 1)), mode="valid")
    return smooth[:, None] * np.array([0.0, 1.0, 0.0])


def _reach(
    motion: SkeletonMotion,
    turns: Float[np.ndarray, "T J 4"],
    leg: legs.Leg,
    turned: Float[np.ndarray, "T J 4"],
    side: str,
    target: Float[np.ndarray, "T 3"],
) -> None:
    """Write the rotations of a leg whose ankle is at its target; the foot keeps its direction in the world."""
    hip, knee, ankle = SMPL24.index(f"{side}_hip", f"{side}_knee", f"{side}_ankle")
    limit = np.full(len(target), legs.leg_length(leg) * (1 - 1e-6))
    solved = legs.reach(leg, leg.hip, target, limit)
    above = turned[:, motion.skeleton.parents[hip]]
    turns[:, hip] = rotations.multiply(rotations.conjugate(above), solved.hip_turn)
    turns[:, knee] = rotations.multiply(rotations.conjugate(solved.hip_turn), solved.knee_turn)
    turns[:, ankle] = rotations.multiply(rotations.conjugate(solved.knee_turn), turned[:, ankle])
