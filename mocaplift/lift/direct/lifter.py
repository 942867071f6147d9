"""The direct lifter: a trained network tells, window by window, where the joints are before one camera.

The network knows frames at its own rate and windows of its own length. A faster clip is asked in turns, each of
which takes every n-th frame; a longer one in windows that overlap by half and are cross-faded. Every window is
also asked in the mirror.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from mocaplift.cameras import centre, rays
from mocaplift.confidence import sigma as confidence_sigma
from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21, remap_keypoints
from mocaplift.lift.direct.features import Features, features, mirrored, points
from mocaplift.lift.direct.network import DirectNetwork, Told
from mocaplift.lift.holes import guessable, interpolated, stretches
from mocaplift.values import Camera, Keypoints2D, Motion3D
from mocaplift.weights import load_arrays, locate
from mocaplift.windows import crossfaded_points, windows

KIND = "direct"
FEWEST_POINTS = 5  # a frame with fewer seen keypoints says nothing about the pose
MOST_TURNS = 2  # of a fast clip: errors of frames that follow each other closely are the same
# Error of the hips' path on held-out motions (m); the network tells that of the joints about them.
PATH_SIGMA = 0.09
UNSEEN_SIGMA = 0.3  # m, of a joint that is not seen
_MIRROR = list(BODY21.mirror)


@lru_cache(maxsize=2)
def load_network(name: str = "direct") -> DirectNetwork:
    """Return the network of a weight file.

    Raises:
        WeightsError: the file is missing, damaged or of another network.
    """
    return DirectNetwork.of(*load_arrays(locate(name), KIND))


def lift(
    views: Sequence[Keypoints2D], cameras: Sequence[Camera], network: DirectNetwork | None = None
) -> Motion3D:
    """Return the motion of one person seen by one camera, in body21, world metres (+Y up).

    The person is taken to have the mean stature.

    Raises:
        InvalidData: not exactly one view, or too few keypoints in every frame.
        WeightsError: the network is missing.
    """
    if len(views) != 1 or len(cameras) != 1:
        raise InvalidData(f"the direct lifter lifts one view, but {len(views)} were given")
    keypoints, camera = remap_keypoints(views[0], BODY21), cameras[0]
    seen = keypoints.conf > 0
    usable = seen.sum(axis=-1) >= FEWEST_POINTS
    if not usable.any():
        raise InvalidData(f"no frame shows {FEWEST_POINTS} or more keypoints; nothing can be lifted")
    network = network or load_network()
    direction = rays(camera, np.where(seen[..., None], keypoints.xy, 0.0))
    errors, near = confidence_sigma(keypoints), guessable(usable, keypoints.fps)
    xyz, sigma = np.zeros(direction.shape), np.zeros(errors.shape)
    for span in stretches(near):
        xyz[span], sigma[span] = ask(network, direction[span], errors[span], keypoints.fps)
    frames, known = np.arange(len(xyz)), np.flatnonzero(near)
    xyz = interpolated(frames, known, xyz[known]) + centre(camera)
    sigma = np.hypot(interpolated(frames, known, sigma[known]), np.where(seen, PATH_SIGMA, UNSEEN_SIGMA))
    return Motion3D(xyz=xyz, sigma=sigma, layout=BODY21, fps=keypoints.fps)


@threadpool_limits.wrap(limits=1, user_api="blas")
def ask(
    network: DirectNetwork,
    direction: Float[np.ndarray, "T 21 3"],
    sigma: Float[np.ndarray, "T 21"],
    fps: float,
) -> tuple[Float[np.ndarray, "T 21 3"], Float[np.ndarray, "T 21"]]:
    """Return points about the camera (world axes, m) and the expected errors of the joints about the hips (m).

    `direction` are unit rays, `sigma` (m) is infinite where a joint was not seen.
    """
    frames, stride = np.arange(len(direction)), max(1, round(fps / network.config.fps))
    turns = min(stride, MOST_TURNS)
    starts = [turn * stride // turns for turn in range(turns)]
    found = []
    for start in (start for start in starts if start < len(frames)):
        places = frames[start::stride]
        each = _one_turn(network, direction[places], sigma[places])
        found.append([interpolated(frames, places, array) for array in each])
    xyz, error = (np.mean(arrays, axis=0) for arrays in zip(*found, strict=True))
    return xyz, error


def _one_turn(
    network: DirectNetwork, direction: Float[np.ndarray, "T 21 3"], sigma: Float[np.ndarray, "T 21"]
) -> tuple[Float[np.ndarray, "T 21 3"], Float[np.ndarray, "T 21"]]:
    """Return points and errors of frames at the network's rate."""
    length = network.config.frames
    spans = windows(len(direction), length, length // 2)
    xyz, errors = [], []
    for span in spans:
        told = features(direction[None, span], sigma[None, span])
        said = _both_ways(network, told)
        local = points(told, said.offset, said.log_depth)
        xyz.append((local @ told.axes[:, None])[0])
        errors.append(np.exp(said.log_sigma[0]))
    return crossfaded_points(xyz, spans), crossfaded_points(errors, spans)


def _both_ways(network: DirectNetwork, told: Features) -> Told:
    """Return the mean of what the network says of a window and of its mirror image."""
    said = network(np.concatenate([told.told, mirrored(told.told)]))
    flip = np.array([-1.0, 1.0, 1.0], dtype=np.float32)
    return Told(
        offset=(said.offset[:1] + said.offset[1:][..., _MIRROR, :] * flip) / 2,
        log_sigma=(said.log_sigma[:1] + said.log_sigma[1:][..., _MIRROR]) / 2,
        log_depth=(said.log_depth[:1] + said.log_depth[1:]) / 2,
    )
