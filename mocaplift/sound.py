"""The sound of a video as a curve of sudden noises, which two microphones hear alike wherever they stand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction

import av
import numpy as np
from jaxtyping import Float

from mocaplift.container import open_video
from mocaplift.values import Clip

# Speech and claps lie below half of this (Hz).
SAMPLE_RATE = 16000
# Values of the curve a second: a clap lasts some milliseconds.
RATE = Fraction(1000)
# A noise is sudden if it is louder than the mean of this time before it (s).
BEFORE = 0.03
# Sound is read for this long from the clip's start (s); later claps are not needed.
LONGEST = 600.0
# A microphone's hiss, below which nothing is heard: this share of the loudest moment's energy (-60 dB).
HISS = 1e-6

_SAMPLES = SAMPLE_RATE // RATE.numerator


def sudden_noises(clip: Clip) -> Float[np.ndarray, "T"] | None:
    """Return how much louder (powers of e, at least 0) each moment is than those before it; None without sound.

    There are `RATE` values a second, the first at the clip's start. Packets that cannot be decoded are silent.

    Raises:
        VideoError: the file has gone, or is no video.
    """
    speed = float(clip.facts.get("slow_motion", 1.0))
    seconds = min(clip.frames / float(clip.fps) * speed, LONGEST)
    energy = np.zeros(int(seconds * RATE) + 1)
    first = float(clip.facts.get("first_time_s", 0.0)) + clip.start * speed
    heard = False
    with closing(open_video(clip.path)) as container:
        if not container.streams.audio:
            return None
        for begin, samples in _pieces(container):
            heard = True
            place = round((begin - first) * SAMPLE_RATE)
            if place >= len(energy) * _SAMPLES:
                break
            _add(energy, place, samples)
    if not heard or not energy.any():
        return None
    curve = _rises(energy)
    if speed == 1.0:
        return curve
    # A slowed file slows its sound: back to life's seconds.
    moments = np.arange(int(seconds / speed * RATE) + 1) * speed
    return np.interp(moments, np.arange(len(curve)), curve)


def _pieces(container: av.container.InputContainer) -> Iterator[tuple[float, Float[np.ndarray, "N"]]]:
    """Yield pieces of sound, one channel at `SAMPLE_RATE`, each with the time at which it begins (s)."""
    stream = container.streams.audio[0]
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    next_begin = 0.0
    for frame in _frames(container, stream):
        for piece in resampler.resample(frame):
            samples = piece.to_ndarray().reshape(-1).astype(float)
            if piece.pts is not None and piece.time_base is not None:
                next_begin = float(piece.pts * piece.time_base)
            yield next_begin, samples
            next_begin += len(samples) / SAMPLE_RATE


def _frames(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    """Yield the stream's frames past what is damaged, until the file cannot be read any further."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            return
        if packet is None:
            return
        try:
            yield from stream.codec_context.decode(packet)
        except av.error.EOFError:
            return
        except (av.error.FFmpegError, ValueError):
            continue


def _add(energy: Float[np.ndarray, "T"], place: int, samples: Float[np.ndarray, "N"]) -> None:
    """Add to the curve the energy of samples that begin at a place; what lies outside is left out."""
    # Differences of neighbours: hum and wind are low.
    power = np.diff(np.where(np.isfinite(samples), samples, 0.0), prepend=samples[:1]) ** 2
    ticks = (place + np.arange(len(power))) // _SAMPLES
    inside = (ticks >= 0) & (ticks < len(energy))
    np.add.at(energy, ticks[inside], power[inside])


def _rises(energy: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T"]:
    """Return by how much the logarithm of the energy is above the mean of the moments before."""
    loud = np.log(energy + HISS * energy.max())
    span = max(1, round(BEFORE * RATE))
    total = np.concatenate([[0.0], np.cumsum(loud)])
    ticks = np.arange(len(loud))
    begin = np.maximum(ticks - span, 0)
    before = (total[ticks] - total[begin]) / np.maximum(ticks - begin, 1)
    before[0] = loud[0]
    return np.maximum(loud - before, 0.0)
