"""A camera for the picture that a video shows, where it was calibrated on pictures of another size or turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from jaxtyping import Float

from mocaplift.clock import nearest_tick
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera, Clip

# Codecs pad pictures to whole blocks (H.264: 16 px); some files keep the padding, others cut it off.
BLOCK = 16
# A scaled side is rounded to a pixel (854 x 480 from 1920 x 1080).
ROUNDING = 1.0
# A size that was guessed from the principal point may be this far (share) from the true one.
GUESSED_SIZE = 0.15
# How much more upright (cosine) one turn of the picture must be to be preferred; lenses point at most 60 degrees
# up or down.
UPRIGHT = 0.5
# Skew (share of the focal length) that no lens has; turned pictures cannot carry it.
NO_SKEW = 1e-6


def fitted(
    camera: Camera, clip: Clip, *, up: Float[np.ndarray, "3"] | None = None, size_known: bool = True
) -> Camera:
    """Return the camera of the clip's displayed pictures.

    The calibrated picture may have been scaled, turned by quarter turns (a phone held upright, whose pictures are
    turned for display only), or padded to the blocks of a codec. A mirrored video has no camera.

    Args:
        camera: as it was calibrated.
        clip: what it filmed.
        up: where up is in the cameras' world, as far as known; it decides between turns that fit equally well.
        size_known: False where the camera's size is a guess.

    Raises:
        CalibrationError: the video's pictures cannot be those that were calibrated.
    """
    if clip.facts.get("is_mirrored", False):
        raise CalibrationError(
            f"{clip.path} is displayed mirrored, which no camera {camera.name!r} can see; write it "
            "again unmirrored"
        )
    shown = nearest_tick(float(clip.facts.get("rotation_deg", 0.0)) / 90, Fraction(1)) % 4
    candidates = [0, shown] if shown else [0, 1, 3]
    fits = {}
    for turns in dict.fromkeys(candidates):
        match = _resized(turned(camera, turns), clip, size_known=size_known)
        if match is not None:
            fits[turns] = match
    if not fits:
        guessed = "" if size_known else " (guessed: the file does not tell it)"
        raise CalibrationError(
            f"camera {camera.name!r} was calibrated on pictures of {_text(camera.size)}{guessed}, but {clip.path} "
            f"shows {_text(clip.size)}, which is no scaled, turned or padded form of it; calibrate at the size "
            "that is filmed, or do not crop the video"
        )
    if not shown and 0 in fits:
        return fits[0]  # without a turn in the file, as it is
    if len(fits) == 1:
        return next(iter(fits.values()))
    return _upright(fits, camera, clip, up)


def _upright(fits: Mapping[int, Camera], camera: Camera, clip: Clip, up: np.ndarray | None) -> Camera:
    """Return the camera, of several turns, whose picture is upright."""
    first = next(iter(fits))
    if up is not None:
        rise = {turns: float(-fit.cam_from_world[1, :3] @ up) for turns, fit in fits.items()}
        best = max(rise, key=lambda turns: rise[turns])
        if all(rise[best] - rise[turns] > UPRIGHT for turns in fits if turns != best):
            return fits[best]
    if first == 0:
        return fits[0]
    raise CalibrationError(
        f"camera {camera.name!r} was calibrated on pictures of {_text(camera.size)} and {clip.path} shows "
        f"{_text(clip.size)}: turned, but neither the file nor the other cameras tell to which side; keep the "
        "video's rotation mark, or calibrate on pictures as they are displayed"
    )


def turned(camera: Camera, quarter_turns: int) -> Camera:
    """Return the camera whose pictures are those of this one turned clockwise.

    A quarter turn takes pixel (x, y) of a picture of height H to (H - 1 - y, x), and the camera's axes with it.

    Raises:
        CalibrationError: the intrinsics have skew, which a quarter turn cannot keep.
    """
    for _ in range(quarter_turns % 4):
        k, (width, height) = camera.intrinsics, camera.size
        if abs(k[0, 1]) > NO_SKEW * k[0, 0]:
            raise CalibrationError(
                f"camera {camera.name!r}: its pictures are turned, but its intrinsics have skew"
            )
        intrinsics = np.array(
            [[k[1, 1], 0.0, height - 1 - k[1, 2]], [0.0, k[0, 0], k[0, 2]], [0.0, 0.0, 1.0]]
        )
        k1, k2, p1, p2, k3 = camera.distortion
        turn = np.eye(4)
        turn[:2, :2] = [[0.0, -1.0], [1.0, 0.0]]
        camera = replace(
            camera,
            intrinsics=intrinsics,
            distortion=np.array([k1, k2, p2, -p1, k3]),
            cam_from_world=turn @ camera.cam_from_world,
            size=(height, width),
        )
    return camera


def scaled(camera: Camera, size: tuple[int, int]) -> Camera:
    """Return the camera whose pictures are those of this one stretched to a size.

    Pixel centres lie at integers, the picture's edge at -0.5: x' = (x + 0.5) s - 0.5.
    """
    ratio = np.array(size, dtype=float) / np.array(camera.size)
    intrinsics = camera.intrinsics.copy()
    intrinsics[:2, :2] *= ratio[:, None]
    intrinsics[:2, 2] = (intrinsics[:2, 2] + 0.5) * ratio - 0.5
    return replace(camera, intrinsics=intrinsics, size=size)


def rough_up(cameras: Sequence[Camera], clips: Sequence[Clip]) -> Float[np.ndarray, "3"] | None:
    """Return where up is in the cameras' world, from those whose pictures need no turn, or None.

    Pictures are filmed upright: the mean of the cameras' own up directions is up, but for their tilt.
    """
    rises = [
        -camera.cam_from_world[1, :3]
        for camera, clip in zip(cameras, clips, strict=True)
        if not float(clip.facts.get("rotation_deg", 0.0)) and _same_shape(camera.size, clip.size)
    ]
    mean = np.mean(rises, axis=0) if rises else np.zeros(3)
    length = np.linalg.norm(mean)
    return mean / length if length > UPRIGHT else None


def _resized(camera: Camera, clip: Clip, *, size_known: bool) -> Camera | None:
    """Return the camera for pictures that were scaled, or padded, to the clip's size; None if neither."""
    difference = np.array(camera.size) - np.array(clip.size)
    if not difference.any():
        return camera
    if (np.abs(difference) < BLOCK).all():
        return _cropped(camera, clip)
    if not size_known:
        close = (np.abs(difference) <= GUESSED_SIZE * np.array(clip.size)).all()
        return replace(camera, size=clip.size) if close else None
    (width, height), (old_width, old_height) = clip.size, camera.size
    off = min(abs(width - old_width * height / old_height), abs(height - old_height * width / old_width))
    return scaled(camera, clip.size) if off <= ROUNDING else None


def _cropped(camera: Camera, clip: Clip) -> Camera:
    """Return the camera for pictures with a few columns and rows fewer, or more, where codecs pad them.

    They pad the stored picture at its right and its bottom; a turn for display takes these edges elsewhere.
    """
    shown = nearest_tick(float(clip.facts.get("rotation_deg", 0.0)) / 90, Fraction(1)) % 4
    # Stored right and bottom are displayed: 0 right, bottom; 1 bottom, left; 2 left, top; 3 top, right.
    at_left, at_top = shown in (1, 2), shown in (2, 3)
    gone = np.array(camera.size) - np.array(clip.size)
    intrinsics = camera.intrinsics.copy()
    intrinsics[:2, 2] -= gone * (at_left, at_top)
    return replace(camera, intrinsics=intrinsics, size=clip.size)


def _same_shape(size: tuple[int, int], other: tuple[int, int]) -> bool:
    return (size[0] > size[1]) == (other[0] > other[1])


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]} px"
