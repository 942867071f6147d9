"""The result drawn over its video: what the detector saw, what was solved, and which foot was planted.

Dots are the detector's keypoints, lines the solved skeleton seen through the solved camera: where the two part,
one of them is wrong. Left is orange, right is blue, as in every viewer of this project.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mocaplift import cameras, kinematics, video
from mocaplift.clock import nearest_tick
from mocaplift.errors import InvalidData, OutputError
from mocaplift.layouts import CONTACT_POINTS
from mocaplift.values import Capture, Clip, Layout

# Longer side of an overlay (px): enough to judge by, and 8K would take the encoder gigabytes.
LARGEST_SIDE = 1920
# Pictures of this shorter side (px) have lines of 1.5 px, dots of 3 px radius; others in proportion.
DRAWN_FOR = 360
# A dot of lower confidence is a ring: the fit hardly listens to it.
SURE = 0.3

Colour = tuple[int, int, int]
LEFT: Colour = (255, 150, 20)
RIGHT: Colour = (40, 150, 255)
MIDDLE: Colour = (235, 235, 235)
PLANTED: Colour = (70, 230, 90)
_UNSURE: Colour = (110, 110, 110)
_RIM: Colour = (15, 15, 15)
# Shade of the moments at which this camera was not running but others were.
NO_PICTURE = 60

# Sub-pixel drawing: OpenCV takes coordinates in 1/16 px.
_SHIFT = 4
# Which joint of the skeleton stands for a point of contact that the detector did not see.
_CONTACT_JOINTS = {"heel": "ankle", "big_toe": "foot"}


def draw(
    capture: Capture,
    path: Path | str,
    *,
    view: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the clip of one view with keypoints, skeleton, contacts and time drawn in, as an H.264 file.

    The clip is decoded again, one picture at a time. The overlay plays at the speed of the video, slow motion
    included, and is shrunk to LARGEST_SIDE. Overlays of one capture have the same frames and can be played side
    by side: where a camera was not running, the skeleton is drawn on grey.

    Args:
        capture: one person.
        path: the file to write; it appears when it is whole.
        view: which camera.
        progress: called with the frames done and the frames in all.

    Raises:
        InvalidData: there is no such view.
        VideoError: the clip cannot be read any more.
        OutputError: the overlay cannot be written, or would replace the video itself.
    """
    path = Path(path)
    if not 0 <= view < len(capture.clips):
        raise InvalidData(f"there is no view {view} to draw over; the capture has {len(capture.clips)}")
    clip = capture.clips[view]
    if path.exists() and clip.path.exists() and path.samefile(clip.path):
        raise OutputError(f"the overlay would replace the video {clip.path}; choose another name for it")
    total = min(clip.frames, len(capture.motion.root))
    size = shrunk(clip.size, LARGEST_SIDE)
    scene = _scene(capture, view, size)
    with (
        closing(pictures(clip, size, total)) as decoded,
        video.write(path, video.playing_fps(clip), size) as append,
    ):
        for index, picture in enumerate(decoded):
            append(_drawn(picture, scene, index))
            if progress is not None:
                progress(index + 1, total)


def shrunk(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Return a size in pixels, shrunk in proportion where its longer side exceeds so many."""
    factor = min(1.0, longest / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def pictures(
    clip: Clip, size: tuple[int, int], total: int
) -> Generator[UInt8[np.ndarray, "H W 3"], None, None]:
    """Yield as many pictures of a clip as asked for, grey ones before its video begins and after it has ended.

    They are of this size (width, height), which is a `shrunk` one of the clip's. A clip that was put on the clock
    of several cameras may start before 0 and end after its file does.

    Raises:
        VideoError: the clip cannot be read any more.
    """
    nothing = np.full((size[1], size[0], 3), NO_PICTURE, dtype=np.uint8)
    first = nearest_tick(clip.start, clip.fps)
    begin, end = min(total, max(0, -first)), min(total, _last_tick(clip) + 1 - first)
    for _ in range(begin):
        yield nothing
    count = begin
    if end > begin:
        part = replace(clip, start=float((first + begin) / clip.fps), frames=end - begin)
        with closing(video.frames(part, max_side=max(size))) as decoded:
            for picture in decoded:
                yield picture
                count += 1
    for _ in range(count, total):
        yield nothing


def _last_tick(clip: Clip) -> int:
    """Return the last tick of the clip's clock, counted from the file's first frame, at which it has a picture."""
    if "duration_s" not in clip.facts:
        return nearest_tick(clip.start, clip.fps) + clip.frames - 1
    slow_motion = float(clip.facts.get("slow_motion", 1.0))
    own_fps = slow_motion * float(clip.facts.get("source_fps", 0.0))
    if clip.facts.get("is_variable_rate") or own_fps <= 0 or float(clip.fps) <= own_fps:
        own_fps = float(clip.fps)
    # The last frame begins one of the file's own intervals before its end.
    last_frame = float(clip.facts["duration_s"]) / slow_motion - 1 / own_fps
    return nearest_tick(last_frame, clip.fps)


@dataclass(frozen=True, eq=False)
class _Scene:
    """What to draw, in pixels of the overlay; NaN is not drawn."""

    dots: Float[np.ndarray, "T J 2"]
    conf: Float[np.ndarray, "T J"]
    dot_colours: tuple[Colour, ...]
    bones: Float[np.ndarray, "T B 2 2"]
    bone_colours: tuple[Colour, ...]
    planted: Float[np.ndarray, "T F 2"]
    start: float  # s
    fps: float
    unit: float  # px of the overlay for one of a picture with DRAWN_FOR rows
    title: str  # which camera, where there are several


def _scene(capture: Capture, view: int, size: tuple[int, int]) -> _Scene:
    """Return everything to draw in one view, for an overlay of this size (width, height)."""
    seen, camera, clip = capture.views[view], capture.cameras[view], capture.clips[view]
    skeleton = capture.motion.skeleton
    xyz, _ = kinematics.forward(skeleton, capture.motion.rotations, capture.motion.root)
    joints = _resized(cameras.project(camera, xyz), clip.size, size)
    dots = _resized(seen.xy, clip.size, size)
    children = [child for child, parent in enumerate(skeleton.parents) if parent >= 0]
    parents = [skeleton.parents[child] for child in children]
    planted = np.stack(
        [_contact(point, dots, seen.layout, joints, skeleton.layout) for point in CONTACT_POINTS], 1
    )
    planted[~capture.contacts] = np.nan
    return _Scene(
        dots=dots,
        conf=seen.conf,
        dot_colours=tuple(_colour(joint) for joint in seen.layout.joints),
        bones=np.stack([joints[:, parents], joints[:, children]], axis=2),
        bone_colours=tuple(_colour(skeleton.layout.joints[child]) for child in children),
        planted=planted,
        start=clip.start,
        fps=float(clip.fps),
        unit=min(size) / DRAWN_FOR,
        title=f"{camera.name}   " if len(capture.clips) > 1 else "",
    )


def _resized(
    xy: Float[np.ndarray, "*lead 2"], source: tuple[int, int], target: tuple[int, int]
) -> Float[np.ndarray, "*lead 2"]:
    """Return pixels of a resized picture; NaN where they lie so far outside that they cannot be drawn."""
    moved = (xy + 0.5) * (np.array(target) / source) - 0.5
    is_near = (np.abs(moved - np.array(target) / 2) < 4 * max(target)).all(axis=-1, keepdims=True)
    return np.where(is_near, moved, np.nan)


def _contact(
    point: str, dots: np.ndarray, seen: Layout, joints: np.ndarray, solved: Layout
) -> Float[np.ndarray, "T 2"]:
    """Return where a point of contact is: as detected, or else the solved joint next to it."""
    side, part = point.split("_", 1)
    joint = f"{side}_{_CONTACT_JOINTS[part]}"
    out = np.full((len(dots), 2), np.nan)
    if joint in solved.joints:
        out = joints[:, solved.at(joint)]
    if point in seen.joints:
        found = dots[:, seen.at(point)]
        out = np.where(np.isfinite(found), found, out)
    return out


def _colour(joint: str) -> Colour:
    return LEFT if joint.startswith("left_") else RIGHT if joint.startswith("right_") else MIDDLE


def _drawn(picture: UInt8[np.ndarray, "H W 3"], scene: _Scene, index: int) -> UInt8[np.ndarray, "H W 3"]:
    """Return the picture with one frame's marks: contacts below, skeleton, keypoints on top, time beneath."""
    image = picture.copy()
    unit = scene.unit
    for place in scene.planted[index]:
        _disc(image, place, 7.0 * unit, PLANTED)
    for ends, colour in zip(scene.bones[index], scene.bone_colours, strict=True):
        _line(image, ends, 3.0 * unit, _RIM)
        _line(image, ends, 1.5 * unit, colour)
    for place, conf, colour in zip(scene.dots[index], scene.conf[index], scene.dot_colours, strict=True):
        if conf < SURE:
            _disc(image, place, 3.0 * unit, _faded(colour, conf), thickness=unit)
        else:
            _disc(image, place, 4.0 * unit, _RIM)
            _disc(image, place, 3.0 * unit, _faded(colour, conf))
    _caption(image, f"{scene.title}frame {index}   {scene.start + index / scene.fps:.2f} s", unit)
    return image


def _faded(colour: Colour, conf: float) -> Colour:
    """Return a colour that pales to grey as confidence falls."""
    mixed = np.array(colour) * conf + np.array(_UNSURE) * (1 - conf)
    red, green, blue = (int(channel) for channel in mixed)
    return red, green, blue


def _line(image: np.ndarray, ends: np.ndarray, width: float, colour: Colour) -> None:
    if np.isfinite(ends).all():
        begin, end = (tuple(map(int, np.rint(place * (1 << _SHIFT)))) for place in ends)
        cv2.line(image, begin, end, colour, max(1, round(width)), cv2.LINE_AA, _SHIFT)


def _disc(
    image: np.ndarray, place: np.ndarray, radius: float, colour: Colour, thickness: float | None = None
) -> None:
    """Draw a filled disc, or a ring of some thickness (px), unless the place is unknown."""
    if np.isfinite(place).all():
        centre = tuple(map(int, np.rint(place * (1 << _SHIFT))))
        width = cv2.FILLED if thickness is None else max(1, round(thickness))
        cv2.circle(image, centre, round(radius * (1 << _SHIFT)), colour, width, cv2.LINE_AA, _SHIFT)


def _caption(image: np.ndarray, text: str, unit: float) -> None:
    """Write the time and the key to the colours on a darkened strip along the lower border."""
    font, scale, weight = cv2.FONT_HERSHEY_SIMPLEX, 0.42 * unit, max(1, round(0.8 * unit))
    height, width = image.shape[:2]
    strip = image[max(0, height - round(18 * unit)) :]
    strip[:] = strip // 3
    base = height - round(5.5 * unit)
    cv2.putText(image, text, (round(6 * unit), base), font, scale, MIDDLE, weight, cv2.LINE_AA)
    x = width - round(6 * unit)
    for word, colour in (("planted", PLANTED), ("right", RIGHT), ("left", LEFT)):
        x -= cv2.getTextSize(word, font, scale, weight)[0][0]
        cv2.putText(image, word, (x, base), font, scale, colour, weight, cv2.LINE_AA)
        x -= round(8 * unit)
