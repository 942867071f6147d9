"""The videos of a page: small H.264 copies, one frame for every frame of the motion, quick to scrub."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from mocaplift import overlay, video
from mocaplift.values import Capture, Clip

# All videos of a page together (bytes); as text they take a third more. Mail and chat take files of 25 to 50 MB.
LARGEST = 24_000_000
# Longer side (px): more than the page shows on a laptop.
LONGEST_SIDE = 640
# What a good picture of that size takes (bits/s) and, where the page must hold a long take, the least of use.
USUAL_RATE, LEAST_RATE = 1_200_000, 50_000
# With fewer bits per pixel x264 blurs: then a smaller picture shows more.
BITS_PER_PIXEL = 0.05
# Screens show no more frames per second (phones stray a little from 60); of faster cameras every n-th is kept.
FASTEST = 65
# A key frame so often (s): a browser decodes from the last one when the user scrubs.
KEY_EVERY = 0.5


def films(capture: Capture, progress: Callable[[int, int], None] | None = None) -> list[bytes | None]:
    """Return a small copy of every camera's video as an MP4 file, None where the take is too long (`LEAST_RATE`).

    It plays at the speed of life, from the first frame of the motion to its last.

    Raises:
        VideoError: a clip cannot be read any more.
        OutputError: there is no room for temporary files.
    """
    frames, count = len(capture.motion.root), len(capture.clips)
    rate = min(USUAL_RATE, 8 * LARGEST / (count * frames / float(capture.motion.fps)))
    if rate < LEAST_RATE:
        return [None] * count
    made: list[bytes | None] = []
    for view, clip in enumerate(capture.clips):
        done = None if progress is None else _within(progress, view * frames, count * frames)
        made.append(_film(clip, frames, rate, done))
    return made


def _within(progress: Callable[[int, int], None], before: int, total: int) -> Callable[[int], None]:
    return lambda done: progress(before + done, total)


def _film(clip: Clip, frames: int, rate: float, done: Callable[[int], None] | None) -> bytes:
    """Return the copy of one clip, `frames` long, of at most `rate` bits/s."""
    step = math.ceil(clip.fps / FASTEST)
    fps = clip.fps / step
    size = _size(clip, rate, fps)
    encoding = {
        "preset": "veryfast",
        "crf": "26",
        "maxrate": str(math.floor(rate)),
        "bufsize": str(math.floor(rate)),
        "g": str(max(1, math.floor(fps * Fraction(KEY_EVERY)))),
        # Without B-frames every picture stands at its own time from 0 on, in every browser.
        "bf": "0",
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        with (
            closing(overlay.pictures(clip, size, frames)) as pictures,
            video.write(path, fps, size, encoding) as append,
        ):
            for index, picture in enumerate(pictures):
                if index % step == 0:
                    append(picture)
                if done is not None:
                    done(index + 1)
        return path.read_bytes()


def _size(clip: Clip, rate: float, fps: Fraction) -> tuple[int, int]:
    """Return the size (width, height) that so many bits/s can fill, no larger than the clip's own."""
    pixels = rate / float(fps) / BITS_PER_PIXEL
    fitting = max(clip.size) * math.sqrt(pixels / (clip.size[0] * clip.size[1]))
    return overlay.shrunk(clip.size, max(1, min(LONGEST_SIDE, math.floor(fitting))))
