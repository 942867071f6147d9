"""Is everything here that a capture needs, and what could be added? Looks, tries, and says; changes nothing."""

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import mocaplift

State = Literal["ok", "missing", "broken"]
# A capture of a few minutes with an overlay needs about this much (bytes).
ENOUGH_DISK = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. Only what is needed can make the doctor's answer bad."""

    subject: str
    state: State
    text: str
    is_needed: bool = True


def examine() -> list[Finding]:
    """Return what was found, the needed things first. Nothing raises: what fails is a finding."""
    checks: tuple[tuple[str, bool, Callable[[], Finding]], ...] = (
        ("machine", True, _machine),
        ("video", True, _video),
        ("mediapipe", True, _mediapipe),
        ("weights", True, _weights),
        ("disk", True, _disk),
        ("mmpose", False, _mmpose),
        ("torch", False, _torch),
        (
            "smplx",
            False,
            lambda: _package("smplx", "refines SMPL shape with your own model file", "mocaplift[smplx]"),
        ),
        ("blender", False, _blender),
    )
    return [_guarded(*check) for check in checks]


def is_well(findings: list[Finding]) -> bool:
    """Return whether everything that is needed is there."""
    return all(each.state == "ok" for each in findings if each.is_needed)


def _guarded(subject: str, is_needed: bool, check: Callable[[], Finding]) -> Finding:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return check()
    except Exception as error:  # whatever is wrong with a package is the finding
        return Finding(subject, "broken", f"{type(error).__name__}: {error}", is_needed)


def _machine() -> Finding:
    parts = (f"mocaplift {mocaplift.__version__}", f"Python {platform.python_version()}", platform.platform())
    return Finding("machine", "ok", ", ".join((*parts, f"{os.cpu_count() or 1} cores")))


def _video() -> Finding:
    import av

    try:
        av.codec.Codec("h264", "r")
        av.codec.Codec("libx264", "w")
    except av.error.FFmpegError as error:
        text = f"PyAV {av.__version__} lacks a codec ({error}); pip install --force-reinstall av"
        return Finding("video", "broken", text)
    return Finding("video", "ok", f"PyAV {av.__version__} reads and writes H.264")


def _mediapipe() -> Finding:
    import numpy as np

    from mocaplift.detect import DETECTORS

    DETECTORS["mediapipe"]()(np.zeros((96, 96, 3), dtype=np.uint8))
    version = importlib.metadata.version("mediapipe")
    return Finding("mediapipe", "ok", f"{version}, detects on the CPU; code and models Apache-2.0")


def _weights() -> Finding:
    from mocaplift import resume

    found = resume.checksums_of_weights()
    if not found:
        return Finding("weights", "missing", "no weight files; reinstall mocaplift or set MOCAPLIFT_WEIGHTS")
    return Finding("weights", "ok", ", ".join(f"{name} ({sha[:8]})" for name, sha in found.items()))


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    text = f"{free / 1e9:.1f} GB free here"
    if not os.access(Path.cwd(), os.W_OK):
        return Finding("disk", "broken", f"{text}, but this folder cannot be written to; use -o")
    return Finding("disk", "ok" if free >= ENOUGH_DISK else "broken", text)


def _mmpose() -> Finding:
    from mocaplift.detect import openmmlab, stand_ins

    if lacking := openmmlab.missing():
        commands = " && ".join(openmmlab.INSTALL_MMPOSE)
        text = f"optional detector, lacks {', '.join(lacking)}; {commands}"
        return Finding("mmpose", "missing", text, is_needed=False)
    replaced = stand_ins.install()
    importlib.import_module("mmpose.apis")
    without = f", does without {', '.join(replaced)}" if replaced else ""
    return Finding("mmpose", "ok", importlib.metadata.version("mmpose") + without, is_needed=False)


def _torch() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("torch", "missing", "not needed; used by mmpose and by training", is_needed=False)
    import torch

    device = f"CUDA: {torch.cuda.get_device_name()}" if torch.cuda.is_available() else "CPU only"
    return Finding("torch", "ok", f"{torch.__version__}, {device}", is_needed=False)


def _package(name: str, purpose: str, extra: str) -> Finding:
    if importlib.util.find_spec(name) is None:
        return Finding(name, "missing", f"optional: {purpose}; pip install '{extra}'", is_needed=False)
    return Finding(name, "ok", f"{importlib.metadata.version(name)}, {purpose}", is_needed=False)


def _blender() -> Finding:
    path = shutil.which("blender")
    text = path or "not on the path; nothing here needs it, a test uses it"
    return Finding("blender", "ok" if path else "missing", text, is_needed=False)
