"""The eight values that pass between stages. Whoever knows them knows the product.

All are frozen and checked at birth. World: right-handed, +Y up, metres, floor at y = 0. Cameras: OpenCV axes
(x right, y down, z forward). Pixels: centres at integers, origin at the top-left pixel. Time: seconds.
Missing: NaN with confidence 0 (2D) or sigma inf (3D).

Axes of arrays: T frames, J joints, V views, F contact points, S shape coefficients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.errors import InvalidData

# Largest deviation from orthonormal that is still taken for a rotation: text files round to 6 digits.
ROTATION_TOLERANCE = 1e-4
# Largest deviation of a quaternion's norm from 1.
UNIT_TOLERANCE = 1e-6


def _require(condition: bool | np.bool_, message: str) -> None:
    if not condition:
        raise InvalidData(message)


def _check_shape(owner: str, name: str, array: np.ndarray, shape: tuple[int | None, ...]) -> None:
    """Raise InvalidData unless the array has this shape; None stands for any length."""
    fits = array.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    wanted = " ".join("*" if want is None else str(want) for want in shape)
    _require(fits, f"{owner}.{name} must have shape [{wanted}], but has {list(array.shape)}")


def _check_fps(owner: str, fps: float) -> None:
    _require(np.isfinite(float(fps)) and fps > 0, f"{owner}.fps must be positive, but is {fps}")


@dataclass(frozen=True, eq=False)
class Clip:
    """A stretch of video on a constant clock. Frame k is shown at `start + k / fps` seconds.

    `facts` tells what was found in the file: rotation, true rate, focal length, completeness.
    """

    path: Path
    fps: Fraction
    frames: int
    size: tuple[int, int]
    start: float = 0.0
    facts: Mapping[str, float | str | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_fps("Clip", float(self.fps))
        _require(self.frames > 0, f"Clip.frames must be positive, but is {self.frames} ({self.path})")
        _require(min(self.size) > 0, f"Clip.size must be positive, but is {self.size} ({self.path})")


@dataclass(frozen=True)
class Layout:
    """Names of joints in a fixed order, and which of them are left and right of each other."""

    name: str
    joints: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        _require(len(set(self.joints)) == len(self.joints), f"layout {self.name} names a joint twice")
        for pair in self.pairs:
            for joint in pair:
                _require(joint in self.joints, f"layout {self.name} pairs an unknown joint {joint!r}")

    def __len__(self) -> int:
        return len(self.joints)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {joint: position for position, joint in enumerate(self.joints)}

    def at(self, joint: str) -> int:
        """Return the position of one joint.

        Raises:
            InvalidData: the layout has no such joint; the message lists those it has.
        """
        if joint not in self._positions:
            raise InvalidData(f"layout {self.name} has no joint {joint!r}; it has {', '.join(self.joints)}")
        return self._positions[joint]

    def index(self, *joints: str) -> list[int]:
        """Return the positions of several joints, for indexing an array's joint axis.

        Raises:
            InvalidData: the layout has no such joint.
        """
        return [self.at(joint) for joint in joints]

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """The permutation that exchanges left and right."""
        other = dict(self.pairs) | {b: a for a, b in self.pairs}
        return tuple(self.at(other.get(joint, joint)) for joint in self.joints)


@dataclass(frozen=True, eq=False)
class Keypoints2D:
    """What a detector saw of one person in one view.

    `landmarks` is the detector's own idea of the pose in 3D, where it has one: metres, relative to the middle
    of the hips, camera axes. It is a hint for the lifter, never the result.
    """

    xy: Float[np.ndarray, "T J 2"]
    conf: Float[np.ndarray, "T J"]
    layout: Layout
    fps: float
    size: tuple[int, int]
    landmarks: Float[np.ndarray, "T J 3"] | None = None

    def __post_init__(self) -> None:
        _check_shape("Keypoints2D", "xy", self.xy, (None, len(self.layout), 2))
        _check_shape("Keypoints2D", "conf", self.conf, self.xy.shape[:2])
        _check_fps("Keypoints2D", self.fps)
        _require(
            bool(np.all((self.conf >= 0) & (self.conf <= 1))), "Keypoints2D.conf must lie between 0 and 1"
        )
        wrong = (np.isfinite(self.xy).all(-1) != (self.conf > 0)) | np.isinf(self.xy).any(-1)
        if wrong.any():
            frame, joint = np.unravel_index(int(wrong.argmax()), wrong.shape)
            raise InvalidData(
                "Keypoints2D: a point must be finite exactly where its confidence is above 0, but frame "
                f"{frame}, {self.layout.joints[joint]} is not"
            )
        if self.landmarks is not None:
            _check_shape("Keypoints2D", "landmarks", self.landmarks, (*self.xy.shape[:2], 3))


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole with distortion. `cam_from_world` takes world metres to camera metres.

    `distortion` is OpenCV's k1 k2 p1 p2 k3. A rig is a tuple of cameras in the order of the views.
    """

    name: str
    intrinsics: Float[np.ndarray, "3 3"]
    distortion: Float[np.ndarray, "5"]
    cam_from_world: Float[np.ndarray, "4 4"]
    size: tuple[int, int]

    def __post_init__(self) -> None:
        _check_shape("Camera", "intrinsics", self.intrinsics, (3, 3))
        _check_shape("Camera", "distortion", self.distortion, (5,))
        _check_shape("Camera", "cam_from_world", self.cam_from_world, (4, 4))
        for name in ("intrinsics", "distortion", "cam_from_world"):
            _require(
                np.isfinite(getattr(self, name)).all(), f"camera {self.name!r}: {name} holds NaN or infinity"
            )
        focal = np.diag(self.intrinsics)[:2]
        _require((focal > 0).all(), f"camera {self.name!r}: focal length must be positive, but is {focal}")
        rotation = self.cam_from_world[:3, :3]
        error = np.abs(rotation @ rotation.T - np.eye(3)).max()
        _require(
            error < ROTATION_TOLERANCE and np.linalg.det(rotation) > 0,
            f"camera {self.name!r}: cam_from_world holds no rotation (off by {error:.2g})",
        )
        _require(min(self.size) > 0, f"camera {self.name!r}: size must be positive, but is {self.size}")


@dataclass(frozen=True, eq=False)
class Motion3D:
    """Points of a person in the world over time, each with its expected error in metres."""

    xyz: Float[np.ndarray, "T J 3"]
    sigma: Float[np.ndarray, "T J"]
    layout: Layout
    fps: float

    def __post_init__(self) -> None:
        _check_shape("Motion3D", "xyz", self.xyz, (None, len(self.layout), 3))
        _check_shape("Motion3D", "sigma", self.sigma, self.xyz.shape[:2])
        _check_fps("Motion3D", self.fps)
        _require(
            np.array_equal(np.isfinite(self.xyz).all(-1), np.isfinite(self.sigma)),
            "Motion3D: a point must be finite exactly where its sigma is",
        )


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Bones of one person at rest: a T-pose facing +Z, left side at +X, every joint's axes along the world's.

    `offsets` are from the parent (the root's is zero). `shape` are the coefficients of our body model that
    made the offsets, where it made them.
    """

    layout: Layout
    parents: tuple[int, ...]
    offsets: Float[np.ndarray, "J 3"]
    shape: Float[np.ndarray, "S"] | None = None

    def __post_init__(self) -> None:
        _check_shape("Skeleton", "offsets", self.offsets, (len(self.layout), 3))
        _require(np.isfinite(self.offsets).all(), "Skeleton.offsets holds NaN or infinity")
        _require(
            len(self.parents) == len(self.layout)
            and self.parents[0] == -1
            and all(0 <= parent < child for child, parent in enumerate(self.parents) if child),
            "Skeleton.parents: the root comes first (parent -1) and every parent precedes its children",
        )


@dataclass(frozen=True, eq=False)
class SkeletonMotion:
    """A skeleton moving: rotations relative to the parent (unit quaternions wxyz) and the root's path."""

    skeleton: Skeleton
    rotations: Float[np.ndarray, "T J 4"]
    root: Float[np.ndarray, "T 3"]
    fps: float

    def __post_init__(self) -> None:
        _check_shape("SkeletonMotion", "rotations", self.rotations, (None, len(self.skeleton.layout), 4))
        _check_shape("SkeletonMotion", "root", self.root, (self.rotations.shape[0], 3))
        _check_fps("SkeletonMotion", self.fps)
        _require(
            np.isfinite(self.root).all() and np.isfinite(self.rotations).all(),
            "SkeletonMotion holds NaN or infinity",
        )
        error = np.abs(np.linalg.norm(self.rotations, axis=-1) - 1).max(initial=0.0)
        _require(
            error < UNIT_TOLERANCE, f"SkeletonMotion.rotations are not unit quaternions (off by {error:.2g})"
        )


@dataclass(frozen=True, eq=False)
class Capture:
    """Everything known of one person at the end: what was seen, assumed, lifted, fitted and reported.

    `contacts` columns are `layouts.CONTACT_POINTS`.
    """

    clips: Sequence[Clip]
    cameras: Sequence[Camera]
    views: Sequence[Keypoints2D]
    joints: Motion3D
    motion: SkeletonMotion
    contacts: Bool[np.ndarray, "T F"]
    report: Mapping[str, object]

    def __post_init__(self) -> None:
        frames = self.motion.root.shape[0]
        lengths = {len(self.joints.xyz), len(self.contacts), *(len(view.xy) for view in self.views)}
        _require(lengths == {frames}, f"Capture: parts have different lengths {sorted(lengths | {frames})}")
        rates = {float(self.joints.fps), float(self.motion.fps), *(float(v.fps) for v in self.views)}
        _require(max(rates) - min(rates) < 1e-6 * max(rates), f"Capture: parts have different rates {rates}")
        _require(len(self.views) == len(self.cameras), "Capture: there must be one camera for each view")
