"""Bad 2D through every stage behind the detector: a clear sentence with its exit code, or the stated fallback."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from mocaplift import store
from mocaplift.cli import cli
from mocaplift.export import EXPORTERS, ExportOptions
from mocaplift.layouts import BODY21
from mocaplift.lift import LIFTERS
from mocaplift.values import Capture, Clip, Keypoints2D
from tests.dancer import HIPS, SIZE, camera, dancer, seen

FPS = 30
LENS = camera()
# Those of one view that learnt how people move.
networks = pytest.mark.parametrize("lifter", [name for name in LIFTERS if name in ("direct", "mvlift")])
FEET = BODY21.index("left_big_toe", "right_big_toe", "left_heel", "right_heel")
ANKLES = BODY21.index("left_ankle", "right_ankle")
NOSE = BODY21.at("nose")


def filmed(frames: int) -> Keypoints2D:
    return replace(seen(dancer(frames), LENS), landmarks=None)


def hidden(view: Keypoints2D, frames: np.ndarray, joints: list[int]) -> Keypoints2D:
    """Return what is left when some joints are not seen in some frames."""
    conf = view.conf.copy()
    conf[np.ix_(frames, joints)] = 0.0
    return replace(view, xy=np.where(conf[..., None] > 0, view.xy, np.nan), conf=conf)


def fit(folder: Path, view: Keypoints2D, lifter: str, *arguments: str) -> Result:
    """Return what `fit` says of keypoints in a file; what it makes is `made.npz`."""
    clip = Clip(Path("dance.mp4"), Fraction(FPS), max(1, len(view.xy)), SIZE)
    source = folder / "dance.keypoints.npz"
    store.save((clip, view), source)
    command = ["fit", str(source), "-o", str(folder / "made.npz"), "--fov", "60", "--lifter", lifter]
    return CliRunner().invoke(cli, [*command, *arguments], prog_name="mocaplift")


def made(folder: Path, view: Keypoints2D, lifter: str, *arguments: str) -> Capture:
    shown = fit(folder, view, lifter, *arguments)
    assert shown.exit_code == 0, shown.output
    capture = store.load(folder / "made.npz")
    assert isinstance(capture, Capture) and np.isfinite(capture.joints.xyz).all()
    return capture


@networks
class TestFallbacks:
    def test_a_clip_far_shorter_than_a_window(self, tmp_path: Path, lifter: str) -> None:
        capture = made(tmp_path, filmed(8), lifter)
        assert len(capture.joints.xyz) == 8
        assert capture.report["reprojection_px"] < 10

    def test_a_person_who_leaves_for_two_seconds_and_returns(self, tmp_path: Path, lifter: str) -> None:
        view = filmed(120)
        gone = np.arange(30, 90)
        capture = made(tmp_path, hidden(view, gone, list(range(21))), lifter)
        assert len(capture.joints.xyz) == 120
        assert capture.report["reprojection_px"] < 10
        # Nobody saw the way, but it leads from where they left to where they returned.
        hips = capture.joints.xyz[:, HIPS].mean(axis=1)
        bound = 0.5 + np.linalg.norm(hips[90] - hips[29])
        assert np.linalg.norm(hips[gone] - hips[29], axis=-1).max() < bound

    def test_ankles_that_are_never_seen(self, tmp_path: Path, lifter: str) -> None:
        view = hidden(filmed(40), np.arange(40), FEET + ANKLES)
        capture = made(tmp_path, view, lifter)
        assert capture.report["reprojection_px"] < 12
        thigh = capture.joints.xyz[:, BODY21.index("left_hip", "left_knee", "left_ankle")]
        shin = np.linalg.norm(thigh[:, 2] - thigh[:, 1], axis=-1)
        np.testing.assert_allclose(shin, shin[0], rtol=1e-3)

    def test_frames_that_show_one_joint(self, tmp_path: Path, lifter: str) -> None:
        view = hidden(filmed(40), np.arange(15, 25), [joint for joint in range(21) if joint != NOSE])
        capture = made(tmp_path, view, lifter)
        assert np.linalg.norm(np.diff(capture.joints.xyz, axis=0), axis=-1).max() < 0.4


@networks
class TestRefusals:
    """What no lifter could make anything of is told before one is asked."""

    def check_refused(self, folder: Path, view: Keypoints2D, lifter: str, code: int, sentence: str) -> None:
        shown = fit(folder, view, lifter)
        assert (shown.exit_code, sentence in shown.stderr) == (code, True), shown.stderr
        assert shown.stderr.startswith("error: dance.mp4: ") and "Traceback" not in shown.output
        assert not (folder / "made.npz").exists()

    def test_nothing_seen(self, tmp_path: Path, lifter: str) -> None:
        everything = hidden(filmed(30), np.arange(30), list(range(21)))
        self.check_refused(tmp_path, everything, lifter, 4, "no keypoint was seen in any frame")

    def test_a_glimpse(self, tmp_path: Path, lifter: str) -> None:
        self.check_refused(tmp_path, filmed(5), lifter, 4, "a motion needs at least 0.2 s")

    def test_one_joint_only(self, tmp_path: Path, lifter: str) -> None:
        view = hidden(filmed(30), np.arange(30), [joint for joint in range(21) if joint != NOSE])
        self.check_refused(tmp_path, view, lifter, 4, "film the whole body, from head to feet")

    @pytest.mark.parametrize("scale", [0.008, 4000.0])
    def test_people_of_three_pixels_or_of_a_million(self, tmp_path: Path, lifter: str, scale: float) -> None:
        view = filmed(30)
        centre = view.xy.mean(axis=(0, 1))
        absurd = replace(view, xy=centre + scale * (view.xy - centre))
        self.check_refused(tmp_path, absurd, lifter, 3, "keypoints must be in pixels")


@pytest.mark.parametrize("frames", [0, 20])
def test_keypoints_of_another_clip_are_no_input(tmp_path: Path, frames: int) -> None:
    """A file may hold anything: here a clip of 30 frames, and keypoints of fewer or none."""
    view = Keypoints2D(np.zeros((frames, 21, 2)), np.ones((frames, 21)), BODY21, FPS, SIZE)
    source = tmp_path / "dance.keypoints.npz"
    store.save((Clip(Path("dance.mp4"), Fraction(FPS), 30, SIZE), view), source)
    for verb in ("lift", "fit"):
        shown = CliRunner().invoke(cli, [verb, str(source)], prog_name="mocaplift")
        assert shown.exit_code == 3
        assert f"keypoints of {frames} frames" in shown.stderr and "clip of 30 frames" in shown.stderr


def test_the_given_height_reaches_all_that_is_delivered(tmp_path: Path) -> None:
    """The acceptance test of scale: skeleton, path, SMPL's joints and BVH's centimetres grow in proportion."""
    heights = (1.5, 1.8)
    lengths = []
    for height in heights:
        capture = made(tmp_path, filmed(40), "direct", "--height", f"{height}", "--overwrite")
        assert capture.report["person_height_m"] == pytest.approx(height, abs=0.005)
        smpl = np.load(BytesIO(EXPORTERS[".smpl.npz"](capture, ExportOptions())))
        bvh = EXPORTERS[".bvh"](capture, ExportOptions()).decode().split("MOTION")[1].splitlines()[3:]
        hips = np.array([line.split()[:3] for line in bvh if line], dtype=float)
        lengths.append(
            {
                "bones": np.linalg.norm(capture.motion.skeleton.offsets, axis=-1).sum(),
                "path": np.linalg.norm(capture.motion.root[-1] - capture.motion.root[0]),
                "smpl bodies": np.ptp(smpl["joints"], axis=1).mean(),
                "smpl path": np.linalg.norm(smpl["trans"][-1] - smpl["trans"][0]),
                "bvh height": hips[:, 1].mean(),
                "bvh path": np.linalg.norm(hips[-1] - hips[0]),
            }
        )
    short, tall = lengths
    for name, length in tall.items():
        assert length / short[name] == pytest.approx(heights[1] / heights[0], rel=0.03), name
