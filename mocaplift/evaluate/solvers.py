"""Lifters as benchmarks call them: views and cameras in, points in the world out."""

from __future__ import annotations

import functools
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from mocaplift.body import body_keypoints
from mocaplift.errors import ConfigError
from mocaplift.evaluate.baselines import BASELINES
from mocaplift.lift import AUTO, Lifter, load_lifter
from mocaplift.options import Options
from mocaplift.values import Camera, Keypoints2D, Motion3D

# (views, cameras, name of the lifter) -> points in the world of the cameras, in a layout with COCO's joints.
# Must be a function of a module, not a closure: benchmarks send it to other processes.
Solve = Callable[[Sequence[Keypoints2D], Sequence[Camera], str], Motion3D]
# After a lifter's name: its points are only the start of the product's fit, whose skeleton is judged.
FITTED = "+fit"
# After a lifter's name: its points themselves are judged.
RAW = "+raw"


def by_lifter(views: Sequence[Keypoints2D], cameras: Sequence[Camera], lifter: str) -> Motion3D:
    """Return what a lifter makes of these views: with `FITTED` after its name, what the product fits to it.

    A name alone is what users get from one view, fitted, and the lifter's own points of several. One view is
    repaired as in the product, several are lifted as they are. `BASELINES` are lifters here.

    Raises:
        ConfigError: there is no such lifter, or it has no points of its own.
    """
    from mocaplift import pipeline

    name = lifter.removesuffix(FITTED).removesuffix(RAW)
    if lifter.endswith(FITTED) or (len(views) == 1 and not lifter.endswith(RAW)):
        return body_keypoints(pipeline.lift_and_fit(views, cameras, lifters=(name,), load=_loaded))
    if name == AUTO:
        raise ConfigError(f"{AUTO} stands for the fit of several lifters: it has no points without the fit")
    if len(views) == 1:
        views, _ = pipeline.repair(views, Options().longest_gap)
    return _loaded(name)(tuple(views), tuple(cameras))


@functools.cache
def _loaded(lifter: str) -> Lifter:
    """Return a lifter or a baseline; one with a network is loaded once in a process."""
    return BASELINES[lifter]() if lifter in BASELINES else load_lifter(lifter)


Item = TypeVar("Item")
Result = TypeVar("Result")
# One thread a process: several processes with several threads each only wait for each other.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def shared_out(work: Callable[[Item], Result], items: Sequence[Item], jobs: int) -> Iterator[Result]:
    """Yield the results in order, the work shared by `jobs` processes (1: done here).

    Raises:
        ConfigError: `jobs` is below 1.
    """
    if jobs < 1:
        raise ConfigError(f"jobs must be at least 1, but is {jobs}")
    if jobs == 1 or len(items) < 2:
        yield from map(work, items)
        return
    # Detectors and torch keep threads that a forked process would inherit dead: children start fresh.
    context = multiprocessing.get_context("spawn")
    with _single_threaded(), ProcessPoolExecutor(min(jobs, len(items)), mp_context=context) as pool:
        yield from pool.map(work, items)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Let processes started in the block use one thread each, unless the user said otherwise."""
    added = [name for name in _THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
