"""The sample benchmark on captures made by hand: frames of reference, contacts, pops, floors."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mocaplift import kinematics, rotations
from mocaplift.body import body_keypoints, load_body
from mocaplift.calibrate import write_calibration
from mocaplift.cameras import cam_points, intrinsics_from_focal, look_at, moved, project
from mocaplift.errors import CalibrationError, InvalidData
from mocaplift.evaluate import samples, truth
from mocaplift.layouts import BODY21
from mocaplift.options import Options
from mocaplift.values import Camera, Capture, Clip, Keypoints2D, SkeletonMotion
from tests.walker import walker

FRAMES = 60
SIZE = (1280, 720)
CAMERA = Camera(
    name="walk",
    intrinsics=intrinsics_from_focal(1100.0, SIZE),
    distortion=np.zeros(5),
    cam_from_world=look_at(np.array([4.0, 1.6, 3.0]), np.array([0.0, 0.9, 1.0])),
    size=SIZE,
)


def motion() -> SkeletonMotion:
    """The walker's rotations and path on the body model, whose skin carries the keypoints."""
    body = load_body()
    walk = walker(FRAMES).motion
    return SkeletonMotion(body.skeleton(np.zeros(body.num_shape)), walk.rotations, walk.root, 30.0)


def write_truth(folder: Path, **changes) -> Path:
    true = motion()
    arrays = {
        "body21": body_keypoints(true).xyz,
        "joints24": kinematics.forward(true.skeleton, true.rotations, true.root)[0],
        "rotations": true.rotations,
        "fps": 30.0,
        "height_m": 1.7,
        "intrinsics": CAMERA.intrinsics,
        "cam_from_world": CAMERA.cam_from_world,
        "size": SIZE,
    }
    arrays |= changes
    (folder / "walk.mp4").touch()
    path = folder / "walk.truth.npz"
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def captured(found: SkeletonMotion, camera: Camera = CAMERA, landmarks: np.ndarray | None = None) -> Capture:
    """A capture with this motion, which saw it without noise."""
    points = body_keypoints(found)
    frames = len(found.root)
    view = Keypoints2D(
        project(camera, points.xyz), np.ones((frames, len(BODY21))), BODY21, found.fps, SIZE, landmarks
    )
    return Capture(
        clips=[Clip(Path("walk.mp4"), Fraction(30), frames, SIZE)],
        cameras=[camera],
        views=[view],
        joints=points,
        motion=found,
        contacts=np.zeros((frames, 4), dtype=bool),
        report={},
    )


def in_another_world(found: SkeletonMotion) -> tuple[SkeletonMotion, Camera]:
    """The same motion before the same camera, told in a world that is turned and shifted."""
    new_from_old = np.eye(4)
    turn = rotations.about_axis("Y", 2.0)
    new_from_old[:3, :3] = rotations.to_matrix(turn)
    new_from_old[:3, 3] = [3.0, 0.0, -1.0]
    told = found.rotations.copy()
    told[:, 0] = rotations.multiply(turn, told[:, 0])
    root = rotations.rotate(turn, found.root) + new_from_old[:3, 3]
    return SkeletonMotion(found.skeleton, told, root, found.fps), moved(CAMERA, new_from_old)


def test_a_perfect_capture_in_its_own_world_scores_zero(tmp_path: Path):
    scores = samples.score(captured(*in_another_world(motion())), truth.read(write_truth(tmp_path)))
    for name in ("mpjpe", "pa_mpjpe", "t_root", "w_mpjpe", "rte", "absolute_mpjpe", "j2d", "yaw_mpjpe"):
        assert scores[name] == pytest.approx(0, abs=1e-6), name
    assert scores["depth_gain"] == pytest.approx(1)
    assert scores["acceleration_error"] == pytest.approx(0, abs=1e-6)
    assert scores["pops"] == scores["joint_pops"] == scores["missing"] == 0


def test_a_wrong_camera_height_shows_in_place_but_not_in_pose(tmp_path: Path):
    found = motion()
    higher = SkeletonMotion(
        found.skeleton, found.rotations, found.root + np.array([0.0, 0.1, 0.0]), found.fps
    )
    scores = samples.score(captured(higher), truth.read(write_truth(tmp_path)))
    assert scores["absolute_mpjpe"] == pytest.approx(100)
    assert scores["mpjpe"] == pytest.approx(0, abs=1e-6)
    assert scores["t_root"] == pytest.approx(0, abs=1e-6)


def test_a_twist_of_one_frame_is_a_pop_of_the_joint_and_not_of_the_bone(tmp_path: Path):
    found = motion()
    broken = found.rotations.copy()
    joint = found.skeleton.layout.at("left_hand")
    broken[30, joint] = rotations.multiply(broken[30, joint], rotations.about_axis("X", np.radians(25)))
    scores = samples.score(
        captured(SkeletonMotion(found.skeleton, broken, found.root, 30.0)), truth.read(write_truth(tmp_path))
    )
    assert scores["joint_pops"] == 2  # there and back
    assert scores["pops"] == 0


def test_bone_turns_are_angles_between_frames():
    joints = np.zeros((2, 24, 3))
    joints[:] = kinematics.rest_positions(motion().skeleton)
    joints[1] = rotations.rotate(rotations.about_axis("Z", np.radians(30)), joints[1])
    bone = (
        joints[0, 1:]
        - joints[0, [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]]
    )
    turned = samples.bone_turns(joints)[0]
    # A bone at an angle a to the axis turns by less: cos = cos^2 a + sin^2 a cos 30.
    lean = (bone[:, 2] / np.linalg.norm(bone, axis=-1)) ** 2
    assert turned == pytest.approx(np.degrees(np.arccos(lean + (1 - lean) * np.cos(np.radians(30)))))


def test_contacts_of_the_truth_decide_where_slide_is_measured(tmp_path: Path):
    contacts = np.zeros((FRAMES, 4), dtype=bool)
    contacts[10:12, 0] = True
    found = motion()
    slid = found.root.copy()
    slid[11:, 0] += 0.007
    true = truth.read(write_truth(tmp_path, contacts=contacts))
    still = samples.score(captured(found), true)["foot_slide"]
    moved_on = samples.score(captured(SkeletonMotion(found.skeleton, found.rotations, slid, 30.0)), true)
    heel = np.diff(true.keypoints[10:12, BODY21.at("left_heel")][:, [0, 2]], axis=0)[0]
    assert still == pytest.approx(1000 * np.linalg.norm(heel))
    assert moved_on["foot_slide"] == pytest.approx(1000 * np.linalg.norm(heel + np.array([0.007, 0])))


def test_each_lifter_runs_with_and_without_what_is_known(tmp_path: Path):
    write_truth(tmp_path)
    asked: list[Options] = []
    in_camera = cam_points(CAMERA, body_keypoints(motion()).xyz)
    hips = in_camera[:, BODY21.index("left_hip", "right_hip")].mean(1, keepdims=True)

    def capture(true: truth.Truth, options: Options) -> Capture:
        asked.append(options)
        return captured(*in_another_world(motion()), landmarks=in_camera - hips)

    steps: list[tuple[int, int]] = []
    rows = samples.samples(
        tmp_path, lifters=["x"], capture=capture, progress=lambda done, total: steps.append((done, total))
    )
    assert [(options.focal, options.height) for options in asked] == [(1100.0, 1.7), (None, None)]
    assert steps == [(1, 2), (2, 2)]
    value = {(row.sequence, row.lifter, row.metric): row.value for row in rows}
    for sequence in ("walk", "all"):
        assert value[sequence, "x", "mpjpe"] == pytest.approx(0, abs=1e-6)
        assert value[sequence, "x (assumed)", "rte"] == pytest.approx(0, abs=1e-6)
        assert value[sequence, "detector", "mpjpe"] == pytest.approx(0, abs=1e-6)
        assert value[sequence, "static", "t_root"] > 500
        assert value[sequence, "truth", "jitter"] > 0


def write_rig(folder: Path) -> tuple[Camera, Camera]:
    """The same motion before two cameras: a folder of its own."""
    place = folder / "pair"
    place.mkdir()
    other = replace(
        CAMERA, name="right", cam_from_world=look_at(np.array([-4.0, 1.6, 3.0]), np.array([0.0, 0.9, 1.0]))
    )
    rig = (replace(CAMERA, name="left"), other)
    write_calibration(rig, place / "cams.json")
    for camera in rig:
        (place / f"{camera.name}.mp4").touch()
    arrays = dict(np.load(write_truth(folder)))
    np.savez(
        place / "truth.npz", **{k: v for k, v in arrays.items() if k not in ("intrinsics", "cam_from_world")}
    )
    return rig


def test_a_take_of_several_cameras_is_captured_once_with_its_cameras(tmp_path: Path):
    rig = write_rig(tmp_path)
    asked = []

    def capture(true: truth.Truth, options: Options) -> Capture:
        asked.append((true.name, len(true.cameras), options.lifter, options.height))
        found = captured(*in_another_world(motion()))
        if len(true.cameras) == 1:
            return found
        assert [video.name for video in true.videos] == ["left.mp4", "right.mp4"]
        assert true.cameras[1].cam_from_world == pytest.approx(rig[1].cam_from_world)
        return replace(found, views=found.views * 2, cameras=list(found.cameras) * 2)

    rows = samples.samples(tmp_path, lifters=["auto", "dlt", "smplify"], capture=capture)
    # What lifts one view meets the clip, what triangulates the take, auto both.
    assert asked == [
        ("walk", 1, "auto", 1.7),
        ("walk", 1, "auto", None),
        ("walk", 1, "smplify", 1.7),
        ("walk", 1, "smplify", None),
        ("pair", 2, "auto", None),
        ("pair", 2, "dlt", None),
    ]
    value = {(row.sequence, row.views, row.lifter, row.metric): row.value for row in rows}
    assert value["pair", 2, "dlt", "absolute_mpjpe"] == pytest.approx(0, abs=1e-6)
    assert value["pair", 2, "truth", "jitter"] > 0
    assert ("all", 2, "auto", "mpjpe") in value and ("all", 1, "auto", "mpjpe") in value


def test_a_take_without_a_video_or_cameras_says_so(tmp_path: Path):
    write_rig(tmp_path)
    path = tmp_path / "pair" / "truth.npz"
    assert truth.find(tmp_path)[-1] == path
    (tmp_path / "pair" / "right.mp4").unlink()
    with pytest.raises(InvalidData, match=r"right\.mp4, which is not there"):
        truth.read(path)
    (tmp_path / "pair" / "cams.json").write_text("{")
    with pytest.raises(CalibrationError, match=r"cams\.json"):
        truth.read(path)


def part_of(found: SkeletonMotion, first: int, frames: int, fps: float = 30.0) -> Capture:
    """A capture of some frames of a motion, told to have begun at `first`."""
    span = slice(first, first + frames)
    cut = SkeletonMotion(found.skeleton, found.rotations[span], found.root[span], fps)
    whole = captured(cut)
    clip = Clip(Path("walk.mp4"), Fraction(fps), len(cut.root), SIZE, start=first / 30)
    return Capture([clip], whole.cameras, whole.views, whole.joints, cut, whole.contacts, {})


def test_a_capture_of_a_part_is_compared_with_that_part(tmp_path: Path):
    true = truth.read(write_truth(tmp_path))
    scores = samples.score(part_of(motion(), first=15, frames=30), true)
    assert scores["absolute_mpjpe"] == pytest.approx(0, abs=1e-6)
    assert scores["missing"] == pytest.approx(50)


def test_a_capture_outside_the_truth_or_of_another_rate_is_refused(tmp_path: Path):
    true = truth.read(write_truth(tmp_path))
    late = part_of(motion(), first=0, frames=FRAMES)
    late = Capture(
        [Clip(Path("walk.mp4"), Fraction(30), FRAMES, SIZE, start=0.1)],
        late.cameras,
        late.views,
        late.joints,
        late.motion,
        late.contacts,
        {},
    )
    with pytest.raises(InvalidData, match=r"walk\.mp4: captured frames 3 to 63"):
        samples.score(late, true)
    with pytest.raises(InvalidData, match=r"at 60 fps, but its truth has 60 at 30"):
        samples.score(part_of(motion(), first=0, frames=20, fps=60.0), true)


def test_contacts_are_found_where_the_truth_has_none(tmp_path: Path):
    true = truth.read(write_truth(tmp_path, rotations=None, size=None))
    assert true.rotations is None and true.cameras[0].size == SIZE
    agree = true.contacts == walker(FRAMES).contacts
    assert agree.mean() > 0.8
    assert "joint_pops" not in samples.score(captured(motion()), true)


def test_bad_truths_say_what_is_wrong(tmp_path: Path):
    with pytest.raises(InvalidData, match="no such folder"):
        truth.find(tmp_path / "nowhere")
    with pytest.raises(InvalidData, match="no sample"):
        truth.find(tmp_path)
    path = write_truth(tmp_path, joints24=None, height_m=None)
    assert truth.find(tmp_path) == [path]
    with pytest.raises(InvalidData, match=r"walk\.truth\.npz lacks joints24, height_m"):
        truth.read(path)
    with pytest.raises(InvalidData, match=r"joints24 must be \[60, 24, 3\]"):
        truth.read(write_truth(tmp_path, joints24=np.zeros((60, 23, 3))))
    with pytest.raises(InvalidData, match=r"walk\.truth\.npz.*rotation"):
        truth.read(write_truth(tmp_path, cam_from_world=np.ones((4, 4))))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InvalidData, match="cannot read"):
        truth.read(path)
    (tmp_path / "walk.mp4").unlink()
    with pytest.raises(InvalidData, match=r"walk\.mp4, which is not there"):
        truth.read(path)
