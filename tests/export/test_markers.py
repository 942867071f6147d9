"""TRC and C3D, read by readers of others: a parser of fifteen lines, and the package c3d."""

import builtins
import io
from fractions import Fraction

import numpy as np
import pytest

from mocaplift import kinematics
from mocaplift.body import body_keypoints, load_body
from mocaplift.errors import InvalidData, MissingDependency
from mocaplift.evaluate.trc import read as read_ours
from mocaplift.export import EXPORTERS, ExportOptions, rig
from mocaplift.export.markers import marker_name, markers_of
from mocaplift.layouts import BODY21, SMPL24
from mocaplift.values import Layout, Skeleton, SkeletonMotion
from tests.walker import walker

PLAIN = ExportOptions()


def read_trc(content: bytes) -> tuple[dict[str, np.ndarray], dict[str, str], np.ndarray]:
    """Return points by marker in the file's unit, the facts, and the times."""
    lines = content.decode().splitlines()
    facts = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    names = [name for name in lines[3].split("\t")[2:] if name]
    table = np.array([line.split("\t") for line in lines[5:]], dtype=float)
    assert lines[4].split("\t")[2:] == [f"{axis}{k + 1}" for k in range(len(names)) for axis in "XYZ"]
    assert table[:, 0].tolist() == list(range(1, len(table) + 1))
    points = table[:, 2:].reshape(len(table), len(names), 3)
    return {name: points[:, k] for k, name in enumerate(names)}, facts, table[:, 1]


def read_c3d(content: bytes) -> tuple[dict[str, np.ndarray], float, object]:
    """Return points by marker in the file's unit, the rate, and the reader."""
    c3d = pytest.importorskip("c3d")
    with pytest.warns(UserWarning):  # "No analog data found"
        reader = c3d.Reader(io.BytesIO(content))
        frames = np.stack([points[:, :3] for _, points, _ in reader.read_frames()])
    return (
        {name.strip(): frames[:, k] for k, name in enumerate(reader.point_labels)},
        reader.point_rate,
        reader,
    )


def fitted(frames: int = 4, fps: float = 30.0) -> SkeletonMotion:
    """Return a motion on a skeleton of our body model."""
    body = load_body()
    walk = walker(frames, fps=fps).motion
    return SkeletonMotion(body.skeleton(np.zeros(body.num_shape)), walk.rotations, walk.root, fps)


def test_a_trc_file_is_in_millimetres_with_y_up():
    walk = walker(7)
    points, facts, times = read_trc(EXPORTERS[".trc"](walk.motion, PLAIN))
    own = kinematics.joints_of(walk.motion).xyz
    assert facts["Units"] == "mm" and facts["NumFrames"] == "7" and facts["NumMarkers"] == "24"
    assert float(facts["DataRate"]) == 30.0
    np.testing.assert_allclose(times, np.arange(7) / 30, atol=1e-9)
    for joint, name in (("left_wrist", "LWrist"), ("right_foot", "RFoot"), ("spine2", "Spine2")):
        np.testing.assert_allclose(points[name], 1000 * own[:, SMPL24.at(joint)], atol=1e-4)
    # By hand: the walker's pelvis is 85.7 cm high at first, its left hip to the left, which is +X.
    np.testing.assert_allclose(points["Pelvis"][0], [0, 857, 0], atol=1e-4)
    assert points["LHip"][0, 0] > 80 > -80 > points["RHip"][0, 0]


def test_a_c3d_file_is_in_millimetres_with_z_up():
    walk = walker(7, fps=29.97002997)
    points, rate, reader = read_c3d(EXPORTERS[".c3d"](walk.motion, PLAIN))
    own = kinematics.joints_of(walk.motion).xyz
    assert rate == np.float32(30000 / 1001)
    assert (reader.first_frame, reader.last_frame) == (1, 7)
    assert reader.get("POINT").get("UNITS").string_value.strip() == "mm"
    assert reader.get("POINT").get("Y_SCREEN").string_value.strip() == "+Z"
    for joint, name in (("left_wrist", "LWrist"), ("right_foot", "RFoot"), ("head", "Head")):
        x, y, z = 1000 * own[:, SMPL24.at(joint)].T
        np.testing.assert_allclose(points[name], np.stack([x, -z, y], axis=-1), atol=1e-3)


def test_a_fitted_motion_has_keypoints_and_the_joints_that_are_none():
    motion = fitted()
    points, _, _ = read_trc(EXPORTERS[".trc"](motion, PLAIN))
    skin = body_keypoints(motion).xyz
    assert len(points) == 21 + 24 - 12  # twelve joints of the limbs are keypoints themselves
    for joint, name in (("left_heel", "LHeel"), ("right_big_toe", "RBigToe"), ("nose", "Nose")):
        np.testing.assert_allclose(points[name], 1000 * skin[:, BODY21.at(joint)], atol=1e-4)
    assert {"Pelvis", "Spine3", "Neck", "LHand", "RKnee"} <= set(points)


def test_our_own_reader_of_the_benchmarks_agrees(tmp_path):
    (tmp_path / "a.trc").write_bytes(EXPORTERS[".trc"](fitted(), PLAIN))
    again, want = read_ours(tmp_path / "a.trc"), markers_of(fitted(), PLAIN)
    assert again.names == want.names and again.fps == 30.0
    np.testing.assert_allclose(again.xyz, want.xyz, atol=1e-7)


def test_another_rate_and_the_spot_are_those_of_the_options():
    markers = markers_of(walker(31, fps=30.0).motion, ExportOptions(fps="60", in_place=True))
    assert markers.fps == Fraction(60) and len(markers.xyz) == 61
    np.testing.assert_allclose(markers.xyz[:, 0, [0, 2]], 0, atol=1e-12)


@pytest.mark.parametrize(("fps", "minutes"), [(30000 / 1001, 10), (24000 / 1001, 10)])
def test_times_stay_in_step(fps, minutes):
    frames = round(fps * 60 * minutes)
    still = Skeleton(Layout("one", ("a",)), (-1,), np.zeros((1, 3)))
    motion = SkeletonMotion(still, np.tile([1.0, 0, 0, 0], (frames, 1, 1)), np.zeros((frames, 3)), fps)
    _, _, times = read_trc(EXPORTERS[".trc"](motion, PLAIN))
    assert abs(times[-1] - (frames - 1) / fps) < 1e-8


def test_bones_of_another_rig_keep_their_names():
    rigged = rig(walker(3).motion, ExportOptions(template="mixamo"))
    points, _, _ = read_trc(EXPORTERS[".trc"](rigged, PLAIN))
    assert list(points) == list(rigged.names)
    np.testing.assert_allclose(points[rigged.names[5]], 1000 * rigged.world()[0][:, 5], atol=1e-4)


def test_blanks_in_names_do_not_shift_columns():
    skeleton = Skeleton(Layout("two", ("the root", "a\tleaf")), (-1, 0), np.array([[0, 0, 0], [0, 1.0, 0]]))
    motion = SkeletonMotion(skeleton, np.tile([1.0, 0, 0, 0], (2, 2, 1)), np.zeros((2, 3)), 30.0)
    points, _, _ = read_trc(EXPORTERS[".trc"](motion, PLAIN))
    np.testing.assert_allclose(points["a_leaf"], [[0, 1000, 0]] * 2)


@pytest.mark.parametrize(
    ("joint", "name"),
    [("left_big_toe", "LBigToe"), ("spine3", "Spine3"), ("right_ear", "REar"), ("nose", "Nose")],
)
def test_names_of_markers(joint, name):
    assert marker_name(joint) == name


def test_c3d_without_its_library_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "ezc3d":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependency, match=r"pip install 'mocaplift\[c3d\]'"):
        EXPORTERS[".c3d"](walker(2).motion, PLAIN)


def test_c3d_says_how_long_it_can_be():
    still = Skeleton(Layout("one", ("a",)), (-1,), np.zeros((1, 3)))
    motion = SkeletonMotion(still, np.tile([1.0, 0, 0, 0], (70_000, 1, 1)), np.zeros((70_000, 3)), 120.0)
    with pytest.raises(InvalidData, match="65535 frames, but the motion has 70000"):
        EXPORTERS[".c3d"](motion, PLAIN)
