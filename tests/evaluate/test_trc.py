"""Marker files: units, missing markers, and what is wrong with a broken one."""

from pathlib import Path

import numpy as np
import pytest

from mocaplift.errors import InvalidData
from mocaplift.evaluate import trc

HEAD = (
    "PathFileType\t4\t(X/Y/Z)\ttest.trc\n"
    "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\n"
    "60\t60\t3\t2\t{unit}\n"
    "Frame#\tTime\tRHip\t\t\tNose\t\t\n"
    "\t\tX1\tY1\tZ1\tX2\tY2\tZ2\n"
)
FRAMES = "1\t0.0\t100\t200\t300\t1\t2\t3\n2\t0.0167\t\t\t\t4\t5\t6\n3\t0.0333\tnan\tnan\tnan\t7\t8\t9\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "test.trc"
    path.write_text(text)
    return path


@pytest.mark.parametrize(("unit", "metres"), [("m", 100.0), ("cm", 1.0), ("mm", 0.1)])
def test_markers_are_in_metres_and_missing_ones_are_nan(tmp_path: Path, unit: str, metres: float):
    found = trc.read(write(tmp_path, HEAD.format(unit=unit) + FRAMES))
    assert found.names == ("RHip", "Nose") and found.fps == 60
    assert found.xyz.shape == (3, 2, 3)
    assert found.xyz[0, 0] == pytest.approx([metres, 2 * metres, 3 * metres])
    assert np.isnan(found.xyz[1:, 0]).all() and np.isfinite(found.xyz[:, 1]).all()


def test_fields_that_a_line_lacks_at_its_end_are_missing(tmp_path: Path):
    found = trc.read(write(tmp_path, HEAD.format(unit="m") + "1\t0.0\t1\t2\t3\n"))
    assert found.xyz[0, 0] == pytest.approx([1, 2, 3]) and np.isnan(found.xyz[0, 1]).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no .trc file"),
        (HEAD.format(unit="m"), "hold frames"),
        (HEAD.format(unit="m") + "\n\n", "holds no frame"),
        (HEAD.format(unit="inch") + FRAMES, "Units of m, cm or mm"),
        (HEAD.format(unit="m").replace("60\t60", "0\t60") + FRAMES, "the rate 0 is none"),
        (HEAD.format(unit="m").replace("RHip", "").replace("Nose", "") + FRAMES, "no marker is named"),
        (HEAD.format(unit="m") + FRAMES + "4\t0.05\t1\t2\tx\t1\t2\t3\n", "line 9 holds a field"),
        (HEAD.format(unit="m") + "1\t0\t1\t2\t3\t1\t2\t3\t4\n", "line 6 holds more than 2 markers"),
    ],
)
def test_a_broken_file_says_what_is_wrong(tmp_path: Path, text: str, message: str):
    with pytest.raises(InvalidData, match=message) as caught:
        trc.read(write(tmp_path, text))
    assert "test.trc" in str(caught.value)


def test_a_missing_or_endless_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InvalidData, match="cannot read"):
        trc.read(tmp_path / "none.trc")
    monkeypatch.setattr(trc, "MOST_BYTES", 10)
    with pytest.raises(InvalidData, match="larger"):
        trc.read(write(tmp_path, HEAD.format(unit="m") + FRAMES))
