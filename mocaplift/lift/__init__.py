"""Views of a person to points in metres: the lifters, each bound to its name in one dict.

A lifter is `(views, cameras) -> Motion3D` in the world of the cameras, in body21. `load_lifter` imports only the
one that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from mocaplift.errors import ConfigError
from mocaplift.layouts import MEDIAPIPE33
from mocaplift.values import Camera, Keypoints2D, Motion3D

Lifter = Callable[[Sequence[Keypoints2D], Sequence[Camera]], Motion3D]


def _smplify() -> Lifter:
    from mocaplift.lift import retrieval

    return retrieval.lift


def _landmarks() -> Lifter:
    from mocaplift.lift import landmarks

    return landmarks.lift


def _direct() -> Lifter:
    from mocaplift.lift.direct import lifter

    return lifter.lift


def _mvlift() -> Lifter:
    from mocaplift.lift.mvlift import lifter

    return lifter.lift


def _mvlift_2d() -> Lifter:
    from mocaplift.lift.mvlift import lifter

    return partial(lifter.lift, network=lifter.load_person("mvlift-2d"))


def _dlt() -> Lifter:
    from mocaplift.lift import dlt

    return dlt.lift


def _triangulate() -> Lifter:
    from mocaplift.lift import triangulate

    return triangulate.lift


def _mpl() -> Lifter:
    from mocaplift.lift.mpl import lifter

    return lifter.lift


LIFTERS: dict[str, Callable[[], Lifter]] = {
    "smplify": _smplify,
    "landmarks": _landmarks,
    "direct": _direct,
    "mvlift": _mvlift,
    "mvlift-2d": _mvlift_2d,
    "dlt": _dlt,
    "triangulate": _triangulate,
    "mpl": _mpl,
}
# All that apply, averaged: the default.
AUTO = "auto"
# So few views leave a network something to say.
FEW_VIEWS = 2


def load_lifter(name: str) -> Lifter:
    """Return the lifter of that name.

    Raises:
        ConfigError: there is none; the message lists those there are.
    """
    if name not in LIFTERS:
        raise ConfigError(f"unknown lifter {name!r}; known: {AUTO}, {', '.join(LIFTERS)}")
    return LIFTERS[name]()


def applicable(views: Sequence[Keypoints2D]) -> list[str]:
    """Return the lifters that can work with these views, best first: what `auto` stands for.

    Several views are triangulated. `mpl` measures better for two views of the embedded detector, whose errors it
    has learnt, and nowhere else (weights/README.md). One view is solved from retrieved poses and from MVLift's
    points. A third hypothesis, `direct` or the detector's own landmarks, adds nothing to them (AIST++, Pose2Sim,
    sample clips).
    """
    if len(views) == FEW_VIEWS and all(view.layout.name == MEDIAPIPE33.name for view in views):
        return ["mpl"]
    if len(views) > 1:
        return ["triangulate"]
    return ["smplify", "mvlift"]
