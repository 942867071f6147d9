"""Small videos whose frames carry their own number as a picture, made with PyAV where a test needs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (96, 64)  # px
_BLOCK = 16  # px: survives any compression
_BITS = 12
NTSC = Fraction(30000, 1001)


def numbered(number: int) -> np.ndarray:
    """Return a picture [64 96 3] that shows a number: two rows of six black or white blocks, red-blue below."""
    image = np.zeros((SIZE[1], SIZE[0], 3), dtype=np.uint8)
    image[2 * _BLOCK :, : SIZE[0] // 2] = (200, 30, 30)
    image[2 * _BLOCK :, SIZE[0] // 2 :] = (30, 30, 200)
    for bit in range(_BITS):
        row, column = divmod(bit, SIZE[0] // _BLOCK)
        if number >> bit & 1:
            image[row * _BLOCK : (row + 1) * _BLOCK, column * _BLOCK : (column + 1) * _BLOCK] = 255
    return image


def number_of(image: np.ndarray) -> int:
    """Return the number that a picture shows."""
    number = 0
    for bit in range(_BITS):
        row, column = divmod(bit, SIZE[0] // _BLOCK)
        block = image[row * _BLOCK : (row + 1) * _BLOCK, column * _BLOCK : (column + 1) * _BLOCK]
        number |= int(block.mean() > 127) << bit
    return number


def numbers_of(images: Iterable[np.ndarray]) -> list[int]:
    return [number_of(image) for image in images]


def write_clip(
    path: Path,
    images: Iterable[np.ndarray],
    *,
    fps: Fraction | int = NTSC,
    times: Sequence[int] | None = None,
    unit: Fraction | None = None,
    codec: str = "libx264",
    container_format: str | None = None,
    rotation: int = 0,
    mirrored: bool = False,
    sound_s: float = 0.0,
    container_options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    pixel_aspect: Fraction | None = None,
    group: int = 12,
) -> Path:
    """Write a video: frame k is shown at `times[k] * unit` s, or at k / fps s.

    Two B frames between others, a key frame every `group`: order of storage is not order of display, and
    seeking has somewhere to go. `rotation` is counter-clockwise, as in the file's display matrix.
    """
    images = list(images)
    with av.open(str(path), "w", format=container_format, options=container_options or {}) as container:
        container.metadata.update(metadata or {})
        options = {"g": str(group)}
        options |= {"libx264": {"bf": "2", "crf": "12"}, "mpeg2video": {"bf": "2"}}.get(codec, {})
        stream = container.add_stream(codec, rate=fps, options=options)
        stream.height, stream.width = images[0].shape[:2] if images else SIZE[::-1]
        stream.pix_fmt = "yuv420p"
        if unit is not None:
            stream.codec_context.time_base = stream.time_base = unit
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if rotation or mirrored:
            stream.set_display_rotation(rotation, hflip=mirrored)
        sound = container.add_stream("aac", rate=16000) if sound_s else None
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.time_base = unit or 1 / Fraction(fps)
            frame.pts = index if times is None else times[index]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            container.mux(_silence(sound, sound_s))
    return path


def write_sound(path: Path, seconds: float = 1.0) -> Path:
    """Write a file that holds sound only."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        container.mux(_silence(stream, seconds))
    return path


def _silence(stream: av.AudioStream, seconds: float) -> list[av.Packet]:
    packets: list[av.Packet] = []
    for begin in range(0, int(seconds * 16000), 1024):
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = 16000, begin
        packets += stream.encode(frame)
    return packets + stream.encode(None)
