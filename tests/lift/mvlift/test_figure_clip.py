"""Clips of figures: which files are read, by which camera they were seen, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mocaplift.cameras import intrinsics_from_fov
from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.lift.mvlift.figure_clip import read_clip
from mocaplift.lift.mvlift.figure_file import read_figure
from mocaplift.options import Options
from mocaplift.store import save
from mocaplift.values import Clip, Keypoints2D, Layout
from tests.puppet import FPS, LAYOUT, SIZE, TOML, camera, filmed, puppet


@pytest.fixture(name="figure")
def _figure(tmp_path: Path) -> Figure:
    (tmp_path / "puppet.toml").write_text(TOML)
    return read_figure(tmp_path / "puppet.toml")


@pytest.fixture(name="seen")
def _seen() -> Keypoints2D:
    return filmed(puppet(frames=20), camera())


def test_the_camera_is_the_one_in_the_file(figure: Figure, seen: Keypoints2D, tmp_path: Path) -> None:
    save((seen, camera()), tmp_path / "clip.npz")
    clip = read_clip(tmp_path / "clip.npz", figure)
    np.testing.assert_array_equal(clip.camera.intrinsics, camera().intrinsics)
    np.testing.assert_array_equal(clip.keypoints.xy, seen.xy)


def test_without_one_it_is_assumed(figure: Figure, seen: Keypoints2D, tmp_path: Path) -> None:
    path = tmp_path / "clip.npz"
    save(seen, path)
    clip = read_clip(path, figure)
    np.testing.assert_allclose(clip.camera.intrinsics, intrinsics_from_fov(60.0, SIZE))
    np.testing.assert_allclose(clip.camera.cam_from_world[1, :3], [0.0, -1.0, 0.0], atol=1e-12)
    assert read_clip(path, figure, Options(focal=700.0)).camera.intrinsics[0, 0] == 700.0
    told = Clip(Path("x.mp4"), Fraction(30), 20, SIZE, facts={"focal_px": 650.0})
    save((told, seen), path)
    assert read_clip(path, figure).camera.intrinsics[0, 0] == 650.0


def test_joints_go_by_their_names(figure: Figure, seen: Keypoints2D, tmp_path: Path) -> None:
    turned = Layout("mine", (*reversed(LAYOUT.joints), "ear"))
    conf = np.concatenate([seen.conf[:, ::-1], np.ones((20, 1))], axis=1)
    xy = np.concatenate([seen.xy[:, ::-1], np.zeros((20, 1, 2))], axis=1)
    save(Keypoints2D(xy, conf, turned, FPS, SIZE), tmp_path / "clip.npz")
    np.testing.assert_array_equal(read_clip(tmp_path / "clip.npz", figure).keypoints.xy, seen.xy)


def _everything(seen: Keypoints2D, value: float) -> Keypoints2D:
    return replace(seen, xy=np.where(np.isfinite(seen.xy), value, np.nan))


def _one_far(seen: Keypoints2D) -> Keypoints2D:
    xy = seen.xy.copy()
    conf = seen.conf.copy()
    xy[7, 2], conf[7, 2] = 1e6, 0.9
    return replace(seen, xy=xy, conf=conf)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda seen: camera(), "holds Camera, but keypoints are needed"),
        (lambda seen: (seen, seen), "several of Keypoints2D"),
        (lambda seen: (seen, LAYOUT), "holds Keypoints2D, Layout"),
        (lambda seen: (seen, replace(camera(), size=(10, 10))), "picture is 10 x 10, but that of the keypoints"),
        (lambda seen: replace(seen, xy=seen.xy[:0], conf=seen.conf[:0]), "has 0 frames"),
        (lambda seen: replace(seen, fps=1e-6), "1e-06 frames per second"),
        (lambda seen: replace(seen, xy=seen.xy + np.nan, conf=0 * seen.conf), "no frame shows"),
        (lambda seen: _everything(seen, 0.5), "px large in most frames; are its keypoints pixels"),
        (_one_far, r"frame 7, tail lies at \(1e\+06, 1e\+06\) px, far outside the picture of 640 x 480"),
        (lambda seen: replace(seen, layout=Layout("mine", tuple("abcde"))),
         r"of the layout mine \(a, b, c, d, e\), which has 0 joints in common with puppet"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_the_file(figure, seen, tmp_path: Path, change, message: str) -> None:
    path = tmp_path / "clip.npz"
    save(change(seen), path)
    with pytest.raises(InvalidData, match=message) as told:
        read_clip(path, figure)
    assert str(path) in str(told.value)


def test_numbers_that_are_none_are_told_with_their_place(figure, seen, tmp_path: Path) -> None:
    path, xy, conf = tmp_path / "clip.npz", seen.xy.copy(), seen.conf.copy()
    save(seen, path)
    xy[4, 1], conf[4, 1] = np.nan, 0.9
    with np.load(path) as file:
        arrays = dict(file)
    for name, array in arrays.items():
        if array.shape in (xy.shape, conf.shape):
            arrays[name] = xy if array.shape == xy.shape else conf
    np.savez(path, **arrays)
    with pytest.raises(InvalidData, match=r"clip\.npz.*frame 4, neck is not"):
        read_clip(path, figure)


def test_files_of_others_are_refused(figure: Figure, tmp_path: Path) -> None:
    path = tmp_path / "clip.npz"
    with pytest.raises(InvalidData, match="no such file"):
        read_clip(path, figure)
    for content in (b"", b"PK\x03\x04", b"nothing"):
        path.write_bytes(content)
        with pytest.raises(InvalidData, match=r"clip\.npz"):
            read_clip(path, figure)
    np.savez(path, xy=np.zeros((3, 5, 2)))
    with pytest.raises(InvalidData, match="not one of mocaplift's values"):
        read_clip(path, figure)
    person = Keypoints2D(np.full((3, 21, 2), 9.0), np.ones((3, 21)), BODY21, FPS, SIZE)
    save(person, path)
    with pytest.raises(InvalidData, match=r"body21.*in common with puppet"):
        read_clip(path, figure)
