"""Pictures of people as single cameras see them, and nothing else: what MVLift learns from without mocap.

Every passage of a bank of motions is filmed once, by one random camera with a detector's errors; then the motion
is thrown away. Lines are of cameras that exist not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float, Int

from mocaplift.errors import InvalidData
from mocaplift.files import whole_file
from mocaplift.lift.mvlift.conditions import FREE, USUAL_SIGMA, encoded, told_lines
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.lift.mvlift.ring import lines_through
from mocaplift.rotations import about_axis, rotate
from mocaplift.train.data.motion_bank import BANK_FPS, MotionBank
from mocaplift.train.data.mvlift_windows import draw, one_camera
from mocaplift.train.data.one_view import HIPS

FORMAT = 1  # in the file's name: pictures made by other rules are never read
ARRAYS = ("plane", "sigma", "axes", "distance")
AT_ONCE = 64  # windows drawn together
LARGEST_FILE = 2 << 30  # bytes
# Of the epipoles: half anywhere near the picture (m), half where a camera of a ring would have them.
ANYWHERE_SHARE, ANYWHERE = 0.5, 5.0
OTHER_DISTANCE = (2.0, 8.0)  # m from the person to a camera of a ring
SMALLEST_GAP = np.radians(12.0)  # between two cameras of a ring
ELEVATION = (np.radians(-5.0), np.radians(25.0))
# Windows without any line, and joints without one in the others.
NO_LINES_SHARE, NO_LINE_SHARE = 0.1, 0.1


@dataclass(frozen=True, eq=False, kw_only=True)
class PassagesOnce(MotionBank):
    """A bank that gives every passage once: `windows` are the next ones of `order`, which count through all."""

    starts: Int[np.ndarray, "P"]
    order: list[int]

    @classmethod
    def of(cls, bank: MotionBank, rng: np.random.Generator, num_frames: int, fps: float) -> PassagesOnce:
        """Return the bank cut into passages of so many frames, in random order."""
        span = _span(num_frames, fps)
        starts = [
            np.arange(first, first + length - span, span)
            for first, length in zip(bank.first, bank.length, strict=True)
        ]
        joined = np.concatenate(starts)
        order = [int(each) for each in rng.permutation(len(joined))]
        return cls(bank.xyz, bank.first, bank.length, bank.chance, starts=joined, order=order)

    def windows(
        self, rng: np.random.Generator, count: int, num_frames: int, fps: float
    ) -> Float[np.ndarray, "N T 21 3"]:
        """Return the next passages, their middle over (0, 0), at random headings.

        Raises:
            InvalidData: there are not so many left.
        """
        if count > len(self.order):
            raise InvalidData(f"{count} passages are wanted, but {len(self.order)} are left")
        chosen = [self.order.pop() for _ in range(count)]
        at = np.round(np.arange(num_frames) * BANK_FPS / fps).astype(int)
        xyz = self.xyz[self.starts[chosen][:, None] + at]
        xyz[..., [0, 2]] -= xyz[:, num_frames // 2, HIPS].mean(axis=1)[:, None, None, [0, 2]]
        turn = about_axis("Y", rng.uniform(0, 2 * np.pi, count))
        return rotate(turn[:, None, None], xyz).astype(np.float32)


def _span(num_frames: int, fps: float) -> int:
    """Return how many frames of a bank a passage covers."""
    return int(np.ceil((num_frames - 1) * BANK_FPS / fps)) + 1


@dataclass(frozen=True, eq=False)
class Pictures:
    """Windows of what cameras saw: see `lift.mvlift.conditions.Observed`."""

    plane: Float[np.ndarray, "N T J 2"]
    sigma: Float[np.ndarray, "N T J"]
    axes: Float[np.ndarray, "N 3 3"]
    distance: Float[np.ndarray, "N"]

    @classmethod
    def filmed(
        cls, bank: MotionBank, rng: np.random.Generator, num_frames: int, fps: float, most: int = 1 << 20
    ) -> Pictures:
        """Return every passage of a bank (at most so many) before one random camera.

        Raises:
            InvalidData: the bank has too few passages.
            WeightsError: the table of the embedded detector's errors is missing.
        """
        # `draw` asks for a frame more at both ends.
        once = PassagesOnce.of(bank, rng, num_frames + 2, fps)
        sampler = replace(one_camera(bank, is_varied=False), bank=once)
        parts = []
        for begin in range(0, min(most, len(once.order)), AT_ONCE):
            count = min(AT_ONCE, most - begin, len(once.order))
            seen = draw(sampler, rng, count, num_frames, fps).observed
            parts.append([getattr(seen, name).astype(np.float32) for name in ARRAYS])
        return cls(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def batch(
        self,
        rng: np.random.Generator,
        count: int,
        num_frames: int,
        figure: Figure,
        *,
        signs: str = FREE,
    ) -> LineBatch:
        """Return random windows with lines of random cameras, half of them mirrored, cut to so many frames."""
        which = rng.integers(len(self.plane), size=count)
        start = rng.integers(self.plane.shape[1] - num_frames + 1, size=count)
        at = which[:, None], start[:, None] + np.arange(num_frames)
        plane, sigma = self.plane[at].astype(float), self.sigma[at].astype(float)
        if rng.random() < 0.5:
            mirror = list(figure.layout.mirror)
            plane, sigma = plane[:, :, mirror] * [-1.0, 1.0], sigma[:, :, mirror]
        return LineBatch.of(rng, plane, sigma, self.axes[which], self.distance[which], figure, signs=signs)


@dataclass(frozen=True, eq=False)
class LineBatch:
    """Windows for training: the channels, how much each counts, lines (zeros: none), and what is told."""

    clean: Float[np.ndarray, "N 1 T C"]
    weight: Float[np.ndarray, "N 1 T C"]
    lines: Float[np.ndarray, "N 1 T J 3"]
    told: Float[np.ndarray, "N 1 T F"]

    @classmethod
    def of(
        cls,
        rng: np.random.Generator,
        plane: Float[np.ndarray, "N T J 2"],
        sigma: Float[np.ndarray, "N T J"],
        axes: Float[np.ndarray, "N 3 3"],
        distance: Float[np.ndarray, "N"],
        figure: Figure,
        *,
        signs: str = FREE,
    ) -> LineBatch:
        """Return the batch of pictures before cameras with these axes and distances, with random lines."""
        count, _, joints, _ = plane.shape
        seen = np.isfinite(sigma)
        lines = lines_through(_towards(rng, axes, distance), _ahead(plane, distance), distance)
        untold = rng.random((count, 1, joints)) < NO_LINE_SHARE
        untold |= rng.random((count, 1, 1)) < NO_LINES_SHARE
        lines = np.where((seen & ~untold)[..., None], lines, 0.0)
        told = told_lines(lines, seen, axes, distance, signs=signs)
        arrays = (encoded(plane, figure), trust(sigma, figure), lines, told)
        return cls(*(each[:, None].astype(np.float32) for each in arrays))


def trust(sigma: Float[np.ndarray, "*lead J"], figure: Figure) -> Float[np.ndarray, "*lead C"]:
    """Return how much each channel counts, 0 to 1: by the error expected of its joint, or of the root's worst."""
    share = 1 / (1 + np.square(sigma / USUAL_SIGMA))
    root = share[..., figure.layout.index(*figure.root)].min(axis=-1, keepdims=True)
    # A pose is about the root: without a root there is none.
    pose = np.repeat(np.where(root > 0, share, 0.0), 2, axis=-1)
    return np.concatenate([pose, root, root], axis=-1)


def _ahead(
    plane: Float[np.ndarray, "N T J 2"], distance: Float[np.ndarray, "N"]
) -> Float[np.ndarray, "N T J 3"]:
    depth = np.broadcast_to(distance[:, None, None, None], (*plane.shape[:-1], 1))
    return np.concatenate([plane, depth], axis=-1)


def _towards(
    rng: np.random.Generator, axes: Float[np.ndarray, "N 3 3"], distance: Float[np.ndarray, "N"]
) -> Float[np.ndarray, "N 3"]:
    """Return vectors to other cameras, in the axes of these: their pictures are the epipoles."""
    count = len(distance)
    flat = np.concatenate([rng.uniform(-ANYWHERE, ANYWHERE, (count, 2)), distance[:, None]], axis=-1)
    gap = rng.uniform(SMALLEST_GAP, 2 * np.pi - SMALLEST_GAP, count)
    elevation = rng.uniform(*ELEVATION, count)
    away = rng.uniform(*OTHER_DISTANCE, count)
    level = axes[:, 2] * [1.0, 0.0, 1.0]
    level = level / np.linalg.norm(level, axis=-1, keepdims=True)
    back = -rotate(about_axis("Y", gap), level) * np.cos(elevation)[:, None]
    back[:, 1] += np.sin(elevation)
    place = distance[:, None] * axes[:, 2] + away[:, None] * back
    ring = (axes @ place[..., None])[..., 0]
    return np.where(rng.random((count, 1)) < ANYWHERE_SHARE, flat, ring)


def save_pictures(path: Path, pictures: Pictures) -> None:
    """Write pictures as .npz.

    Raises:
        OutputError: the file cannot be written.
    """
    arrays = {name: getattr(pictures, name) for name in ARRAYS}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_pictures(path: Path) -> Pictures:
    """Return pictures that `save_pictures` wrote.

    Raises:
        InvalidData: the file is missing, too large, damaged, or holds something else.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise InvalidData(f"{path}: larger than any pictures")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ARRAYS}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InvalidData(f"{path}: no pictures ({error}); delete it to make it anew") from error
    shape = arrays["plane"].shape
    fits = len(shape) == 4 and shape[3] == 2 and arrays["sigma"].shape == shape[:3]
    if not (fits and arrays["axes"].shape == (shape[0], 3, 3) and arrays["distance"].shape == shape[:1]):
        raise InvalidData(
            f"{path}: the parts of these pictures do not fit together; delete it to make it anew"
        )
    return Pictures(**arrays)
