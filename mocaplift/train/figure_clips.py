"""Clips of figures that no detector knows, made to show that MVLift learns any: a creature, a person with a box.

Each clip is filmed once by one random camera, and that is all that training gets. Of the held-out clips the truth
is kept beside them, for measuring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mocaplift import store
from mocaplift.errors import InvalidData
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.lift.mvlift.figure_file import read_figure
from mocaplift.train.data.carried_box import BOX_SIZE, CORNERS, person_with_box
from mocaplift.train.data.creature import creature
from mocaplift.train.data.filming import camera_about, filmed
from mocaplift.train.data.motion_bank import load_banks
from mocaplift.values import Layout, Motion3D

FIGURES = Path(__file__).parents[1] / "figures"
TRAIN, HELD_OUT, TRUTH = "train", "held-out", "truth"
# (rng, layout, seconds) -> a random clip's truth.
Perform = Callable[[np.random.Generator, Layout, float], Motion3D]


@dataclass(frozen=True)
class Subject:
    """What is shown: the file of its figure, and the joints of a rigid thing with their places in it (m)."""

    file: str
    thing: Mapping[str, Float[np.ndarray, "3"]]

    @property
    def path(self) -> Path:
        """Where the description of the figure is."""
        return FIGURES / self.file

    @cached_property
    def figure(self) -> Figure:
        """The figure."""
        return read_figure(self.path)

    def body(self, figure: Figure) -> Sequence[str]:
        """Return the joints that are not the thing's."""
        return [joint for joint in figure.layout.joints if joint not in self.thing]


SUBJECTS = {
    "creature": Subject("four_legs.toml", {}),
    "box": Subject("person_with_box.toml", {name: at * BOX_SIZE for name, at in CORNERS.items()}),
}


@dataclass(frozen=True)
class ClipMaking:
    """How many clips, and how long (s)."""

    clips: int = 1200
    seconds: float = 9.0
    held_out: int = 48
    held_out_seconds: float = 4.0  # 120 frames at 30 fps, as MVLift is measured
    seed: int = 23


def make_clips(
    subject: str,
    config: ClipMaking,
    folder: Path,
    cmu: Path | None = None,
    *,
    work: Path,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Path:
    """Make clips of a subject (a key of `SUBJECTS`) in a folder, those that it lacks, and return it.

    The folders `train` and `held-out` hold keypoints, `truth` the points in the world and the cameras of the
    held-out ones. The box needs the CMU archives; the bank of their motions is kept in the work folder.

    Raises:
        InvalidData: the CMU archives are missing or damaged.
        OutputError: the folder cannot be written.
    """
    figure = SUBJECTS[subject].figure
    splits = ((TRAIN, config.clips, config.seconds), (HELD_OUT, config.held_out, config.held_out_seconds))
    performers: list[Perform] | None = None
    for number, (split, count, seconds) in enumerate(splits):
        (folder / split).mkdir(parents=True, exist_ok=True)
        for clip in range(count):
            path = folder / split / f"{clip:05d}.npz"
            if path.is_file():
                continue
            performers = performers or _performers(subject, cmu, work)
            rng = np.random.default_rng((config.seed, number, clip))
            motion = performers[number](rng, figure.layout, seconds)
            camera = camera_about(rng, motion, figure.unit)
            if split == HELD_OUT:
                (folder / TRUTH).mkdir(exist_ok=True)
                store.save((motion, camera), folder / TRUTH / path.name)
            store.save(filmed(rng, motion, camera), path)
            progress(f"clips, {split}", clip + 1, count)
    return folder


def _performers(subject: str, cmu: Path | None, work: Path) -> list[Perform]:
    """Return who performs the clips of training and the held-out ones.

    Raises:
        InvalidData: the CMU archives are missing or damaged.
    """
    if subject == "creature":
        return [creature, creature]
    if cmu is None:
        raise InvalidData("clips of a person with a box need the folder of the CMU archives")
    return [partial(person_with_box, bank=bank) for bank in load_banks(cmu, work)]
