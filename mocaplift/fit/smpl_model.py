"""Reading the user's own SMPL, SMPL-H or SMPL-X model file, without running anything that is in it.

The published files are pickles of Python 2, some with objects of the package chumpy. An unpickler that knows a
handful of array types, and stands something inert in for chumpy, reads them; whatever else they name is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mocaplift.errors import WeightsError
from mocaplift.layouts import SMPL24, SMPL_PARENTS
from mocaplift.pickles import BoundedUnpickler, Stream

# SMPL-H and SMPL-X have fingers where SMPL has its two hand joints; the joints before those are the same.
SHARED_JOINTS = SMPL24.at("left_hand")
# More shape coefficients than this fit noise: SMPL's later ones are worth millimetres.
MOST_BETAS = 10
_NEEDED = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f")
# A model of 10,475 vertices and 55 joints (SMPL-X) has 500 MB of pose blend shapes; nothing is larger.
LARGEST_FILE = 2 * 1024**3  # bytes


@dataclass(frozen=True, eq=False)
class SmplModel:
    """What a model file holds: template (m, +Y up), blend shapes, skinning, and the tree of joints."""

    template: Float[np.ndarray, "N 3"]
    shape_basis: Float[np.ndarray, "N 3 S"]
    pose_basis: Float[np.ndarray, "N 3 P"]
    joint_regressor: Float[np.ndarray, "K N"]
    skin_weights: Float[np.ndarray, "N K"]
    parents: tuple[int, ...]
    faces: Int[np.ndarray, "F 3"]

    def joints(self, betas: Float[np.ndarray, "S"]) -> Float[np.ndarray, "K 3"]:
        """Return the joints at rest of a shape, metres, in the model's own axes (+Y up)."""
        return self.joint_regressor @ (self.template + self.shape_basis @ betas)


def load_smpl_model(path: Path) -> SmplModel:
    """Return the model in a .pkl or .npz file as its publishers give it out.

    Raises:
        WeightsError: there is no such file, it is damaged, holds anything but arrays, or is no such model.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; SMPL model files come from their publishers' site")
    if path.stat().st_size > LARGEST_FILE:
        raise WeightsError(f"{path}: {path.stat().st_size / 1e9:.1f} GB is too large for an SMPL model")
    try:
        arrays = _read_npz(path) if path.suffix.lower() == ".npz" else _read_pickle(path)
        return _model(arrays, path)
    except WeightsError:
        raise
    except Exception as error:
        # A damaged or hostile file can fail anywhere inside zipfile, the unpickler and numpy.
        raise WeightsError(f"{path}: damaged, or no SMPL model ({error!r})") from error


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    # Members are read one by one: those that hold objects (SMPL-X has some) are never touched.
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in _NEEDED if name in file.files}


def _read_pickle(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        content = _ArraysOnly(file).load()
    if not isinstance(content, dict):
        raise WeightsError(
            f"{path}: no SMPL model (it holds a {type(content).__name__}, not a table of arrays)"
        )
    # Python 2 wrote the names as bytes.
    named = {key.decode("latin1") if isinstance(key, bytes) else key: value for key, value in content.items()}
    return {name: _as_array(named[name]) for name in _NEEDED if name in named}


class _Inert:
    """Stands for an object of chumpy or scipy: keeps its state, does nothing."""

    def __new__(cls, *_: object, **__: object) -> _Inert:
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: object) -> None:
        self.state = dict(state) if isinstance(state, dict) else {}


def _empty_array(*_: object) -> np.ndarray:
    """Return what numpy's reconstruction starts from; the size it asks for comes with the data, not before."""
    return np.ndarray.__new__(np.ndarray, (0,), dtype=np.uint8)


def _inert_object(*_: object) -> _Inert:
    made = _Inert()
    made.state = {}
    return made


class _ArraysOnly(BoundedUnpickler):
    """An unpickler that makes arrays, and inert objects for chumpy's and scipy's; all else is an error."""

    def __init__(self, file: Stream) -> None:
        super().__init__(file, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name in the file stands for.

        Raises:
            WeightsError: it stands for something that is no array.
        """
        package = module.split(".", 1)[0]
        if package == "numpy" and name in ("_reconstruct", "ndarray", "dtype", "scalar"):
            return {
                "_reconstruct": _empty_array,
                "ndarray": _Inert,
                "dtype": np.dtype,
                "scalar": _inert_object,
            }[name]
        # chumpy's objects keep books of each other in weak references.
        if package in ("chumpy", "scipy", "weakref") and "." not in name:
            return _Inert
        if (module, name) in (("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor")):
            return _inert_object
        if module in ("__builtin__", "builtins") and name in ("object", "set"):
            return {"object": object, "set": set}[name]
        if (module, name) == ("_codecs", "encode"):
            return _encode
        raise WeightsError(f"the file names {module}.{name}, which is no array: refused, it could run code")


def _encode(text: str, encoding: str) -> bytes:
    """Return bytes that Python 3 wrote as text for Python 2 to read."""
    if encoding != "latin1":
        raise WeightsError(f"the file holds bytes in an unexpected encoding {encoding!r}")
    return text.encode("latin1")


def _as_array(value: Any) -> np.ndarray:
    """Return an array from what was read: plain, sparse by columns or rows, or chumpy's."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, _Inert) and {"data", "indices", "indptr"} <= value.state.keys():
        from scipy.sparse import csc_matrix, csr_matrix

        state = value.state
        rows, columns = (int(length) for length in state["_shape" if "_shape" in state else "shape"])
        by_columns = len(state["indptr"]) == columns + 1
        kind = csc_matrix if by_columns else csr_matrix
        return kind((state["data"], state["indices"], state["indptr"]), shape=(rows, columns)).toarray()
    if isinstance(value, _Inert) and "x" in value.state:
        return _as_array(value.state["x"])
    if isinstance(value, _Inert) and {"a", "idxs"} <= value.state.keys():
        # chumpy's Select: some entries of another array, in a shape of their own.
        chosen = _as_array(value.state["a"]).ravel()[np.asarray(value.state["idxs"], dtype=int)]
        return chosen.reshape(value.state.get("preferred_shape", chosen.shape))
    raise WeightsError(f"an array is stored in an unknown way ({type(value).__name__})")


def _model(arrays: dict[str, np.ndarray], path: Path) -> SmplModel:
    """Return the model after a check that its arrays fit together.

    Raises:
        WeightsError: one is missing, or has another shape, or holds NaN.
    """
    if missing := [name for name in _NEEDED if name not in arrays]:
        raise WeightsError(f"{path}: no SMPL model (it lacks {', '.join(missing)})")
    vertices = len(arrays["v_template"])
    joints = arrays["weights"].shape[-1]
    wanted = {
        "v_template": (vertices, 3),
        "shapedirs": (vertices, 3, arrays["shapedirs"].shape[-1]),
        "posedirs": (vertices, 3, 9 * (joints - 1)),
        "J_regressor": (joints, vertices),
        "weights": (vertices, joints),
        "kintree_table": (2, joints),
        "f": (len(arrays["f"]), 3),
    }
    for name, shape in wanted.items():
        if arrays[name].shape != shape or not np.isfinite(arrays[name].astype(float)).all():
            raise WeightsError(
                f"{path}: {name} has shape {list(arrays[name].shape)}, not {list(shape)}, or holds NaN"
            )
    faces = arrays["f"].astype(np.int64)
    if faces.size and not (faces.min() >= 0 and faces.max() < vertices):
        raise WeightsError(f"{path}: faces name vertices that are not there")
    parents = (-1, *(int(parent) for parent in arrays["kintree_table"][0, 1:]))
    if parents[:SHARED_JOINTS] != SMPL_PARENTS[:SHARED_JOINTS]:
        raise WeightsError(f"{path}: its joints are not SMPL's")
    return SmplModel(
        template=arrays["v_template"].astype(float),
        shape_basis=arrays["shapedirs"][..., :MOST_BETAS].astype(float),
        pose_basis=arrays["posedirs"].astype(float),
        joint_regressor=arrays["J_regressor"].astype(float),
        skin_weights=arrays["weights"].astype(float),
        parents=parents,
        faces=faces,
    )
