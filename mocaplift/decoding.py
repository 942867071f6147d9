"""From a file's packets to its frames: in order of display, with their times, past what is damaged."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from mocaplift.clock import nearest_tick
from mocaplift.container import open_video, picture_stream, unit_of
from mocaplift.errors import VideoError
from mocaplift.orientation import Orientation, from_display_matrix
from mocaplift.values import Clip

# How far before the wanted frame to seek, in turn, until a key frame lies before it (s). Index times are those
# of decoding, which differ from display by the reordering of B frames.
SEEK_BACK = (1.0, 10.0)
# What the decoder's threads may hold at once (bytes): an 8K picture in 4:2:0 has 50 MB, and each thread has one.
DECODE_MEMORY = 256e6


@dataclass(frozen=True)
class Picture:
    """The size of the pictures as displayed (width, height, square pixels), and how they are turned for it."""

    size: tuple[int, int]
    orientation: Orientation


def first_picture(path: Path) -> Picture:
    """Return what the first frame tells of all of them: displayed size, turn and mirroring.

    Raises:
        VideoError: not one frame can be decoded.
    """
    with closing(open_video(path)) as container:
        stream = picture_stream(path, container)
        frame = next(decoded(container.demux(stream), stream), None)
        if frame is None:
            raise VideoError(
                f"{path}: not one frame of the {stream.codec_context.name} video can be decoded; "
                "copy or export it again, or convert it to H.264"
            )
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
        turn = Orientation() if matrix is None else from_display_matrix(bytes(matrix))
        # Pixels that are not square (DV, HDV, anamorphic lenses) are widened to square ones, as players do.
        aspect = stream.sample_aspect_ratio or Fraction(1)
        stored = (max(1, nearest_tick(frame.width, aspect)), frame.height)
        return Picture(size=turn.displayed_size(stored), orientation=turn)


def decoded(
    packets: Iterable[av.Packet], stream: av.VideoStream, on_failure: Callable[[], None] = lambda: None
) -> Iterator[av.VideoFrame]:
    """Yield the frames of the packets in order of display, past those that are damaged.

    `on_failure` is called for every packet that cannot be used. Where the file itself cannot be read any
    further, the frames end with those the decoder still holds.
    """
    packets = iter(packets)
    packet: av.Packet | None
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            packet = None
        if packet is not None and packet.is_corrupt:
            on_failure()
            continue
        try:
            yield from stream.codec_context.decode(packet)
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            on_failure()
        if packet is None:
            return


@dataclass
class Reader:
    """Decodes a clip's file from the last key frame before a moment (s after the file's first frame)."""

    clip: Clip
    wanted: float
    num_failures: int = 0

    def timed_frames(self, fps: Fraction) -> Generator[tuple[float, av.VideoFrame], None, None]:
        """Yield frames with their time after the file's first one (s), in order of display.

        `fps` times the frames of files that hold no times. Damaged packets are counted in `num_failures`.

        Raises:
            VideoError: the file cannot be opened.
        """
        container, stream, packets, first_pts = self._open()
        with closing(container):
            origin = self._origin(stream)
            for count, frame in enumerate(decoded(packets, stream, self._fail)):
                if not self._is_timed():
                    yield float((count + self.num_failures) / fps), frame
                    continue
                if origin is None:
                    origin = frame.pts
                # Frames shown before the key frame lean on others that were skipped over.
                if frame.pts is not None and origin is not None and frame.pts >= max(origin, first_pts):
                    yield float((frame.pts - origin) * unit_of(stream)), frame

    def _fail(self) -> None:
        self.num_failures += 1

    def _is_timed(self) -> bool:
        return bool(self.clip.facts.get("is_timed", True))

    def _origin(self, stream: av.VideoStream) -> int | None:
        """Return the time of the file's first frame in the stream's units, or None where it is not known."""
        first_time = self.clip.facts.get("first_time_s")
        return None if first_time is None else nearest_tick(float(first_time), 1 / unit_of(stream))

    def _open(self) -> tuple[av.container.InputContainer, av.VideoStream, Iterator[av.Packet], int | float]:
        """Return the open file, its stream, the packets from a key frame on, and when that is shown."""
        for back in SEEK_BACK:
            container, stream = self._from_start()
            origin = self._origin(stream)
            if not self._is_timed() or origin is None or self.wanted <= back:
                return container, stream, container.demux(stream), -math.inf
            target = origin + nearest_tick(self.wanted - back, 1 / unit_of(stream))
            latest = origin + nearest_tick(self.wanted, 1 / unit_of(stream))
            with suppress(av.error.FFmpegError):
                container.seek(target, stream=stream)
                packets = container.demux(stream)
                key = next((packet for packet in packets if packet.is_keyframe), None)
                if key is not None and key.pts is not None and key.pts <= latest:
                    return container, stream, itertools.chain([key], packets), key.pts
            container.close()
        container, stream = self._from_start()
        return container, stream, container.demux(stream), -math.inf

    def _from_start(self) -> tuple[av.container.InputContainer, av.VideoStream]:
        """Return the open file and its stream, which decodes in threads as far as DECODE_MEMORY allows."""
        container = open_video(self.clip.path)
        stream = picture_stream(self.clip.path, container)
        context = stream.codec_context
        picture_bytes = max(1, context.width * context.height * 3 // 2)
        context.thread_count = max(1, min(os.cpu_count() or 1, math.floor(DECODE_MEMORY / picture_bytes)))
        context.thread_type = "AUTO"
        return container, stream
