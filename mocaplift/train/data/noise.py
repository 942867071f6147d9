"""What detectors would say of a person whom cameras see: points that are wrong as real ones are, with confidences.

Two detectors. `TopDown` is a COCO top-down network after measurements on two AIST++ sequences (nine cameras, every
frame); `BlazePoseNoise` is the embedded one after the table of `train.detector_noise`. Confidences of both are
on the reference scale of `mocaplift.confidence`. Errors last: a window's frames are drawn together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.cameras import project
from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21
from mocaplift.train.data.blazepose_noise import BlazePoseNoise
from mocaplift.train.data.rigs import Rigs
from mocaplift.train.data.topdown_noise import TopDown
from mocaplift.train.data.view_geometry import NEAREST, Guess, Sight, directions, episodes, hidden_share
from mocaplift.values import Camera, Keypoints2D, Motion3D

# `episodes` of this window: takes shape, share of time and seconds.
Happening = Callable[..., np.ndarray]

FEET = ("left_big_toe", "right_big_toe", "left_heel", "right_heel")

# Limbs are exchanged where the picture is unclear: among confident points it is rare.
SWAPPED_CONF = 0.6


@dataclass(frozen=True)
class Faults:
    """How often (share of all frames) and how long (seconds, mean) detectors and cameras fail."""

    wrong: float = 0.004  # a joint far off with a good confidence
    wrong_seconds: float = 0.25
    wrong_sigma: float = 0.25  # m
    other_person: float = 0.005
    other_person_seconds: float = 1.0
    view_lost: float = 0.02
    view_lost_seconds: float = 0.6
    view_absent: float = 0.04  # of the windows with three views and more: one of them sees nothing at all
    joint_lost: float = 0.01
    joint_lost_seconds: float = 0.4
    swap_seconds: float = 0.12
    sync: float = 0.1  # share of the windows whose cameras are up to a frame apart
    footless: float = 0.8  # share of COCO windows: 17 points, neither toes nor heels


@dataclass(frozen=True, eq=False)
class Detector:
    """A detector's errors: `kind` draws confidences and offsets, `faults` what goes wrong besides."""

    kind: TopDown | BlazePoseNoise
    faults: Faults = field(default_factory=Faults)

    def see(
        self, rng: np.random.Generator, truth: Motion3D, cameras: tuple[Camera, ...], fps: float | None = None
    ) -> tuple[Keypoints2D, ...]:
        """Return what this detector would say of a person in each camera; whoever else is near is the same person.

        Lenses are drawn as they are: errors are put in before distortion.

        Raises:
            InvalidData: the motion is not in body21.
        """
        if truth.layout != BODY21:
            raise InvalidData(f"a detector's errors are known for {BODY21.name}, not {truth.layout.name}")
        rate = truth.fps if fps is None else fps
        rigs = Rigs.of(cameras)
        xyz = truth.xyz.astype(np.float32)[None]
        plane, conf = self.look(rng, single(rigs).points(xyz), rigs, rate)
        return tuple(
            keypoints(camera, plane[0, view], conf[0, view], rate) for view, camera in enumerate(cameras)
        )

    def look(
        self, rng: np.random.Generator, points: Float[np.ndarray, "N V T 21 3"], rigs: Rigs, fps: float
    ) -> tuple[Float[np.ndarray, "N V T 21 2"], Float[np.ndarray, "N V T 21"]]:
        """Return points and confidences (0 where missing) in pictures whose unit is the focal length."""
        sight = sighted(points, rigs)
        guess = self.kind.guess(rng, sight, fps)
        faults = self.faults
        happening = partial(episodes, rng, num_frames=points.shape[2], fps=fps)
        shape = sight.depth.shape[:2]
        mirror = list(BODY21.mirror)
        wrong = happening((*shape, 21), faults.wrong, seconds=faults.wrong_seconds).swapaxes(2, 3)
        where = np.nonzero(wrong)
        # One offset for each joint of a window, so that it stays where it went.
        away = rng.normal(0.0, faults.wrong_sigma, (*shape, 1, 21, 2)).astype(np.float32)
        guess.offset[where] += np.broadcast_to(away, guess.offset.shape)[where]
        plane = sight.plane + guess.pull[..., None] * (sight.plane[..., mirror, :] - sight.plane)
        plane += guess.offset / sight.depth[..., None]
        conf = guess.conf
        swaps = self._swaps(rng, guess, shape, happening)
        where = np.nonzero(swaps)
        partner = (*where[:3], np.array(mirror)[where[3]])
        plane[where], conf[where] = plane[partner], np.float32(SWAPPED_CONF) * conf[partner]
        self._other_person(rng, plane, sight.depth, happening)
        return plane, np.where(self._is_missing(rng, sight, shape, happening), np.float32(0), conf)

    def _swaps(
        self, rng: np.random.Generator, guess: Guess, shape: tuple[int, int], happening: Happening
    ) -> Bool[np.ndarray, "N V T 21"]:
        """Return which joints are exchanged with their partners."""
        out = np.zeros(guess.conf.shape, dtype=bool)
        for joints, share in guess.swaps:
            happens = happening(shape, share, seconds=self.faults.swap_seconds)
            out[..., joints] ^= happens[..., None]
        return out

    def _other_person(
        self,
        rng: np.random.Generator,
        plane: Float[np.ndarray, "N V T 21 2"],
        depth: Float[np.ndarray, "N V T 21"],
        happening: Happening,
    ) -> None:
        """Let some views follow somebody else, in place: the person of another window, beside this one."""
        faults = self.faults
        happens = happening(plane.shape[:2], faults.other_person, seconds=faults.other_person_seconds)
        hips = BODY21.index("left_hip", "right_hip")
        windows, views, frames = np.nonzero(happens)
        if not len(windows):
            return
        beside = rng.uniform(0.5, 2.5, plane.shape[:2]) * rng.choice([-1.0, 1.0], plane.shape[:2])
        other = (windows + 1) % len(plane)
        pose = (plane[other, views, frames] - plane[other, views, frames][:, hips].mean(1, keepdims=True)) * (
            depth[other, views, frames][..., None]
        )
        pose[..., 0] += beside[windows, views][:, None]
        middle = plane[windows, views, frames][:, hips].mean(axis=1, keepdims=True)
        plane[windows, views, frames] = (
            middle + pose / depth[windows, views, frames][:, hips].mean(axis=1, keepdims=True)[..., None]
        )

    def _is_missing(
        self, rng: np.random.Generator, sight: Sight, shape: tuple[int, int], happening: Happening
    ) -> Bool[np.ndarray, "N V T 21"]:
        faults = self.faults
        missing = ~sight.is_inside if self.kind.forgets_outside else sight.depth < NEAREST
        lost = happening(shape, faults.view_lost, seconds=faults.view_lost_seconds)
        if shape[1] > 2:
            absent = rng.random(shape[0]) < faults.view_absent
            lost[absent, rng.integers(shape[1], size=shape[0])[absent]] = True
        single_joints = happening((*shape, 21), faults.joint_lost, seconds=faults.joint_lost_seconds)
        missing = missing | lost[..., None] | single_joints.swapaxes(2, 3)
        if self.kind.may_lack_feet:
            footless = np.flatnonzero(rng.random(shape[0]) < faults.footless)
            missing[footless[:, None], ..., BODY21.index(*FEET)] = True
        return missing


def sighted(points: Float[np.ndarray, "N V T 21 3"], rigs: Rigs) -> Sight:
    """Return what there is to see of points in camera axes."""
    depth = points[..., 2]
    safe = np.maximum(depth, np.float32(NEAREST))
    plane = points[..., :2] / safe[..., None]
    angle, head, ear, inverted = directions(points)
    return Sight(
        plane=plane, depth=safe, hidden=hidden_share(plane, safe), angle=angle, head=head, ear=ear,
        inverted=inverted, is_inside=rigs.is_inside(plane) & (depth > NEAREST),
    )  # fmt: skip


def single(rigs: Rigs) -> Rigs:
    """Return the rigs in single precision: windows are many, and a micrometre is enough."""
    return replace(
        rigs,
        rotation=rigs.rotation.astype(np.float32),
        centre=rigs.centre.astype(np.float32),
        focal=rigs.focal.astype(np.float32),
    )


def keypoints(
    camera: Camera, plane: Float[np.ndarray, "T 21 2"], conf: Float[np.ndarray, "T 21"], fps: float
) -> Keypoints2D:
    """Return points of the plane at distance 1 before a camera as its keypoints, missing ones NaN."""
    in_world = Camera(camera.name, camera.intrinsics, camera.distortion, np.eye(4), camera.size)
    xy = project(in_world, np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1).astype(float))
    seen = conf > 0
    return Keypoints2D(
        xy=np.where(seen[..., None], xy, np.nan),
        conf=np.where(seen, conf, 0.0).astype(float),
        layout=BODY21,
        fps=fps,
        size=camera.size,
    )
