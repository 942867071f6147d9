"""Files are whole or absent, whatever happens while they are written."""

import errno
import os
import stat
from pathlib import Path

import pytest

from mocaplift.errors import OutputError
from mocaplift.files import check_folder, whole_file, write_whole


def test_a_file_appears_whole_and_readable_by_others(tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "out.bvh"
    write_whole(target, b"HIERARCHY")
    assert target.read_bytes() == b"HIERARCHY"
    assert list(target.parent.iterdir()) == [target]
    expected = 0o666 & ~current_umask()
    assert stat.S_IMODE(target.stat().st_mode) == expected


@pytest.mark.parametrize("failure", [ValueError("broken"), KeyboardInterrupt()])
def test_a_failure_leaves_what_was_there(tmp_path: Path, failure: BaseException) -> None:
    target = tmp_path / "out.bvh"
    target.write_bytes(b"old")
    with pytest.raises(type(failure)), whole_file(target) as temporary:
        temporary.write_bytes(b"half of the n")
        raise failure
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_temporary_file_has_the_same_suffix(tmp_path: Path) -> None:
    with whole_file(tmp_path / "out.mp4") as temporary:
        assert temporary.suffix == ".mp4"
        assert temporary.parent == tmp_path


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out.bvh"
    with pytest.raises(OutputError, match=r"out\.bvh: the disk is full"), whole_file(target) as temporary:
        temporary.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device that is always full")
def test_a_really_full_device_is_recognised() -> None:
    with pytest.raises(OSError) as caught, open("/dev/full", "wb", buffering=0) as device:
        device.write(b"x")
    assert caught.value.errno == errno.ENOSPC


def test_a_folder_of_the_same_name_is_said(tmp_path: Path) -> None:
    (tmp_path / "out.bvh").mkdir()
    with pytest.raises(OutputError, match="there is a folder of that name"):
        write_whole(tmp_path / "out.bvh", b"")
    assert [each.name for each in tmp_path.iterdir()] == ["out.bvh"]


def test_a_file_in_the_place_of_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "folder").write_bytes(b"")
    with pytest.raises(OutputError, match=r"cannot write .*out\.bvh"):
        write_whole(tmp_path / "folder" / "out.bvh", b"")


def test_a_folder_that_can_be_made_passes_the_check_and_is_not_made(tmp_path: Path) -> None:
    check_folder(tmp_path / "new" / "deeper")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["file", "file/deeper", "/proc/nowhere"])
def test_a_folder_that_cannot_hold_files_is_said_early(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot write into"):
        check_folder(tmp_path / place)


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
