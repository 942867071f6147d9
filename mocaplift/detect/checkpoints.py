"""Reading PyTorch checkpoints of other projects without running the code that they may carry.

A `.pth` file is a pickle, and a pickle is a program. `torch.load(weights_only=True)` refuses most of what
OpenMMLab's training checkpoints hold beside the weights: message hubs, log histories, even `getattr`. Here those
become inert objects that do nothing, tensors and arrays are read, and every other name is refused.
"""

from __future__ import annotations

import pickle  # noqa: TID251 - only its unpickler, and only restricted
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from mocaplift.errors import WeightsError
from mocaplift.pickles import BoundedUnpickler, Stream

# Names that build tensors and arrays; none of them can reach code by their arguments. Exact
# names and not packages: `torch.load` itself lives in torch, and `torch.storage._load_from_bytes` calls it.
_ADMITTED = {
    "collections": {"OrderedDict"},
    "_codecs": {"encode"},
    "torch": {"Size", "Tensor", "device"},
    "torch._utils": {"_rebuild_parameter", "_rebuild_parameter_with_state", "_rebuild_tensor",
                     "_rebuild_tensor_v2"},
    "torch.nn.parameter": {"Buffer", "Parameter"},
    "torch.storage": {"TypedStorage", "UntypedStorage"},
    "numpy": {"dtype", "ndarray"},
    "numpy.core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
}  # fmt: skip
_STORAGE = re.compile(r"(Float|Double|Half|BFloat16|Long|Int|Short|Char|Byte|Bool|ComplexFloat)Storage")
_DTYPE = re.compile(r"(b?float|u?int|complex)\d+|bool")
_NUMPY_DTYPE = re.compile(r"(Float|U?Int|Complex|Bool|Str|Bytes|Object)\d*DType")
# torch writes the pickle protocol of Python 2, with its names.
_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}
# Packages of the trainers whose objects may sit beside the weights and are not needed.
_INERT_PACKAGES = ("mmengine", "mmcv", "mmdet", "mmpose", "mmpretrain", "mmcls")
# Plain helpers that the objects of those packages pickle.
_INERT_NAMES = {("builtins", "getattr"), ("functools", "partial"), ("collections", "defaultdict")}
_INERT_NAMES |= {("collections", "deque"), ("logging", "getLogger"), ("pathlib", "PosixPath")}
# Plain containers too: `list(range(10**10))` would fill the memory, and weights lie in none of them.
_PLAIN = "bool bytearray bytes complex dict float frozenset int list object range set slice str tuple"
_INERT_NAMES |= {("builtins", name) for name in _PLAIN.split()}


class Inert:
    """Stands for an object that was not admitted: takes anything, does nothing."""

    def __new__(cls, *args: object, **kwargs: object) -> Inert:
        """Return a new inert object whatever the arguments."""
        return super().__new__(cls)

    def __init__(self, *args: object, **kwargs: object) -> None: ...

    def __call__(self, *args: object, **kwargs: object) -> Inert:
        """Return another inert object."""
        return Inert()

    def __setstate__(self, state: object) -> None: ...

    def __setitem__(self, key: object, value: object) -> None: ...

    def __hash__(self) -> int:
        return id(self)

    def append(self, value: object) -> None:
        """Forget the value."""

    def extend(self, values: object) -> None:
        """Forget the values."""

    def add(self, value: object) -> None:
        """Forget the value."""


class RestrictedUnpickler(BoundedUnpickler):
    """An unpickler that reads tensors and arrays, blunts trainers' objects, and refuses all else.

    Raises:
        pickle.UnpicklingError: the file names something that a checkpoint has no need of.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name in the file stands for.

        Raises:
            UnpicklingError: no checkpoint needs it: it could run code.
        """
        module = _PYTHON_2.get(module, module)
        # A dotted name would walk through the attributes of what is admitted.
        if "." not in name:
            if self._is_admitted(module, name):
                return super().find_class(module, name)
            if (module, name) in _INERT_NAMES or module.split(".")[0] in _INERT_PACKAGES:
                return Inert
        elif module.split(".")[0] in _INERT_PACKAGES:
            return Inert
        raise pickle.UnpicklingError(f"the file names {module}.{name}, which no checkpoint needs")

    @staticmethod
    def _is_admitted(module: str, name: str) -> bool:
        if name in _ADMITTED.get(module, ()):
            return True
        if module == "torch":
            return bool(_STORAGE.fullmatch(name) or _DTYPE.fullmatch(name))
        return module == "numpy.dtypes" and bool(_NUMPY_DTYPE.fullmatch(name))


def _load(file: Stream, **options: Any) -> Any:
    return RestrictedUnpickler(file, **options).load()


# What torch.load takes for the pickle module.
_RESTRICTED = ModuleType("restricted_pickle")
vars(_RESTRICTED).update(Unpickler=RestrictedUnpickler, load=_load, UnpicklingError=pickle.UnpicklingError)


def read_checkpoint(path: Path | str) -> dict[str, Any]:
    """Return the tensors of a checkpoint by name, on the CPU; `.pth`, `.pt`, `.ckpt` or `.safetensors`.

    Raises:
        WeightsError: no such file, damaged, not a checkpoint, or it asks for code to be run.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: no such checkpoint")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    tensors = {
        str(name).removeprefix("module."): value
        for name, value in (content.items() if isinstance(content, Mapping) else ())
        if hasattr(value, "detach")
    }
    if not tensors:
        raise WeightsError(f"{path}: holds no weights (no tensors under `state_dict`)")
    return tensors


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: damaged or not a safetensors file ({error})") from error


def _read_pickle(path: Path) -> Any:
    import torch

    try:
        return torch.load(  # noqa: TID251 - weights only
            path, map_location="cpu", weights_only=True
        )
    except pickle.UnpicklingError:
        # Something beside the weights: read again, blunting it.
        pass
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error
    try:
        return torch.load(  # noqa: TID251 - with the unpickler above
            path, map_location="cpu", weights_only=False, pickle_module=_RESTRICTED
        )
    except pickle.UnpicklingError as error:
        if "no checkpoint needs" in str(error):
            raise WeightsError(
                f"{path}: refused, since loading it could run code ({error}). Take the checkpoint from its "
                "publisher, or save only its weights: torch.save({'state_dict': model.state_dict()}, ...)"
            ) from error
        raise _damaged(path, error) from error
    except Exception as error:
        # A damaged pickle can fail in any way at all while it is read.
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> WeightsError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return WeightsError(f"{path}: damaged or not a PyTorch checkpoint ({reason}); fetch it again")
