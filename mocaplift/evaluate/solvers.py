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
from mocaplift.lift import Lifter, load_lifter
from mocaplift.values import Camera, Keypoints2D, Motion3D

# (views, cameras, name of the lifter) -> points in the world of the cameras, in a layout with COCO's joints.
# Must be a function of a module, not a closure: benchmarks send it to other processes.
Solve = Callable[[Sequence[Keypoints2D], Sequence[Camera], str], Motion3D]
# After a lifter's name: its points are only the start of the product's fit, whose skeleton is judged.
FITTED = "+fit"


def by_pipeline(views: Sequence[Keypoints2D], cameras: Sequence[Camera], lifter: str) -> Motion3D:
    """Return the keypoints of the skeleton that the product fits to these views.

    Raises:
        ConfigError: there is no such lifter.
    """
    from mocaplift import pipeline

    return body_keypoints(pipeline.lift_and_fit(tuple(views), tuple(cameras), lifters=(lifter,)))


def by_lifter(views: Sequence[Keypoints2D], cameras: Sequence[Camera], lifter: str) -> Motion3D:
    """Return what a lifter itself makes of these views; with `FITTED` after its name, what is fitted to it.

    Raises:
        ConfigError: there is no such lifter.
    """
    if lifter.endswith(FITTED):
        return by_pipeline(views, cameras, lifter.removesuffix(FITTED))
    return _loaded(lifter)(tuple(views), tuple(cameras))


@functools.cache
def _loaded(lifter: str) -> Lifter:
    """Return a lifter; one with a network is loaded once in a process."""
    return load_lifter(lifter)


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
