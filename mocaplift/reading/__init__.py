"""Files of motion, ours and others', told by their content: what `convert` and `check` read.

BVH, FBX (as we write it), GLB, SMPL and AMASS parameters, and our own .npz.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mocaplift.errors import InvalidData, MocapliftError, UnsupportedFormat
from mocaplift.export.rigged import Rigged
from mocaplift.export.templates import tip_offsets
from mocaplift.export.timing import exact_rate
from mocaplift.layouts import SMPL24
from mocaplift.reading.bvh import MAX_DEPTH, MAX_JOINTS, read_bvh
from mocaplift.reading.recording import Recording, settled
from mocaplift.rotations import IDENTITY, make_continuous
from mocaplift.values import Capture, SkeletonMotion

FBX_MARK, GLB_MARK, ZIP_MARK = b"Kaydara FBX Binary", b"glTF", b"PK\x03\x04"
# As far as a file is read to tell its kind.
HEAD_BYTES = 4096
LOWEST_FPS, HIGHEST_FPS = 0.1, 10_000
MOST_FBX_BYTES = 512 << 20


def read_recording(
    path: Path,
    *,
    unit: str | None = None,
    up: str | None = None,
    height: float | None = None,
    fps: float | None = None,
) -> Recording:
    """Return the motion in a file, in metres and with +Y up.

    `unit`, `up` and `height` (m) serve formats that do not tell them (BVH); without them they are guessed from the
    body. `fps` serves SMPL files that tell no rate.

    Raises:
        InvalidData: there is no such file, it is damaged, or holds no motion.
        UnsupportedFormat: the file is of no kind that is read.
        ConfigError: the unit or the axis is unknown.
    """
    head = _head(path)
    try:
        recording = _reader(head, path)(path, fps)
    except MocapliftError as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error
    except Exception as error:
        # A hostile file may get past the checks of a reader; it must not look like a bug of ours.
        raise InvalidData(f"{path}: damaged ({error!r})") from error
    if recording.is_stated:
        return recording
    return settled(recording, unit=unit, up=up, height=height)


def _checked(rigged: Rigged) -> Rigged:
    """Return what was read.

    Raises:
        InvalidData: it has more bones, deeper ones, or another rate than the motion of a body.
    """
    if not LOWEST_FPS <= rigged.fps <= HIGHEST_FPS:
        raise InvalidData(f"{float(rigged.fps):g} frames per second make no sense")
    depths: list[int] = []
    for parent in rigged.parents:
        depths.append(depths[parent] + 1 if parent >= 0 else 1)
    if len(depths) > MAX_JOINTS or max(depths) > MAX_DEPTH:
        raise InvalidData(
            f"has {len(depths)} bones in {max(depths)} generations; up to {MAX_JOINTS} in {MAX_DEPTH} are read"
        )
    return rigged


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InvalidData(f"{path}: is a folder; name a file")
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise InvalidData(f"{path}: cannot be read: {error.strerror}") from error


def _reader(head: bytes, path: Path) -> Callable[[Path, float | None], Recording]:
    if head.startswith(FBX_MARK):
        return _read_fbx
    if head.startswith(GLB_MARK):
        return _read_glb
    if head.startswith(ZIP_MARK):
        return _read_npz
    if b"HIERARCHY" in head.upper() or path.suffix.lower() == ".bvh":
        return _read_bvh
    if head.lstrip().startswith(b"; FBX"):
        raise UnsupportedFormat(f"{path}: FBX as text is not read; save it as binary FBX, or as BVH")
    raise UnsupportedFormat(
        f"{path}: of no kind that is read; known: BVH, binary FBX, GLB, SMPL and our own .npz"
    )


def _read_bvh(path: Path, fps: float | None) -> Recording:
    file = read_bvh(path)
    still = np.tile(IDENTITY, (len(file.names), 1))
    offsets = file.offsets.copy()
    offsets[0] = 0.0
    rigged = Rigged(
        names=file.names,
        parents=file.parents,
        offsets=offsets,
        rest=still,
        rotations=file.rotations,
        places={0: file.root, **file.places},
        fps=file.fps,
        joints=(None,) * len(file.names),
        tips={bone: tip for bone, tip in file.tips.items() if bone not in file.parents},
    )
    return Recording(_checked(rigged), "BVH", is_stated=False, jumps=file.jumps)


def _read_fbx(path: Path, fps: float | None) -> Recording:
    from mocaplift.export.fbx.reading import decode
    from mocaplift.reading.text import read_bytes

    return Recording(_checked(decode(read_bytes(path, MOST_FBX_BYTES))), "FBX")


def _read_glb(path: Path, fps: float | None) -> Recording:
    from mocaplift.reading.glb import read_glb

    return Recording(_checked(read_glb(path)), "GLB")


def _read_npz(path: Path, fps: float | None) -> Recording:
    from mocaplift import store
    from mocaplift.reading.smpl import read_smpl

    try:
        with zipfile.ZipFile(path) as archive:
            is_ours = f"{store.HEADER}.npy" in archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise InvalidData(f"{path}: damaged: {error}") from error
    if not is_ours:
        motion, notes = read_smpl(path, fps)
        return Recording(_own_bones(motion), "SMPL", up="z", value=motion, notes=notes)
    value = store.load(path)
    if not isinstance(value, Capture | SkeletonMotion):
        raise InvalidData(
            f"{path}: holds {type(value).__name__}, but a motion is needed; run `mocaplift fit`"
        )
    return Recording(_own_bones(value), "mocaplift", value=value)


def _own_bones(value: Capture | SkeletonMotion) -> Rigged:
    """Return a motion of ours on the bones of its own skeleton, under their own names."""
    motion = value.motion if isinstance(value, Capture) else value
    skeleton = motion.skeleton
    joints = skeleton.layout.joints
    own = Rigged(
        names=joints,
        parents=tuple(skeleton.parents),
        offsets=skeleton.offsets,
        rest=np.tile(IDENTITY, (len(joints), 1)),
        rotations=make_continuous(motion.rotations),
        places={0: motion.root},
        fps=exact_rate(motion.fps),
        joints=joints if joints == SMPL24.joints else (None,) * len(joints),
        tips=tip_offsets(skeleton),
        contacts=value.contacts if isinstance(value, Capture) else None,
    )
    return _checked(own)
