"""A stick figure on a rig: programs that show bones only under a mesh have something to show."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift.export.rigged import Rigged
from mocaplift.export.skin import Skin
from mocaplift.rotations import rotate

# A stick is a double pyramid, as Blender draws bones: a square at this share of its length, this wide.
WAIST = 0.15
WIDTH = 0.06  # share of the length, from the axis to a corner
WIDEST = 0.02  # m
# Shorter ways than this (m), from a bone to the next, get no stick.
SHORTEST = 1e-3

# Corners: 0 the head, 1 to 4 the square, counter-clockwise seen from the tail, 5 the tail.
_TRIANGLES = np.array(
    [[0, 2, 1], [0, 3, 2], [0, 4, 3], [0, 1, 4], [5, 1, 2], [5, 2, 3], [5, 3, 4], [5, 4, 1]]
)
_CORNERS = 6


def stick_figure(rigged: Rigged) -> Skin:
    """Return sticks from every bone to its children and to its tip, each moved by that one bone."""
    xyz, turned = rigged.rest_world()
    ways = [(parent, xyz[parent], xyz[bone]) for bone, parent in enumerate(rigged.parents) if parent >= 0]
    ways += [(bone, xyz[bone], xyz[bone] + rotate(turned[bone], tip)) for bone, tip in rigged.tips.items()]
    ways = [way for way in ways if np.linalg.norm(way[2] - way[1]) > SHORTEST]
    vertices = np.concatenate([np.zeros((0, 3)), *(_stick(head, tail) for _, head, tail in ways)])
    joints = np.zeros((len(vertices), 4), dtype=int)
    joints[:, 0] = np.repeat([bone for bone, _, _ in ways], _CORNERS)
    weights = np.zeros((len(vertices), 4))
    weights[:, 0] = 1.0
    firsts = _CORNERS * np.arange(len(ways))
    triangles = (firsts[:, None, None] + _TRIANGLES).reshape(-1, 3)
    return Skin(vertices=vertices, triangles=triangles, joints=joints, weights=weights)


def _stick(head: Float[np.ndarray, "3"], tail: Float[np.ndarray, "3"]) -> Float[np.ndarray, "6 3"]:
    """Return the corners of one stick."""
    along = tail - head
    length = float(np.linalg.norm(along))
    across = np.eye(3)[np.abs(along).argmin()]
    first = np.cross(along, across)
    first /= np.linalg.norm(first)
    second = np.cross(along, first) / length
    width = min(WIDTH * length, WIDEST)
    square = head + WAIST * along + width * np.stack([first, second, -first, -second])
    return np.concatenate([head[None], square, tail[None]])
