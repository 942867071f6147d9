"""What we deliver for a sample video passes our own check in every format, and after every conversion."""

import subprocess
import sys
from pathlib import Path

import pytest

from mocaplift.checks import PROBLEM, check
from mocaplift.reading import read_recording

SAMPLE = Path(__file__).parents[2] / "sample_videos" / "karate.mp4"
FORMATS = (".bvh", ".fbx", ".glb", ".npz", ".smpl.npz")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SAMPLE.is_file(), reason="the sample clips are not here"),
]


def run(*arguments: str | Path) -> None:
    line = [sys.executable, "-m", "mocaplift", *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("made")
    run(SAMPLE, "-o", made / "take.bvh", "--format", "bvh,fbx,glb,npz,smpl")
    return made


@pytest.mark.parametrize("suffix", FORMATS)
def test_nothing_is_found_in_what_we_deliver(folder: Path, suffix: str) -> None:
    assert check(read_recording(folder / f"take{suffix}")) == []


@pytest.mark.parametrize("suffix", FORMATS)
def test_nor_in_what_is_made_of_it(folder: Path, suffix: str) -> None:
    run(
        "convert", folder / f"take{suffix}", "-o", folder / f"from{suffix.strip('.')}.fbx", "--preset", "maya"
    )
    found = check(read_recording(folder / f"from{suffix.strip('.')}.fbx"))
    # A note may say that the preset puts a rest frame first.
    assert [each for each in found if each.level == PROBLEM] == []
