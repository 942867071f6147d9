"""MediaPipe's networks behind our graphs: the same answers as its own solution, in our pixels and axes."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest

from mocaplift.detect.blazepose import REGION_MARGIN, BlazePose, Region, quiet_stderr, region_from_circle
from mocaplift.detect.turned import landmarks_back, points_back, turn_image
from mocaplift.layouts import MEDIAPIPE33
from tests.detect.figure import JOINTS, canvas, draw, joint_at

SIZE = (640, 480)
X, TOP = 320.0, 60.0


@pytest.fixture(scope="module")
def networks() -> BlazePose:
    return BlazePose()


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return draw(canvas(SIZE), X, TOP)


def test_region_of_an_upright_circle_by_hand() -> None:
    region = region_from_circle(np.array([100.0, 200.0]), np.array([100.0, 120.0]))
    assert region == pytest.approx((100, 200, 2 * 80 * REGION_MARGIN, 0))


def test_region_turns_clockwise_with_the_body() -> None:
    # The head is to the right of the hips: a quarter turn clockwise.
    region = region_from_circle(np.array([100.0, 200.0]), np.array([180.0, 200.0]))
    assert region.turn == pytest.approx(math.pi / 2)


def test_drawn_joints_are_found_in_pixels(networks: BlazePose, image: np.ndarray) -> None:
    (region, score), *others = networks.find(image)
    assert score > 0.8
    assert not others
    reading = networks.read(image, region)
    assert reading is not None
    seen = reading.xy[MEDIAPIPE33.index(*JOINTS)]
    truth = np.array([joint_at(joint, X, TOP) for joint in JOINTS])
    # The hips of a drawing are a matter of taste; a figure of 370 px stands for 1.75 m.
    assert np.median(np.linalg.norm(seen - truth, axis=1)) < 12
    # Left and right errors of a symmetrical figure cancel: its middle is where it was drawn.
    assert seen[:, 0].mean() == pytest.approx(X, abs=4)
    assert seen[:, 1].mean() == pytest.approx(truth[:, 1].mean(), abs=20)


def test_the_left_hand_of_someone_facing_us_is_on_the_right_of_the_picture(
    networks: BlazePose, image: np.ndarray
) -> None:
    reading = networks.read(image, networks.find(image)[0][0])
    assert reading is not None
    left, right = MEDIAPIPE33.index("left_wrist", "right_wrist")
    assert reading.xy[left, 0] > reading.xy[right, 0] + 80
    # Camera axes: x right, y down; metres about the hips.
    assert reading.landmarks[left, 0] > reading.landmarks[right, 0] + 0.2
    nose, ankle = MEDIAPIPE33.index("nose", "left_ankle")
    assert reading.landmarks[nose, 1] < -0.4
    assert reading.landmarks[ankle, 1] > 0.5
    hips = reading.landmarks[MEDIAPIPE33.index("left_hip", "right_hip")]
    assert np.abs(hips.mean(axis=0)).max() < 0.02


def test_the_mirrored_picture_pins_the_pixel_convention(networks: BlazePose, image: np.ndarray) -> None:
    """Column k of a picture W wide is column W - 1 - k of its mirror image: half a pixel off would show as 1."""
    region = networks.find(image)[0][0]
    straight = networks.read(image, region)
    mirrored_region = region._replace(x=SIZE[0] - 1 - region.x, turn=-region.turn)
    flipped = np.ascontiguousarray(image[:, ::-1])
    mirrored = networks.read(flipped, mirrored_region, is_mirrored=True)
    assert straight is not None and mirrored is not None
    order = list(MEDIAPIPE33.mirror)
    back = mirrored.xy[order] * [-1, 1] + [SIZE[0] - 1, 0]
    # The crop may begin a pixel earlier or later: the network sees the same within rounding of its sampling.
    assert np.abs(back - straight.xy).max() < 0.2
    assert np.abs(back - straight.xy).mean() < 0.05
    assert np.allclose(mirrored.landmarks[order] * [-1, 1, 1], straight.landmarks, atol=2e-3)


def test_a_picture_inside_a_larger_one_is_read_the_same_and_moved(
    networks: BlazePose, image: np.ndarray
) -> None:
    region = networks.find(image)[0][0]._replace(side=330.0)
    larger = canvas((900, 700))
    larger[101 : 101 + SIZE[1], 57 : 57 + SIZE[0]] = image
    a = networks.read(image, region)
    b = networks.read(larger, region._replace(x=region.x + 57, y=region.y + 101))
    assert a is not None and b is not None
    assert np.abs(b.xy - a.xy - [57, 101]).max() < 0.05


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_pictures_read_the_same_after_turning_back(
    networks: BlazePose, image: np.ndarray, turns: int
) -> None:
    region = networks.find(image)[0][0]
    upright = networks.read(image, region)
    turned = turn_image(image, turns)
    found = networks.find(turned)
    assert found
    # The same region, seen from the turned picture: turning the picture to the left turns the body to the left.
    other = (4 - turns) % 4
    x, y = points_back(np.array([region.x, region.y]), other, (turned.shape[1], turned.shape[0]))
    reading = networks.read(
        turned, Region(float(x), float(y), region.side, region.turn - turns * math.pi / 2)
    )
    assert upright is not None and reading is not None
    back = points_back(reading.xy, turns, SIZE)
    assert np.abs(back - upright.xy).max() < 0.3
    assert np.abs(landmarks_back(reading.landmarks, turns) - upright.landmarks).max() < 5e-3


def test_the_first_reading_is_that_of_mediapipes_own_solution(networks: BlazePose, image: np.ndarray) -> None:
    from mediapipe.python.solutions.pose import Pose

    with quiet_stderr(), Pose(model_complexity=1, smooth_landmarks=False) as pose:
        theirs = pose.process(image)
    # Nothing is reduced at this size, so that both see the same pixels.
    ours = networks.read(image, networks.find(image)[0][0])
    assert ours is not None
    xy = np.array([[mark.x, mark.y] for mark in theirs.pose_landmarks.landmark]) * SIZE
    assert np.abs(ours.xy - xy).max() < 0.5
    world = np.array([[mark.x, mark.y, mark.z] for mark in theirs.pose_world_landmarks.landmark])
    assert np.abs(ours.landmarks - world).max() < 0.01


def test_nobody_in_a_region_is_none(networks: BlazePose) -> None:
    assert networks.read(canvas(SIZE), Region(320, 240, 300, 0)) is None


@pytest.mark.parametrize(
    "region",
    [
        Region(320, 240, 0, 0),
        Region(320, 240, math.inf, 0),
        Region(5000, 240, 300, 0),
        Region(320, 240, 5, 1),
    ],
)
def test_impossible_regions_are_none(networks: BlazePose, image: np.ndarray, region: Region) -> None:
    assert networks.read(image, region) is None


def test_quiet_stderr_hides_native_noise_and_gives_it_back_with_an_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with quiet_stderr():
        os.write(2, b"noise\n")
    assert capfd.readouterr().err == ""
    with pytest.raises(ValueError, match="broken"), quiet_stderr():
        os.write(2, b"the reason\n")
        raise ValueError("broken")
    assert "the reason" in capfd.readouterr().err
    os.write(2, b"later\n")
    assert "later" in capfd.readouterr().err
