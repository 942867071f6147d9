"""Videos in and out: exact frame times on a constant clock, turned as displayed, in bounded memory.

`probe` reads a file's packet times without decoding it, `frames` decodes what a clip names and nothing else,
`write` makes an H.264 file. Seconds are those of the file from its first frame on, pixels those displayed.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from jaxtyping import Float, UInt8

from mocaplift.clock import ONE_TO_ONE, Clock, constant_clock, nearest_tick, on_clock
from mocaplift.container import focal_px, frame_times, open_video, picture_stream
from mocaplift.decoding import Reader, first_picture
from mocaplift.errors import ConfigError, InvalidData, OutputError, VideoError
from mocaplift.files import whole_file
from mocaplift.orientation import Orientation, upright
from mocaplift.values import Clip

# Rates outside are mistakes in the file or in --slowmo, not motion that can be captured (frames per second).
FPS_RANGE = (1, 1000)
# A longer wait (s) between two frames is a broken file; screen recordings of a still screen wait 1 s or so.
LONGEST_WAIT = 10.0
# Pictures decoded ahead while the caller works: one waits, one is being made.
PREFETCH = 2
# How x264 makes pictures to judge by. A short look-ahead: 40 pictures of 1080p would take 120 MB.
GOOD_PICTURES = {"preset": "superfast", "crf": "20", "rc-lookahead": "10"}
BT709 = 1  # the number of the colour space in ITU-T H.273
LIMITED_RANGE = 1  # libavutil's number for luma from 16 to 235

_log = logging.getLogger(__name__)


def probe(
    path: Path | str, *, start: float = 0.0, end: float | None = None, slow_motion: float = 1.0
) -> Clip:
    """Return what a video is before decoding it: exact rate, number of frames, displayed size.

    A variable rate is put on the nominal rate nearest to the usual interval. `start` and `end` are rounded to
    the nearest frame, so that clips which share a bound share no frame and miss none. The facts are
    `rotation_deg` (clockwise) and `is_mirrored`, both applied by `frames`; `is_variable_rate`; `source_fps`, as
    the file states it; `slow_motion`; `duration_s` of the whole file; `complete`, False if it was cut off;
    `codec`; `focal_px`, only where metadata give it; `first_time_s` and `is_timed`, for `frames`.

    Args:
        path: a file.
        start: where to start, seconds of the file as it plays.
        end: where to stop, or None for the end of the file.
        slow_motion: how many times slower than life the file plays; `Clip.fps` is the rate in life.

    Raises:
        VideoError: not a video, nothing in it, a rate that cannot be, or nothing between start and end.
        ConfigError: start, end or slow_motion make no sense by themselves.

    Example:
        >>> clip = probe("dance.mp4", start=2.5)  # doctest: +SKIP
        >>> clip.fps, clip.frames, clip.size  # doctest: +SKIP
        (Fraction(30000, 1001), 225, (1280, 720))
    """
    path = Path(path)
    _check_options(start, end, slow_motion)
    with closing(open_video(path)) as container:
        stream = picture_stream(path, container)
        found = frame_times(path, container, stream)
        picture = first_picture(path)
        if len(found.times) < 2:
            raise VideoError(f"{path}: the video has a single frame; motion needs at least two")
        clock = constant_clock(found.times, found.unit, found.stated)
        focal = focal_px(container, stream, picture.size)
        codec = stream.codec_context.name
    fps = clock.fps * _exact(slow_motion)
    _check_rate(path, fps)
    ticks = _window(path, clock, start, end)
    _check_waits(path, found.times * float(found.unit), clock, ticks)
    facts: dict[str, float | str | bool] = {
        "rotation_deg": 90.0 * picture.orientation.quarter_turns,
        "is_mirrored": picture.orientation.is_mirrored,
        "is_variable_rate": clock.is_variable,
        "source_fps": float(found.stated[0] if found.stated else clock.fps),
        "slow_motion": float(slow_motion),
        "duration_s": float(clock.ticks / clock.fps),
        "complete": found.is_complete,
        "codec": codec,
        "first_time_s": float(found.times[0] * found.unit),
        "is_timed": found.is_timed,
    }
    if focal is not None:
        facts["focal_px"] = focal
    if not found.is_complete:
        seconds = facts["duration_s"]
        _log.warning("%s was cut off; only the first %.2f s of it are there", path, seconds)
    return Clip(path, fps, len(ticks), picture.size, start=float(ticks.start / fps), facts=facts)


def frames(
    clip: Clip, *, max_side: int | None = None, prefetch: int = PREFETCH
) -> Generator[UInt8[np.ndarray, "H W 3"], None, None]:
    """Yield the clip's pictures in RGB, turned as displayed, exactly one for every tick of its clock.

    The frame nearest in time stands for each tick. At most `prefetch` + 2 pictures are held at any time. A frame
    that cannot be decoded is replaced by its neighbour; where no more can be decoded, the pictures end early;
    both are logged as warnings. Closing the generator stops the decoder.

    Args:
        clip: from `probe`.
        max_side: shrink pictures whose longer side exceeds this (px), as for 8K. What is found in them is moved
            to the clip's own pixels by `clip_pixels`.
        prefetch: pictures decoded ahead in a thread of their own; 0 decodes in the caller's.

    Raises:
        VideoError: the file has gone, or nothing of the clip can be decoded.
    """
    pictures = _pictures(clip, max_side)
    return _ahead(pictures, prefetch) if prefetch > 0 else pictures


def clip_pixels(
    xy: Float[np.ndarray, "*lead 2"], image: UInt8[np.ndarray, "H W 3"], clip: Clip
) -> Float[np.ndarray, "*lead 2"]:
    """Return pixels of a picture from `frames` as pixels of the clip at its full size.

    Pixel centres are at integers: x' = (x + 0.5) s - 0.5.
    """
    height, width = image.shape[:2]
    return (xy + 0.5) * (np.array(clip.size) / (width, height)) - 0.5


def playing_fps(clip: Clip) -> Fraction:
    """Return the rate at which the clip's file plays: less than its rate in life where it is slow motion."""
    return clip.fps / _exact(float(clip.facts.get("slow_motion", 1.0)))


@contextmanager
def write(
    path: Path | str, fps: Fraction, size: tuple[int, int], encoding: Mapping[str, str] = GOOD_PICTURES
) -> Iterator[Callable[[UInt8[np.ndarray, "H W 3"]], None]]:
    """Give a function that appends an RGB picture to an H.264 file, which appears when the block ends well.

    Odd sizes are widened by one pixel, because 4:2:0 has none. Colours are BT.709, limited range, and tagged so.
    `encoding` are options of x264.

    Raises:
        OutputError: the file cannot be written, or nothing was appended.
        InvalidData: a picture has another size than announced.
    """
    path = Path(path)
    with whole_file(path) as temporary:
        try:
            with closing(av.open(str(temporary.absolute()), "w", format="mp4")) as container:
                encoder = _Encoder(container, fps, size, encoding)
                yield encoder.append
                encoder.finish()
        except av.error.FFmpegError as error:
            # Those with the system's error number (a full disk) are whole_file's to explain.
            if isinstance(error, OSError):
                raise
            raise OutputError(f"cannot write {path}: the H.264 encoder failed ({error.strerror})") from error
        if not encoder.num_pictures:
            raise OutputError(f"cannot write {path}: there is not a single picture to put into it")


class _Encoder:
    """An H.264 stream of an output file that takes RGB pictures."""

    def __init__(
        self,
        container: av.container.OutputContainer,
        fps: Fraction,
        size: tuple[int, int],
        encoding: Mapping[str, str],
    ) -> None:
        self.num_pictures = 0
        self._size = size
        self._container = container
        self._stream = container.add_stream("libx264", rate=fps, options=dict(encoding))
        self._stream.width, self._stream.height = (side + side % 2 for side in size)
        self._stream.pix_fmt = "yuv420p"
        self._tick = 1 / fps
        context = self._stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED_RANGE
        self._reformatter = VideoReformatter()

    def append(self, image: UInt8[np.ndarray, "H W 3"]) -> None:
        """Encode the next picture.

        Raises:
            InvalidData: it has another size than announced.
        """
        width, height = self._size
        if image.shape != (height, width, 3):
            raise InvalidData(f"a picture has {image.shape[1::-1]} pixels in a video of {self._size}")
        if width % 2 or height % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        picture = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"),
            format="yuv420p",
            dst_colorspace=BT709,
            dst_color_range=LIMITED_RANGE,
        )
        picture.pts, picture.time_base = self.num_pictures, self._tick
        self._container.mux(self._stream.encode(picture))
        self.num_pictures += 1

    def finish(self) -> None:
        if self.num_pictures:
            self._container.mux(self._stream.encode(None))


def _pictures(clip: Clip, max_side: int | None) -> Generator[np.ndarray, None, None]:
    """Yield the clip's pictures as `frames` describes, decoding in the caller's thread."""
    turn = Orientation(
        quarter_turns=nearest_tick(float(clip.facts.get("rotation_deg", 0.0)) / 90, Fraction(1)) % 4,
        is_mirrored=bool(clip.facts.get("is_mirrored", False)),
    )
    shrink = min(1.0, (max_side or math.inf) / max(clip.size))
    size = turn.displayed_size((max(1, round(clip.size[0] * shrink)), max(1, round(clip.size[1] * shrink))))
    method = "AREA" if shrink < 1 else "BILINEAR"
    source_fps = playing_fps(clip)
    first = nearest_tick(clip.start, clip.fps)
    # One for all frames: it keeps its tables, which take longer to make than a picture takes to convert.
    reformatter = VideoReformatter()
    num_yielded = 0
    reader = Reader(clip, wanted=float(first / source_fps))
    with closing(reader.timed_frames(source_fps)) as timed:
        for frame in on_clock(timed, source_fps, range(first, first + clip.frames)):
            picture = reformatter.reformat(frame, *size, format="rgb24", interpolation=method)
            num_yielded += 1
            yield upright(picture.to_ndarray(), turn)
    if not num_yielded:
        raise VideoError(
            f"{clip.path}: no frame can be decoded from {clip.start:g} s on; copy or export it again"
        )
    if reader.num_failures:
        count = reader.num_failures
        _log.warning("%s: %d damaged packets were left out; neighbours stand in for them", clip.path, count)
    if num_yielded < clip.frames:
        seconds = float(num_yielded / source_fps)
        _log.warning(
            "%s: only %d of %d frames (%.2f s) can be decoded", clip.path, num_yielded, clip.frames, seconds
        )


def _ahead(pictures: Generator[np.ndarray, None, None], depth: int) -> Generator[np.ndarray, None, None]:
    """Yield the same pictures, made by a thread that is `depth` of them ahead at most."""
    # Beside those that wait here, the thread holds the one it wants to put.
    ready: queue.Queue[np.ndarray | BaseException | None] = queue.Queue(maxsize=max(1, depth - 1))
    is_wanted = True

    def work() -> None:
        end: BaseException | None = None
        try:
            with closing(pictures):
                for picture in pictures:
                    ready.put(picture)
                    if not is_wanted:
                        return
        except BaseException as error:
            end = error
        ready.put(end)

    thread = threading.Thread(target=work, name="video-frames", daemon=True)
    thread.start()
    try:
        while isinstance(item := ready.get(), np.ndarray):
            yield item
        if item is not None:
            raise item
    finally:
        is_wanted = False
        while thread.is_alive():
            with suppress(queue.Empty):
                ready.get(timeout=0.01)


def _exact(factor: float) -> Fraction:
    """Return a factor that a person typed as the fraction that was meant."""
    return Fraction(factor).limit_denominator(1000)


def _check_options(start: float, end: float | None, slow_motion: float) -> None:
    if not (math.isfinite(start) and start >= 0):
        raise ConfigError(f"the start must be 0 s or later, not {start}")
    if end is not None and not (math.isfinite(end) and end > start):
        raise ConfigError(f"the end ({end} s) must come after the start ({start} s)")
    if not (math.isfinite(slow_motion) and slow_motion > 0 and _exact(slow_motion) > 0):
        raise ConfigError(f"the slow-motion factor must be above 0, not {slow_motion}")


def _check_rate(path: Path, fps: Fraction) -> None:
    low, high = FPS_RANGE
    if not low <= fps <= high:
        raise VideoError(
            f"{path}: {float(fps):g} frames per second cannot be; motion needs {low} to {high}. Check the "
            "slow-motion factor (--slowmo), or write the file again with the rate that it was filmed at"
        )


def _window(path: Path, clock: Clock, start: float, end: float | None) -> range:
    """Return the ticks of the file's clock between two moments (s)."""
    first = nearest_tick(start, clock.fps)
    last = clock.ticks if end is None else min(clock.ticks, nearest_tick(end, clock.fps))
    length = float(clock.ticks / clock.fps)
    if first >= clock.ticks:
        raise VideoError(f"{path}: the start ({start:g} s) lies after the end of the video ({length:.2f} s)")
    if last - first < 2:
        stop = length if end is None else end
        raise VideoError(
            f"{path}: fewer than two frames lie between {start:g} and {stop:g} s; widen the range"
        )
    return range(first, last)


def _check_waits(path: Path, times: np.ndarray, clock: Clock, ticks: range) -> None:
    """Raise VideoError if the frames (s) used for these ticks lie so far apart that the times must be wrong."""
    passed = times - times[0]
    first, last = (float(tick / clock.fps) for tick in (ticks.start, ticks.stop - 1))
    # A moment before the first tick: a frame that lies on it may be rounded to before it.
    used = passed[
        np.searchsorted(passed, first - ONE_TO_ONE / float(clock.fps)) : np.searchsorted(passed, last) + 1
    ]
    waits = np.diff(used)
    if len(waits) and waits.max() > LONGEST_WAIT:
        before, after = used[waits.argmax() :][:2]
        raise VideoError(
            f"{path}: nothing is shown between {before:.2f} and {after:.2f} s, so the frame times are damaged; "
            f"capture the parts by themselves, with --end {before:.2f} and --start {after:.2f}"
        )
