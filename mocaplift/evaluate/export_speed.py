"""How fast motions are written, and in how much memory: one call of `mocaplift export` for every format.

The motion is made here: a body whose every joint turns all the time, so that no curve is still and little is left
for compression.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mocaplift import rotations, store
from mocaplift.body import load_body
from mocaplift.errors import ConfigError, InvalidData
from mocaplift.evaluate.report import Row
from mocaplift.evaluate.speed import MB, measured
from mocaplift.export import EXPORTERS
from mocaplift.layouts import SMPL24
from mocaplift.values import SkeletonMotion

FPS = 30.0
SEED = 17
LARGEST_TURN = 1.2  # rad
SWINGS_HZ = (0.2, 1.5)
_LAST_CHARACTERS = 300


def export_speed(
    frames: int,
    *,
    presets: Sequence[str] = ("standard",),
    formats: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Return what a call costs for each format: seconds with the start of Python, peak memory, size of the file.

    Args:
        frames: how long the motion is.
        presets: for what it is written; each has its column.
        formats: suffixes in `EXPORTERS`; None: all.
        progress: told (calls done, all calls).

    Raises:
        ConfigError: an unknown format.
        InvalidData: a call failed; the message ends with what it said.
        MissingDependency: this system does not count the memory of processes.
    """
    names = tuple(EXPORTERS if formats is None else formats)
    if unknown := sorted(set(names) - set(EXPORTERS)):
        raise ConfigError(f"unknown format {unknown[0]!r}; known: {', '.join(EXPORTERS)}")
    calls = [(suffix, preset) for suffix in names for preset in presets]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="mocaplift-export-") as folder:
        motion = Path(folder) / "motion.npz"
        motion.write_bytes(store.encode(made_motion(frames)))
        for done, (suffix, preset) in enumerate(calls, start=1):
            out = Path(folder) / f"{preset}{suffix}"
            for metric, (value, unit) in _figures(motion, out, preset).items():
                rows.append(Row("export", "made motion", 1, preset, f"{metric}{suffix}", value, unit, frames))
            if progress is not None:
                progress(done, len(calls))
    return rows


def _figures(motion: Path, out: Path, preset: str) -> dict[str, tuple[float, str]]:
    """Return what one call costs, each figure with its unit."""
    line = [sys.executable, "-m", "mocaplift", "export", str(motion), "-o", str(out), "--preset", preset]
    run = measured(line)
    if run.code != 0:
        said = run.output.strip()[-_LAST_CHARACTERS:]
        raise InvalidData(f"writing {out.name} ended with exit code {run.code}: {said}")
    return {
        "seconds": (run.seconds, "s"),
        "memory": (run.peak_bytes / MB, "MB"),
        "size": (out.stat().st_size / MB, "MB"),
    }


def made_motion(frames: int) -> SkeletonMotion:
    """Return a mean adult whose joints all swing, each at its own rates about all of its axes."""
    body, rng = load_body(), np.random.default_rng(SEED)
    shape = (len(SMPL24), 3)
    rate, phase = 2 * np.pi * rng.uniform(*SWINGS_HZ, shape), rng.uniform(0, 2 * np.pi, shape)
    seconds = np.arange(frames)[:, None, None] / FPS
    turns = rotations.from_rotvec(LARGEST_TURN * np.sin(rate * seconds + phase))
    path = np.sin(rate[0] * seconds[:, 0] + phase[0]) + np.array([0.0, 1.0, 0.0])
    skeleton = body.skeleton(np.zeros(body.num_shape))
    return SkeletonMotion(skeleton, rotations.make_continuous(turns), path, FPS)
