"""Values refuse what cannot be, and say what is wrong."""

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mocaplift.errors import InvalidData
from mocaplift.layouts import CONTACT_POINTS
from mocaplift.values import (
    Camera,
    Capture,
    Clip,
    Keypoints2D,
    Layout,
    Motion3D,
    Skeleton,
    SkeletonMotion,
)

PAIR = Layout("pair", ("root", "left_a", "right_a"), (("left_a", "right_a"),))
SIZE = (640, 480)


def keypoints(**changes) -> Keypoints2D:
    given = {"xy": np.ones((4, 3, 2)), "conf": np.ones((4, 3)), "layout": PAIR, "fps": 30.0, "size": SIZE}
    return Keypoints2D(**(given | changes))


def camera(**changes) -> Camera:
    given = {
        "name": "front",
        "intrinsics": np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]),
        "distortion": np.zeros(5),
        "cam_from_world": np.eye(4),
        "size": SIZE,
    }
    return Camera(**(given | changes))


def points(**changes) -> Motion3D:
    given = {"xyz": np.ones((4, 3, 3)), "sigma": np.ones((4, 3)), "layout": PAIR, "fps": 30.0}
    return Motion3D(**(given | changes))


def skeleton(**changes) -> Skeleton:
    return Skeleton(**({"layout": PAIR, "parents": (-1, 0, 0), "offsets": np.zeros((3, 3))} | changes))


def motion(**changes) -> SkeletonMotion:
    turns = np.zeros((4, 3, 4))
    turns[..., 0] = 1.0
    given = {"skeleton": skeleton(), "rotations": turns, "root": np.zeros((4, 3)), "fps": 30.0}
    return SkeletonMotion(**(given | changes))


def clip(**changes) -> Clip:
    return Clip(**({"path": Path("a.mp4"), "fps": Fraction(30), "frames": 4, "size": SIZE} | changes))


def capture(**changes) -> Capture:
    given = {
        "clips": (clip(),),
        "cameras": (camera(),),
        "views": (keypoints(),),
        "joints": points(),
        "motion": motion(),
        "contacts": np.zeros((4, len(CONTACT_POINTS)), bool),
        "report": {},
    }
    return Capture(**(given | changes))


def holed(array: np.ndarray, value: float = np.nan) -> np.ndarray:
    """Return the array with its first number replaced."""
    out = array.astype(float)
    out.flat[0] = value
    return out


@pytest.mark.parametrize("make", [clip, keypoints, camera, points, skeleton, motion, capture])
def test_good_values_are_frozen(make) -> None:
    value = make()
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, dataclasses.fields(value)[0].name, None)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"fps": Fraction(0)}, "Clip.fps must be positive, but is 0"),
        ({"frames": 0}, r"Clip.frames must be positive, but is 0 \(a.mp4\)"),
        ({"size": (640, 0)}, r"Clip.size must be positive, but is \(640, 0\) \(a.mp4\)"),
    ],
)
def test_a_clip_has_length_rate_and_size(changes, told) -> None:
    with pytest.raises(InvalidData, match=told):
        clip(**changes)


def test_a_layout_knows_its_joints() -> None:
    assert len(PAIR) == 3
    assert PAIR.at("right_a") == 2
    assert PAIR.index("right_a", "root") == [2, 0]
    assert PAIR.mirror == (0, 2, 1)
    with pytest.raises(InvalidData, match="layout pair has no joint 'tail'; it has root, left_a, right_a"):
        PAIR.at("tail")
    with pytest.raises(InvalidData, match="no joint 'tail'"):
        PAIR.index("root", "tail")


def test_a_layout_names_each_joint_once_and_pairs_only_those() -> None:
    with pytest.raises(InvalidData, match="layout twice names a joint twice"):
        Layout("twice", ("a", "a"))
    with pytest.raises(InvalidData, match="layout odd pairs an unknown joint 'b'"):
        Layout("odd", ("a",), (("a", "b"),))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"xy": np.ones((4, 2, 2))}, r"Keypoints2D.xy must have shape \[\* 3 2\], but has \[4, 2, 2\]"),
        ({"conf": np.ones((5, 3))}, r"Keypoints2D.conf must have shape \[4 3\], but has \[5, 3\]"),
        ({"fps": 0.0}, "Keypoints2D.fps must be positive, but is 0"),
        ({"fps": np.nan}, "Keypoints2D.fps must be positive, but is nan"),
        ({"fps": np.inf}, "Keypoints2D.fps must be positive, but is inf"),
        ({"conf": np.full((4, 3), 1.2)}, "conf must lie between 0 and 1"),
        ({"conf": holed(np.ones((4, 3)), -0.1)}, "conf must lie between 0 and 1"),
        ({"conf": holed(np.ones((4, 3)))}, "conf must lie between 0 and 1"),
        ({"xy": holed(np.ones((4, 3, 2)))}, "finite exactly where its confidence is above 0"),
        ({"conf": holed(np.ones((4, 3)), 0.0)}, "finite exactly where its confidence is above 0"),
        ({"xy": holed(np.ones((4, 3, 2)), np.inf)}, "finite exactly where its confidence is above 0"),
        ({"landmarks": np.ones((4, 2, 3))}, r"Keypoints2D.landmarks must have shape \[4 3 3\]"),
    ],
)
def test_keypoints_agree_with_their_confidence(changes, told) -> None:
    with pytest.raises(InvalidData, match=told):
        keypoints(**changes)


def test_a_missing_keypoint_is_nan_with_confidence_zero() -> None:
    xy, conf = np.ones((4, 3, 2)), np.ones((4, 3))
    xy[1, 2], conf[1, 2] = np.nan, 0.0
    assert np.isnan(keypoints(xy=xy, conf=conf).xy).sum() == 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"intrinsics": np.eye(4)}, r"Camera.intrinsics must have shape \[3 3\]"),
        ({"distortion": np.zeros(4)}, r"Camera.distortion must have shape \[5\], but has \[4\]"),
        ({"cam_from_world": np.eye(3)}, r"Camera.cam_from_world must have shape \[4 4\]"),
        ({"distortion": holed(np.zeros(5))}, "camera 'front': distortion holds NaN or infinity"),
        ({"intrinsics": holed(np.eye(3), np.inf)}, "camera 'front': intrinsics holds NaN or infinity"),
        ({"intrinsics": np.diag([500.0, -500.0, 1.0])}, "'front': focal length must be positive"),
        ({"cam_from_world": np.diag([1.0, 1.0, -1.0, 1.0])}, "'front': cam_from_world holds no rotation"),
        ({"cam_from_world": np.diag([1.1, 1.0, 1.0, 1.0])}, r"holds no rotation \(off by 0.21\)"),
        ({"size": (0, 480)}, "'front': size must be positive"),
    ],
)
def test_a_camera_is_a_rotation_and_a_lens(changes, told) -> None:
    with pytest.raises(InvalidData, match=told):
        camera(**changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"xyz": np.ones((4, 3, 2))}, r"Motion3D.xyz must have shape \[\* 3 3\]"),
        ({"sigma": np.ones((3, 3))}, r"Motion3D.sigma must have shape \[4 3\]"),
        ({"fps": -1.0}, "Motion3D.fps must be positive"),
        ({"xyz": holed(np.ones((4, 3, 3)))}, "a point must be finite exactly where its sigma is"),
        ({"sigma": holed(np.ones((4, 3)), np.inf)}, "a point must be finite exactly where its sigma is"),
    ],
)
def test_points_agree_with_their_sigma(changes, told) -> None:
    with pytest.raises(InvalidData, match=told):
        points(**changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"offsets": np.zeros((2, 3))}, r"Skeleton.offsets must have shape \[3 3\]"),
        ({"offsets": holed(np.zeros((3, 3)))}, "Skeleton.offsets holds NaN"),
        ({"parents": (0, 0, 0)}, "the root comes first"),
        ({"parents": (-1, 2, 0)}, "every parent precedes its children"),
        ({"parents": (-1, -1, 0)}, "every parent precedes its children"),
        ({"parents": (-1, 0)}, "the root comes first"),
    ],
)
def test_a_skeleton_is_a_tree_from_the_root(changes, told) -> None:
    with pytest.raises(InvalidData, match=told):
        skeleton(**changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rotations": np.ones((4, 2, 4))}, r"SkeletonMotion.rotations must have shape \[\* 3 4\]"),
        ({"root": np.zeros((3, 3))}, r"SkeletonMotion.root must have shape \[4 3\]"),
        ({"root": holed(np.zeros((4, 3)))}, "SkeletonMotion holds NaN"),
        ({"rotations": np.full((4, 3, 4), 0.6)}, r"not unit quaternions \(off by 0.2\)"),
        ({"fps": 0.0}, "SkeletonMotion.fps must be positive"),
    ],
)
def test_a_motion_is_made_of_unit_quaternions(changes, told) -> None:
    with pytest.raises(InvalidData, match=told):
        motion(**changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"contacts": np.zeros((5, 4), bool)}, r"parts have different lengths \[4, 5\]"),
        (
            {"views": (keypoints(xy=np.ones((3, 3, 2)), conf=np.ones((3, 3))),)},
            r"different lengths \[3, 4\]",
        ),
        ({"joints": points(fps=25.0)}, "parts have different rates"),
        ({"cameras": ()}, "there must be one camera for each view"),
    ],
)
def test_the_parts_of_a_capture_agree(changes, told) -> None:
    with pytest.raises(InvalidData, match=told):
        capture(**changes)
