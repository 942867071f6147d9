"""What a video file tells without being decoded: its picture stream, frame times, completeness, lens.

Opened by `video` alone; every way in which a file can disappoint ends here in a sentence.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import Int

from mocaplift.errors import VideoError

# A file whose last packet ends this much (s) before its stated length was cut off. Stated lengths are rounded,
# and count the longest of the streams: all of them are read.
CUT_OFF = 0.5
# Frames that may be stored out of their order (H.264 and HEVC, Annex A: the decoded picture buffer).
REORDERED = 16
# Diagonal of the 35 mm film frame that equivalent focal lengths refer to (mm; CIPA DCG-001).
FILM_DIAGONAL = 43.267
# Focal lengths (mm, equivalent) that lenses have; anything else in a tag is a mistake.
FOCAL_RANGE = (5.0, 1500.0)
# com.apple.quicktime.camera.focal_length.35mm_equivalent, FocalLengthIn35mmFormat and the like.
_FOCAL_TAG = re.compile(r"focal.?length.*35.?mm|35.?mm.*focal.?length", re.IGNORECASE)
_MPEG4_FILE = b"ftyp"


@dataclass(frozen=True, eq=False)
class FrameTimes:
    """When the frames of a file are shown, in multiples of `unit` seconds, ascending and all different.

    `is_timed` is False where the file holds no times and frames are only counted (AVI, bare streams).
    """

    times: Int[np.ndarray, "T"]
    unit: Fraction
    stated: tuple[Fraction, ...]
    is_timed: bool
    is_complete: bool


def open_video(path: Path) -> av.container.InputContainer:
    """Return the open file; the caller closes it.

    Raises:
        VideoError: there is no such file, or it is no video.
    """
    if path.is_dir():
        raise VideoError(f"{path} is a folder, not a video; name a file in it")
    if path.exists() and not path.is_file():
        raise VideoError(f"{path} is a device or a pipe, not a video; save the video to a file first")
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except FileNotFoundError:
        raise VideoError(f"{path}: there is no such file; check its name and folder") from None
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if not head:
        raise VideoError(f"{path}: the file is empty; copy or export it again")
    try:
        # Absolute, for a name with a colon would be taken for a protocol.
        return av.open(str(path.absolute()), metadata_errors="replace")
    except av.error.FFmpegError as error:
        if head[4:8] == _MPEG4_FILE:
            raise VideoError(
                f"{path}: the index of this video is missing or damaged, so it was cut off before its end "
                "was written; copy or export it again"
            ) from error
        why = "" if isinstance(error, av.error.InvalidDataError) else f" ({error.strerror})"
        raise VideoError(
            f"{path}: this is not a video that can be read{why}; give an MP4, MOV, MKV, WebM or AVI file"
        ) from error


def picture_stream(path: Path, container: av.container.InputContainer) -> av.VideoStream:
    """Return the stream with the moving picture, its decoder ready.

    Raises:
        VideoError: there is none (cover art does not count), or its codec is unknown here.
    """
    cover = av.stream.Disposition.attached_pic
    moving = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not moving:
        held = "sound but no picture" if container.streams.audio else "no moving picture"
        raise VideoError(f"{path}: the file holds {held}; give one with a video in it")
    best = container.streams.best("video")
    stream = best if best in moving else moving[0]
    if stream.codec_context is None:
        raise VideoError(f"{path}: its video codec is not known here; convert it to H.264")
    return stream


def unit_of(stream: av.VideoStream) -> Fraction:
    """Return the seconds in which the stream's times are counted."""
    return Fraction(stream.time_base or 1)


def frame_times(path: Path, container: av.container.InputContainer, stream: av.VideoStream) -> FrameTimes:
    """Return the times of all frames that can be shown, from the packets; 8 bytes a frame are held.

    Raises:
        VideoError: there is no frame.
    """
    shown = array("q")
    num_packets = 0
    first_key: int | None = None
    # AVI stores the order of decoding only, which is that of display where there are no B frames.
    timed = container.format.name != "avi" or not stream.codec_context.has_b_frames
    last_end = 0.0
    is_readable = True
    try:
        for packet in container.demux():
            if packet.dts is None and packet.pts is None and not packet.size:
                continue  # the mark of the end
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is not None:
                last_end = max(last_end, float((stamp + (packet.duration or 0)) * packet.time_base))
            if packet.stream_index != stream.index:
                continue
            num_packets += 1
            if packet.is_corrupt:
                continue
            timed = timed and packet.pts is not None
            if first_key is None and packet.is_keyframe:
                first_key = packet.pts
            if packet.is_discard:
                continue  # trimmed off, but others lean on it
            shown.append(packet.pts if timed and packet.pts is not None else len(shown))
    except av.error.FFmpegError:
        is_readable = False
    if not shown:
        raise VideoError(f"{path}: the video has no frames; copy or export it again")
    is_complete = is_readable and not _is_cut_off(container, stream, num_packets, last_end)
    if not timed:
        rate = stream.guessed_rate or stream.average_rate or Fraction(0)
        _check_rate(path, rate)
        return FrameTimes(np.arange(len(shown)), 1 / Fraction(rate), (Fraction(rate),), False, is_complete)
    times = np.unique(np.frombuffer(shown, dtype=np.int64))
    # What precedes the first key frame (a recording cut out of a longer one) cannot be decoded.
    times = times[times >= (times[0] if first_key is None else first_key)]
    if not is_complete:
        times = _before_hole(times)
    stated = tuple(Fraction(rate) for rate in (stream.average_rate, stream.base_rate) if rate)
    return FrameTimes(times, unit_of(stream), stated, True, is_complete)


def focal_px(
    container: av.container.InputContainer, stream: av.VideoStream, size: tuple[int, int]
) -> float | None:
    """Return the focal length in pixels that the file's metadata give as 35 mm equivalent, or None.

    Equivalence is of the picture's diagonal (CIPA DCG-001). Cropping by stabilisation is not in the tag: the
    true focal length may be a tenth longer.
    """
    low, high = FOCAL_RANGE
    for key, value in [*stream.metadata.items(), *container.metadata.items()]:
        number = re.search(r"\d+(\.\d+)?", value) if _FOCAL_TAG.search(key) else None
        if number and low <= float(number.group()) <= high:
            return float(number.group()) * float(np.hypot(*size)) / FILM_DIAGONAL
    return None


def _is_cut_off(
    container: av.container.InputContainer, stream: av.VideoStream, num_packets: int, last_end: float
) -> bool:
    """Return whether the file announced more than it holds: in its index (MP4), or by its length (s)."""
    if "mp4" in container.format.name and len(stream.index_entries) > num_packets:
        return True
    begin = (container.start_time or 0) / av.time_base
    return container.duration is not None and begin + container.duration / av.time_base - last_end > CUT_OFF


def _before_hole(times: Int[np.ndarray, "T"]) -> Int[np.ndarray, "T2"]:
    """Return the times up to the hole that a cut leaves: B frames are stored after those shown later."""
    steps = np.diff(times)
    holes = np.flatnonzero(steps > 1.5 * np.median(steps)) if len(steps) else steps
    holes = holes[holes >= len(times) - REORDERED]
    return times[: holes[0] + 1] if len(holes) else times


def _check_rate(path: Path, rate: Fraction) -> None:
    if rate <= 0:
        raise VideoError(
            f"{path}: neither frame times nor a frame rate are in the file; put it into an MP4 or MKV file "
            "with its true rate"
        )
