"""The real mmpose, its shipped configurations and random weights: the path that a user's checkpoint takes."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mocaplift import video
from mocaplift.detect import detect, openmmlab, stand_ins
from mocaplift.detect.openmmlab import fetch_weights, find_config
from mocaplift.errors import ConfigError, MissingDependency, WeightsError
from mocaplift.layouts import BODY21
from tests.clips import write_clip
from tests.detect.conftest import SMALL, need_mmpose
from tests.detect.figure import canvas, draw

need_mmpose()

from mocaplift.detect import mmpose  # noqa: E402 - after the check that it can be tested

COCO = "rtmpose-t_8xb256-420e_coco-256x192"
WHOLEBODY = "rtmpose-t_8xb64-270e_coco-ubody-wholebody-256x192"


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    mmpose.import_mmpose()


@pytest.fixture(scope="module")
def detector(random_checkpoint: Path) -> mmpose.MMPoseDetector:
    return mmpose.load(str(random_checkpoint), config=SMALL)


def test_real_inference_gives_body21_with_feet(detector: mmpose.MMPoseDetector) -> None:
    (person,) = detector.fresh()(draw(canvas(), 320, 60))
    assert person.xy.shape == (len(BODY21), 2)
    assert (person.conf > 0).all(), "Halpe's points include toes and heels"
    # Whatever random weights say, points lie in the box that was read, widened as mmpose does.
    assert (person.xy > -400).all() and (person.xy < 1100).all()


def test_points_move_with_the_box_by_whole_pixels(detector: mmpose.MMPoseDetector) -> None:
    """The same pixels in a box elsewhere: every point is exactly as far from it."""
    small = draw(canvas((300, 420)), 150, 30)
    box = np.array([20.0, 10.0, 279.0, 409.0])
    ((points, scores),) = detector.read(small, [box])
    large = np.full((700, 800, 3), 128, np.uint8)
    large[:] = small[0, 0]
    large[137 : 137 + 420, 201 : 201 + 300] = small
    ((moved, moved_scores),) = detector.read(large, [box + np.array([201, 137, 201, 137])])
    off = np.abs(moved - points - [201, 137]).max(axis=1)
    # Random weights leave near ties, which rounding may decide the other way.
    assert (off < 1e-3).mean() > 0.7
    assert np.allclose(scores, moved_scores, rtol=2e-2)


def test_the_pixel_convention_on_a_drawn_target(
    detector: mmpose.MMPoseDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that points at the brightest pixel of what it is shown points at the pixel that was painted."""
    target = (333, 207)
    image = np.zeros((480, 640, 3), np.uint8)
    image[target[1] - 3 : target[1] + 4, target[0] - 3 : target[0] + 4] = 255

    def brightest(batch: dict[str, Any]) -> list[Any]:
        shown = batch["inputs"][0].numpy().astype(float).sum(axis=0)
        y, x = np.mgrid[: shown.shape[0], : shown.shape[1]]
        at = np.array([(x * shown).sum(), (y * shown).sum()]) / shown.sum()
        sample = batch["data_samples"][0]
        meta = sample.metainfo
        scale = np.asarray(meta["input_scale"]).reshape(2)
        # mmpose's own way back from the network's input to the picture (TopdownPoseEstimator).
        xy = at / meta["input_size"] * scale + np.asarray(meta["input_center"]).reshape(2) - 0.5 * scale

        class Found:
            class pred_instances:
                keypoints = np.tile(xy, (1, 26, 1))
                keypoint_scores = np.ones((1, 26))

        return [Found()]

    monkeypatch.setattr(detector._network, "test_step", brightest)
    ((points, _),) = detector.read(image, [np.array([250.0, 100.0, 420.0, 330.0])])
    assert np.abs(points - target).max() < 0.35


def test_a_coco_network_lacks_the_feet(tmp_path: Path) -> None:
    import torch

    network = mmpose.build(find_config("mmpose", COCO))
    torch.save(network.state_dict(), tmp_path / "coco.pth")
    found = mmpose.load(str(tmp_path / "coco.pth"), config=COCO)
    (person,) = found(draw(canvas(), 320, 60))
    feet = BODY21.index("left_big_toe", "right_big_toe", "left_heel", "right_heel")
    others = [place for place in range(len(BODY21)) if place not in feet]
    assert (person.conf[feet] == 0).all() and np.isnan(person.xy[feet]).all()
    assert (person.conf[others] > 0).all()


def test_wholebody_names_map_onto_body21() -> None:
    network = mmpose.build(find_config("mmpose", WHOLEBODY))
    places = mmpose._places(network.dataset_meta)
    assert set(places) == set(BODY21.joints)
    # COCO-WholeBody: 17 body points, then left big toe, left small toe, left heel, and the right ones.
    assert [places[joint] for joint in ("nose", "left_big_toe", "left_heel", "right_heel")] == [0, 17, 19, 22]


def test_networks_for_other_things_are_refused() -> None:
    with pytest.raises(ConfigError, match="not for bodies"):
        mmpose.build(find_config("mmpose", "rtmpose-m_8xb256-210e_hand5-256x256"))
    with pytest.raises(ConfigError, match="top-down"):
        mmpose.build(find_config("mmpose", "dekr_hrnet-w32_8xb10-140e_coco-512x512"))


def test_an_unknown_config_suggests_near_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean rtmpose-m_8xb512-700e_body8-halpe26-256x192"):
        mmpose.load("x.pth", config="rtmpose-m_body8-halpe26-256x192")
    with pytest.raises(ConfigError, match=r"nowhere/my\.py: no such mmpose configuration"):
        mmpose.load("x.pth", config="nowhere/my.py")


def test_a_broken_config_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("model = dict(\n")
    with pytest.raises(ConfigError, match=r"broken\.py: not a readable"):
        mmpose.load("x.pth", config=str(path))
    path.write_text("model = dict(type='TopdownPoseEstimator', backbone=dict(type='NoSuchNet'))\n")
    with pytest.raises(ConfigError, match="cannot build"):
        mmpose.load("x.pth", config=str(path))


def test_a_checkpoint_of_another_network_is_named(random_checkpoint: Path, tmp_path: Path) -> None:
    import torch

    with pytest.raises(WeightsError, match="another network"):
        mmpose.load(str(random_checkpoint), config=COCO)
    torch.save({"state_dict": {"backbone.stem.weight": torch.zeros(3)}}, tmp_path / "part.pth")
    with pytest.raises(WeightsError, match="lacks"):
        mmpose.load(str(tmp_path / "part.pth"), config=SMALL)


def test_a_missing_checkpoint_is_named() -> None:
    with pytest.raises(WeightsError, match=r"none\.pth: no such checkpoint"):
        mmpose.load("none.pth", config=SMALL)


def test_an_impossible_device_is_named(random_checkpoint: Path) -> None:
    with pytest.raises(ConfigError, match="device"):
        mmpose.load(str(random_checkpoint), device="gpu:7", config=SMALL)


class TestFetching:
    def config(self) -> Path:
        return find_config("mmpose", SMALL)

    def test_the_address_comes_from_mmposes_own_index(self) -> None:
        url = openmmlab.weights_url(self.config())
        assert url is not None and url.startswith("https://") and "rtmpose-t" in url and url.endswith(".pth")

    def test_it_is_fetched_once_and_checked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        content = b"weights"
        name = f"net-{hashlib.sha256(content).hexdigest()[:8]}_20230605.pth"
        calls: list[str] = []

        def answer(url: str, timeout: float) -> io.BytesIO:
            calls.append(url)
            return io.BytesIO(content)

        monkeypatch.setattr(openmmlab, "weights_url", lambda config: f"https://example.org/{name}")
        monkeypatch.setattr(urllib.request, "urlopen", answer)
        first = fetch_weights(self.config(), tmp_path)
        assert first.read_bytes() == content
        assert fetch_weights(self.config(), tmp_path) == first
        assert len(calls) == 1

    def test_a_damaged_download_leaves_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            openmmlab, "weights_url", lambda config: "https://example.org/net-00000000_20230605.pth"
        )
        monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: io.BytesIO(b"half"))
        with pytest.raises(WeightsError, match="arrived damaged"):
            fetch_weights(self.config(), tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_without_a_network_it_says_what_to_do(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def offline(url: str, timeout: float) -> None:
            raise urllib.error.URLError("no route to host")

        monkeypatch.setattr(urllib.request, "urlopen", offline)
        with pytest.raises(WeightsError, match="--detector-weights FILE"):
            fetch_weights(self.config(), tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_an_own_config_has_no_published_weights(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.py"
        path.write_text("model = dict()\n")
        with pytest.raises(WeightsError, match="give your own"):
            fetch_weights(path, tmp_path)


class TestMissing:
    def test_the_message_holds_both_commands(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(openmmlab, "missing", lambda: ["mmpose", "mmengine"])
        with pytest.raises(MissingDependency) as caught:
            mmpose.load()
        assert "pip install 'mocaplift[mmpose]'" in str(caught.value)
        assert "pip install --no-deps mmpose==1.3.2" in str(caught.value)

    def test_versions_are_told(self) -> None:
        assert openmmlab.versions()["mmpose"].startswith("1.")
        assert openmmlab.missing() == []

    def test_stand_ins_refuse_when_used(self) -> None:
        if not stand_ins.is_stand_in("xtcocotools.coco"):
            pytest.skip("xtcocotools is really installed here")
        from xtcocotools.coco import COCO as Reader

        with pytest.raises(MissingDependency, match="COCO annotations"):
            Reader("annotations.json")
        with pytest.raises(AttributeError, match="not installed"):
            sys.modules["xtcocotools.coco"].anything  # noqa: B018 - looking it up is the test

    def test_what_is_installed_is_not_replaced(self) -> None:
        code = (
            "import sys, types\n"
            "real = types.ModuleType('xtcocotools'); real.__path__ = []\n"
            "coco = types.ModuleType('xtcocotools.coco'); coco.COCO = int; real.coco = coco\n"
            "sys.modules.update({'xtcocotools': real, 'xtcocotools.coco': coco})\n"
            "from mocaplift.detect import stand_ins\n"
            "names = stand_ins.install()\n"
            "print('xtcocotools.coco' in names, sys.modules['xtcocotools.coco'].COCO is int)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "False True"


def test_a_whole_clip_runs_through_it(detector: mmpose.MMPoseDetector, tmp_path: Path) -> None:
    """With random weights nobody knows what is found; but it runs, says what it is, and keeps the frames."""
    clip = video.probe(write_clip(tmp_path / "a.mp4", [draw(canvas((320, 400)), 160, 20)] * 3, fps=30))
    told: list[int] = []
    sighting = detect(clip, detector, progress=lambda done, total: told.append(done), camera_motion=False)
    assert told == [1, 2, 3]
    assert sighting.facts["detector"] == "mmpose"
    assert sighting.facts["detector_network"] == SMALL
    assert str(sighting.facts["detector_boxes"]).startswith("mediapipe finder")
    assert (
        sighting.facts["detector_weights_sha256"]
        == hashlib.sha256(Path(str(sighting.facts["detector_weights"])).read_bytes()).hexdigest()
    )
    assert all(len(track.keypoints.xy) == 3 for track in sighting.tracks)
