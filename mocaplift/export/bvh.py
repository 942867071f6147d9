"""BVH: a tree of offsets, then one line of numbers per frame.

The format has no units, no axes and no rest rotations; what readers agree on is: +Y up, degrees, the channels
of a joint applied as R = R1 R2 R3 on column vectors (University of Wisconsin, "Biovision BVH").
Our world and rest pose (T-pose, facing +Z) are already those of the format, so only the unit changes.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift import rotations
from mocaplift.errors import ConfigError
from mocaplift.export.presets import USUAL_ORDER, ExportOptions
from mocaplift.export.rigged import Rigged, without_rest_axes, z_up

# How many units of the file are one metre.
UNITS = {"cm": 100.0, "m": 1.0}
ORDERS = ("ZXY", "ZYX", "XYZ", "XZY", "YXZ", "YZX")
# Nearer to the pole than this the two outer angles of Euler's three fight each other.
POLE_MARGIN = 15.0  # degrees
# 6 decimals: 1e-6 degree at the end of a 1 m limb is 2e-8 m.
_NUMBER = "%.6f"
# Frame times are read back as a rate: 12 decimals keep 29.97 fps in step for a day.
_FRAME_TIME_DIGITS = 12


def encode(rigged: Rigged, options: ExportOptions) -> bytes:
    """Return the motion as a BVH file.

    Bones whose translation moves have six channels; their offset is zero. The order of the options is that of
    every joint, or "auto": then a joint that comes near the pole of the usual order has the order that keeps it
    farthest away (readers that assume one order for all joints cannot read that).

    Raises:
        ConfigError: unknown order.
    """
    order = options.order
    if order != "auto" and order not in ORDERS:
        raise ConfigError(f"unknown rotation order {order!r} for BVH; known: auto, {', '.join(ORDERS)}")
    scale = UNITS[options.unit]
    rigged = without_rest_axes(z_up(rigged) if options.up == "z" else rigged)
    orders = _orders(rigged, order)
    frames = _channels(rigged, orders, scale)
    lines = [
        "HIERARCHY",
        *_hierarchy(rigged, orders, scale),
        "MOTION",
        # Blender reads the rate only from a line of exactly these words.
        f"Frames: {len(frames)}",
        f"Frame Time: {1.0 / float(rigged.fps):.{_FRAME_TIME_DIGITS}f}",
    ]
    row = " ".join([_NUMBER] * frames.shape[1])
    # Row by row: as numbers of Python all frames at once would be four times as large.
    lines.extend(row % tuple(frame.tolist()) for frame in frames)
    return ("\n".join(lines) + "\n").encode("utf-8")


def _depth_first(parents: tuple[int, ...]) -> list[int]:
    """Return the joints in the order of the file: each followed by everything below it."""
    children = _children(parents)
    order, waiting = [], [0]
    while waiting:
        joint = waiting.pop()
        order.append(joint)
        waiting.extend(reversed(children[joint]))
    return order


def _children(parents: tuple[int, ...]) -> list[list[int]]:
    children: list[list[int]] = [[] for _ in parents]
    for child, parent in enumerate(parents):
        if parent >= 0:
            children[parent].append(child)
    return children


def _hierarchy(rigged: Rigged, orders: list[str], scale: float) -> list[str]:
    """Return the lines of the tree. Offsets of moving bones are zero: readers disagree whether they are added."""
    children = _children(rigged.parents)
    lines: list[str] = []

    def offset(vector: Float[np.ndarray, "3"], indent: str) -> str:
        return indent + "OFFSET " + " ".join(_NUMBER % (value * scale + 0.0) for value in vector)

    def write(joint: int, depth: int) -> None:
        outer, inner = "\t" * depth, "\t" * (depth + 1)
        rotation = " ".join(f"{letter}rotation" for letter in orders[joint])
        moves = joint in rigged.places
        position = "Xposition Yposition Zposition " if moves else ""
        lines.append(f"{outer}{'ROOT' if joint == 0 else 'JOINT'} {rigged.names[joint]}")
        lines.append(outer + "{")
        lines.append(offset(np.zeros(3) if moves else rigged.offsets[joint], inner))
        lines.append(f"{inner}CHANNELS {6 if moves else 3} {position}{rotation}")
        for child in children[joint]:
            write(child, depth + 1)
        if joint in rigged.tips:
            lines.extend(
                [inner + "End Site", inner + "{", offset(rigged.tips[joint], inner + "\t"), inner + "}"]
            )
        lines.append(outer + "}")

    write(0, 0)
    return lines


def _channels(rigged: Rigged, orders: list[str], scale: float) -> Float[np.ndarray, "T C"]:
    """Return the numbers of every frame: joint by joint in the order of the file, positions before angles."""
    degrees = np.zeros((*rigged.rotations.shape[:2], 3))
    for order in set(orders):
        these = [joint for joint, own in enumerate(orders) if own == order]
        degrees[:, these] = rotations.to_continuous_euler_deg(order, rigged.rotations[:, these])
    columns = []
    for joint in _depth_first(rigged.parents):
        if joint in rigged.places:
            columns.append(rigged.places[joint] * scale)
        columns.append(degrees[:, joint])
    # Adding zero turns -0.0 into 0.0 after rounding: "-0.000000" breaks no reader, but looks like noise.
    return np.round(np.concatenate(columns, axis=1), 6) + 0.0


def _orders(rigged: Rigged, order: str) -> list[str]:
    """Return the rotation order of every joint."""
    joints = range(len(rigged.names))
    if order != "auto":
        return [order for _ in joints]
    return [_safest_order(rigged.rotations[:, joint]) for joint in joints]


def _safest_order(turns: Float[np.ndarray, "T 4"]) -> str:
    """Return the usual order, unless it comes near its pole and another stays farther away."""
    reach = {order: np.abs(rotations.to_euler_deg(order, turns)[:, 1]).max() for order in ORDERS}
    return USUAL_ORDER if reach[USUAL_ORDER] <= 90.0 - POLE_MARGIN else min(ORDERS, key=reach.__getitem__)
