"""CMU motion capture ("Daz-friendly" BVH, and ASF/AMC) as clean takes on our skeleton.

The data used in this project was obtained from mocap.cs.cmu.edu. The database was created with funding from NSF
EIA-0196217. The files have known defects, treated here: frames that blend in from the T-pose, a wrong
rate for some takes, flipped or lost limbs, and wrong heights above the floor.
"""

from __future__ import annotations

import csv
import lzma
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.errors import InvalidData
from mocaplift.kinematics import forward
from mocaplift.layouts import SMPL24
from mocaplift.reading.bvh import parse_bvh
from mocaplift.rotations import rotate, slerp, to_rotvec
from mocaplift.train.data.asf import parse_amc, parse_asf
from mocaplift.train.data.retarget import Source, retarget, source_of_amc, source_of_bvh
from mocaplift.values import Skeleton, SkeletonMotion
from mocaplift.windows import runs

BVH_ARCHIVES = ("everyday.tar.xz", "dance_martial.tar.xz")
ASF_ARCHIVE = "asfamc.tar.xz"
ASF_SUBJECTS = frozenset({1, 2, 3})  # their BVH takes are the same recordings, and are skipped
RATES = "CMU_data_framerate.csv"
LARGEST_MEMBER = 64 << 20  # bytes; the longest take is 5 MB
CAPTURE_FPS = 120.0  # of AMC files, which do not tell
BLEND_IN = 10  # frames at the beginning that come from the T-pose

# CMU's numbers of the subjects in the folders that are not named by subject. Salsa clips 1-15 are
# subject 60, 16-30 the partner, subject 61, of the same takes.
FOLDER_SUBJECT = {"indian": 94, "martial": 135}
SALSA_TAKES = 15

# A joint this fast (m/s, relative to the pelvis) that was slow just before and after has flipped, not moved:
# the fastest kicks and punches of karate reach about 15 m/s over many frames.
FLIP_SPEED = 9.0
FLIP_RATIO = 3.0  # a flip's speed over the median of its neighbours'
FLIP_REACH = 4  # frames on both sides that tell the speed around a flip
# No joint turns further than this (degrees), whatever the person does: beyond, the recording has lost a limb.
# Neck and head share the head's turn to the chest, so each may have half of what a head can do.
LARGEST_TURN = {
    "spine1": 60, "spine2": 60, "spine3": 75, "neck": 50, "head": 50, "knee": 165, "ankle": 80, "elbow": 165,
    "shoulder": 178, "hip": 160,
}  # fmt: skip
HYPEREXTENSION = 20  # degrees that a knee or an elbow may bend the wrong way
LONGEST_REPAIR = 0.1  # s; limbs that stay flipped longer are cut out
SHORTEST_TAKE = 0.5  # s

PLANTED_SPEED = 0.25  # m/s; a foot slower than this stands
FEWEST_PLANTED = 0.2  # s of standing that tell the floor
# Feet also stand on chairs and steps, so the floor is low among the heights at which they stand; lower still would
# be the recordings' noise of 1 to 3 cm.
PLANTED_PERCENTILE, LOWEST_PERCENTILE = 15, 2

# Held out of training: two whole subjects, two salsa takes with both partners, and a few of every other kind.
VALIDATION_SUBJECTS = frozenset({8, 10})
VALIDATION_TAKES = frozenset({
    (60, 4), (61, 4), (60, 10), (61, 10), (94, 7), (135, 5), (1, 6), (2, 5), (5, 6), (5, 13), (6, 8), (6, 14),
    (7, 9), (13, 11), (13, 26), (13, 36), (13, 41), (14, 5), (14, 21), (14, 28),
})  # fmt: skip


@dataclass(frozen=True, eq=False)
class Take:
    """One clean stretch of one recording; `part` counts the stretches that a cut recording left."""

    subject: int
    trial: int
    part: int
    label: str
    motion: SkeletonMotion

    @property
    def name(self) -> str:
        """CMU's name of the recording, as in its index: subject_trial."""
        return f"{self.subject:02d}_{self.trial:02d}"

    @property
    def is_validation(self) -> bool:
        """Whether the take is held out of training."""
        return self.subject in VALIDATION_SUBJECTS or (self.subject, self.trial) in VALIDATION_TAKES


def read_takes(folder: Path, skeleton: Skeleton, *, sole_y: float) -> Iterator[Take]:
    """Yield every clean take of the archives in a folder, on our skeleton, standing on y = 0.

    `sole_y` is the height of the soles in the skeleton's T-pose, relative to the pelvis (negative, metres).

    Raises:
        InvalidData: the folder lacks an archive or the table of rates, or one of them is damaged.
    """
    rates = read_rates(Path(folder) / RATES)
    for name, source, header_fps in read_sources(Path(folder)):
        subject, trial = identify(name)
        fps, label = rates.get((subject, trial), (header_fps, ""))
        motion = retarget(source, skeleton, fps)
        for part, clean in enumerate(clean_stretches(motion)):
            yield Take(subject, trial, part, label, on_floor(clean, sole_y))


def read_sources(folder: Path) -> Iterator[tuple[str, Source, float]]:
    """Yield every recording once, as (file name, motion on CMU's own skeleton, frames per second by its header).

    Raises:
        InvalidData: an archive is missing or damaged.
    """
    for archive in BVH_ARCHIVES:
        for member, text in _texts(folder / archive, (".bvh",)):
            if identify(member)[0] not in ASF_SUBJECTS:
                bvh = parse_bvh(text, name=f"{archive}:{member}")
                yield member, source_of_bvh(bvh), 1 / bvh.frame_time
    # A subject's skeleton may follow its motions in the archive.
    texts = dict(_texts(folder / ASF_ARCHIVE, (".asf", ".amc")))
    skeletons = {
        int(PurePosixPath(name).stem): parse_asf(text, name=name)
        for name, text in texts.items()
        if name.endswith(".asf")
    }
    for member in sorted(name for name in texts if name.endswith(".amc")):
        subject, _ = identify(member)
        if subject not in skeletons:
            raise InvalidData(f"{ASF_ARCHIVE}: {member} has no skeleton of subject {subject:02d}")
        skeleton = skeletons[subject]
        motion = parse_amc(texts[member], skeleton, name=f"{ASF_ARCHIVE}:{member}")
        yield member, source_of_amc(skeleton, motion), CAPTURE_FPS


def read_rates(path: Path) -> dict[tuple[int, int], tuple[float, str]]:
    """Return the true frame rate and the description of each (subject, trial) of the community's table.

    Raises:
        InvalidData: the table is missing or not in the expected form.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8", errors="replace") as file:
            rows = list(csv.DictReader(file))
        return {
            (int(row["Subject"]), int(row["Trial #"])): (float(row["framerate"]), row["Motion Description"])
            for row in rows
            if row["framerate"]
        }
    except OSError as error:
        raise InvalidData(f"{path}: cannot be read: {error.strerror}") from error
    except (KeyError, ValueError, TypeError) as error:
        raise InvalidData(f"{path}: not the table of CMU frame rates ({error})") from error


def identify(member: str) -> tuple[int, int]:
    """Return CMU's (subject, trial) of a file in the archives.

    Raises:
        InvalidData: the name does not tell.
    """
    path = PurePosixPath(member)
    try:
        if path.parent.name == "salsa":
            clip = int(path.stem) - 1
            return 60 + clip // SALSA_TAKES, clip % SALSA_TAKES + 1
        if path.parent.name in FOLDER_SUBJECT:
            return FOLDER_SUBJECT[path.parent.name], int(path.stem)
        subject, trial = path.stem.split("_")
        return int(subject), int(trial)
    except ValueError as error:
        raise InvalidData(f"{member}: the file name does not tell subject and trial") from error


def clean_stretches(motion: SkeletonMotion) -> Iterator[SkeletonMotion]:
    """Yield the motion without its blend-in, with short faults repaired and cut at the longer ones.

    A fault is a limb that jumps away and back (`find_flips`) or is where no limb can be (`find_impossible`).
    """
    rotations, root = motion.rotations[BLEND_IN:].copy(), motion.root[BLEND_IN:]
    if len(rotations) < 2 * FLIP_REACH + 2:
        return
    xyz, _ = forward(motion.skeleton, rotations, root)
    bad = find_impossible(rotations)
    jumps = np.flatnonzero(find_flips(xyz - xyz[:, :1], motion.fps).any(axis=1))
    longest = max(1, round(LONGEST_REPAIR * motion.fps))
    cuts = []
    for jump, after in zip(jumps, np.append(jumps, np.inf)[1:], strict=True):
        # Between a jump and the next one soon after it the limb is away; a lone jump is a cut between two frames.
        if after - jump <= longest:
            bad[jump + 1 : int(after) + 1] = True
        elif not bad[jump]:
            cuts.append(int(jump) + 1)
    for begin, end in runs(bad):
        if begin > 0 and end < len(bad) and end - begin <= longest:
            weight = np.arange(1, end - begin + 1) / (end - begin + 1)
            rotations[begin:end] = slerp(rotations[begin - 1][None], rotations[end][None], weight[:, None])
            bad[begin:end] = False
    stops = sorted({0, len(bad), *cuts, *np.flatnonzero(np.diff(bad.astype(int))) + 1})
    for first, last in pairwise(stops):
        if not bad[first] and (last - first) / motion.fps >= SHORTEST_TAKE:
            yield SkeletonMotion(
                skeleton=motion.skeleton,
                rotations=rotations[first:last],
                root=root[first:last],
                fps=motion.fps,
            )


def find_impossible(rotations: Float[np.ndarray, "T 24 4"]) -> Bool[np.ndarray, "T"]:
    """Return the frames in which a joint turns further than any person's, or bends the wrong way."""
    degrees = np.degrees(np.linalg.norm(to_rotvec(rotations), axis=-1))
    bad = np.zeros(len(rotations), dtype=bool)
    for place, joint in enumerate(SMPL24.joints):
        bad |= degrees[:, place] > LARGEST_TURN.get(joint.split("_")[-1], 180)
    wrong = np.sin(np.radians(HYPEREXTENSION))
    for side, outward in (("left", 1.0), ("right", -1.0)):
        # A knee moves the shin back, an elbow the forearm forward.
        shin = rotate(rotations[:, SMPL24.at(f"{side}_knee")], np.array([0.0, -1.0, 0.0]))
        forearm = rotate(rotations[:, SMPL24.at(f"{side}_elbow")], np.array([outward, 0.0, 0.0]))
        bad |= (shin[:, 2] > wrong) | (forearm[:, 2] < -wrong)
    return bad


def find_flips(xyz: Float[np.ndarray, "T J 3"], fps: float) -> Bool[np.ndarray, "S J"]:
    """Return, for each step between frames and each joint, whether the joint jumped instead of moving."""
    speed = np.linalg.norm(np.diff(xyz, axis=0), axis=-1) * fps
    padded = np.pad(speed, ((FLIP_REACH, FLIP_REACH), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * FLIP_REACH + 1, axis=0)
    return (speed > FLIP_SPEED) & (speed > FLIP_RATIO * np.median(windows, axis=-1))


def on_floor(motion: SkeletonMotion, sole_y: float) -> SkeletonMotion:
    """Return the motion shifted vertically so that planted feet stand on y = 0.

    One number per take: a low percentile of how high feet are that stand still, or of the lowest foot where none
    ever does; so a jump stays a jump, a chair a chair, and one bad frame does not count.
    """
    feet = SMPL24.index("left_ankle", "right_ankle", "left_foot", "right_foot")
    identity = np.tile([1.0, 0.0, 0.0, 0.0], (1, len(SMPL24), 1))
    rest, _ = forward(motion.skeleton, identity, np.zeros((1, 3)))
    xyz = forward(motion.skeleton, motion.rotations, motion.root)[0][:, feet]
    height = xyz[..., 1] - (rest[0, feet, 1] - sole_y)
    speed = np.linalg.norm(np.gradient(xyz, axis=0), axis=-1) * motion.fps
    planted = height[speed < PLANTED_SPEED]
    if len(planted) > FEWEST_PLANTED * motion.fps:
        floor = np.percentile(planted, PLANTED_PERCENTILE)
    else:
        floor = np.percentile(height.min(axis=1), LOWEST_PERCENTILE)
    return SkeletonMotion(
        skeleton=motion.skeleton,
        rotations=motion.rotations,
        root=motion.root - np.array([0.0, floor, 0.0]),
        fps=motion.fps,
    )


def _texts(archive: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield name and text of the files of some kinds in an archive, in the archive's order."""
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                if not member.isfile() or not member.name.endswith(suffixes):
                    continue
                if member.size > LARGEST_MEMBER:
                    raise InvalidData(f"{archive}: {member.name} is larger than any CMU take")
                file = tar.extractfile(member)
                if file is not None:
                    yield member.name, file.read().decode("utf-8", errors="replace")
    except FileNotFoundError as error:
        raise InvalidData(f"{archive}: no such archive of CMU motions") from error
    except (OSError, tarfile.TarError, EOFError, lzma.LZMAError) as error:
        raise InvalidData(f"{archive}: not a readable archive ({error})") from error
