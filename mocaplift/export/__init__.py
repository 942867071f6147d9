"""Motion to files: one encoder per suffix, one door that writes.

>>> sorted(EXPORTERS)
['.bvh', '.npz', '.smpl.npz']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from mocaplift import store
from mocaplift.errors import ConfigError, OutputError, UnsupportedFormat
from mocaplift.export import bvh, smpl
from mocaplift.files import write_whole
from mocaplift.values import Capture, SkeletonMotion


@dataclass(frozen=True)
class ExportOptions:
    """How a motion is written; formats without a choice ignore it.

    `unit` ("cm" or "m"), `rest_frame` (one T-pose before the motion), `order` (rotation order, or "auto") and
    `template` (names of the bones) are BVH's. `gender`, `betas` and `pelvis` are SMPL's: they come from a fit
    to the user's own model, whose motion is then what is exported.
    """

    unit: str = "cm"
    rest_frame: bool = False
    order: str = bvh.USUAL_ORDER
    template: str = "native"
    gender: str = "neutral"
    betas: tuple[float, ...] | None = None
    pelvis: tuple[float, float, float] = smpl.MEAN_PELVIS


PRESETS = {
    # What most programs expect of a BVH file: centimetres, and nothing but the motion.
    "standard": ExportOptions(),
    # Blender counts in metres, so that its import dialogue can be left as it is (scale 1, -Z forward, Y up).
    # Frame 1 of the scene is the first of the motion: measured with 3.4.1, whose importer skips only a rest
    # frame of its own and none of the file's.
    "blender": ExportOptions(unit="m"),
}

Exportable = Capture | SkeletonMotion
Encoder = Callable[[Exportable, ExportOptions], bytes]


def motion_of(value: Exportable) -> SkeletonMotion:
    """Return the motion of a capture, or the motion itself."""
    return value.motion if isinstance(value, Capture) else value


def _encode_bvh(value: Exportable, options: ExportOptions) -> bytes:
    return bvh.encode(
        motion_of(value),
        unit=options.unit,
        rest_frame=options.rest_frame,
        order=options.order,
        template=options.template,
    )


def _encode_smpl(value: Exportable, options: ExportOptions) -> bytes:
    return smpl.encode(motion_of(value), gender=options.gender, betas=options.betas, pelvis=options.pelvis)


def _encode_store(value: Exportable, options: ExportOptions) -> bytes:
    return store.encode(value)


EXPORTERS: dict[str, Encoder] = {
    ".bvh": _encode_bvh,
    ".smpl.npz": _encode_smpl,
    ".npz": _encode_store,
}


def format_of(path: Path) -> str:
    """Return the suffix in `EXPORTERS` that a file name ends in, the longest if several fit.

    Raises:
        UnsupportedFormat: none fits; the message lists the known ones.
    """
    name = path.name.lower()
    fitting = [suffix for suffix in EXPORTERS if name.endswith(suffix) and name != suffix]
    if not fitting:
        raise UnsupportedFormat(
            f"{path}: unknown format; end the name in one of {', '.join(sorted(EXPORTERS))}"
        )
    return max(fitting, key=len)


def preset_named(name: str) -> ExportOptions:
    """Return the options of a preset.

    Raises:
        ConfigError: no such preset; the message lists the known ones.
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}; known: {', '.join(sorted(PRESETS))}")
    return PRESETS[name]


def export(
    value: Exportable,
    path: Path | str,
    options: ExportOptions | None = None,
    *,
    inputs: Iterable[Path] = (),
) -> None:
    """Write a capture or a motion in the format of the file name's suffix, whole or not at all.

    `inputs` are files that must not be overwritten; a capture's own videos are among them in any case.

    Raises:
        UnsupportedFormat: no exporter has the suffix.
        OutputError: the path is one of the inputs, or the file cannot be written.
        ConfigError: an option is unknown.
        InvalidData: the motion does not fit the format.
    """
    path = Path(path)
    encode = EXPORTERS[format_of(path)]
    videos = [clip.path for clip in value.clips] if isinstance(value, Capture) else []
    for taken in (*inputs, *videos):
        if _is_same_file(path, taken):
            raise OutputError(f"cannot write {path}: it is the input itself; choose another name with -o")
    write_whole(path, encode(value, options or ExportOptions()))


def _is_same_file(a: Path, b: Path) -> bool:
    """Return whether two paths name one file, through links and relative parts as well."""
    if a.exists() and b.exists():
        return a.samefile(b)
    return a.resolve() == b.resolve()
