"""Where the cameras stand: one or several, so that the whole passage is seen at a useful size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mocaplift.cameras import cam_points, intrinsics_from_fov, look_at, project
from mocaplift.errors import InvalidData
from mocaplift.values import Camera

# Cameras that were tried and saw the person cut off, too small or too near, before giving up.
MOST_TRIES = 200
# A camera nearer to the person than this (m) is not what people film with.
NEAREST = 1.2
# The person may get this much smaller than asked for, if only so the passage fits into the picture.
SMALLEST_SHARE = 0.8
# A camera steps back by this factor until the passage fits.
STEP_BACK = 1.06


@dataclass(frozen=True)
class SceneConfig:
    """What scenes are drawn from. Ranges are uniform unless said otherwise.

    `fov_deg` is the angle of the picture's longer side: 40 is a short telephoto lens, 75 a phone's wide angle.
    `person_share` is the person's height in the picture, as a share of the picture's, in the median frame.
    `border` is the share of the picture's height that stays free around the person.
    """

    size: tuple[int, int] = (1280, 720)
    fps: float = 30.0
    seconds: tuple[float, float] = (3.0, 6.0)
    views: tuple[int, int] = (1, 1)
    fov_deg: tuple[float, float] = (40.0, 75.0)
    height: tuple[float, float] = (0.8, 2.2)  # m
    roll_deg: float = 1.5  # standard deviation
    aim: float = 0.05  # m, standard deviation of the place that the camera is turned to
    person_share: tuple[float, float] = (0.45, 0.75)
    border: float = 0.03
    ring_jitter_deg: float = 15.0  # cameras of a rig stand on a ring, this far off their even places
    outdoor_share: float = 0.35

    def __post_init__(self) -> None:
        for name in ("seconds", "views", "fov_deg", "height", "person_share"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise InvalidData(f"SceneConfig.{name}: {low} to {high} is no range of positive numbers")


def sample_rig(
    config: SceneConfig,
    rng: np.random.Generator,
    points: Float[np.ndarray, "T N 3"],
    *,
    azimuth_deg: float | None = None,
) -> tuple[Camera, ...]:
    """Return random still cameras around a person whose skin passes through these points.

    `azimuth_deg` is where the first camera stands, seen from the person: 0 is +Z, 90 is +X; random if None.

    Raises:
        InvalidData: no camera within the ranges sees the whole passage.
    """
    count = int(rng.integers(config.views[0], config.views[1] + 1))
    first = rng.uniform(0, 360) if azimuth_deg is None else azimuth_deg
    jitter = rng.uniform(-1, 1, count) * config.ring_jitter_deg * (count > 1)
    azimuths = np.radians(first + 360.0 / count * np.arange(count) + jitter)
    return tuple(
        _sample_camera(config, rng, points, float(azimuth), f"cam{view + 1}", free=azimuth_deg is None)
        for view, azimuth in enumerate(azimuths)
    )


def person_share(camera: Camera, points: Float[np.ndarray, "T N 3"]) -> float:
    """Return the person's height in the picture as a share of the picture's, median over frames."""
    xy = project(camera, points)
    return float(np.median(np.ptp(xy[..., 1], axis=1)) / camera.size[1])


def _sample_camera(
    config: SceneConfig,
    rng: np.random.Generator,
    points: Float[np.ndarray, "T N 3"],
    azimuth: float,
    name: str,
    *,
    free: bool,
) -> Camera:
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    middle = 0.5 * (low + high)
    stature = float(np.median(np.ptp(points[..., 1], axis=1)))
    for attempt in range(MOST_TRIES):
        # A place from which the passage does not fit is left for another after a while.
        angle = azimuth + (rng.uniform(-0.3, 0.3) if free and attempt > MOST_TRIES // 4 else 0.0)
        intrinsics = intrinsics_from_fov(rng.uniform(*config.fov_deg), config.size)
        height, roll = rng.uniform(*config.height), np.radians(rng.normal(0.0, config.roll_deg))
        wanted = rng.uniform(*config.person_share)
        target = middle + rng.normal(0.0, config.aim, 3)
        distance = intrinsics[1, 1] * stature / (wanted * config.size[1])
        while True:
            ground = distance * np.array([np.sin(angle), 0.0, np.cos(angle)])
            eye = np.array([middle[0] + ground[0], height, middle[2] + ground[2]])
            camera = Camera(name, intrinsics, np.zeros(5), look_at(eye, target, roll), config.size)
            if _sees(camera, points, config.border):
                break
            distance *= STEP_BACK
            if distance > MOST_TRIES:
                break
        if SMALLEST_SHARE * config.person_share[0] <= person_share(camera, points) <= config.person_share[1]:
            return camera
    extent = high - low
    raise InvalidData(
        f"{name}: no camera sees this passage of {extent[0]:.1f} x {extent[2]:.1f} m whole "
        f"with the person at {config.person_share[0]:.0%} of the picture's height; shorten the passage"
    )


def _sees(camera: Camera, points: Float[np.ndarray, "T N 3"], border: float) -> bool:
    if cam_points(camera, points)[..., 2].min() < NEAREST:
        return False
    xy = project(camera, points)
    margin = border * camera.size[1]
    return bool((xy > margin).all() and (xy < np.array(camera.size) - 1 - margin).all())
