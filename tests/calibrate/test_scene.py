"""Cameras placed by known points: numbers by hand, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mocaplift import cameras
from mocaplift.calibrate.intrinsics import Lens
from mocaplift.calibrate.scene import place_in_scene, read_scene
from mocaplift.errors import CalibrationError
from tests.calibrate.boards import SIZE, ring

CAMERA = ring(1)[0]
LENS = Lens("cam1", SIZE, CAMERA.intrinsics, CAMERA.distortion, 0.1, 0.001, (), {}, 10, 0.5)
FLOOR = {"a": [0, 0, 0], "b": [0.5, 0, 0], "c": [0.5, 0, 0.4], "d": [0, 0, 0.4], "e": [-0.3, 0, 0.2]}
BOX = FLOOR | {"f": [0, 0.3, 0], "g": [0.2, 0.25, 0.1]}


def written(folder: Path, points: dict[str, list[float]], change: dict[str, Any] | None = None) -> Path:
    pixels = {
        name: cameras.project(CAMERA, np.array(xyz, dtype=float)).tolist() for name, xyz in points.items()
    }
    path = folder / "scene.json"
    path.write_text(json.dumps({"points": points, "pixels": {"cam1": pixels}} | (change or {})))
    return path


class TestPlace:
    @pytest.mark.parametrize("points", [FLOOR, BOX], ids=["floor", "box"])
    def test_the_camera_is_where_it_stood(self, tmp_path: Path, points: dict[str, list[float]]) -> None:
        found, error = place_in_scene(LENS, read_scene(written(tmp_path, points)))
        assert np.allclose(found.cam_from_world, CAMERA.cam_from_world, atol=1e-5)
        assert error < 1e-3

    def test_points_in_centimetres_with_z_up_give_the_same(self, tmp_path: Path) -> None:
        # The world of z up whose x is ours: (x, y, z) here is (x, -z, y) there.
        turned = {name: [100 * x, -100 * z, 100 * y] for name, (x, y, z) in BOX.items()}
        path = written(tmp_path, BOX, {"points": turned, "units": "cm", "up": "z"})
        found, _ = place_in_scene(LENS, read_scene(path))
        assert np.allclose(cameras.centre(found), [0.0, 1.0, 1.6], atol=1e-5)

    def test_a_point_clicked_wrongly_is_named(self, tmp_path: Path) -> None:
        path = written(tmp_path, BOX)
        scene = json.loads(path.read_text())
        scene["pixels"]["cam1"]["f"][0] += 120
        path.write_text(json.dumps(scene))
        with pytest.raises(CalibrationError, match=r"camera 'cam1': point '\w' is \d+ px"):
            place_in_scene(LENS, read_scene(path))

    @pytest.mark.parametrize(
        "names", ["abc", "ab", "abcf", "a"], ids=["three", "two", "four, not of one plane", "one"]
    )
    def test_too_few_points_are_refused(self, tmp_path: Path, names: str) -> None:
        with pytest.raises(CalibrationError, match=f"{len(names)} points do not place it"):
            place_in_scene(LENS, read_scene(written(tmp_path, {name: BOX[name] for name in names})))

    def test_points_on_a_line_are_refused(self, tmp_path: Path) -> None:
        line = {str(place): [0.1 * place, 0.0, 0.0] for place in range(8)}
        with pytest.raises(CalibrationError, match="not all on a line"):
            place_in_scene(LENS, read_scene(written(tmp_path, line)))


class TestRead:
    @pytest.mark.parametrize(
        "change",
        [
            {"points": []},
            {"points": {"a": [0, 0]}},
            {"points": {"a": ["x", 0, 0]}},
            {"points": {"a": [float("nan"), 0, 0]}},
            {"pixels": {"cam1": {"unknown": [1, 2]}}},
            {"pixels": {"cam1": {"a": [1, 2, 3]}}},
            {"pixels": {}},
            {"units": "feet"},
            {"up": "x"},
        ],
        ids=str,
    )
    def test_files_that_make_no_sense_are_refused_by_name(
        self, tmp_path: Path, change: dict[str, Any]
    ) -> None:
        with pytest.raises(CalibrationError, match=r"scene\.json"):
            read_scene(written(tmp_path, BOX, change))

    @pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\xff\xfe", b"[" * 100_000], ids=range(5))
    def test_what_is_no_json_is_refused_by_name(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "scene.json"
        path.write_bytes(content)
        with pytest.raises(CalibrationError, match=r"scene\.json"):
            read_scene(path)

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(CalibrationError, match=r"nowhere\.json: cannot be read"):
            read_scene(tmp_path / "nowhere.json")
