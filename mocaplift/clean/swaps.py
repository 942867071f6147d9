"""Left and right exchanged by the detector, found over time and put back.

Detectors mistake a back for a front, or one leg for the other, for a moment or for seconds. Each frame is taken
as seen or as exchanged, for the whole body, the arms or the legs; the cheapest course through all frames is
found exactly (Viterbi over pairs of frames). Exchanging costs; so does a limb that jumps or turns round in
flight, an arm or a leg across the body, and a foot that points against the way the body faces.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from mocaplift.clean.scale import pixels_per_metre
from mocaplift.values import Keypoints2D, Layout

# What is exchanged together. The face goes with the torso; the nose has no partner.
GROUPS = {
    "body": ("shoulder", "hip", "eye", "ear"),
    "arms": ("elbow", "wrist"),
    "legs": ("knee", "ankle", "big_toe", "heel"),
}
# All ways to exchange the groups (in that order), and what each costs beside leaving all as seen, per second.
# Their order is that of the detectors' errors (one pair of legs or the whole body, in 1 to 3 % of the frames of
# break dance); their size only has to lose against motion.
STATE_COST = {
    (0, 0, 0): 0.0, (1, 1, 1): 4.0, (0, 0, 1): 6.0, (0, 1, 0): 6.0,
    (0, 1, 1): 12.0, (1, 0, 0): 12.0, (1, 0, 1): 12.0, (1, 1, 0): 12.0,
}  # fmt: skip
STATES = np.array(list(STATE_COST), dtype=bool)
# Beginning or ending an exchange: as much as two joints that jump by three times their unrest.
SWITCH_COST = 4.0
# Unrest of a keypoint from frame to frame: noise (m), and the acceleration of hands and feet in dance (m/s^2).
NOISE, ACCELERATION = 0.03, 60.0
# The share of its last step that a point is expected to repeat: not all of it, since noise is in the step too.
MOMENTUM = 0.8
# Faster than this a point does not move about the body (m/s): a kick or a punch.
FASTEST = 8.0
# Left and right nearer together than this share of the frame before or after lie together for a moment.
COLLAPSE = 0.5
# A joint's cost is log(1 + z^2), cut here: one outlier must not decide.
LARGEST_COST = 4.0
# A point of this confidence has its full say, below it a share (reference scale: 4 cm).
SURE = 0.25
# Frames further apart than this say nothing about each other (s).
LONGEST_LINK = 0.3
# Cost per second of arms or legs that reach across the body, for this much more length of bone (m).
CROSSING_COST, CROSSING_LENGTH = 3.0, 0.3
# Cost per second of a body that faces us on planted feet whose toes are above their heels, as only a back's are;
# of a back with toes below its heels, which high heels can do and which therefore must not decide alone; and of a
# front without a face, which a mask can do.
TOES_UP_COST, TOES_DOWN_COST, FACE_COST = 12.0, 2.0, 3.0
# Foot length along the body in the picture, and width of hips and shoulders, that tell the facing half-way (m).
FOOT_REACH, WIDTH = 0.05, 0.12
# A foot is planted while heel and toe move less than this (m/s, beside noise) over this time (s) on either side.
PLANTED_SPEED, PLANTED_SPAN = 0.5, 0.07
# Feet tell nothing about a torso that is turned further than this from upright (cosine of 50 degrees).
UPRIGHT = 0.64
# A face below the first while the torso is above the second is turned away (confidence).
NO_FACE, TORSO_SEEN = 0.1, 0.4
# Where the other choice costs less than this more, nobody can tell: the confidence is halved.
AMBIGUOUS, DOUBT = 2.0, 0.5
# A pair closer together than this (m) is the same point either way.
SAME_POINT = 0.08


class Swaps(NamedTuple):
    """Which groups (columns, as in `GROUPS`) are exchanged in which frames, and where that is in doubt."""

    is_swapped: Bool[np.ndarray, "T G"]
    is_doubtful: Bool[np.ndarray, "T G"]


def repair_swaps(keypoints: Keypoints2D) -> tuple[Keypoints2D, int]:
    """Return the keypoints with left and right put back, and in how many frames they were exchanged.

    Where both readings are about as likely, and differ, the confidence is halved. Landmarks in 3D are exchanged
    alike; where the whole body is, front was taken for back, so that their depth is mirrored as well.
    """
    swaps = find_swaps(keypoints)
    order = _order(swaps.is_swapped, keypoints.layout)
    rows = np.arange(len(order))[:, None]
    conf = keypoints.conf[rows, order]
    xy = keypoints.xy[rows, order]
    doubt = np.zeros(conf.shape, bool)
    for column, joints in enumerate(_members(keypoints.layout)):
        doubt[:, joints] = swaps.is_doubtful[:, column, None]
    apart = np.linalg.norm(xy - xy[:, list(keypoints.layout.mirror)], axis=-1)
    differs = apart > SAME_POINT * pixels_per_metre(keypoints)[:, None]
    conf = np.where(doubt & differs, conf * DOUBT, conf)
    landmarks = keypoints.landmarks
    if landmarks is not None:
        landmarks = landmarks[rows, order]
        is_turned = swaps.is_swapped[:, list(GROUPS).index("body")]
        landmarks = np.where(is_turned[:, None, None], landmarks * np.array([1.0, 1.0, -1.0]), landmarks)
    repaired = Keypoints2D(xy, conf, keypoints.layout, keypoints.fps, keypoints.size, landmarks=landmarks)
    return repaired, int(swaps.is_swapped.any(axis=1).sum())


def find_swaps(keypoints: Keypoints2D) -> Swaps:
    """Return the frames and groups in which left and right are exchanged."""
    is_swapped = np.zeros((len(keypoints.xy), len(GROUPS)), dtype=bool)
    is_doubtful = is_swapped.copy()
    seen = np.flatnonzero((keypoints.conf > 0).any(axis=1))
    scale = pixels_per_metre(keypoints)
    if len(seen) < 3 or not np.isfinite(scale).all():
        return Swaps(is_swapped, is_doubtful)
    points = _Points(
        keypoints.xy[seen] / scale[seen, None, None],
        keypoints.conf[seen],
        keypoints.layout,
        np.diff(seen) / float(keypoints.fps),
    )
    cost = _cheapest(_single_costs(points) / float(keypoints.fps), _flip_costs(points), points.step)
    is_swapped[seen] = STATES[cost.argmin(axis=1)]
    for column in range(len(GROUPS)):
        exchanged = cost[:, STATES[:, column]].min(axis=1)
        kept = cost[:, ~STATES[:, column]].min(axis=1)
        is_doubtful[seen, column] = np.abs(exchanged - kept) < AMBIGUOUS
    return Swaps(is_swapped, is_doubtful)


class _Points(NamedTuple):
    """The frames in which the person is seen: metres at their depth, and seconds between them."""

    xy: Float[np.ndarray, "N J 2"]
    conf: Float[np.ndarray, "N J"]
    layout: Layout
    step: Float[np.ndarray, "N-1"]

    def middle(self, *parts: str) -> Float[np.ndarray, "N 2"]:
        """Return the mean of both sides of some parts."""
        return (self.sides(*parts)[0] + self.sides(*parts)[1]) / 2

    def sides(self, *parts: str) -> tuple[Float[np.ndarray, "N 2"], Float[np.ndarray, "N 2"]]:
        """Return the mean of the left and of the right joints of some parts, NaN where one is missing."""
        left = self.xy[:, self.layout.index(*(f"left_{part}" for part in parts))]
        right = self.xy[:, self.layout.index(*(f"right_{part}" for part in parts))]
        return left.mean(axis=1), right.mean(axis=1)


def _members(layout: Layout) -> list[list[int]]:
    """Return the joints of each group, each next to its partner: left, right, left, right."""
    members = []
    for parts in GROUPS.values():
        pairs = [(f"left_{part}", f"right_{part}") for part in parts if f"left_{part}" in layout.joints]
        members.append(layout.index(*(joint for pair in pairs for joint in pair)))
    return members


def _order(is_swapped: Bool[np.ndarray, "T G"], layout: Layout) -> Int[np.ndarray, "T J"]:
    """Return from which joint each joint is taken in every frame."""
    order = np.tile(np.arange(len(layout)), (len(is_swapped), 1))
    mirror = np.array(layout.mirror)
    for column, joints in enumerate(_members(layout)):
        order[:, joints] = np.where(is_swapped[:, column, None], mirror[joints], order[:, joints])
    return order


def _flip_costs(points: _Points) -> Float[np.ndarray, "N G 2 2"]:
    """Return what the motion into each frame costs by group: [exchanged before or not, now or not].

    "Exchanged" is relative to the frame before. A point is expected to go on as it came; where the frame before
    says nothing, it is compared with its place in the one before that.
    """
    frames = len(points.xy)
    costs = np.zeros((frames, len(GROUPS), 2, 2))
    if frames < 3:
        return costs
    step, linked = points.step, points.step <= LONGEST_LINK
    for column, joints in enumerate(_members(points.layout)):
        here = points.xy[:, joints]
        other = here.reshape(frames, -1, 2, 2)[:, :, ::-1].reshape(here.shape)
        sure = np.minimum(points.conf[:, joints] / SURE, 1.0) * ~_is_collapsed(here)
        for before, now in np.ndindex(2, 2):
            came_from = (other if before else here)[:-2]
            came = (here[1:-1] - came_from) * (step[1:] / step[:-1])[:, None, None]
            is_known = (np.minimum(sure[1:-1], sure[:-2]) > 0.5) & linked[:-1, None]
            heading = np.zeros_like(here[1:])
            heading[1:] = np.where(is_known[..., None], MOMENTUM * _bounded(came, step[1:]), 0.0)
            to = other if now else here
            cost = _jump_cost(to[1:] - here[:-1] - heading, step)
            weight = np.minimum(sure[1:], sure[:-1]) * linked[:, None]
            costs[1:, column, before, now] = (weight * cost).sum(axis=1)
            skipped = _jump_cost((other if before ^ now else here)[2:] - here[:-2], step[1:] + step[:-1])
            weight = (1 - sure[1:-1]) * np.minimum(sure[2:], sure[:-2]) * (linked[1:] & linked[:-1])[:, None]
            costs[2:, column, before, now] += (weight * skipped).sum(axis=1)
    return costs


def _jump_cost(off: Float[np.ndarray, "M J 2"], step: Float[np.ndarray, "M"]) -> Float[np.ndarray, "M J"]:
    """Return what it costs that points are so far (m) from where they were expected after these seconds."""
    spread = np.hypot(NOISE, ACCELERATION * step**2)[:, None]
    return np.minimum(np.log1p((np.linalg.norm(np.nan_to_num(off), axis=-1) / spread) ** 2), LARGEST_COST)


def _bounded(came: Float[np.ndarray, "M J 2"], step: Float[np.ndarray, "M"]) -> Float[np.ndarray, "M J 2"]:
    """Return steps (m) no longer than a limb can make in these seconds: what is longer was an exchange."""
    length = np.linalg.norm(came, axis=-1, keepdims=True)
    longest = FASTEST * step[:, None, None]
    return np.nan_to_num(came * np.minimum(1.0, longest / np.maximum(length, 1e-9)))


def _is_collapsed(pairs: Float[np.ndarray, "N J 2"]) -> Bool[np.ndarray, "N J"]:
    """Return where left and right lie together for a moment, as when a detector wavers and gives the mean.

    Limbs that cross come nearer from frame to frame; those of a wavering detector were as far apart as ever in
    the frame before, or are in the next.
    """
    frames = len(pairs)
    sides = pairs.reshape(frames, -1, 2, 2)
    apart = np.pad(np.nan_to_num(np.linalg.norm(sides[:, :, 0] - sides[:, :, 1], axis=-1)), ((2, 2), (0, 0)))
    now, before, long_before = apart[2:-2], apart[1:-3], apart[:-4]
    after, long_after = apart[3:-1], apart[4:]
    came = (now < COLLAPSE * before) & (before > 0.7 * long_before) & (before > SAME_POINT)
    goes = (now < COLLAPSE * after) & (after > 0.7 * long_after) & (after > SAME_POINT)
    return np.repeat(came | goes, 2, axis=1)


def _single_costs(points: _Points) -> Float[np.ndarray, "N S"]:
    """Return what each state costs in each frame by itself, per second."""
    cost = np.tile(np.array(list(STATE_COST.values())), (len(points.xy), 1))
    body, arms, legs = STATES.T
    for is_across, upper, lower in ((body ^ arms, "shoulder", "elbow"), (body ^ legs, "hip", "knee")):
        (a, b), (c, d) = points.sides(upper), points.sides(lower)
        straight = np.linalg.norm(a - c, axis=-1) + np.linalg.norm(b - d, axis=-1)
        across = np.linalg.norm(a - d, axis=-1) + np.linalg.norm(b - c, axis=-1)
        longer = CROSSING_COST * np.nan_to_num(across - straight) / CROSSING_LENGTH
        cost += np.where(is_across, np.maximum(longer, 0)[:, None], np.maximum(-longer, 0)[:, None])
    against = _facing_evidence(points)
    cost += np.where(body, np.maximum(-against, 0)[:, None], np.maximum(against, 0)[:, None])
    return cost


def _facing_evidence(points: _Points) -> Float[np.ndarray, "N"]:
    """Return the cost per second of taking the body's facing as seen; negative where it is to be kept.

    A body that faces the camera has its left on the right of the picture, a face, and toes below its heels.
    """
    up = points.middle("shoulder") - points.middle("hip")
    up = up / np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-9)
    left, right = points.sides("shoulder", "hip")
    width = (left - right)[:, 0] * -up[:, 1] + (left - right)[:, 1] * up[:, 0]
    front = np.nan_to_num(np.tanh(width / WIDTH))
    evidence = np.zeros(len(front))
    if "left_heel" in points.layout.joints:
        down = np.stack([-(foot * up).sum(axis=-1) for foot in _planted_feet(points)])
        is_upright = np.nan_to_num(-up[:, 1]) > UPRIGHT
        toes = np.nan_to_num(np.tanh(np.where(np.isfinite(down), down, 0.0).mean(axis=0) / FOOT_REACH * 2))
        cost = np.where(toes < 0, TOES_UP_COST, TOES_DOWN_COST)
        evidence -= np.where(is_upright, cost * front * toes, 0.0)
    layout, conf = points.layout, points.conf
    face = conf[:, layout.index("nose", "left_eye", "right_eye")].max(axis=1)
    torso = conf[:, layout.index("left_shoulder", "right_shoulder")].mean(axis=1)
    evidence += FACE_COST * np.where((face < NO_FACE) & (torso > TORSO_SEEN), front, 0.0)
    return evidence


def _planted_feet(points: _Points) -> tuple[Float[np.ndarray, "N 2"], Float[np.ndarray, "N 2"]]:
    """Return heel to toe of the left and the right foot (m), NaN unless the whole foot stands still.

    A foot that swings or rolls off points anywhere. Which foot was which before and after does not matter.
    """
    frames = len(points.xy)
    passed = np.concatenate([[0.0], np.cumsum(points.step)])
    is_planted = np.ones((2, frames), dtype=bool)
    for part in ("heel", "big_toe"):
        sides = points.sides(part)
        for side in (0, 1):
            for direction in (-1, 1):
                other = np.clip(np.searchsorted(passed, passed + direction * PLANTED_SPAN), 0, frames - 1)
                moved = np.fmin(*(np.linalg.norm(sides[side] - each[other], axis=-1) for each in sides))
                time = np.abs(passed - passed[other])
                is_near = (time > 0) & (time < 2 * PLANTED_SPAN + points.step.min())
                still = np.nan_to_num(moved, nan=np.inf) < PLANTED_SPEED * time + NOISE
                is_planted[side] &= ~is_near | still
    heels, toes = points.sides("heel"), points.sides("big_toe")
    left, right = (np.where(is_planted[k][:, None], toes[k] - heels[k], np.nan) for k in (0, 1))
    return left, right


def _cheapest(
    single: Float[np.ndarray, "N S"], flips: Float[np.ndarray, "N G 2 2"], step: Float[np.ndarray, "N-1"]
) -> Float[np.ndarray, "N S"]:
    """Return the cost of the cheapest course through each state of each frame.

    Two passes over pairs of neighbouring frames, since what a motion costs depends on three of them.
    """
    frames, states = single.shape
    flip = (STATES[:, None] ^ STATES[None]).astype(int)
    is_switch = flip.any(axis=-1)

    def motion(frame: int) -> Float[np.ndarray, "S S S"]:
        first, second = flip[:, :, None], flip[None]
        groups = range(len(GROUPS))
        return sum(flips[frame, g][first[..., g], second[..., g]] for g in groups)  # type: ignore[return-value]

    def entered(frame: int) -> Float[np.ndarray, "S S"]:
        cost = SWITCH_COST if step[frame - 1] <= LONGEST_LINK else 0.0
        return single[frame][None] + cost * is_switch

    forward, backward = np.zeros((2, frames, states, states))
    forward[1] = single[0][:, None] + entered(1) + motion(1)[0]
    for frame in range(2, frames):
        forward[frame] = (forward[frame - 1][:, :, None] + motion(frame)).min(axis=0) + entered(frame)
    for frame in range(frames - 1, 1, -1):
        backward[frame - 1] = (motion(frame) + (entered(frame) + backward[frame])[None]).min(axis=2)
    total = forward + backward
    return np.concatenate([total[1].min(axis=1)[None], total[1:].min(axis=1)])
