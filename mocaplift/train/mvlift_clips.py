"""A user's own clips of any figure as what MVLift learns from: no body model, no detector that was measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mocaplift.errors import ConfigError, InvalidData
from mocaplift.fit.rigid_bones import settled_bones, with_rigid_bones
from mocaplift.lift.mvlift.conditions import Observed
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.lift.mvlift.figure_clip import FigureClip
from mocaplift.lift.mvlift.network import DenoiserConfig
from mocaplift.lift.mvlift.ring import Ring
from mocaplift.train.data.figure_windows import FigureWindows
from mocaplift.train.data.keypoint_clips import pictures_of, read_clips, split, with_measured_lengths
from mocaplift.train.data.motion_bank import MotionBank, read_bank
from mocaplift.train.data.mvlift_pictures import FORMAT, Pictures, read_pictures, save_pictures
from mocaplift.train.made_bodies import MADE_SPEEDS, at_bank_rate, is_near
from mocaplift.train.mvlift_source import MADE, MADE_BANK, Draw, FitBody

SEED = 17  # of the pictures
# Error (units, sigma) of the points that stage 2 made, and the least of what a picture shows.
MADE_ERROR, PICTURE_ERROR = 0.08, 0.02
HELD_OUT_SHARE = 0.1  # of what was made: the last ones, which are of other clips


@dataclass(frozen=True)
class Clips:
    """The .npz files of keypoints in a folder, all of one figure."""

    folder: Path
    told: Figure

    @property
    def facts(self) -> dict[str, str]:
        """Return that the data are the user's."""
        return {"source": f"{len(self.clips)} clips of {self.told.layout.name}", "licence": "the user's"}

    def weights_name(self, motions: str | None) -> str:
        """Return the name of a weight file.

        Raises:
            ConfigError: recordings are asked for, but there are only clips.
        """
        if motions not in (None, MADE):
            raise ConfigError(f"clips hold no motions in space: motions are {MADE!r}, not {motions!r}")
        name = self.told.layout.name
        return f"{name}-lines" if motions is None else name

    @cached_property
    def clips(self) -> list[FigureClip]:
        """The clips that can be used."""
        return read_clips(self.folder, self.told)

    def figure(self, work: Path) -> Figure:
        """Return the figure, its bones measured where the file tells no lengths.

        Raises:
            InvalidData: there are no clips, or a bone is in none.
        """
        return self._figure

    @cached_property
    def _figure(self) -> Figure:
        return self.told if self.told.has_lengths else with_measured_lengths(self.told, self.clips)

    def pictures(
        self, work: Path, network: DenoiserConfig, most: int, held_out: int
    ) -> tuple[Pictures, Pictures]:
        """Return the windows of the clips to learn from and of the others, made where the work folder lacks them.

        Raises:
            InvalidData: there are no clips or none lasts as long as a window; or kept pictures are damaged, or of
                another figure.
            OutputError: the folder cannot be written.
        """
        out = []
        for number, (name, count) in enumerate((("train", most), ("validation", held_out))):
            path = work / f"pictures-{FORMAT}-{name}.npz"
            if not path.is_file():
                clips, rng = split(self.clips)[number], np.random.default_rng((SEED, number))
                shown = pictures_of(clips, self._figure, rng, network.frames, network.fps, count)
                save_pictures(path, shown)
            out.append(read_pictures(path))
            frames, joints = out[-1].plane.shape[1:3]
            if joints != len(self.told.layout) or frames < network.frames:
                raise InvalidData(
                    f"{path}: made for windows of {frames} frames of another figure or network; "
                    "choose another work folder, or delete it to make it anew"
                )
        return out[0], out[1]

    def fit_body(self, work: Path, farthest: float) -> FitBody:
        """Return what gives a window's points bones of constant lengths."""
        figure = self._figure

        def fit(seen: Observed, points: np.ndarray, fps: float) -> np.ndarray | None:
            body = fitted(seen, points, fps, figure, farthest)
            return None if body is None else as_motion(body, fps)

        return fit

    def windows(self, motions: str, work: Path) -> tuple[Draw, Draw]:
        """Return windows of what stage 3 made, and of the part of it that is not learnt from.

        Raises:
            InvalidData: stage 3 has made nothing, or too little.
        """
        self.weights_name(motions)
        if not (work / MADE_BANK).is_file():
            raise InvalidData(f"{work / MADE_BANK}: not there; run stage 3 with the same work folder first")
        pictures = read_pictures(work / f"pictures-{FORMAT}-train.npz")
        bank = replace(read_bank(work / MADE_BANK, self._figure), speeds=MADE_SPEEDS)
        count = len(bank.first)
        learnt = count - max(1, round(HELD_OUT_SHARE * count))
        if not learnt:
            raise InvalidData(
                f"{work / MADE_BANK}: holds one motion; stage 4 needs two at least, and better many"
            )
        parts = part(bank, slice(0, learnt)), part(bank, slice(learnt, count))
        first, second = (FigureWindows(each, pictures) for each in parts)
        return first.draw, second.draw


def part(bank: MotionBank, which: slice) -> MotionBank:
    """Return the bank of some of the motions, all of them equally often."""
    first = bank.first[which]
    return replace(bank, first=first, length=bank.length[which], chance=np.full(len(first), 1 / len(first)))


def fitted(
    seen: Observed, points: Float[np.ndarray, "T J 3"], fps: float, figure: Figure, farthest: float
) -> Float[np.ndarray, "T J 3"] | None:
    """Return points with constant bones near one window's points and picture, or None if far from either."""
    points = points.astype(float)
    ends = np.stack([figure.starts, figure.ends], axis=-1)
    lengths = settled_bones(points, ends, figure.lengths, np.array(figure.layout.mirror))
    ring = Ring.around(seen.axes, seen.distance, ())
    sigma = np.hypot(seen.sigma[0], PICTURE_ERROR)
    made = np.full(sigma.shape, MADE_ERROR)
    body = with_rigid_bones(
        points, made, ring.directions(seen.plane[:, None])[0, 0], sigma, ends, lengths, fps
    )
    return body if is_near(body, seen, points, farthest) else None


def as_motion(body: Float[np.ndarray, "T J 3"], fps: float) -> Float[np.ndarray, "F J 3"]:
    """Return points at the rate of a bank, their middle over (0, 0)."""
    xyz = at_bank_rate(body, fps)
    middle = xyz[len(xyz) // 2].mean(axis=0)
    moved: Float[np.ndarray, "F J 3"] = xyz - middle
    return moved.astype(np.float32)
