"""EasyMocap: `intri.yml` and `extri.yml` side by side, OpenCV's YAML.

`names`; for every camera x: `K_x` 3 x 3, `dist_x` (or `D_x`) k1 k2 p1 p2 k3, and mostly `H_x`, `W_x` in the one,
`R_x` (rotation vector) or `Rot_x` (3 x 3) and `T_x` in the other, world to camera. Neither the unit (that of the
board, mostly metres) nor the way up is stated.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mocaplift.calibrate import Calibration, Format, Source, open_source
from mocaplift.calibrate.assemble import assemble, field
from mocaplift.calibrate.filestorage import matrix, storage_of
from mocaplift.calibrate.sizes import guessed_size
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera

NAME = "easymocap"
_INTRI, _EXTRI = "intri", "extri"
_SUFFIXES = (".yml", ".yaml")


def recognizes(source: Source) -> bool:
    """Tell whether a file names cameras and has a `K_x` or `R_x` of one, or a folder holds the two files."""
    if source.is_folder:
        return _beside(source.path, _INTRI) is not None or _beside(source.path, _EXTRI) is not None
    found = storage_of(source) or {}
    return any(f"{key}_{name}" in found for name in _names(found) for key in ("K", "R", "Rot"))


def read(source: Source) -> Calibration:
    """Return the cameras of both files; either of them, or their folder, may be given.

    Raises:
        CalibrationError: one of the two files is missing or damaged, or a camera lacks an entry.
    """
    intri, extri = _both(source)
    lenses, poses = _table(intri), _table(extri)
    names = _names(lenses) or _names(poses)
    if not names:
        raise CalibrationError(f"{intri.path} names no camera (`names`)")
    cameras = tuple(_camera(str(name), lenses, poses, intri.path, extri.path) for name in names)
    sizes_known = all(f"{key}_{name}" in lenses for name in names for key in ("H", "W"))
    return Calibration(cameras, NAME, source.path, unit=None, up=None, sizes_known=sizes_known)


def _names(table: dict[str, Any]) -> list[str]:
    names = table.get("names")
    return [_name(name) for name in names] if isinstance(names, list) else []


def _name(name: Any) -> str:
    """Return a name as the entries have it: a number without quotes was read as one."""
    return str(int(name)) if isinstance(name, float) and name == int(name) else str(name)


def _beside(folder: Path, stem: str) -> Path | None:
    found = [folder / f"{stem}{suffix}" for suffix in _SUFFIXES]
    return next((path for path in found if path.is_file()), None)


def _both(source: Source) -> tuple[Source, Source]:
    """Return intrinsics and extrinsics, one of which may have been given.

    Raises:
        CalibrationError: one of them is missing.
    """
    folder = source.path if source.is_folder else source.path.parent
    given: dict[str, Source] = {}
    if not source.is_folder:
        found = storage_of(source) or {}
        has_lens = any(f"K_{name}" in found for name in _names(found))
        has_pose = any(f"T_{name}" in found for name in _names(found))
        given = {stem: source for stem, has in ((_INTRI, has_lens), (_EXTRI, has_pose)) if has}
    for stem in (_INTRI, _EXTRI):
        if stem not in given:
            path = _partner(source.path, stem) or _beside(folder, stem)
            if path is None:
                what = "lenses" if stem == _INTRI else "places of the cameras"
                raise CalibrationError(
                    f"{source.path}: EasyMocap's {stem}.yml, which has the {what}, is not beside it in {folder}"
                )
            given[stem] = open_source(path)
    return given[_INTRI], given[_EXTRI]


def _partner(path: Path, stem: str) -> Path | None:
    """Return the file of the same name but for that word: `extri_take2.yml` to `intri_take2.yml`."""
    other = path.with_name(path.name.replace(_EXTRI if stem == _INTRI else _INTRI, stem))
    return other if other != path and other.is_file() else None


def _table(source: Source) -> dict[str, Any]:
    table = storage_of(source)
    if table is None:
        raise CalibrationError(f"{source.path} is damaged, or not the YAML that OpenCV writes")
    return table


def _camera(name: str, lenses: dict[str, Any], poses: dict[str, Any], intri: Path, extri: Path) -> Camera:
    lens = matrix(field(lenses, [f"K_{name}"], intri, name), "K", intri, name)
    bent = [lenses[key] for key in (f"dist_{name}", f"D_{name}") if key in lenses]
    height, width = lenses.get(f"H_{name}"), lenses.get(f"W_{name}")
    rotation = field(poses, [f"Rot_{name}", f"R_{name}"], extri, name)
    translation = field(poses, [f"T_{name}"], extri, name)
    return assemble(
        intri,
        name,
        matrix=lens,
        distortion=matrix(bent[0], "dist", intri, name) if bent else None,
        rotation=matrix(rotation, "R", extri, name),
        translation=matrix(translation, "T", extri, name),
        size=guessed_size(lens, intri, name) if height is None or width is None else [width, height],
    )


FORMAT = Format(NAME, recognizes, read)
