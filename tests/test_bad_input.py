"""Bad input through the whole product: a clear sentence, the right exit code, and nothing half-written."""

import errno
import os
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from mocaplift import video
from mocaplift.cli import cli
from tests.clips import write_clip, write_sound

SAMPLE = Path(__file__).parents[1] / "sample_videos" / "walk.mp4"
SMALL = (320, 180)


def capture(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["capture", *map(str, arguments)], prog_name="mocaplift")


def check_refused(shown: Result, code: int, *sentences: str) -> None:
    """Check the exit code, that the reason is a sentence on standard error, and that it is no traceback."""
    for sentence in sentences:
        assert sentence in shown.stderr, shown.output
    assert "Traceback" not in shown.output
    assert "bug" not in shown.output
    assert shown.exit_code == code


def empty_room(frames: int, size: tuple[int, int] = SMALL) -> Iterator[np.ndarray]:
    """Yield pictures of a wall and a floor."""
    image = np.full((size[1], size[0], 3), 180, np.uint8)
    image[size[1] * 2 // 3 :] = (120, 100, 80)
    for _ in range(frames):
        yield image


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def sample_frames(start: int, stop: int) -> list[np.ndarray]:
    if not SAMPLE.is_file():
        pytest.skip("the sample clips are not here")
    return [frame.copy() for frame in islice(video.frames(video.probe(SAMPLE)), start, stop)]


class TestNoVideo:
    def test_no_such_file(self, here: Path) -> None:
        check_refused(capture("none.mp4", "-o", "out.bvh"), 3, "none.mp4: no such file")
        assert files(here) == set()

    def test_a_folder_without_videos(self, here: Path) -> None:
        (here / "notes.txt").write_text("no video")
        check_refused(capture(here, "-o", "out/"), 3, "no videos in this folder")
        assert files(here) == {"notes.txt"}

    @pytest.mark.parametrize("content", [b"", b"this is text", bytes(4096), b"\x00\x00\x00\x18ftypmp42"])
    def test_something_else_named_mp4(self, here: Path, content: bytes) -> None:
        (here / "fake.mp4").write_bytes(content)
        check_refused(capture("fake.mp4", "-o", "out.bvh"), 3, "fake.mp4")
        assert files(here) == {"fake.mp4"}

    def test_sound_only(self, here: Path) -> None:
        write_sound(here / "song.mp4")
        check_refused(capture("song.mp4", "-o", "out.bvh"), 3, "song.mp4")
        assert files(here) == {"song.mp4"}

    def test_absurd_rates(self, here: Path) -> None:
        write_clip(here / "fast.mkv", empty_room(5), fps=Fraction(90000))
        check_refused(capture("fast.mkv", "-o", "out.bvh"), 3, "fast.mkv")
        assert files(here) == {"fast.mkv"}


class TestNobody:
    def test_nobody_in_the_picture(self, here: Path) -> None:
        write_clip(here / "room.mp4", empty_room(12))
        check_refused(capture("room.mp4", "-o", "out.bvh"), 4, "room.mp4")
        assert files(here) == {"room.mp4"}

    @pytest.mark.slow
    def test_8k(self, here: Path) -> None:
        write_clip(here / "huge.mp4", empty_room(2, (7680, 4320)))
        check_refused(capture("huge.mp4", "-o", "out.bvh"), 4, "huge.mp4")
        assert files(here) == {"huge.mp4"}

    def test_one_frame_of_a_person_is_no_motion(self, here: Path) -> None:
        write_clip(here / "photo.mp4", sample_frames(60, 61))
        check_refused(capture("photo.mp4", "-o", "out.bvh"), 3, "photo.mp4", "single frame")
        assert files(here) == {"photo.mp4"}

    def test_a_person_who_is_not_there_by_number(self, here: Path) -> None:
        write_clip(here / "walk.mp4", sample_frames(40, 60))
        check_refused(capture("walk.mp4", "--person", "id:7", "-o", "out.bvh"), 2, "7")
        assert files(here) == {"walk.mp4"}


@pytest.mark.slow
class TestSomebody:
    def test_a_person_in_some_frames_only_is_captured_there(self, here: Path) -> None:
        seen = sample_frames(40, 70)
        wall = list(empty_room(15, (seen[0].shape[1], seen[0].shape[0])))
        write_clip(here / "visit.mp4", [*wall, *seen, *wall], fps=30)
        shown = capture("visit.mp4", "-o", "out.bvh")
        assert shown.exit_code == 0, shown.output
        text = (here / "out.bvh").read_text()
        frames = int(text.partition("Frames:")[2].split()[0])
        assert 25 <= frames <= 34
        assert "nan" not in text.lower()

    def test_half_a_body_is_refused_or_finite(self, here: Path) -> None:
        """The detector guesses legs out of the picture: what it is sure of decides."""
        tops = [frame[: frame.shape[0] * 45 // 100] for frame in sample_frames(40, 70)]
        write_clip(here / "half.mp4", tops, fps=30)
        shown = capture("half.mp4", "-o", "out.bvh")
        assert "Traceback" not in shown.output
        if shown.exit_code == 4:
            assert "half.mp4" in shown.stderr
            assert files(here) == {"half.mp4"}
        else:
            assert shown.exit_code == 0, shown.output
            assert "nan" not in (here / "out.bvh").read_text().lower()


class TestPlaces:
    def test_the_output_is_the_input(self, here: Path) -> None:
        before = write_clip(here / "room.mp4", empty_room(3)).read_bytes()
        check_refused(capture("room.mp4", "--overlay", "room.mp4", "--overwrite"), 2, "is the input itself")
        assert (here / "room.mp4").read_bytes() == before

    def test_a_folder_that_cannot_be_written(self, here: Path) -> None:
        write_clip(here / "room.mp4", empty_room(3))
        (here / "file").write_bytes(b"")
        check_refused(capture("room.mp4", "-o", "file/out.bvh"), 1, "cannot write into file")
        check_refused(capture("room.mp4", "-o", "/proc/out.bvh"), 1, "cannot write into /proc")
        assert files(here) == {"room.mp4", "file"}

    def test_an_unknown_format(self, here: Path) -> None:
        check_refused(capture("room.mp4", "-o", "out.dae"), 2, ".dae", "there are .angles.csv, .bvh, .c3d")
        assert files(here) == set()

    @pytest.mark.slow
    def test_a_full_disk(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_clip(here / "walk.mp4", sample_frames(40, 60), fps=30)
        real = Path.write_bytes

        def full(path: Path, content: bytes) -> int:
            if path.suffix == ".bvh":
                real(path, content[: len(content) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(path, content)

        monkeypatch.setattr(Path, "write_bytes", full)
        check_refused(capture("walk.mp4", "-o", "out.bvh"), 1, "cannot write out.bvh: the disk is full")
        assert files(here) == {"walk.mp4"}


class TestDetectors:
    def test_a_detector_that_does_not_exist(self, here: Path) -> None:
        write_clip(here / "room.mp4", empty_room(3))
        check_refused(capture("room.mp4", "--detector", "mediapip"), 2, "mediapip")
        assert files(here) == {"room.mp4"}

    def test_a_lifter_that_does_not_exist(self, here: Path) -> None:
        write_clip(here / "room.mp4", empty_room(3))
        check_refused(capture("room.mp4", "--lifter", "mvlft"), 2, "mvlft")
        assert files(here) == {"room.mp4"}

    def test_a_config_that_does_not_exist(self, here: Path) -> None:
        pytest.importorskip("mmpose", reason="mmpose is not installed", exc_type=ImportError)
        write_clip(here / "room.mp4", empty_room(3))
        shown = capture("room.mp4", "--detector", "mmpose", "--detector-config", "rtmpose-xxl")
        check_refused(shown, 2, "rtmpose-xxl")
        assert files(here) == {"room.mp4"}

    def test_a_corrupt_checkpoint(self, here: Path) -> None:
        pytest.importorskip("mmpose", reason="mmpose is not installed", exc_type=ImportError)
        write_clip(here / "room.mp4", empty_room(3))
        (here / "broken.pth").write_bytes(b"PK\x03\x04 not a checkpoint")
        shown = capture("room.mp4", "--detector", "mmpose", "--detector-weights", "broken.pth")
        check_refused(shown, 3, "broken.pth")
        assert files(here) == {"room.mp4", "broken.pth"}
