"""What the bodies tell of a room: its unit by their limbs, its up by how they stand, its floor by their feet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mocaplift import rotations
from mocaplift.body import load_body
from mocaplift.calibrate import Calibration
from mocaplift.calibrate.assemble import METRES
from mocaplift.cameras import moved
from mocaplift.errors import CalibrationError
from mocaplift.layouts import BODY21
from mocaplift.values import Camera

_SIDES = ("left", "right")
# What is triangulated: the joints that every detector has.
JOINTS = tuple(
    f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in _SIDES
)
_BONES = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
# What a length may be multiplied with by mistake, one unit taken for another, and what is said of it.
_MISTAKES = {
    0.01: "centimetres taken for metres", 0.001: "millimetres taken for metres", 0.1: "millimetres taken for "
    "centimetres", 10.0: "centimetres taken for millimetres", 100.0: "metres taken for centimetres",
    1000.0: "metres taken for millimetres",
}  # fmt: skip
# People from a child of 1.05 m to a giant of 2.6 m, over the 1.68 m of the body model.
SMALLEST_PERSON, LARGEST_PERSON = 0.62, 1.55
# Fewer bones than this tell no length, and fewer bodies no direction.
LEAST_BONES, LEAST_BODIES = 20, 10
# An axis of the file is taken for the vertical where the bodies' own direction is within this (degrees) and the
# floor is not less flat for it (m): boards lie on floors and hang on walls.
NEAR_AXIS, FLATTER = 3.0, 0.005
# Standard deviations (degrees): of the mean body about the vertical, and of the roll of cameras; a roll above the
# third is on purpose.
LEAN, ROLL, ROLLED = 5.0, 4.0, 6.0
# How far bodies are from their mean direction (degrees, median): people who stand and walk stay below the first,
# people who dance on the floor or turn cartwheels are above the second.
RESTS, RESTLESS = 12.0, 22.0
# Length of the mean of the cameras' own up directions above which they agree.
CAMERAS_AGREE = 0.8
LEVEL_STEPS = 5
# The sine of the angle between x axis and floor above which a camera may be on its side.
ON_ITS_SIDE = 0.7
# Bodies and cameras must both deny the file's up by this (degrees) before it is not believed: people also lie.
DENIED = 50.0
# A floor further than this (m) from y = 0 is moved there.
FLOOR_OFF = 0.15
# The share of the ankles below the floor by error, and how high (m) an ankle is above the sole.
FLOOR_PERCENTILE, ANKLE_HEIGHT = 2.0, 0.09


class Settled(NamedTuple):
    """Cameras in metres and +Y up; the file's unit, what told up ("file", "bodies" or "cameras"), and remarks."""

    cameras: tuple[Camera, ...]
    unit: str
    up_source: str
    notes: list[str]


def stand_up(
    cameras: Sequence[Camera],
    points: Float[np.ndarray, "F J 3"],
    calibration: Calibration,
    stature: float | None = None,
) -> Settled:
    """Return the cameras in metres, +Y up, the floor near y = 0, and what was found out about them.

    Args:
        cameras: in the unit and with the up of the file.
        points: the person's `JOINTS` in the same world, NaN where unknown.
        calibration: what the file says of its unit and its up.
        stature: of the person (m), where it is known.

    Raises:
        CalibrationError: the file does not say its unit or its up and too little of the body was seen to tell.
    """
    notes: list[str] = []
    scale, unit = _scale(points, calibration, stature, notes)
    rig = tuple(_scaled(camera, scale) for camera in cameras)
    up, source = _up(rig, points * scale, calibration, notes)
    turn = np.eye(4)
    turn[:3, :3] = rotations.to_matrix(rotations.from_two_vectors(up, np.array([0.0, 1.0, 0.0])))
    floor = _floor(points * scale @ up)
    if np.isfinite(floor) and (calibration.up is None or abs(floor) > FLOOR_OFF):
        turn[1, 3] = -floor
        if calibration.up is not None:
            notes.append(f"the floor lay at {floor:.2f} m in the camera file; it was put at 0")
    rig = tuple(moved(camera, turn) for camera in rig)
    return Settled(rig, unit, source, notes)


def _scale(
    points: Float[np.ndarray, "F J 3"], calibration: Calibration, stature: float | None, notes: list[str]
) -> tuple[float, str]:
    """Return what lengths must be multiplied with to be metres, and the name of the unit that was found."""
    metres = metres_per_length(points, stature)
    if metres is None:
        if calibration.unit is not None:
            notes.append("too little of the body was seen to check the unit of the camera file")
            return 1.0, "m"
        raise CalibrationError(
            f"{calibration.path} does not say its unit, and too little of the body was seen to tell it by the "
            "limbs; give a longer video, or `mocaplift calibrate convert` the file with its unit"
        )
    # Multiplying by `metres` makes the person one of ordinary size; with 1 they are this much larger.
    size = 1 / metres
    if calibration.unit is not None:
        return _checked_scale(size, calibration, notes)
    for unit, factor in METRES.items():
        if SMALLEST_PERSON <= size * factor <= LARGEST_PERSON:
            return factor, unit
    height = load_body().stature_mean if stature is None else stature
    notes.append(
        f"the camera file has a scale of its own; it was set so that the person is {height:.2f} m tall"
    )
    return metres, "arbitrary"


def _checked_scale(size: float, calibration: Calibration, notes: list[str]) -> tuple[float, str]:
    """Return the factor for a file that says its unit; 1 unless the body is of no human size."""
    if SMALLEST_PERSON <= size <= LARGEST_PERSON:
        return 1.0, "m"
    height = load_body().stature_mean * size
    for factor, mistake in _MISTAKES.items():
        if SMALLEST_PERSON <= size * factor <= LARGEST_PERSON:
            notes.append(
                f"by its unit the camera file makes the person {height:.4g} m tall: {mistake}; it was corrected"
            )
            return factor, f"m, corrected: {mistake}"
    notes.append(
        f"the camera file makes the person {height:.4g} m tall; it was scaled to a person of ordinary size: "
        "check the size of the board's squares"
    )
    return 1 / size, "m, corrected by the person's size"


def keeps_unit(points: Float[np.ndarray, "F J 3"], calibration: Calibration) -> bool:
    """Return whether the body is of human size in the unit that the file states, if it states one."""
    metres = metres_per_length(points)
    return calibration.unit is None or metres is None or SMALLEST_PERSON <= 1 / metres <= LARGEST_PERSON


def metres_per_length(points: Float[np.ndarray, "F J 3"], stature: float | None = None) -> float | None:
    """Return what makes limbs of these joints as long as a person's; None where too few were seen.

    The median over shins, thighs, upper arms and forearms, against the body model's.
    """
    body = load_body()
    shape = np.zeros(body.num_shape) if stature is None else body.shape_of_stature(stature)
    rest = body.rest_keypoints(shape)
    ratios = []
    for upper, lower in _BONES:
        lengths = np.concatenate([_lengths(points, f"{side}_{upper}", f"{side}_{lower}") for side in _SIDES])
        if len(lengths) >= LEAST_BONES:
            ends = rest[BODY21.index(f"left_{upper}", f"left_{lower}")]
            ratios.append(np.linalg.norm(ends[0] - ends[1]) / np.median(lengths))
    return float(np.median(ratios)) if ratios and np.isfinite(ratios).all() else None


def _lengths(points: Float[np.ndarray, "F J 3"], upper: str, lower: str) -> Float[np.ndarray, "N"]:
    lengths = np.linalg.norm(_joint(points, upper) - _joint(points, lower), axis=-1)
    return lengths[np.isfinite(lengths) & (lengths > 0)]


def _joint(points: Float[np.ndarray, "F J 3"], name: str) -> Float[np.ndarray, "F 3"]:
    return points[:, JOINTS.index(name)]


def _up(
    rig: Sequence[Camera], xyz: Float[np.ndarray, "F J 3"], calibration: Calibration, notes: list[str]
) -> tuple[Float[np.ndarray, "3"], str]:
    """Return the direction that is up in the file's world, unit length, and what said so."""
    bodies, spread = upward(xyz)
    cameras = _unit(-np.sum([camera.cam_from_world[1, :3] for camera in rig], axis=0))
    if calibration.up is not None:
        file_up = np.array([0.0, 1.0, 0.0])
        if (
            bodies is None
            or min(_angle(bodies, file_up), _angle(cameras, file_up)) < DENIED
            or _angle(bodies, cameras) > DENIED
        ):
            return file_up, "file"
        notes.append(
            f"people and cameras stand {_angle(bodies, file_up):.0f} degrees from what the camera file calls up; "
            "the people were believed"
        )
    source = "bodies"
    if bodies is None or spread > RESTLESS or _are_lying(bodies, spread, rig):
        notes.append(
            "the camera file does not say which way is up and the people hardly stand: up is where the cameras "
            "have theirs"
        )
        bodies, spread, source = cameras, RESTLESS, "cameras"
    level = _level(rig, bodies, spread)
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    axis = axes[np.argmax(axes @ level)]
    if _angle(axis, level) < NEAR_AXIS and _bumps(xyz, axis) <= _bumps(xyz, level) + FLATTER:
        return axis, source
    return level, source


def upward(xyz: Float[np.ndarray, "F J 3"]) -> tuple[Float[np.ndarray, "3"] | None, float]:
    """Return the mean direction from the ankles to the shoulders, unit length, and its spread in degrees.

    The shoulders and not the head, which leads the body. Directions far from the median one do not count; None
    where too few were seen.
    """
    along = np.concatenate(
        [_joint(xyz, f"{side}_shoulder") - _joint(xyz, f"{side}_ankle") for side in _SIDES]
    )
    length = np.linalg.norm(along, axis=-1)
    along = along[length > 0] / length[length > 0, None]
    if len(along) < LEAST_BODIES or not np.median(along, axis=0).any():
        return None, RESTLESS
    middle = _unit(np.median(along, axis=0))
    angles = np.degrees(np.arccos(np.clip(along @ middle, -1.0, 1.0)))
    near = angles <= max(DENIED, float(np.median(angles)))
    return _unit(along[near].mean(axis=0)), float(np.median(angles))


def _are_lying(bodies: Float[np.ndarray, "3"], spread: float, rig: Sequence[Camera]) -> bool:
    """Tell whether the people lie, and not the cameras on their sides: those would not agree, seen all around."""
    ups = -np.array([camera.cam_from_world[1, :3] for camera in rig])
    if _angle(bodies, ups.mean(axis=0)) < DENIED or np.linalg.norm(ups.mean(axis=0)) < CAMERAS_AGREE:
        return False
    return len(rig) > 2 or spread > RESTS


def _level(rig: Sequence[Camera], bodies: Float[np.ndarray, "3"], spread: float) -> Float[np.ndarray, "3"]:
    """Return the direction near the bodies' to which the cameras are level: people lean, tripods hardly.

    min_u |u - bodies|^2 / s_b^2 + sum_v (a_v . u)^2 / s_v^2, where a_v is the camera's axis across its picture;
    a camera that is rolled counts less (Cauchy).
    """
    across = []
    for camera in rig:
        x, y = camera.cam_from_world[0, :3], camera.cam_from_world[1, :3]
        # A camera on its side has its y axis level.
        across.append(y if abs(y @ bodies) < abs(x @ bodies) and abs(x @ bodies) > ON_ITS_SIDE else x)
    axes = np.array(across)
    of_bodies = np.radians(LEAN + max(spread - RESTS, 0.0))
    up = bodies
    rolls = axes @ up
    for _ in range(LEVEL_STEPS):
        weights = 1 / (np.radians(ROLL) ** 2 * (1 + (rolls / np.radians(ROLLED)) ** 2))
        normal = np.einsum("v,vi,vj->ij", weights, axes, axes) + np.eye(3) / of_bodies**2
        up = _unit(np.linalg.solve(normal, bodies / of_bodies**2))
        rolls = axes @ up
    return up


def _floor(heights: Float[np.ndarray, "F J"]) -> float:
    """Return the height of the floor under the ankles, in the heights' unit of metres; NaN if none was seen."""
    ankles = _ankles(heights)
    known = ankles[np.isfinite(ankles)]
    return float(np.percentile(known, FLOOR_PERCENTILE)) - ANKLE_HEIGHT if len(known) else np.nan


def _ankles(heights: Float[np.ndarray, "F J"]) -> Float[np.ndarray, "F 2"]:
    return heights[:, [JOINTS.index(f"{side}_ankle") for side in _SIDES]]


def _bumps(xyz: Float[np.ndarray, "F J 3"], up: Float[np.ndarray, "3"]) -> float:
    """Return how uneven (m) the floor is: the spread of the lowest ankle of each stretch of ten frames."""
    heights = _ankles(xyz @ up)
    lowest = np.where(np.isfinite(heights), heights, np.inf).min(axis=1)
    parts = [part[np.isfinite(part)] for part in np.array_split(lowest, max(len(lowest) // 10, 1))]
    return float(np.std([part.min() for part in parts if len(part)] or [0.0]))


def _scaled(camera: Camera, scale: float) -> Camera:
    pose = camera.cam_from_world.copy()
    pose[:3, 3] *= scale
    return Camera(camera.name, camera.intrinsics, camera.distortion, pose, camera.size)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    """Return the angle between two directions, degrees."""
    return float(np.degrees(np.arccos(np.clip(_unit(a) @ _unit(b), -1.0, 1.0))))
