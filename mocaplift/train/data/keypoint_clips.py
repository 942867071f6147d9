"""Pictures from a user's own clips: windows of the keypoints of any figure, each before the camera that saw it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.cameras import rays
from mocaplift.errors import InvalidData
from mocaplift.lift.mvlift.conditions import NEAREST_DEPTH, expected_sigma, observed
from mocaplift.lift.mvlift.figure import Figure, reach_of
from mocaplift.lift.mvlift.figure_clip import FigureClip, read_clip
from mocaplift.train.data.mvlift_pictures import ARRAYS, Pictures

log = logging.getLogger(__name__)

MOST_CLIPS = 100_000
HELD_OUT_SHARE = 0.1  # of the clips, to measure on
# Windows begin so often: they overlap by this share of themselves. Each is also shown at another speed.
OVERLAP = 0.5
SPEEDS = (0.8, 1.25)
# Windows in which fewer frames show the figure teach nothing.
SHOWN_SHARE = 0.5
# Measured lengths: rounds in which lengths and scales are found in turn, and the share of bones, and of frames,
# that look shorter than they are. On made-up clips lengths are then 5 to 9 per cent off (against each other, rms).
ROUNDS, LONG_RANK = 4, 0.9
SMALLEST_SCALE = 1e-6
# Moments so near (share of a frame) to a frame are at it.
AT_FRAME = 0.01
AT_ONCE = 256  # windows, bounds memory


def read_clips(folder: Path, figure: Figure) -> list[FigureClip]:
    """Return the clips of a figure in the .npz files of a folder, by name; damaged and empty ones are left out.

    What is wrong with each of those is logged, and how many there are.

    Raises:
        InvalidData: there is no such folder, or no good clip in it; the message tells what is wrong with one.
    """
    paths = sorted(folder.glob("*.npz"))
    if not paths or len(paths) > MOST_CLIPS:
        raise InvalidData(f"{folder}: holds {len(paths)} .npz files, but 1 to {MOST_CLIPS} are needed")
    clips, wrong = [], []
    for path in paths:
        try:
            clips.append(read_clip(path, figure))
        except InvalidData as error:
            log.warning("left out: %s", error)
            wrong.append(error)
    if not clips:
        raise InvalidData(f"{folder}: none of {len(paths)} files can be used; {wrong[0]}")
    if wrong:
        log.warning("%s: %d of %d clips are left out", folder, len(wrong), len(paths))
    return clips


def split(clips: Sequence[FigureClip]) -> tuple[list[FigureClip], list[FigureClip]]:
    """Return the clips to learn from and those to measure on, spread evenly; a single clip is both."""
    if len(clips) == 1:
        log.warning("there is one clip only: what is measured on it tells nothing about others")
        return [*clips], [*clips]
    count = max(1, round(HELD_OUT_SHARE * len(clips)))
    chosen = {round((number + 0.5) * len(clips) / count - 0.5) for number in range(count)}
    return (
        [clip for number, clip in enumerate(clips) if number not in chosen],
        [clips[number] for number in sorted(chosen)],
    )


def pictures_of(
    clips: Sequence[FigureClip],
    figure: Figure,
    rng: np.random.Generator,
    num_frames: int,
    fps: float,
    most: int,
) -> Pictures:
    """Return windows of clips, in the clips' order; where there are more than `most`, some of them.

    Raises:
        InvalidData: no clip is as long as a window, or none shows enough.
    """
    sigmas = [expected_sigma(clip.keypoints, figure) for clip in clips]
    found = [
        (number, at)
        for number, clip in enumerate(clips)
        for at in _moments(
            np.isfinite(sigmas[number]).sum(axis=1) >= figure.fewest, clip.keypoints.fps, rng, num_frames, fps
        )
    ]
    if not found:
        raise InvalidData(
            f"{clips[0].path.parent}: no clip shows the figure {figure.layout.name} for a window of "
            f"{num_frames / fps:.1f} s; shorter windows are made with --set network.frames=N"
        )
    unused = len(clips) - len({number for number, _ in found})
    if unused:
        log.warning("%d of %d clips show no window of %.1f s", unused, len(clips), num_frames / fps)
    if len(found) > most:
        found = [found[number] for number in np.sort(rng.permutation(len(found))[:most])]
    parts = []
    for begin in range(0, len(found), AT_ONCE):
        direction, sigma = [], []
        for number, at in found[begin : begin + AT_ONCE]:
            xy, errors = _between(clips[number].keypoints.xy, sigmas[number], at)
            direction.append(rays(clips[number].camera, xy))
            sigma.append(errors)
        seen = observed(np.stack(direction), np.stack(sigma), figure)
        parts.append([getattr(seen, name).astype(np.float32) for name in ARRAYS])
    return Pictures(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _moments(
    is_shown: Bool[np.ndarray, "F"], own_fps: float, rng: np.random.Generator, num_frames: int, fps: float
) -> list[np.ndarray]:
    """Return when (in a clip's own frames) the frames of its windows are: at its own speed, and at random ones."""
    found, last = [], len(is_shown) - 1
    for is_changed in (False, True):
        begin = 0.0
        while True:
            speed = float(rng.uniform(*SPEEDS)) if is_changed else 1.0
            at = begin + np.arange(num_frames) * (speed * own_fps / fps)
            if at[-1] > last + 1e-9:
                break
            at = np.minimum(at, last)
            if is_shown[at.astype(int)].mean() >= SHOWN_SHARE:
                found.append(at)
            begin += (1 - OVERLAP) * (at[-1] - at[0])
    return found


def _between(
    xy: Float[np.ndarray, "F J 2"], sigma: Float[np.ndarray, "F J"], at: Float[np.ndarray, "T"]
) -> tuple[Float[np.ndarray, "T J 2"], Float[np.ndarray, "T J"]]:
    """Return keypoints and errors between frames: a point is seen where it is in both, or in the one it is at."""
    low = at.astype(int)
    share = at - low
    before = np.where(share > 1 - AT_FRAME, low + 1, low)
    after = np.where(share < AT_FRAME, low, low + 1)
    place = xy[before] + share[:, None, None] * (xy[after] - xy[before])
    errors = np.maximum(sigma[before], sigma[after])
    return np.where(np.isfinite(errors)[..., None], place, 0.0), errors


def with_measured_lengths(figure: Figure, clips: Sequence[FigureClip]) -> Figure:
    """Return the figure with the lengths of bones that clips show, left and right alike, as large as it was.

    A bone is as long as it looks in the few frames in which it lies across the line of sight.

    Raises:
        InvalidData: a bone is never seen.
    """
    shown = np.concatenate([_shown_lengths(clip, figure) for clip in clips])
    for bone, (start, end, _) in enumerate(figure.bones):
        if not np.isfinite(shown[:, bone]).any():
            raise InvalidData(
                f"no clip shows the bone from {start} to {end}; give lengths, or leave its end out"
            )
    lengths, mirror = np.ones(shown.shape[1]), figure.layout.mirror
    at = {frozenset(pair): bone for bone, pair in enumerate(zip(figure.starts, figure.ends, strict=True))}
    other = [at.get(frozenset(mirror[joint] for joint in pair), bone) for pair, bone in at.items()]
    for _ in range(ROUNDS):
        ratio = shown / lengths
        ratio = ratio[np.isfinite(ratio).any(axis=1)]
        scale = np.maximum(np.nanquantile(ratio, LONG_RANK, axis=1, keepdims=True), SMALLEST_SCALE)
        lengths = np.nanquantile(ratio / scale, LONG_RANK, axis=0) * lengths
        lengths = np.sqrt(lengths * lengths[other])
    bones = zip(figure.bones, lengths.tolist(), strict=True)
    measured = Figure(
        figure.layout,
        figure.root,
        tuple((start, end, length) for (start, end, _), length in bones),
        figure.unit,
    )
    return measured.scaled(figure.unit / reach_of(measured), unit=figure.unit)


def _shown_lengths(clip: FigureClip, figure: Figure) -> Float[np.ndarray, "T B"]:
    """Return how long bones look (x/z, y/z), NaN where an end is not seen."""
    direction = rays(clip.camera, np.nan_to_num(clip.keypoints.xy)) @ clip.camera.cam_from_world[:3, :3].T
    plane = direction[..., :2] / np.maximum(direction[..., 2:], NEAREST_DEPTH)
    plane = np.where((clip.keypoints.conf > 0)[..., None], plane, np.nan)
    return np.linalg.norm(plane[:, figure.starts] - plane[:, figure.ends], axis=-1)
