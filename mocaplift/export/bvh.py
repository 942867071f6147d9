"""BVH: a tree of offsets, then one line of numbers per frame.

The format has no units, no axes and no rest rotations; what readers agree on is: +Y up, degrees, the channels
of a joint applied as R = R1 R2 R3 on column vectors (University of Wisconsin, "Biovision BVH").
Our world and rest pose (T-pose, facing +Z) are already those of the format, so only the unit changes.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift import rotations
from mocaplift.errors import ConfigError, InvalidData
from mocaplift.export.templates import names_in, rest_height, tip_offsets
from mocaplift.values import Skeleton, SkeletonMotion

# How many units of the file are one metre.
UNITS = {"cm": 100.0, "m": 1.0}
ORDERS = ("ZXY", "ZYX", "XYZ", "XZY", "YXZ", "YZX")
# The order that nearly every BVH file has; readers that ignore CHANNELS assume it.
USUAL_ORDER = "ZXY"
# Nearer to the pole than this the two outer angles of Euler's three fight each other.
POLE_MARGIN = 15.0  # degrees
# 6 decimals: 1e-6 degree at the end of a 1 m limb is 2e-8 m.
_NUMBER = "%.6f"
# Frame times are read back as a rate: 12 decimals keep 29.97 fps in step for a day.
_FRAME_TIME_DIGITS = 12


def encode(
    motion: SkeletonMotion,
    *,
    unit: str = "cm",
    rest_frame: bool = False,
    order: str = USUAL_ORDER,
    template: str = "native",
) -> bytes:
    """Return the motion as a BVH file.

    `rest_frame` puts one frame of the T-pose, on the floor above the origin, before the motion. `order` is
    the rotation order of every joint, or "auto": then a joint that comes near the pole of the usual order has
    the order that keeps it farthest away (readers that assume one order for all joints cannot read that).

    Raises:
        ConfigError: unknown unit, order or template.
        InvalidData: the motion has no frames, or names that a BVH file cannot hold.
    """
    if unit not in UNITS:
        raise ConfigError(f"unknown unit {unit!r} for BVH; known: {', '.join(UNITS)}")
    if order != "auto" and order not in ORDERS:
        raise ConfigError(f"unknown rotation order {order!r} for BVH; known: auto, {', '.join(ORDERS)}")
    if len(motion.root) == 0:
        raise InvalidData("a BVH file needs at least one frame, but the motion has none")
    skeleton = motion.skeleton
    orders = _orders(motion, order)
    walk = _depth_first(skeleton)
    frames = _channels(motion, [orders[joint] for joint in walk], walk, UNITS[unit], rest_frame)
    lines = [
        "HIERARCHY",
        *_hierarchy(skeleton, names_in(template, skeleton), orders, UNITS[unit]),
        "MOTION",
        # Blender reads the rate only from a line of exactly these words.
        f"Frames: {len(frames)}",
        f"Frame Time: {1.0 / float(motion.fps):.{_FRAME_TIME_DIGITS}f}",
    ]
    row = " ".join([_NUMBER] * frames.shape[1])
    lines.extend(row % tuple(frame) for frame in frames.tolist())
    return ("\n".join(lines) + "\n").encode("ascii")


def _depth_first(skeleton: Skeleton) -> list[int]:
    """Return the joints in the order of the file: each followed by everything below it."""
    children = _children(skeleton)
    order, waiting = [], [0]
    while waiting:
        joint = waiting.pop()
        order.append(joint)
        waiting.extend(reversed(children[joint]))
    return order


def _children(skeleton: Skeleton) -> list[list[int]]:
    children: list[list[int]] = [[] for _ in skeleton.parents]
    for child, parent in enumerate(skeleton.parents):
        if parent >= 0:
            children[parent].append(child)
    return children


def _hierarchy(skeleton: Skeleton, names: tuple[str, ...], orders: list[str], scale: float) -> list[str]:
    """Return the lines of the tree. The root's offset is zero: readers disagree whether it is added."""
    children, tips = _children(skeleton), tip_offsets(skeleton)
    lines: list[str] = []

    def offset(vector: Float[np.ndarray, "3"], indent: str) -> str:
        return indent + "OFFSET " + " ".join(_NUMBER % (value * scale + 0.0) for value in vector)

    def write(joint: int, depth: int) -> None:
        outer, inner = "\t" * depth, "\t" * (depth + 1)
        rotation = " ".join(f"{letter}rotation" for letter in orders[joint])
        is_root = skeleton.parents[joint] < 0
        position = "Xposition Yposition Zposition " if is_root else ""
        lines.append(f"{outer}{'ROOT' if is_root else 'JOINT'} {names[joint]}")
        lines.append(outer + "{")
        lines.append(offset(np.zeros(3) if is_root else skeleton.offsets[joint], inner))
        lines.append(f"{inner}CHANNELS {6 if is_root else 3} {position}{rotation}")
        for child in children[joint]:
            write(child, depth + 1)
        if joint in tips:
            lines.extend([inner + "End Site", inner + "{", offset(tips[joint], inner + "\t"), inner + "}"])
        lines.append(outer + "}")

    write(0, 0)
    return lines


def _channels(
    motion: SkeletonMotion, orders: list[str], walk: list[int], scale: float, rest_frame: bool
) -> Float[np.ndarray, "T C"]:
    """Return the numbers of every frame: the root's position, then three angles per joint of the walk."""
    turns = motion.rotations[:, walk]
    degrees = np.zeros((*turns.shape[:2], 3))
    for order in set(orders):
        these = [position for position, own in enumerate(orders) if own == order]
        degrees[:, these] = rotations.to_continuous_euler_deg(order, turns[:, these])
    frames = np.concatenate([motion.root * scale, degrees.reshape(len(degrees), -1)], axis=1)
    if rest_frame:
        rest = np.zeros((1, frames.shape[1]))
        rest[0, 1] = rest_height(motion.skeleton) * scale
        frames = np.concatenate([rest, frames])
    # Adding zero turns -0.0 into 0.0 after rounding: "-0.000000" breaks no reader, but looks like noise.
    return np.round(frames, 6) + 0.0


def _orders(motion: SkeletonMotion, order: str) -> list[str]:
    """Return the rotation order of every joint."""
    joints = range(motion.rotations.shape[1])
    if order != "auto":
        return [order for _ in joints]
    return [_safest_order(motion.rotations[:, joint]) for joint in joints]


def _safest_order(turns: Float[np.ndarray, "T 4"]) -> str:
    """Return the usual order, unless it comes near its pole and another stays farther away."""
    reach = {order: np.abs(rotations.to_euler_deg(order, turns)[:, 1]).max() for order in ORDERS}
    return USUAL_ORDER if reach[USUAL_ORDER] <= 90.0 - POLE_MARGIN else min(ORDERS, key=reach.__getitem__)
