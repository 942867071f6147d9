"""The one door that writes: formats by suffix, whole files or none, never over the input."""

import errno
import os
from fractions import Fraction

import numpy as np
import pytest

from mocaplift import store
from mocaplift.cameras import intrinsics_from_fov
from mocaplift.errors import ConfigError, OutputError, UnsupportedFormat
from mocaplift.export import EXPORTERS, PRESETS, export, format_of, preset_named
from mocaplift.layouts import BODY21
from mocaplift.values import Camera, Capture, Clip, Keypoints2D
from tests.walker import walker


def _capture(video) -> Capture:
    walk = walker(5)
    camera = Camera("front", intrinsics_from_fov(60.0, (640, 480)), np.zeros(5), np.eye(4), (640, 480))
    seen = Keypoints2D(np.full((5, 21, 2), 9.0), np.full((5, 21), 0.5), BODY21, 30.0, (640, 480))
    clip = Clip(video, Fraction(30), 5, (640, 480))
    return Capture([clip], [camera], [seen], walk.keypoints, walk.motion, walk.contacts, {"fps": 30.0})


@pytest.mark.parametrize("suffix", sorted(EXPORTERS))
def test_every_format_writes_a_motion_and_leaves_nothing_else(tmp_path, suffix):
    export(walker(5).motion, tmp_path / f"a{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]
    assert (tmp_path / f"a{suffix}").stat().st_size > 1000


@pytest.mark.parametrize("suffix", sorted(EXPORTERS))
def test_every_format_takes_a_capture(tmp_path, suffix):
    export(_capture(tmp_path / "walk.mp4"), tmp_path / f"a{suffix}")
    assert (tmp_path / f"a{suffix}").stat().st_size > 1000


def test_our_own_format_holds_the_whole_capture(tmp_path):
    export(_capture(tmp_path / "walk.mp4"), tmp_path / "a.npz")
    again = store.load(tmp_path / "a.npz")
    assert isinstance(again, Capture) and again.clips[0].path == tmp_path / "walk.mp4"


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.bvh", ".bvh"),
        ("A.BVH", ".bvh"),
        ("a.npz", ".npz"),
        ("a.smpl.npz", ".smpl.npz"),
        ("a.b.bvh", ".bvh"),
    ],
)
def test_the_longest_fitting_suffix_decides(tmp_path, name, suffix):
    assert format_of(tmp_path / name) == suffix


@pytest.mark.parametrize("name", ["a.dae", "bvh", "a.bvh.txt", ".bvh", "a"])
def test_an_unknown_format_lists_the_known_ones(tmp_path, name):
    with pytest.raises(UnsupportedFormat, match=r"\.bvh, .*\.npz, \.smpl\.npz"):
        export(walker(2).motion, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_the_input_is_never_overwritten(tmp_path):
    video = tmp_path / "in.bvh"
    video.write_text("the input")
    (tmp_path / "link.bvh").symlink_to(video)
    (tmp_path / "sub").mkdir()
    for target in (video, tmp_path / "link.bvh", tmp_path / "sub" / ".." / "in.bvh"):
        with pytest.raises(OutputError, match="it is the input itself"):
            export(walker(2).motion, target, inputs=[video])
        with pytest.raises(OutputError, match="it is the input itself"):
            export(_capture(video), target)
    assert video.read_text() == "the input"


def test_a_full_disk_leaves_the_old_file_and_no_partial_one(tmp_path, monkeypatch):
    target = tmp_path / "a.bvh"
    target.write_text("before")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("mocaplift.files.os.replace", full)
    with pytest.raises(OutputError, match="the disk is full"):
        export(walker(2).motion, target)
    assert target.read_text() == "before" and [path.name for path in tmp_path.iterdir()] == ["a.bvh"]


def test_a_file_where_a_folder_should_be_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*a\.bvh: "):
        export(walker(2).motion, tmp_path / "file" / "a.bvh")
    (tmp_path / "folder.bvh").mkdir()
    with pytest.raises(OutputError, match="there is a folder of that name"):
        export(walker(2).motion, tmp_path / "folder.bvh")


def test_presets_by_name():
    assert preset_named("blender").unit == "m" and preset_named("standard").unit == "cm"
    with pytest.raises(ConfigError, match=f"known: {', '.join(sorted(PRESETS))}"):
        preset_named("blendr")
