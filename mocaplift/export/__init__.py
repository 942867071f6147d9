"""Motion to files: one encoder per suffix, one door that writes.

>>> sorted(EXPORTERS)
['.angles.csv', '.bvh', '.c3d', '.fbx', '.glb', '.npz', '.smpl.npz', '.trc']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from mocaplift import store
from mocaplift.errors import OutputError, UnsupportedFormat
from mocaplift.export import angles, bvh, c3d, fbx, gltf, smpl, trc
from mocaplift.export.body_mesh import body_skin
from mocaplift.export.markers import markers_of
from mocaplift.export.presets import PRESETS, ExportOptions, preset_named
from mocaplift.export.rigged import Exportable, Rigged, motion_of, prepared, rig
from mocaplift.export.skin import Skin
from mocaplift.export.templates import TEMPLATES
from mocaplift.export.timing import exact_rate
from mocaplift.files import write_whole
from mocaplift.values import Capture

__all__ = [
    "EXPORTERS", "PRESETS", "TEMPLATES", "ExportOptions", "Exportable", "Rigged", "export", "format_of",
    "motion_of", "preset_named", "rig",
]  # fmt: skip

Encoder = Callable[[Exportable, ExportOptions], bytes]


def _encode_bvh(value: Exportable, options: ExportOptions) -> bytes:
    return bvh.encode(rig(value, options), options)


def _encode_fbx(value: Exportable, options: ExportOptions) -> bytes:
    rigged = rig(value, options)
    return fbx.encode(rigged, options, _skin(value, rigged, options))


def _encode_gltf(value: Exportable, options: ExportOptions) -> bytes:
    rigged = rig(value, options)
    return gltf.encode(rigged, _skin(value, rigged, options))


def _skin(value: Exportable, rigged: Rigged, options: ExportOptions) -> Skin | None:
    """Return the body on the rig if one is wanted: in the actor's shape where the fit found it and it is kept."""
    if not options.mesh:
        return None
    is_actor = options.proportions == "actor" and not isinstance(value, Rigged)
    return body_skin(rigged, motion_of(value).skeleton.shape if is_actor else None)


def _encode_smpl(value: Exportable, options: ExportOptions) -> bytes:
    motion, _ = prepared(value, options)
    return smpl.encode(motion, gender=options.gender, betas=options.betas, pelvis=options.pelvis)


def _encode_trc(value: Exportable, options: ExportOptions) -> bytes:
    return trc.encode(markers_of(value, options))


def _encode_c3d(value: Exportable, options: ExportOptions) -> bytes:
    return c3d.encode(markers_of(value, options))


def _encode_angles(value: Exportable, options: ExportOptions) -> bytes:
    motion, _ = prepared(value, options)
    return angles.encode(motion, exact_rate(motion.fps))


def _encode_store(value: Exportable, options: ExportOptions) -> bytes:
    return store.encode(motion_of(value) if isinstance(value, Rigged) else value)


EXPORTERS: dict[str, Encoder] = {
    ".bvh": _encode_bvh,
    ".fbx": _encode_fbx,
    ".glb": _encode_gltf,
    ".smpl.npz": _encode_smpl,
    ".npz": _encode_store,
    ".trc": _encode_trc,
    ".c3d": _encode_c3d,
    ".angles.csv": _encode_angles,
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
