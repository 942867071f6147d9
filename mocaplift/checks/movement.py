"""Whether the motion moves as bodies do: its rate, flips and pops, shaking."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from mocaplift.checks.finding import NOTE, Finding, spans_of
from mocaplift.checks.subject import Subject
from mocaplift.export.timing import exact_rate
from mocaplift.reading.rates import KNOWN_RATES
from mocaplift.rotations import angle_between

SLOWEST, FASTEST = 10.0, 1000.0  # frames per second that motion is recorded at
# Frames that repeat the one before: so many (share of all), in so many places, are no rest of the body.
REPEATED, REPEATED_PLACES = 0.1, 5
# Two frames are the same where nothing moves more than this (m, rad): text rounds to a millionth.
SAME = 2e-7
# A turn from one frame to the next (degrees) is a flip where it is this much, and this many times what is usual
# around it. A fast punch at 30 fps turns a forearm by 33 degrees a frame, but its neighbours by 25.
FLIP_TURN, FLIP_FACTOR = 12.0, 4.0
FLIP_STEP = 0.08  # m, of a bone that moves relative to its parent
# Frames on each side that tell what is usual; of their steps the third largest counts: a flip and back are two.
AROUND, RANK = 4, 3
# Shaking: the place of a bone turns back from frame to frame, by more than this (m, standard deviation of white
# noise; from fourth differences, whose variance is 70 times the noise's). Real motion goes on for several frames.
SHAKE = 0.0015
# A detector's noise goes on for some frames where it was resampled to a higher rate: it is looked for at this rate
# (1/s) too, by more, as a walking foot turns back by 3 mm there (CMU's recordings at 120 fps).
SLOW_RATE, SLOW_SHAKE = 30.0, 0.005
# Of the frames of such a time (s), this share shakes.
SHAKE_TIME, SHAKE_SHARE = 0.4, 0.6
_FOURTH = np.sqrt(70 * 3)


def find_rate(subject: Subject) -> Iterator[Finding]:
    """Look for a rate that no program knows, and for frames that are there twice."""
    fps = subject.fps
    if not SLOWEST <= fps <= FASTEST:
        yield Finding("rate", f"{fps:.6g} frames per second is no rate that motion is recorded at")
    elif exact_rate(subject.rigged.fps) not in KNOWN_RATES:
        near = min(KNOWN_RATES, key=lambda rate: abs(float(rate) / fps - 1))
        drift = abs(float(near) / fps - 1) * 600
        text = (
            f"{fps:.6g} frames per second is no usual rate; taken for {float(near):.6g}, ten minutes are off by "
            f"{drift:.1f} s"
        )
        yield Finding("rate", text, NOTE)
    if len(subject.xyz) == 1:
        yield Finding("rate", "one frame only: a pose, no motion", NOTE)
        return
    rigged = subject.rigged
    moved = np.abs(np.diff(rigged.rotations, axis=0)).max(axis=(1, 2))
    for place in rigged.places.values():
        moved = np.maximum(moved, np.abs(np.diff(place, axis=0)).max(axis=1))
    repeated = moved < SAME
    if repeated.all():
        yield Finding("rate", "nothing moves: every frame is the same", NOTE)
        return
    spans = spans_of(repeated, 1)
    if repeated.mean() > REPEATED and len(spans) >= REPEATED_PLACES:
        text = (
            f"{repeated.mean():.0%} of the frames repeat the one before: it was made at about "
            f"{fps * (1 - repeated.mean()):.0f} frames per second, and stutters at {fps:.6g}"
        )
        yield Finding("rate", text, frames=spans, size=round(float(repeated.mean()), 3), unit="share")


def find_flips(subject: Subject) -> Iterator[Finding]:
    """Look for bones that jump from one frame to the next, and for angles that do."""
    rigged, start = subject.rigged, subject.start
    if start:
        yield Finding("flips", "frame 0 is the rest pose, not part of the motion; it was left out", NOTE)
    if len(rigged) - start > 2:
        steps = np.degrees(angle_between(rigged.rotations[start:-1], rigged.rotations[start + 1 :]))
        flips = steps > FLIP_TURN + FLIP_FACTOR * _usual(steps)
        yield from _jumps(
            subject, flips, steps, "{names} {verb} by up to {size:.0f} degrees in one frame", "deg"
        )
        bones = sorted(rigged.places)
        paths = np.stack([rigged.places[bone][start:] for bone in bones], axis=1)
        ways = np.linalg.norm(np.diff(paths, axis=0), axis=-1)
        steps = np.zeros_like(steps)
        steps[:, bones] = ways
        flips = steps > FLIP_STEP + FLIP_FACTOR * _usual(steps)
        yield from _jumps(subject, flips, steps, "{names} {verb} by up to {size:.2f} m in one frame", "m")
    jumps = {bone: frames for bone, frames in subject.recording.jumps.items() if set(frames) - {start}}
    if jumps:
        flags: np.ndarray = np.zeros(len(rigged), dtype=bool)
        for frames in jumps.values():
            flags[list(frames)] = True
        names = _listed([rigged.names[bone] for bone in jumps])
        text = f"angles of {names} jump by half a turn or more: programs that blend frames spin the bone"
        yield Finding("flips", text, frames=spans_of(flags))


def _usual(steps: Float[np.ndarray, "N J"]) -> Float[np.ndarray, "N J"]:
    """Return the third largest of the steps around each, itself included."""
    padded = np.pad(steps, ((AROUND, AROUND), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1, axis=0)
    return np.partition(windows, -RANK, axis=-1)[..., -RANK]


def _jumps(
    subject: Subject, flips: np.ndarray, steps: Float[np.ndarray, "N J"], text: str, unit: str
) -> Iterator[Finding]:
    if not flips.any():
        return
    names = [subject.rigged.names[bone] for bone in np.flatnonzero(flips.any(axis=0))]
    sizes = np.where(flips, steps, 0.0).max(axis=1)
    verb = "jump" if len(names) > 1 else "jumps"
    yield Finding(
        "flips",
        text.format(names=_listed(names), verb=verb, size=sizes.max()),
        frames=spans_of(np.asarray(flips.any(axis=1)), subject.start + 1),
        worst=int(sizes.argmax()) + subject.start + 1,
        size=round(float(sizes.max()), 3),
        unit=unit,
    )


def find_jitter(subject: Subject) -> Iterator[Finding]:
    """Look for bones that shake: noise that no smoothing took away, from frame to frame or a little slower."""
    xyz = subject.xyz[subject.start :]
    sizes = np.zeros(xyz.shape[:2])
    for step, least in ((1, SHAKE), (max(1, round(subject.fps / SLOW_RATE)), SLOW_SHAKE)):
        window = max(subject.frames(SHAKE_TIME) // step, 2 * AROUND)
        if len(xyz[::step]) > window + 4:
            slow = np.repeat(_shaking(xyz[::step], window, least), step, axis=0)[: len(xyz)]
            sizes[: len(slow)] = np.maximum(sizes[: len(slow)], slow)
    if not sizes.any():
        return
    most = sizes.max(axis=0)
    bones = np.argsort(-most)[: np.count_nonzero(most)]
    worst = sizes[:, bones[0]]
    typical = float(np.median(worst[worst > 0]))
    verb = "shake" if len(bones) > 1 else "shakes"
    yield Finding(
        "jitter",
        f"{_listed([subject.rigged.names[bone] for bone in bones])} {verb}, by about {1000 * typical:.1f} mm",
        frames=spans_of(np.asarray(sizes.any(axis=1)), subject.start, bridge=subject.frames(SHAKE_TIME)),
        worst=int(worst.argmax()) + subject.start,
        size=round(typical, 5),
        unit="m",
    )


def _shaking(xyz: Float[np.ndarray, "T J 3"], window: int, least: float) -> Float[np.ndarray, "T J"]:
    """Return by how much (m) each bone shakes where most frames of a window do, by at least so much; else 0."""
    sizes = np.linalg.norm(np.diff(xyz, n=4, axis=0), axis=-1) / _FOURTH
    bends = np.diff(xyz, n=2, axis=0)
    shakes = (sizes > least) & ((bends[1:] * bends[:-1]).sum(axis=-1) < 0)[1:]
    found = _sums(shakes, window) > SHAKE_SHARE * window
    within = _sums(np.pad(found, ((window - 1, window - 1), (0, 0))), window) > 0
    return np.pad(np.where(within & shakes, sizes, 0.0), ((2, 2), (0, 0)))


def _sums(flags: Bool[np.ndarray, "T J"], window: int) -> Int[np.ndarray, "N J"]:
    """Return how many are true of each so many frames in a row."""
    counts = np.cumsum(np.pad(flags, ((1, 0), (0, 0))), axis=0, dtype=np.int64)
    return counts[window:] - counts[:-window]


def _listed(names: list[str], most: int = 3) -> str:
    """Return names with commas between, the first few of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
