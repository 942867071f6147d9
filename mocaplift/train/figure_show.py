"""Other figures than people, shown: clips made up, MVLift's four stages trained on them, held-out clips scored.

    mocaplift evaluate figure creature --work DIR
    mocaplift evaluate figure box CMU_DIR --work DIR

Only 2D keypoints are learnt from. All is kept in the work folder: the same command goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mocaplift import store
from mocaplift.cameras import centre
from mocaplift.evaluate.figures import (
    FLAT,
    RIGID,
    UNITS,
    flat,
    made_rigid,
    object_scores,
    pose_scores,
    root_of,
    size_of,
)
from mocaplift.evaluate.floors import STATIC, static
from mocaplift.evaluate.report import ALL, Row, with_all
from mocaplift.evaluate.solvers import RAW
from mocaplift.figure_motion import lift_figure
from mocaplift.lift.mvlift.figure_clip import FigureClip
from mocaplift.lift.mvlift.lifter import lift, load_network
from mocaplift.lift.mvlift.network import Denoiser, DenoiserConfig
from mocaplift.train.figure_clips import HELD_OUT, SUBJECTS, TRAIN, TRUTH, ClipMaking, Subject, make_clips
from mocaplift.train.loop import LoopConfig
from mocaplift.train.mvlift import MultiviewTraining, train_multiview
from mocaplift.train.mvlift_clips import Clips
from mocaplift.train.mvlift_lines import LineTraining, train_lines
from mocaplift.train.mvlift_made import BodyFitting, ViewMaking, fit_bodies, make_views
from mocaplift.train.mvlift_source import MADE
from mocaplift.values import Motion3D

# Rows of the networks: that of stage 1, with triangulation of what it makes (stage 2), and that of stage 4.
STAGE_2, STAGE_4 = "stage-2", "mvlift-2d"
# What the paper reports on OMOMO (other data: five points of scanned objects; the result is turned and scaled onto
# the truth): its T_root is in the released form, that of the object Euclidean.
PUBLISHED = "OMOMO (published)"
PUBLISHED_SCORES = {
    "t_root_released": 54.9, "mpjpe": 67.0, "pa_mpjpe_sequence": 53.4, "t_object": 172.9, "object_mpjpe": 76.9,
}  # fmt: skip
REHEARSAL = (
    "clips.clips=8", "clips.seconds=5.0", "clips.held_out=2", "lines.batch=4", "lines.validation=4",
    "lines.loop.steps=20", "views.windows=16", "views.samples=1", "views.steps=2", "bodies.kept=1.0",
    "bodies.farthest=100.0", "lifting.batch=4", "lifting.validation=2", "lifting.loop.steps=20",
)  # fmt: skip

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Showing:
    """How much is made and learnt: five minutes of one core."""

    clips: ClipMaking = field(default_factory=ClipMaking)
    lines: LineTraining = field(
        default_factory=lambda: LineTraining(
            batch=48,
            validation=64,
            network=DenoiserConfig(views=1, width=128, depth=4),
            loop=LoopConfig(steps=1000, rate=2e-3, save_every=100, threads=1),
        )
    )
    views: ViewMaking = field(default_factory=lambda: ViewMaking(windows=512, samples=2, steps=8))
    bodies: BodyFitting = field(default_factory=BodyFitting)
    lifting: MultiviewTraining = field(
        default_factory=lambda: MultiviewTraining(
            motions=MADE,
            batch=24,
            validation=48,
            network=DenoiserConfig(width=128, depth=3),
            loop=LoopConfig(steps=1000, rate=2e-3, save_every=100, threads=1),
        )
    )


def show(
    subject: str,
    config: Showing,
    work: Path,
    cmu: Path | None = None,
    *,
    progress: Progress = lambda stage, done, total: None,
) -> list[Row]:
    """Return how well the networks of a subject (a key of `SUBJECTS`) lift its held-out clips, and the floors.

    Raises:
        InvalidData: the CMU archives are missing or damaged; or nothing that stage 2 made is any good.
        ConfigError: the work folder holds a run of other settings.
        OutputError: the folder cannot be written.
    """
    shown = SUBJECTS[subject]
    folder = make_clips(subject, config.clips, work / "clips", cmu, work=work, progress=progress)
    source, out = Clips(folder / TRAIN, shown.figure), work / "weights"
    lines = train_lines(config.lines, source, out, work=work, progress=progress)
    make_views(config.views, source, out, work=work, progress=progress)
    fit_bodies(config.bodies, source, out, work=work, progress=progress)
    lifter = train_multiview(config.lifting, source, out, work=work, progress=progress)
    networks = {STAGE_2: load_network(str(lines)), STAGE_4: load_network(str(lifter))}
    return score_clips(subject, folder, networks, progress=progress)


def score_clips(
    subject: str,
    folder: Path,
    networks: dict[str, Denoiser],
    *,
    progress: Progress = lambda stage, done, total: None,
) -> list[Row]:
    """Return the rows of held-out clips, then "all".

    One camera tells no size: what was lifted is given that of the true figure, as `--height` gives a person's.

    Raises:
        InvalidData: a clip or its truth is missing or damaged.
    """
    shown, rows = SUBJECTS[subject], []
    paths = sorted((folder / HELD_OUT).glob("*.npz"))
    for done, path in enumerate(paths):
        truth, camera = store.load(folder / TRUTH / path.name)
        clip = FigureClip(store.load(path), camera, path)
        for lifter, xyz in _found(clip, truth, shown, networks).items():
            scores = _scores(xyz, truth.xyz, shown)
            rows += [
                Row(subject, path.stem, 1, lifter, metric, value, UNITS[metric], len(truth.xyz))
                for metric, value in scores.items()
            ]
        progress("lifting", done + 1, len(paths))
    rows = with_all(rows)
    if shown.thing:
        rows += [
            Row(subject, ALL, 1, PUBLISHED, metric, value, UNITS[metric], 0)
            for metric, value in PUBLISHED_SCORES.items()
        ]
    return rows


def _found(
    clip: FigureClip, truth: Motion3D, shown: Subject, networks: dict[str, Denoiser]
) -> dict[str, Float[np.ndarray, "T J 3"]]:
    """Return the points in the world that each method finds, by the names of the rows."""
    found = {FLAT: flat(clip.keypoints, clip.camera, shown.figure)}
    for name, network in networks.items():
        found[name + RAW] = lift([clip.keypoints], [clip.camera], network).xyz
        found[name] = lift_figure(clip, network).xyz
    place, size = centre(clip.camera), size_of(truth.xyz, shown.figure)
    found = {STATIC: static(truth.xyz)} | {name: place + size * (xyz - place) for name, xyz in found.items()}
    if shown.thing:
        places, shape = shown.figure.layout.index(*shown.thing), np.stack(list(shown.thing.values()))
        for name in networks:
            rigid = found[name].copy()
            rigid[:, places] = made_rigid(rigid[:, places], shape)
            found[name + RIGID] = rigid
    return found


def _scores(
    found: Float[np.ndarray, "T J 3"], truth: Float[np.ndarray, "T J 3"], shown: Subject
) -> dict[str, float]:
    figure = shown.figure
    scores = pose_scores(found, truth, figure, shown.body(figure))
    if shown.thing:
        places, shape = figure.layout.index(*shown.thing), np.stack(list(shown.thing.values()))
        roots = root_of(found, figure), root_of(truth, figure)
        scores |= object_scores(found[:, places], truth[:, places], shape, *roots)
    return scores
