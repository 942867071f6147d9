"""Rotations: unit quaternions wxyz in memory, every other form at the border.

A rotation acts on column vectors: `to_matrix(multiply(a, b)) == to_matrix(a) @ to_matrix(b)`, so `b` happens
first. Euler angles are intrinsic: order "ZXY" means R = Rz(a) Rx(b) Ry(c), as in a BVH file's channels.
Angles are radians, unless a name says degrees.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift.errors import InvalidData

IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])

# Below this angle (radians) the series of sin(x)/x is exact to double precision.
SMALL_ANGLE = 1e-6

# Right-handed, +Z up (AMASS, most calibrations) to right-handed, +Y up: x stays, z becomes y, y becomes -z.
Y_UP_FROM_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])

# Nearer to the pole than this (degrees) the two outer Euler angles cannot be told apart.
POLE_WIDTH = 1e-3

_AXES = {"X": 0, "Y": 1, "Z": 2}


def normalize(q: Float[np.ndarray, "*lead 4"]) -> Float[np.ndarray, "*lead 4"]:
    """Return the quaternions scaled to unit length.

    Raises:
        InvalidData: a quaternion is zero or not finite.
    """
    norm = np.linalg.norm(q, axis=-1, keepdims=True)
    if not np.isfinite(norm).all() or (norm == 0).any():
        raise InvalidData("a quaternion of length zero, NaN or infinity is no rotation")
    return q / norm


def multiply(
    a: Float[np.ndarray, "*#lead 4"], b: Float[np.ndarray, "*#lead 4"]
) -> Float[np.ndarray, "*#lead 4"]:
    """Return the Hamilton product: first `b`, then `a`. Leading axes broadcast."""
    aw, ax, ay, az = np.moveaxis(a, -1, 0)
    bw, bx, by, bz = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def conjugate(q: Float[np.ndarray, "*lead 4"]) -> Float[np.ndarray, "*lead 4"]:
    """Return the inverse rotations of unit quaternions."""
    return q * np.array([1.0, -1.0, -1.0, -1.0])


def rotate(
    q: Float[np.ndarray, "*#lead 4"], v: Float[np.ndarray, "*#lead 3"]
) -> Float[np.ndarray, "*#lead 3"]:
    """Return the vectors turned by the quaternions. Leading axes broadcast."""
    axis = q[..., 1:]
    twice = 2.0 * np.cross(axis, v)
    return v + q[..., :1] * twice + np.cross(axis, twice)


def to_matrix(q: Float[np.ndarray, "*lead 4"]) -> Float[np.ndarray, "*lead 3 3"]:
    """Return the rotation matrices of unit quaternions."""
    w, x, y, z = np.moveaxis(q, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def from_matrix(matrix: Float[np.ndarray, "*lead 3 3"]) -> Float[np.ndarray, "*lead 4"]:
    """Return unit quaternions of rotation matrices, by the largest squared component (Shepperd 1978)."""
    m = np.asarray(matrix, dtype=float)
    d0, d1, d2 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    # 4 w^2, 4 x^2, 4 y^2, 4 z^2: the largest is never small, so the division below is safe.
    squares = np.stack([1 + d0 + d1 + d2, 1 + d0 - d1 - d2, 1 - d0 + d1 - d2, 1 - d0 - d1 + d2], axis=-1)
    xy, xz, yz = m[..., 1, 0] + m[..., 0, 1], m[..., 2, 0] + m[..., 0, 2], m[..., 2, 1] + m[..., 1, 2]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    candidates = np.stack(
        [
            np.stack([squares[..., 0], wx, wy, wz], axis=-1),
            np.stack([wx, squares[..., 1], xy, xz], axis=-1),
            np.stack([wy, xy, squares[..., 2], yz], axis=-1),
            np.stack([wz, xz, yz, squares[..., 3]], axis=-1),
        ],
        axis=-2,
    )
    best = squares.argmax(axis=-1)[..., None, None]
    return normalize(np.take_along_axis(candidates, best, axis=-2)[..., 0, :])


def from_rotvec(v: Float[np.ndarray, "*lead 3"]) -> Float[np.ndarray, "*lead 4"]:
    """Return the quaternions of rotation vectors (axis times angle)."""
    angle = np.linalg.norm(v, axis=-1, keepdims=True)
    small = angle < SMALL_ANGLE
    scale = np.where(small, 0.5, np.sin(angle / 2) / np.where(small, 1.0, angle))
    return np.concatenate([np.cos(angle / 2), scale * v], axis=-1)


def to_rotvec(q: Float[np.ndarray, "*lead 4"]) -> Float[np.ndarray, "*lead 3"]:
    """Return rotation vectors of the shorter way round (angle at most pi)."""
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    small = sine < SMALL_ANGLE
    angle = 2 * np.arctan2(sine, q[..., :1])
    return np.where(small, 2.0, angle / np.where(small, 1.0, sine)) * q[..., 1:]


def angle_between(
    a: Float[np.ndarray, "*#lead 4"], b: Float[np.ndarray, "*#lead 4"]
) -> Float[np.ndarray, "*#lead"]:
    """Return the angle in radians of the turn from one rotation to the other."""
    return np.asarray(np.linalg.norm(to_rotvec(multiply(conjugate(a), b)), axis=-1))


def make_continuous(q: Float[np.ndarray, "T *lead 4"]) -> Float[np.ndarray, "T *lead 4"]:
    """Return the same rotations with signs chosen so that neighbours in time lie in one hemisphere."""
    flips = np.sum(q[1:] * q[:-1], axis=-1) < 0
    sign = np.concatenate([np.ones((1, *flips.shape[1:])), np.where(flips, -1.0, 1.0)]).cumprod(axis=0)
    return q * sign[..., None]


def slerp(
    a: Float[np.ndarray, "*#lead 4"],
    b: Float[np.ndarray, "*#lead 4"],
    weight: Float[np.ndarray, "*#lead"] | float,
) -> Float[np.ndarray, "*#lead 4"]:
    """Return the rotations on the shorter way from `a` (weight 0) to `b` (weight 1)."""
    step = to_rotvec(multiply(conjugate(a), b))
    return multiply(a, from_rotvec(step * np.asarray(weight)[..., None]))


def from_two_vectors(
    source: Float[np.ndarray, "*#lead 3"], target: Float[np.ndarray, "*#lead 3"]
) -> Float[np.ndarray, "*#lead 4"]:
    """Return the smallest turns that bring one direction onto another; about any normal if opposite."""
    a = source / np.linalg.norm(source, axis=-1, keepdims=True)
    b = target / np.linalg.norm(target, axis=-1, keepdims=True)
    a, b = np.broadcast_arrays(a, b)
    w = 1 + np.sum(a * b, axis=-1, keepdims=True)
    # Opposite: any axis normal to `a`; the smallest component of `a` tells a safe one.
    helper = np.eye(3)[np.abs(a).argmin(axis=-1)]
    q = np.where(
        w < 1e-9,
        np.concatenate([np.zeros_like(w), np.cross(a, helper)], axis=-1),
        np.concatenate([w, np.cross(a, b)], axis=-1),
    )
    return normalize(q)


def about_axis(axis: str, angle: Float[np.ndarray, "*lead"] | float) -> Float[np.ndarray, "*lead 4"]:
    """Return the quaternions of turns about the axis "X", "Y" or "Z" by angles in radians."""
    half = np.asarray(angle, dtype=float) / 2
    q = np.zeros((*half.shape, 4))
    q[..., 0] = np.cos(half)
    q[..., 1 + _AXES[axis]] = np.sin(half)
    return q


def from_euler_deg(order: str, degrees: Float[np.ndarray, "*lead 3"]) -> Float[np.ndarray, "*lead 4"]:
    """Return quaternions of intrinsic Euler angles in degrees, in the order of the letters.

    Raises:
        InvalidData: the order is not a permutation of X, Y and Z.
    """
    _check_order(order)
    first, second, third = (about_axis(order[k], np.radians(degrees[..., k])) for k in range(3))
    return multiply(multiply(first, second), third)


def to_euler_deg(order: str, q: Float[np.ndarray, "*lead 4"]) -> Float[np.ndarray, "*lead 3"]:
    """Return intrinsic Euler angles in degrees, in the order of the letters; the middle one in [-90, 90].

    At the pole, where only the sum of the outer angles is defined, the last one is 0.

    Raises:
        InvalidData: the order is not a permutation of X, Y and Z.
    """
    _check_order(order)
    i, j, k = (_AXES[letter] for letter in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    m = to_matrix(q)
    middle = np.arcsin(np.clip(sign * m[..., i, k], -1.0, 1.0))
    at_pole = np.abs(m[..., i, k]) > 1 - 1e-12
    first = np.where(
        at_pole, np.arctan2(sign * m[..., k, j], m[..., j, j]), np.arctan2(-sign * m[..., j, k], m[..., k, k])
    )
    third = np.where(at_pole, 0.0, np.arctan2(-sign * m[..., i, j], m[..., i, i]))
    return np.degrees(np.stack([first, middle, third], axis=-1))


def to_continuous_euler_deg(order: str, q: Float[np.ndarray, "T *lead 4"]) -> Float[np.ndarray, "T *lead 3"]:
    """Return Euler angles in degrees over time without jumps.

    Each frame has two equivalent triples, (a, b, c) and (a + 180, 180 - b, c + 180), each modulo 360: the one
    nearest to the frame before is taken, so a curve passes 180 or the pole without a step. At the pole itself
    only a + c or a - c is known: the last angle stays as it was.

    Raises:
        InvalidData: the order is not a permutation of X, Y and Z.
    """
    euler = to_euler_deg(order, q)
    at_pole = (np.abs(euler[..., 1]) > 90.0 - POLE_WIDTH) & (euler[..., 2] == 0.0)
    # R1(a) R2(90) R3(c) depends on a + c in the cyclic orders XYZ, YZX, ZXY; each mirror image turns the sign.
    is_cyclic = (_AXES[order[1]] - _AXES[order[0]]) % 3 == 1
    together = np.sign(euler[..., 1]) * (1.0 if is_cyclic else -1.0)
    out = euler.copy()
    for t in range(1, len(out)):
        before = out[t - 1]
        here = euler[t].copy()
        kept = np.where(at_pole[t], before[..., 2], here[..., 2])
        here[..., 0] -= np.where(at_pole[t], together[t] * kept, 0.0)
        here[..., 2] = kept
        there = np.stack([here[..., 0] + 180.0, 180.0 - here[..., 1], here[..., 2] + 180.0], axis=-1)
        near = [c + 360.0 * np.round((before - c) / 360.0) for c in (here, there)]
        cost = [np.abs(c - before).sum(axis=-1, keepdims=True) for c in near]
        out[t] = np.where(cost[0] <= cost[1], near[0], near[1])
    return out


def y_up_from_z_up(xyz: Float[np.ndarray, "*lead 3"]) -> Float[np.ndarray, "*lead 3"]:
    """Return vectors of a right-handed world with +Z up in our world with +Y up."""
    return xyz @ Y_UP_FROM_Z_UP.T


def _check_order(order: str) -> None:
    if sorted(order) != ["X", "Y", "Z"]:
        raise InvalidData(f"rotation order {order!r} is not a permutation of X, Y and Z")
