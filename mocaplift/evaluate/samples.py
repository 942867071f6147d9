"""The project's own clips as a benchmark: video to motion, against the truth they were rendered from.

Every clip of one camera is captured twice for each lifter: with the true focal length and height given, and with
neither (`<lifter>` + `ASSUMED`), as most users will run it. A take of several cameras is captured once, with its
calibration. A lifter meets what it can lift; `auto` meets all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mocaplift import kinematics, quality, rotations
from mocaplift.body import body_keypoints
from mocaplift.cameras import cam_points
from mocaplift.errors import InvalidData
from mocaplift.evaluate import metrics
from mocaplift.evaluate.floors import DETECTOR, STATIC, static
from mocaplift.evaluate.report import Row, with_all
from mocaplift.evaluate.scores import image_scores, jitter, motion_scores, pose_scores, rows, world_scores
from mocaplift.evaluate.several import LIFTERS_OF_VIEWS
from mocaplift.evaluate.truth import Truth, find, read
from mocaplift.layouts import BODY21, CONTACT_POINTS, SMPL24, SMPL_PARENTS, remap
from mocaplift.lift import AUTO
from mocaplift.options import Options
from mocaplift.values import Camera, Capture

# Name of a row's lifter where neither focal length nor height was given.
ASSUMED = " (assumed)"
_SAMPLES = Path(__file__).parents[2] / "sample_videos"
# The row of the truth itself: how much even it slides and shakes.
TRUTH = "truth"
# degrees per frame: a joint that turns faster than this where the truth does not has popped.
POP = 20.0
# What captures one sample: the product, or in tests something else.
CaptureSample = Callable[[Truth, Options], Capture]


def by_product(truth: Truth, options: Options) -> Capture:
    """Return what the product makes of a sample: its first person."""
    from mocaplift import detect, pipeline

    detector = detect.load_detector(
        options.detector, options.detector_weights, config=options.detector_config
    )
    cameras = truth.cameras if len(truth.cameras) > 1 else None
    return pipeline.capture(truth.videos, cameras, detector, options)[0]


def samples(
    folder: str | Path | None = None,
    *,
    lifters: Sequence[str] = ("smplify",),
    detector: str = "mediapipe",
    capture: CaptureSample = by_product,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Return the rows of the benchmark: each sample, then "all", the floors and the truth's own rows beside them.

    MPJPE is of body21, hips at the origin, in the (first) camera's frame: no alignment. Path metrics are in the
    truth's world, into which the result is carried by the two cameras. Foot slide is along the result's own
    floor, while the truth says that the point is planted.

    Args:
        folder: where the clips lie, by default the project's `sample_videos`.
        lifters: names to score, of those that users have; what follows is the whole product.
        detector: which detector sees the clips.
        capture: what makes a motion of a clip.
        progress: told (captures done, all captures).

    Raises:
        InvalidData: no clips, an unreadable truth, or a capture of another length than its truth.
    """
    truths = [read(path) for path in find(_SAMPLES if folder is None else folder)]
    runs = [(truth, _runs(truth, lifters, detector)) for truth in truths]
    made: list[Row] = []
    steps, done = sum(len(each) for _, each in runs), 0
    for truth, chosen in runs:
        seen: Capture | None = None
        if chosen:
            made += _floors(truth)
        for name, options in chosen:
            seen = capture(truth, options)
            made += _rows(score(seen, truth), truth, name)
            done += 1
            if progress is not None:
                progress(done, steps)
        if seen is not None and len(seen.views) == 1:
            made += _landmarks(seen, truth)
    return with_all(made)


def _runs(truth: Truth, lifters: Sequence[str], detector: str) -> list[tuple[str, Options]]:
    """Return what a sample is captured with, by the names of the rows."""
    runs = []
    for lifter in lifters:
        plain = Options(detector=detector, lifter=lifter)
        if lifter != AUTO and (lifter in LIFTERS_OF_VIEWS) != (len(truth.cameras) > 1):
            continue
        if len(truth.cameras) > 1:
            runs.append((lifter, plain))
            continue
        focal = float(truth.cameras[0].intrinsics[0, 0])
        runs.append((lifter, replace(plain, focal=focal, height=truth.height)))
        runs.append((lifter + ASSUMED, plain))
    return runs


def score(capture: Capture, truth: Truth) -> dict[str, float]:
    """Return every metric of one capture of a clip.

    A capture may begin later and end earlier than its clip, where the person was not seen: what it leaves out is
    `missing`, and only the rest is compared.

    Raises:
        InvalidData: the capture does not lie within the truth, or has another rate.
    """
    span = covered(capture, truth)
    camera, fps = capture.cameras[0], truth.fps
    found = body_keypoints(capture.motion).xyz
    true = truth.keypoints[span]
    in_camera, true_in_camera = cam_points(camera, found), cam_points(truth.cameras[0], true)
    in_world = _world_points(truth.cameras[0], in_camera)
    scores = pose_scores(in_camera, true_in_camera, BODY21) | world_scores(in_world, true, BODY21)
    scores |= motion_scores(in_world, true, BODY21, fps)
    feet = found[:, BODY21.index(*CONTACT_POINTS)]
    scores["foot_slide"] = quality.foot_slide(feet, truth.contacts[span])
    scores |= image_scores(found, BODY21, capture.views[0], camera)
    errors = metrics.joint_errors(in_camera, true_in_camera)
    scores |= metrics.spread(errors)
    depths = [metrics.hip_midpoint(xyz, BODY21)[:, 2] for xyz in (in_camera, true_in_camera)]
    scores["depth_gain"] = metrics.depth_gain(*depths)[0]
    layout = capture.motion.skeleton.layout
    joints = remap(kinematics.joints_of(capture.motion).xyz, layout, SMPL24)
    scores["pops"] = _pops(bone_turns(joints), bone_turns(truth.joints[span]))
    if truth.rotations is not None and layout == SMPL24:
        turns = joint_turns(capture.motion.rotations), joint_turns(truth.rotations[span])
        scores["joint_pops"] = _pops(*turns)
    scores["missing"] = 100.0 * (1 - float(np.isfinite(errors).sum()) / truth.keypoints[..., 0].size)
    return scores


def bone_turns(joints: Float[np.ndarray, "T 24 3"]) -> Float[np.ndarray, "U 23"]:
    """Return by how many degrees each bone's direction turns from a frame to the next."""
    bones = joints[:, 1:] - joints[:, list(SMPL_PARENTS[1:])]
    direction = bones / np.linalg.norm(bones, axis=-1, keepdims=True)
    a, b = direction[1:], direction[:-1]
    across = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.degrees(np.arctan2(across, (a * b).sum(-1)))


def joint_turns(turns: Float[np.ndarray, "T J 4"]) -> Float[np.ndarray, "U J"]:
    """Return by how many degrees each joint's rotation changes from a frame to the next."""
    return np.degrees(rotations.angle_between(turns[:-1], turns[1:]))


def _pops(found: Float[np.ndarray, "U J"], truth: Float[np.ndarray, "U J"]) -> float:
    """Return how often the result turns faster than `POP` where the truth does not, within a frame either way."""
    near = np.pad(truth, ((1, 1), (0, 0)), mode="edge")
    fastest = np.maximum(np.maximum(near[:-2], near[1:-1]), near[2:])
    return float(metrics.pops(found, fastest, POP))


def covered(capture: Capture, truth: Truth) -> slice:
    """Return which frames of the truth a capture covers.

    Raises:
        InvalidData: it does not lie within the truth, or has another rate.
    """
    first = round(capture.clips[0].start * truth.fps)
    span = slice(first, first + len(capture.motion.root))
    same_rate = abs(capture.motion.fps - truth.fps) < 1e-3 * truth.fps
    if not same_rate or first < 0 or span.stop > len(truth.keypoints):
        raise InvalidData(
            f"{truth.videos[0]}: captured frames {span.start} to {span.stop} at {capture.motion.fps:g} fps, but "
            f"its truth has {len(truth.keypoints)} at {truth.fps:g} fps"
        )
    return span


def _world_points(camera: Camera, xyz: Float[np.ndarray, "*lead 3"]) -> Float[np.ndarray, "*lead 3"]:
    """Return points in the camera's axes as points in its world."""
    return (xyz - camera.cam_from_world[:3, 3]) @ camera.cam_from_world[:3, :3]


def _floors(truth: Truth) -> list[Row]:
    """Return the rows of a held first frame, and of the truth itself where it is no trivial zero."""
    held, true = static(truth.keypoints), truth.keypoints
    floor = pose_scores(held, true, BODY21) | world_scores(held, true, BODY21)
    feet = true[:, BODY21.index(*CONTACT_POINTS)]
    own = {
        "foot_slide": quality.foot_slide(feet, truth.contacts),
        "jitter": jitter(true, BODY21, truth.fps),
    }
    return _rows(floor, truth, STATIC) + _rows(own, truth, TRUTH)


def _landmarks(capture: Capture, truth: Truth) -> list[Row]:
    """Return the rows of the detector's own landmarks, none where it has none."""
    view = capture.views[0]
    if view.landmarks is None:
        return []
    own = remap(view.landmarks, view.layout, BODY21)
    true = cam_points(truth.cameras[0], truth.keypoints[covered(capture, truth)])
    return _rows(pose_scores(own, true, BODY21), truth, DETECTOR)


def _rows(scores: dict[str, float], truth: Truth, lifter: str) -> list[Row]:
    frames = len(truth.keypoints)
    return rows(
        scores,
        benchmark="samples",
        sequence=truth.name,
        views=len(truth.cameras),
        lifter=lifter,
        frames=frames,
    )
