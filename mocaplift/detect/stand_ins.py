"""Stand-ins for modules that mmpose imports and does not need for finding body points.

mmpose is no longer maintained. Importing it asks for packages that no longer install (xtcocotools is built for
numpy 1), that only training or drawing use (torchvision), or that exist only in other builds of mmcv. Each
stand-in raises a clear error when it is used.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
import warnings
from types import ModuleType
from typing import Any

from mocaplift.errors import MissingDependency

# Module, the names mmpose takes from it, and what needs it.
_NEEDED = (
    ("xtcocotools.coco", ("COCO",), "reading COCO annotations"),
    ("xtcocotools.cocoeval", ("COCOeval",), "scoring on COCO"),
    ("xtcocotools.mask", (), "COCO masks in bottom-up training"),
    ("torchvision.transforms", ("ToPILImage",), "drawing SimCC responses"),
    ("mmdet.utils", ("ConfigType", "reduce_mean"), "RTMO, a one-stage detector"),
    ("mmcv.ops", ("MultiScaleDeformableAttention",), "deformable attention (ED-Pose)"),
    ("pkg_resources", (), "version look-ups"),
)


def install() -> list[str]:
    """Return the names of modules that cannot be imported, each of which now has a stand-in.

    To be called before the first import of mmpose. What is installed for real is never touched.
    """
    replaced = []
    for name, attributes, purpose in _NEEDED:
        try:
            with warnings.catch_warnings():
                # pkg_resources announces its own end.
                warnings.simplefilter("ignore")
                module = importlib.import_module(name)
            if isinstance(module, _StandIn):
                continue
            if all(hasattr(module, attribute) for attribute in attributes):
                continue
            # mmcv-lite has the module but none of its compiled operators.
            for attribute in attributes:
                setattr(module, attribute, _refusal(f"{name}.{attribute}", purpose))
        except Exception:
            # Not only ImportError: compiled packages for another numpy fail in many ways, and mmdet asserts
            # on the release of mmcv.
            _put(name, attributes, purpose)
        replaced.append(name)
    return replaced


def is_stand_in(name: str) -> bool:
    """Return whether a loaded module is a stand-in."""
    return isinstance(sys.modules.get(name), _StandIn)


class _StandIn(ModuleType):
    """A module that is not there."""

    def __init__(self, name: str, purpose: str) -> None:
        super().__init__(name)
        self.__spec__ = importlib.machinery.ModuleSpec(name, None)
        self.__path__: list[str] = []
        self._purpose = purpose

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        raise AttributeError(f"{self.__name__} is not installed; it is only needed for {self._purpose}")


def _put(name: str, attributes: tuple[str, ...], purpose: str) -> None:
    package, _, last = name.rpartition(".")
    if package and package not in sys.modules:
        if importlib.util.find_spec(package) is None:
            sys.modules[package] = _StandIn(package, purpose)
        else:
            try:
                importlib.import_module(package)
            except Exception:
                sys.modules[package] = _StandIn(package, purpose)
    module = _StandIn(name, purpose)
    for attribute in attributes:
        setattr(module, attribute, _refusal(f"{name}.{attribute}", purpose))
    sys.modules[name] = module
    if package:
        setattr(sys.modules[package], last, module)


def _refusal(name: str, purpose: str) -> type:
    """Return a class, as mmpose bases others on some, that raises MissingDependency when one is made of it."""

    def refuse(self: object, *args: object, **kwargs: object) -> None:
        raise MissingDependency(f"{name} is not installed; it is needed for {purpose}")

    return type(name.rpartition(".")[2], (), {"__init__": refuse})
