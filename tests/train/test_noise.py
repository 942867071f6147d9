"""Detectors' errors: as large, as lasting and as well told by confidence as was measured on real pictures."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.cameras import intrinsics_from_fov, look_at, project
from mocaplift.confidence import expected_error
from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21, COCO17
from mocaplift.train.data.blazepose_noise import BlazePoseNoise, _nu_of_ratio
from mocaplift.train.data.noise import FEET, Detector, Faults, sighted, single
from mocaplift.train.data.rigs import Rigs
from mocaplift.train.data.topdown_noise import ERROR_CORRELATION, LAGS, TopDown
from mocaplift.train.data.view_geometry import course, directions, episodes, heavy_tailed
from mocaplift.values import Camera, Motion3D
from tests.walker import walker

NO_FAULTS = Faults(wrong=0, other_person=0, view_lost=0, view_absent=0, joint_lost=0, sync=0, footless=0)
SIZE = (1920, 1080)
DISTANCE = 4.0  # m


def ring(num_views: int) -> tuple[Camera, ...]:
    """Return cameras around the origin, the first one in front of a person who faces +Z."""
    cameras = []
    for view in range(num_views):
        angle = 2 * np.pi * view / num_views
        eye = np.array([DISTANCE * np.sin(angle), 1.2, DISTANCE * np.cos(angle)])
        pose = look_at(eye, np.array([0.0, 0.9, 0.0]))
        cameras.append(Camera(f"c{view}", intrinsics_from_fov(60, SIZE), np.zeros(5), pose, SIZE))
    return tuple(cameras)


def persons(count: int, frames: int = 30, fps: float = 60.0) -> np.ndarray:
    """Return people who walk on the spot, facing +Z, each at another moment of the stride."""
    xyz = walker(frames=frames + count, fps=fps).keypoints.xyz.copy()
    xyz[..., 2] -= xyz[:, :1, 2]
    return np.stack([xyz[k : k + frames] for k in range(count)]).astype(np.float32)


def looked(kind, count=60, faults=NO_FAULTS, num_views=8, seed=0):
    """Return errors in metres [N V T 21 2] and confidences of a detector that sees people from all sides."""
    one = single(Rigs.of(ring(num_views)))
    parts = (one.rotation, one.centre, one.focal, one.size)
    rigs = Rigs(*(np.repeat(part, count, axis=0) for part in parts))
    points = rigs.points(persons(count))
    plane, conf = Detector(kind, faults).look(np.random.default_rng(seed), points, rigs, 60.0)
    return (plane - points[..., :2] / points[..., 2:]) * points[..., 2:], conf


@pytest.fixture(name="coco", scope="module")
def _coco():
    return looked(TopDown())


def test_student_lengths_are_those_of_the_formula():
    """By hand: in two dimensions and with nu 2, R^2 = 2 (1 / (1 - u) - 1): median sqrt 2, p90 sqrt 18."""
    gaussian = np.random.default_rng(0).standard_normal((400_000, 2)).astype(np.float32)
    length = np.linalg.norm(heavy_tailed(gaussian, np.float32(2.0) * np.ones(400_000, np.float32)), axis=-1)
    assert np.median(length) == pytest.approx(1.0, rel=0.01)
    assert np.quantile(length, 0.9) == pytest.approx(np.sqrt(18 / 2), rel=0.02)
    assert _nu_of_ratio(np.sqrt(99.0)) == pytest.approx(2.0, abs=0.01)


def test_noise_lasts_as_long_as_was_measured():
    matrix = course(LAGS, ERROR_CORRELATION, 40, 60.0)
    covariance = matrix @ matrix.T
    np.testing.assert_allclose(np.diag(covariance), 1.0, atol=1e-3)
    np.testing.assert_allclose(covariance[0, [1, 2, 4, 8, 15, 30]], ERROR_CORRELATION, atol=0.03)
    # The same seconds at another rate.
    slow = course(LAGS, ERROR_CORRELATION, 9, 30.0)
    np.testing.assert_allclose((slow @ slow.T)[0], covariance[0, :18:2], atol=1e-4)


def test_episodes_take_their_share_of_time_and_last():
    happens = episodes(np.random.default_rng(0), (20_000,), 0.05, seconds=0.5, num_frames=31, fps=30.0)
    assert happens.mean() == pytest.approx(0.05, rel=0.1)
    np.testing.assert_allclose(happens.mean(axis=0), 0.05, atol=0.008)
    goes_on = happens[:, 1:][happens[:, :-1]].mean()
    assert goes_on == pytest.approx(np.exp(-1 / 30 / 0.5), abs=0.02)
    single = episodes(np.random.default_rng(0), (50_000,), 0.05, seconds=0.5, num_frames=1, fps=30.0)
    assert single.mean() == pytest.approx(0.05, rel=0.1)


def test_directions_follow_the_table_of_detector_errors():
    """A camera in front of the person sees angle 0; one on the person's left, 90 degrees; faces look ahead."""
    rigs = Rigs.of(ring(4))
    angle, head, ear, inverted = directions(rigs.points(persons(1, frames=1)))
    np.testing.assert_allclose(np.degrees(angle[0, [0, 1, 3], 0]), [0, 90, -90], atol=12)
    assert abs(np.degrees(angle[0, 2, 0])) > 168
    assert head[0, 0, 0] > 0.9 and head[0, 2, 0] < -0.9
    assert ear[0, 1, 0] > 0.9 and ear[0, 3, 0] < -0.9
    assert inverted.max() == 0.0


def test_the_far_arm_is_hidden_behind_the_trunk():
    rigs = Rigs.of(ring(4))
    sight = sighted(rigs.points(persons(1, frames=1)), rigs)
    from_left = sight.hidden[0, 1, 0]
    assert from_left[BODY21.at("right_shoulder")] > 0.9 > 0.1 > from_left[BODY21.at("left_shoulder")]
    assert sight.hidden[0, 0, 0][BODY21.index("left_shoulder", "right_knee", "left_wrist")].max() < 0.1


@pytest.mark.parametrize(
    ("joint", "median", "p90", "conf"),
    [("shoulder", 0.020, 0.050, 0.62), ("hip", 0.025, 0.069, 0.45), ("wrist", 0.024, 0.144, 0.56),
     ("knee", 0.019, 0.088, 0.57), ("ankle", 0.018, 0.184, 0.62)],
)  # fmt: skip
def test_errors_are_about_as_large_as_on_real_pictures(coco, joint, median, p90, conf):
    """The figures are those of AIST++; a person who walks is easier than one who dances, hence a factor."""
    error, told = coco
    places = BODY21.index(f"left_{joint}", f"right_{joint}")
    length = np.linalg.norm(error[..., places, :], axis=-1)
    assert 0.6 * median < np.median(length) < 1.4 * median
    assert 0.35 * p90 < np.quantile(length, 0.9) < 1.6 * p90
    assert np.median(told[..., places]) == pytest.approx(conf, abs=0.17)


def test_confidence_tells_the_median_error(coco):
    error, conf = coco
    length = np.linalg.norm(error, axis=-1)
    expected = expected_error(conf, BODY21)
    known = BODY21.index(
        *(j for j in COCO17.joints if "ankle" not in j)
    )  # ankles are worse than the table says
    for low, high in ((0.3, 0.5), (0.5, 0.7), (0.7, 0.9)):
        chosen = (conf[..., known] > low) & (conf[..., known] < high)
        assert np.median((length / expected)[..., known][chosen]) == pytest.approx(1.0, abs=0.12)


def test_a_wrong_elbow_means_a_wrong_hand(coco):
    length = np.linalg.norm(coco[0], axis=-1)
    elbow, wrist = (length[..., BODY21.at(f"left_{joint}")] > 0.1 for joint in ("elbow", "wrist"))
    assert wrist[elbow].mean() > 3 * wrist.mean()


def test_a_face_turned_away_is_not_believed(coco):
    conf = coco[1][..., BODY21.at("nose")]
    assert np.median(conf[:, 0]) > 0.95 and np.median(conf[:, 4]) < 0.05


def test_feet_are_missing_from_coco_windows():
    _, conf = looked(TopDown(), faults=Faults(footless=1.0), count=20)
    assert (conf[..., BODY21.index(*FEET)] == 0).all()
    assert (conf[..., BODY21.index("left_ankle", "nose")] > 0).mean() > 0.9


def test_faults_happen_as_often_as_they_should():
    calm, wild = (looked(TopDown(), count=200, faults=f) for f in (NO_FAULTS, Faults(footless=0.0)))
    assert (calm[1] == 0).mean() < 1e-3
    assert 0.02 < (wild[1] == 0).mean() < 0.12
    far = [(np.linalg.norm(error, axis=-1) > 0.5)[conf > 0.7].mean() for error, conf in (calm, wild)]
    assert far[0] < 0.005 < far[1] < 0.03


def test_the_embedded_detector_is_as_its_table_says():
    error, conf = looked(BlazePoseNoise(), count=100)
    length = np.linalg.norm(error, axis=-1)
    for joint, low, high in (
        ("left_ankle", 0.01, 0.03),
        ("left_shoulder", 0.018, 0.035),
        ("nose", 0.02, 0.045),
    ):
        assert low < np.median(length[..., BODY21.at(joint)]) < high
    hidden = conf[:, 2, :, BODY21.at("right_elbow")]  # from the person's left
    assert np.median(hidden) < 0.6 * np.median(conf[:, 2, :, BODY21.at("left_elbow")])
    assert conf.max() <= 1 and conf.min() > 0


def test_seeing_gives_keypoints_of_every_camera():
    truth = Motion3D(persons(1)[0].astype(float), np.zeros((30, 21)), BODY21, 60.0)
    cameras = ring(3)
    views = Detector(TopDown()).see(np.random.default_rng(1), truth, cameras)
    assert len(views) == 3 and views[0].fps == 60.0 and views[0].size == SIZE
    error = np.concatenate(
        [np.linalg.norm(v.xy - project(c, truth.xyz), axis=-1) for v, c in zip(views, cameras, strict=True)]
    )
    pixels = 0.025 * cameras[0].intrinsics[0, 0] / DISTANCE
    assert 0.4 * pixels < np.nanmedian(error) < 2 * pixels
    other = Motion3D(truth.xyz[:, :17], truth.sigma[:, :17], COCO17, 60.0)
    with pytest.raises(InvalidData, match="body21"):
        Detector(TopDown()).see(np.random.default_rng(1), other, cameras)
