"""The page in a real browser: it runs without complaint, shows the motion, and stays in step with the video."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mocaplift import cameras, kinematics, viewer
from mocaplift.viewer import footage
from tests.clips import number_of, numbered, write_clip
from tests.viewer.browser import PROGRAM, Browser, browser
from tests.viewer.test_viewer import FRAMES, HOSTILE, captured

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")

LAPTOP, PHONE = (1280, 800), (390, 844)  # CSS px
PLACES = "stage.joints().map(({x, y, z}) => [x, y, z])"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "walk.mp4"
    return write_clip(path, [numbered(number) for number in range(FRAMES)])


@pytest.fixture(scope="module")
def page(clip: Path) -> Path:
    path = clip.with_name("walk.html")
    viewer.write(captured(clip, ("left side", "right side")), path, title="walk.mp4", facts={"fps": 29.97})
    return path


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert PROGRAM is not None
    if subprocess.run([PROGRAM, "--version"], capture_output=True).returncode != 0:
        pytest.skip(f"{PROGRAM} does not start")
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def opened(tab: Browser, page: Path) -> Browser:
    """The page as it begins, loaded once: at the first frame, still, seen by the camera that follows."""
    tab.show(*LAPTOP)
    if tab.ask("location.href") != page.resolve().as_uri():
        tab.open(page)
    tab.ask(
        "app.play(false); app.setClip(0); app.setView('follow'); app.seek(0);"
        "for (const layer of ['body', 'skeleton', 'contacts']) stage.setLayer(layer, true)"
    )
    tab.wait("$('video').readyState >= 2 && !$('video').seeking")
    return tab


def shown_number(tab: Browser) -> int:
    """Return which of the numbered pictures the video shows."""
    address = tab.ask(
        "(() => { const film = document.getElementById('video'), sheet = document.createElement('canvas');"
        "[sheet.width, sheet.height] = [film.videoWidth, film.videoHeight];"
        "sheet.getContext('2d').drawImage(film, 0, 0); return sheet.toDataURL(); })()"
    )
    content = np.frombuffer(base64.b64decode(address.partition(",")[2]), dtype=np.uint8)
    return number_of(cv2.imdecode(content, cv2.IMREAD_COLOR))


def stage_picture(tab: Browser) -> np.ndarray:
    """Return what is seen where the stage is, [H W 3]."""
    tab.ask("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    content = np.frombuffer(tab.picture(), dtype=np.uint8)
    image = cv2.imdecode(content, cv2.IMREAD_COLOR)
    box = tab.ask("JSON.parse(JSON.stringify(document.getElementById('stage').getBoundingClientRect()))")
    scale = image.shape[1] / tab.ask("innerWidth")
    top, left, bottom, right = (round(box[side] * scale) for side in ("top", "left", "bottom", "right"))
    return image[top:bottom, left:right]


def test_it_runs_without_complaint_and_asks_no_network(opened: Browser) -> None:
    opened.ask("app.play(true); 0")
    opened.wait("app.state().frame > 3")
    opened.ask("app.play(false); 0")
    for view in ("orbit", "shot", "follow"):
        opened.ask(f"app.setView('{view}'); 0")
        stage_picture(opened)
    assert opened.problems == []
    assert {request.partition(":")[0] for request in opened.requests} <= {"file", "blob", "data"}


def test_every_joint_stands_where_the_motion_has_it(opened: Browser, clip: Path) -> None:
    motion = captured(clip).motion
    wanted, _ = kinematics.forward(motion.skeleton, motion.rotations, motion.root)
    order = motion.skeleton.layout.index(*opened.ask("JSON.parse($('data').textContent).joints"))
    for frame in (0, 1, 17, FRAMES - 1):
        opened.ask(f"app.seek({frame}); stage.show({frame})")
        assert np.abs(np.array(opened.ask(PLACES)) - wanted[frame, order]).max() < 1e-3


def test_points_are_projected_as_by_our_cameras(opened: Browser, clip: Path) -> None:
    capture = captured(clip)
    lens = replace(capture.cameras[0], distortion=np.array([-0.2, 0.05, 0.002, -0.001, 0.01]))
    point = np.array([0.4, 1.2, 0.3])
    said = {name: getattr(lens, name).tolist() for name in ("cam_from_world", "intrinsics", "distortion")}
    opened.ask(f"window.lens = {json.dumps(said)}; 0")
    found = opened.ask("project(lens, {x: 0.4, y: 1.2, z: 0.3})")
    assert np.allclose(found, cameras.project(lens, point), atol=1e-6)
    behind = dict(zip("xyz", np.linalg.inv(lens.cam_from_world) @ (0, 0, -1, 1), strict=False))
    assert opened.ask(f"project(lens, {json.dumps(behind)})") is None


def test_the_shots_camera_sees_the_body_where_the_video_does(opened: Browser, clip: Path) -> None:
    capture = captured(clip)
    opened.ask("app.setView('shot'); app.seek(10); stage.show(10); 0")
    places = np.array(opened.ask(PLACES))
    wanted = cameras.project(capture.cameras[0], places)
    box = opened.ask("stage.box()")
    found = np.array(opened.ask(
        "stage.joints().map((joint) => joint.project(stage.eye()))"
        ".map(({x, y}) => [(x + 1) / 2 * $('scene').clientWidth, (1 - y) / 2 * $('scene').clientHeight])"
    ))  # fmt: skip
    scale = box["width"] / capture.clips[0].size[0]
    assert np.allclose(found, (wanted + 0.5) * scale + (box["left"], box["top"]), atol=0.05)


@pytest.mark.parametrize("frame", [0, 1, 13, 26, FRAMES - 1])
def test_the_video_shows_the_frame_that_is_sought(opened: Browser, frame: int) -> None:
    opened.ask(f"app.seek({frame}); 0")
    opened.wait("!document.getElementById('video').seeking")
    assert shown_number(opened) == frame


def test_many_wishes_end_at_the_last(opened: Browser) -> None:
    opened.ask("for (let frame = 0; frame < 30; frame++) app.seek(frame); app.seek(7); 0")
    opened.wait("!document.getElementById('video').seeking")
    opened.ask("new Promise((done) => setTimeout(done, 300))")
    assert shown_number(opened) == 7


def test_motion_and_video_play_in_step(opened: Browser) -> None:
    opened.ask("app.seek(0); $('speed').value = '0.25'; $('speed').dispatchEvent(new Event('change')); 0")
    opened.ask("app.play(true); 0")
    for moment in (5, 12, 20):
        opened.wait(f"app.state().frame >= {moment}")
        before, number, after = (
            opened.ask("app.state().frame"),
            shown_number(opened),
            opened.ask("app.state().frame"),
        )
        assert before - 2 <= number <= after + 2
    opened.ask("app.play(false); $('speed').value = '1'; $('speed').dispatchEvent(new Event('change')); 0")


def test_it_begins_again_at_the_end_or_stops_there(opened: Browser) -> None:
    opened.ask(f"app.seek({FRAMES - 4}); app.play(true); 0")
    opened.wait("app.state().frame < 10")
    opened.ask(f"$('loop').click(); app.seek({FRAMES - 4}); 0")
    opened.wait(f"$('video').paused && app.state().frame === {FRAMES - 1}")
    opened.ask("$('loop').click()")
    assert not opened.ask("$('play').classList.contains('is-playing')")


def test_the_body_is_drawn_and_can_be_hidden(opened: Browser) -> None:
    with_all = stage_picture(opened)
    opened.ask("for (const layer of ['body', 'skeleton', 'contacts']) stage.setLayer(layer, false); 0")
    without = stage_picture(opened)
    is_body = np.abs(with_all.astype(int) - without).max(axis=-1) > 12
    assert 0.02 < is_body.mean() < 0.4
    rows = np.flatnonzero(is_body.any(axis=1))
    assert np.ptp(rows) > 0.5 * len(with_all)


def test_keys_and_buttons_work(opened: Browser) -> None:
    opened.ask("app.seek(5); 0")
    for key, code in (("ArrowRight", 6), ("ArrowLeft", 5), ("End", FRAMES - 1), ("Home", 0)):
        opened.call("Input.dispatchKeyEvent", type="keyDown", key=key)
        assert opened.ask("app.state().frame") == code
    opened.ask("document.querySelector('[data-view=shot]').click(); 0")
    assert opened.ask("document.querySelector('[data-view=shot]').getAttribute('aria-pressed')") == "true"
    assert opened.ask("$('backdrop').hidden") is False


def test_the_timeline_is_dragged(opened: Browser) -> None:
    box = opened.ask("JSON.parse(JSON.stringify($('timeline').getBoundingClientRect()))")
    place = {"x": box["left"] + box["width"] / 2, "y": box["top"] + 15, "button": "left", "clickCount": 1}
    opened.call("Input.dispatchMouseEvent", type="mousePressed", **place)
    assert abs(opened.ask("app.state().frame") - (FRAMES - 1) / 2) <= 1
    place["x"] = box["right"] - 2
    opened.call("Input.dispatchMouseEvent", type="mouseMoved", buttons=1, **place)
    assert opened.ask("app.state().frame") == FRAMES - 1
    opened.call("Input.dispatchMouseEvent", type="mouseReleased", **place)


def test_of_several_cameras_one_is_chosen(opened: Browser) -> None:
    assert opened.ask("[...$('clips').children].map((each) => each.textContent)") == [
        "left side",
        "right side",
    ]
    before = opened.ask("$('video').src")
    opened.ask("app.setClip(1); app.seek(9); 0")
    opened.wait("$('video').readyState >= 2 && !$('video').seeking")
    assert opened.ask("$('video').src") != before
    opened.wait("Math.abs($('video').currentTime - 9.5 / 29.97) < 0.01")
    assert shown_number(opened) == 9
    assert opened.problems == []


@pytest.mark.parametrize(("size", "is_phone"), [(LAPTOP, False), (PHONE, True), (PHONE[::-1], True)])
@pytest.mark.parametrize("is_dark", [False, True])
def test_it_fits_the_window(
    tab: Browser, page: Path, size: tuple[int, int], is_phone: bool, is_dark: bool
) -> None:
    tab.show(*size, is_phone=is_phone, is_dark=is_dark)
    tab.open(page)
    assert tab.ask("document.documentElement.scrollWidth") <= size[0]
    for name in ("stage", "play", "timeline", "speed"):
        box = tab.ask(f"JSON.parse(JSON.stringify($('{name}').getBoundingClientRect()))")
        assert box["left"] >= 0, name
        assert box["right"] <= size[0], name
        assert box["bottom"] <= size[1], name
        assert box["width"] * box["height"] > 300, name
    ground = stage_picture(tab)[80:90, 10:20].mean()
    assert ground < 80 if is_dark else ground > 180


def test_hostile_names_run_nothing(tab: Browser, clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "<img src=x onerror=alert(1)>.html"
    facts = {"warnings": [HOSTILE], "detector": HOSTILE}
    viewer.write(captured(clip, (HOSTILE, "other")), path, title=HOSTILE, facts=facts)
    tab.show(*LAPTOP)
    tab.open(path)
    assert tab.ask("document.title") == HOSTILE
    assert tab.ask("$('clips').firstElementChild.textContent") == HOSTILE
    assert tab.ask("document.images.length") == 0
    assert tab.problems == []


def test_a_take_without_a_video_plays_by_the_time_that_passes(
    tab: Browser, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(footage, "LARGEST", 1000)
    viewer.write(captured(clip), tmp_path / "page.html", title="walk")
    tab.show(*LAPTOP)
    tab.open(tmp_path / "page.html")
    assert "too long" in tab.ask("$('note').textContent")
    tab.ask("app.play(true); 0")
    tab.wait("app.state().frame > 5")
    tab.wait("app.state().frame < 5")
    assert tab.problems == []


def test_without_webgl_the_video_and_the_figures_remain(tab: Browser, page: Path) -> None:
    told = tab.call(
        "Page.addScriptToEvaluateOnNewDocument",
        source="const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext ="
        "function (kind) { return kind === '2d' ? get.call(this, kind) : null; }",
    )
    tab.show(*LAPTOP)
    tab.open(page)
    tab.call("Page.removeScriptToEvaluateOnNewDocument", identifier=told["identifier"])
    assert "WebGL" in tab.ask("$('problem').textContent")
    tab.wait("$('video').readyState >= 2")
    tab.ask("app.seek(11); 0")
    tab.wait("!$('video').seeking")
    assert shown_number(tab) == 11


def test_a_finger_turns_the_view_and_not_the_page(tab: Browser, page: Path) -> None:
    tab.show(*PHONE, is_phone=True)
    tab.open(page)
    before = tab.ask("stage.eye().position.toArray()")
    for kind, x in (("touchStart", 150), ("touchMove", 190), ("touchMove", 240), ("touchEnd", None)):
        points = [] if x is None else [{"x": x, "y": 260}]
        tab.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    tab.ask("new Promise((done) => setTimeout(done, 300))")
    after = tab.ask("stage.eye().position.toArray()")
    assert np.linalg.norm(np.subtract(after, before)) > 0.5
    assert abs(after[1] - before[1]) < 0.1
    assert tab.ask("scrollY") == 0
