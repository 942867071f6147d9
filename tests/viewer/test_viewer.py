"""The viewer's page: what is in it, that it is the motion, and that no name can break it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mocaplift import cameras, kinematics, rotations, video, viewer
from mocaplift.errors import InvalidData, OutputError
from mocaplift.layouts import BODY21
from mocaplift.values import Camera, Capture, Keypoints2D
from mocaplift.viewer import figures, footage, page, scene
from mocaplift.viewer.packing import packed
from tests.clips import SIZE, numbered, numbers_of, write_clip
from tests.walker import walker

FRAMES = 40
HOSTILE = "</script><img src=x onerror=alert(1)>&\u2028{{data}}.mp4"
CLOSE = 1e-3  # m


def captured(clip_path: Path, names: tuple[str, ...] = ("front",)) -> Capture:
    """Return a person who walks to the left of the picture, seen by cameras of these names at one place."""
    clip = video.probe(clip_path)
    walk = walker(clip.frames, float(clip.fps), heading=0.4)
    pose = cameras.look_at(np.array([0.5, 1.3, 5.0]), np.array([0.3, 0.9, 0.6]))
    lens = cameras.intrinsics_from_fov(60.0, clip.size)
    rig = [Camera(name, lens, np.zeros(5), pose, clip.size) for name in names]
    xy = cameras.project(rig[0], walk.keypoints.xyz)
    seen = Keypoints2D(xy, np.ones(xy.shape[:2]), BODY21, float(clip.fps), clip.size)
    count = len(names)
    return Capture([clip] * count, rig, [seen] * count, walk.keypoints, walk.motion, walk.contacts, {})


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "walk.mp4"
    return write_clip(path, [numbered(number) for number in range(FRAMES)])


@pytest.fixture(scope="module")
def written(clip: Path) -> str:
    path = clip.with_name("walk.html")
    viewer.write(captured(clip), path, title="walk.mp4", facts={"reprojection_px": 2.34, "fps": 29.97003})
    return path.read_text(encoding="utf-8")


def script(text: str, name: str) -> str:
    found = re.search(rf'<script [^>]*id="{name}"[^>]*>(.*?)</script>', text, re.S)
    assert found is not None
    return found[1]


def unpacked(entry: Mapping[str, Any]) -> np.ndarray:
    """Return the numbers of a packed array, decoded by the format's description alone."""
    raw = zlib.decompress(base64.b64decode(entry["data"]))
    count = len(raw) // 4
    folded = [sum(raw[plane * count + place] << 8 * plane for plane in range(4)) for place in range(count)]
    changes = np.array([-(each + 1) // 2 if each % 2 else each // 2 for each in folded], dtype=float)
    by_channel = changes.reshape(-1, entry["shape"][0])
    return (np.cumsum(by_channel, axis=1).T * entry["unit"]).reshape(entry["shape"])


class Elements(HTMLParser):
    """What a browser would make of the page: its elements, and the text that is shown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.inside.append(data)


class TestPacking:
    @given(st.lists(st.lists(st.integers(-(2**29), 2**29), min_size=3, max_size=3), min_size=1, max_size=20))
    def test_whole_numbers_come_back(self, rows: list[list[int]]) -> None:
        values = np.array(rows)
        assert np.array_equal(unpacked(json.loads(json.dumps(packed(values)))), values)

    def test_a_number_is_off_by_half_a_unit_at_most(self) -> None:
        values = np.random.default_rng(3).normal(size=(50, 4, 3))
        assert np.abs(unpacked(packed(values, 0.01)) - values).max() <= 0.005 + 1e-12

    def test_by_hand(self) -> None:
        # 5, then 2 less, then the same: 10, 3, 0 as rises and falls, in the lowest of four planes.
        entry = packed(np.array([[5.0], [3.0], [3.0]]))
        assert zlib.decompress(base64.b64decode(str(entry["data"]))) == bytes([10, 3, 0] + [0] * 9)

    @pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e12])
    def test_what_is_no_number_or_too_large_is_refused(self, wrong: float) -> None:
        with pytest.raises(InvalidData, match="finite numbers"):
            packed(np.array([0.0, wrong]), 0.001)


class TestMotion:
    def test_every_joint_of_every_frame_is_the_motions(self, written: str, clip: Path) -> None:
        capture, data = captured(clip), json.loads(script(written, "data"))
        turns, root = unpacked(data["rotations"]), unpacked(data["root"])
        turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
        xyz, turned = np.zeros((FRAMES, len(data["joints"]), 3)), turns.copy()
        for joint, parent in enumerate(data["parents"]):
            if parent < 0:
                xyz[:, joint] = root
                continue
            turned[:, joint] = rotations.multiply(turned[:, parent], turns[:, joint])
            xyz[:, joint] = xyz[:, parent] + rotations.rotate(
                turned[:, parent], np.array(data["offsets"][joint])
            )
        motion = capture.motion
        wanted, _ = kinematics.forward(motion.skeleton, motion.rotations, motion.root)
        order = motion.skeleton.layout.index(*data["joints"])
        assert np.abs(xyz - wanted[:, order]).max() < CLOSE
        assert np.array_equal(unpacked(data["contacts"]), capture.contacts)
        assert data["fps"] == float(capture.clips[0].fps)

    def test_contact_marks_ride_on_the_feet(self, clip: Path) -> None:
        capture = captured(clip)
        data: Any = scene.describe(capture)
        xyz, turned = kinematics.forward(
            capture.motion.skeleton, capture.motion.rotations, capture.motion.root
        )
        for mark in data["marks"]:
            joint = capture.motion.skeleton.layout.at(data["joints"][mark["bone"]])
            place = xyz[:, joint] + rotations.rotate(turned[:, joint], np.array(mark["place"]))
            assert np.abs(place - capture.joints.xyz[:, BODY21.at(mark["name"])]).max() < CLOSE

    def test_ten_minutes_stay_small(self, clip: Path) -> None:
        """A dancer's turns and path, 18 000 frames with what smoothing leaves of noise: under 5 MB of text."""
        time = np.arange(18_000)[:, None, None] / 30
        rng = np.random.default_rng(0)
        turns = np.sin(rng.uniform(1, 9, (1, 24, 4)) * time + rng.uniform(0, 6, (1, 24, 4)))
        turns += rng.normal(scale=2e-4, size=turns.shape)
        assert len(json.dumps(packed(turns, scene.TURN_UNIT))) < 5e6


class TestPage:
    def test_it_is_one_document_that_asks_for_nothing(self, written: str) -> None:
        elements = Elements(written).tags
        assert [tag for tag, _ in elements].count("html") == 1
        for tag, attributes in elements:
            assert "src" not in attributes, tag
            assert attributes.get("href", "data:").startswith("data:"), tag
        named = [attributes["id"] for _, attributes in elements if attributes.get("id")]
        assert len(named) == len(set(named))
        own = "".join((Path(page.__file__).parent / name).read_text() for name in page._SCRIPTS)
        asked = set(re.findall(r'(?:getElementById|\$|press)\("([\w-]+)"', own))
        assert asked <= set(named), asked - set(named)

    def test_its_policy_names_its_own_scripts_only(self, written: str) -> None:
        policy = html.unescape(re.search(r'Policy" content="([^"]+)"', written)[1])  # type: ignore[index]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        texts = re.findall(r"<script>(.*?)</script>", written, re.S)
        sums = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in texts]
        assert re.findall(r"script-src ([^;]+);", policy) == [" ".join(f"'sha256-{each}'" for each in sums)]

    def test_the_licence_of_three_js_is_in_it(self, written: str) -> None:
        licence = (Path(page.__file__).parent / "three.LICENSE").read_text(encoding="utf-8")
        assert licence.strip() in written

    def test_hostile_names_are_shown_and_do_nothing(self, clip: Path, tmp_path: Path) -> None:
        path = tmp_path / "page.html"
        facts = {"warnings": [HOSTILE], "detector": HOSTILE, "camera_seen_share": {HOSTILE: 1.0}}
        viewer.write(captured(clip, (HOSTILE,)), path, title=HOSTILE, facts=facts)
        text = path.read_text(encoding="utf-8")
        elements = Elements(text)
        assert "img" not in {tag for tag, _ in elements.tags}
        shown = "".join(elements.inside)
        assert shown.count(HOSTILE) == 5  # the window's title, the heading, warning, detector and camera
        assert json.loads(script(text, "data"))["cameras"][0]["name"] == HOSTILE

    def test_a_name_that_is_no_text_is_shown_by_its_bytes(self, clip: Path, tmp_path: Path) -> None:
        viewer.write(captured(clip), tmp_path / "page.html", title="caf\udce9.mp4")
        assert "<h1>caf\\udce9.mp4</h1>" in (tmp_path / "page.html").read_text(encoding="utf-8")


class TestFigures:
    def test_only_what_is_known_is_said(self) -> None:
        facts = {"reprojection_px": 2.34, "person_height_m": 1.7, "scale_source": "prior", "focal_px": None}
        text = figures.as_html(facts)
        assert "<dd>2.3 px</dd>" in text
        assert "<dd>1.70 m (assumed)</dd>" in text
        assert "Focal" not in text
        assert "Repaired" not in text

    def test_every_camera_has_its_line(self) -> None:
        facts = {"camera_seen_share": {"cam1": 0.5, "cam2": None}, "camera_reprojection_px": {"cam1": 3.21}}
        text = figures.as_html(facts)
        assert "<dt>cam1</dt><dd>seen 50 %, off by 3.2 px</dd>" in text
        assert "<dt>cam2</dt><dd>not seen</dd>" in text

    def test_the_line_about_the_take(self) -> None:
        facts = {"duration_s": 5.2, "frames": 156, "fps": 30000 / 1001, "person": 2, "people": 3}
        assert figures.subtitle(facts) == "5.2 s · 156 frames at 29.97 fps · person 2 of 3"
        assert figures.subtitle({}) == ""


class TestFootage:
    def test_it_has_the_clips_pictures_at_the_motions_times(self, clip: Path, tmp_path: Path) -> None:
        (film,) = footage.films(captured(clip))
        assert film is not None
        (tmp_path / "film.mp4").write_bytes(film)
        again = video.probe(tmp_path / "film.mp4")
        assert again.size == SIZE
        assert float(again.fps) == pytest.approx(30000 / 1001)
        assert numbers_of(video.frames(again)) == list(range(FRAMES))

    def test_part_of_a_clip_begins_at_the_motions_first_frame(self, clip: Path, tmp_path: Path) -> None:
        part = video.probe(clip, start=10 / 29.97, end=30 / 29.97)
        whole = captured(clip)
        cut = replace(
            whole,
            clips=[part],
            views=[replace(each, xy=each.xy[10:30], conf=each.conf[10:30]) for each in whole.views],
            joints=replace(whole.joints, xyz=whole.joints.xyz[10:30], sigma=whole.joints.sigma[10:30]),
            motion=replace(
                whole.motion, rotations=whole.motion.rotations[10:30], root=whole.motion.root[10:30]
            ),
            contacts=whole.contacts[10:30],
        )
        (film,) = footage.films(cut)
        assert film is not None
        (tmp_path / "film.mp4").write_bytes(film)
        assert numbers_of(video.frames(video.probe(tmp_path / "film.mp4"))) == list(range(10, 30))

    def test_of_fast_cameras_every_other_picture_is_kept(self, tmp_path: Path) -> None:
        path = write_clip(tmp_path / "fast.mp4", [numbered(number) for number in range(24)], fps=120)
        (film,) = footage.films(captured(path))
        assert film is not None
        (tmp_path / "film.mp4").write_bytes(film)
        assert video.probe(tmp_path / "film.mp4").fps == 60
        assert numbers_of(video.frames(video.probe(tmp_path / "film.mp4"))) == list(range(0, 24, 2))

    def test_a_long_take_gets_a_smaller_picture(self, clip: Path) -> None:
        hd = replace(video.probe(clip), size=(1920, 1080))
        usual = footage._size(hd, footage.USUAL_RATE, hd.fps)
        least = footage._size(hd, footage.LEAST_RATE, hd.fps)
        assert usual == (640, 360)
        assert 200 < least[0] < 300

    def test_noise_does_not_pass_the_limit(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        rng = np.random.default_rng(1)
        images = [rng.integers(0, 255, (90, 160, 3), dtype=np.uint8) for _ in range(120)]
        path = write_clip(tmp_path / "noise.mp4", images, fps=30)
        monkeypatch.setattr(footage, "LARGEST", 100_000)
        films = footage.films(captured(path, ("a", "b")))
        assert sum(len(film) for film in films if film is not None) < 1.3 * footage.LARGEST

    def test_a_take_that_is_too_long_has_none(self, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(footage, "LARGEST", 1000)
        assert footage.films(captured(clip, ("a", "b"))) == [None, None]


class TestWriting:
    def test_a_failure_leaves_what_was_there(self, clip: Path, tmp_path: Path) -> None:
        path = tmp_path / "page.html"
        path.write_text("before")
        gone = captured(clip)
        gone = replace(gone, clips=[replace(gone.clips[0], path=tmp_path / "gone.mp4")])
        with pytest.raises(Exception, match=r"gone\.mp4"):
            viewer.write(gone, path, title="walk")
        assert path.read_text() == "before"
        assert [each.name for each in tmp_path.iterdir()] == ["page.html"]

    def test_the_video_is_never_overwritten(self, clip: Path) -> None:
        with pytest.raises(OutputError, match="would replace the video"):
            viewer.write(captured(clip), clip, title="walk")

    def test_progress_counts_the_pictures_of_all_cameras(self, clip: Path, tmp_path: Path) -> None:
        told: list[tuple[int, int]] = []
        viewer.write(
            captured(clip, ("a", "b")),
            tmp_path / "page.html",
            title="walk",
            progress=lambda done, total: told.append((done, total)),
        )
        assert told == [(done, 2 * FRAMES) for done in range(1, 2 * FRAMES + 1)]
