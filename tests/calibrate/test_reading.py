"""What all formats share: recognised by content alone, checked after reading, and no crash on any input."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mocaplift import calibrate
from mocaplift.calibrate import READERS, Source, checked, open_source, read_calibration
from mocaplift.cameras import look_at
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera
from tests.calibrate.written import CAMS_JSON, FILES, MATRIX, SIZE, read


def camera(name: str, x: float = 0.0, **changes: object) -> Camera:
    values = {
        "name": name,
        "intrinsics": np.array(MATRIX),
        "distortion": np.zeros(5),
        "cam_from_world": look_at(np.array([x, 1.0, 4.0]), np.array([0.0, 1.0, 0.0])),
        "size": SIZE,
    }
    return Camera(**(values | changes))  # type: ignore[arg-type]


class TestRecognition:
    @pytest.mark.parametrize("name", READERS)
    def test_every_format_answers_to_its_name(self, name: str) -> None:
        assert READERS[name]().name == name

    @pytest.mark.parametrize("name", FILES)
    @pytest.mark.parametrize("suffix", [".json", ".toml", ".xml", ".txt", ".mp4", ".pickle", ""])
    def test_the_suffix_means_nothing(self, tmp_path: Path, name: str, suffix: str) -> None:
        found = read(tmp_path, f"cameras{suffix}", FILES[name])
        assert found.format == name
        assert found.path == tmp_path / f"cameras{suffix}"

    @pytest.mark.parametrize("name", FILES)
    def test_windows_files_read_alike(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / "cameras"
        path.write_bytes(b"\xef\xbb\xbf" + FILES[name].replace("\n", "\r\n").encode())
        assert read_calibration(path).format == name
        if not FILES[name].startswith("<?xml"):
            path.write_bytes(FILES[name].encode("utf-16"))
            assert read_calibration(path).format == name

    @pytest.mark.parametrize("name", READERS)
    @pytest.mark.parametrize(
        "content",
        [
            b"", b" \n", b"\x00" * 99, b"\x89PNG\r\n\x1a\n", b"{}", b"[]", b"null", b"[1, 2]", b'"cameras"',
            b'{"cameras": 1}', b'{"cameras": [1, null, "a"]}', b"a = 1\n", b"<a/>", b"<calibration/>",
            b"<calibration><cameras><camera/></cameras></calibration>", b"%YAML:1.0\n---\n", b"\xff\xfe\x00\xd8",
            b"# Camera list\n",
        ],
    )  # fmt: skip
    def test_nothing_is_taken_for_a_camera_file_and_no_format_fails(
        self, tmp_path: Path, name: str, content: bytes
    ) -> None:
        (tmp_path / "file").write_bytes(content)
        found = READERS[name]()
        assert not found.recognizes(open_source(tmp_path / "file"))
        assert not found.recognizes(open_source(tmp_path))


class TestBadFiles:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "is empty"),
            (b" \n\t", "is empty"),
            (b"\x93NUMPY\x01\x00", "not a text"),
            (b'{"cameras": [{"name": "a", ', r"damaged JSON.*line 1, column 28"),
            (b'[{"name": "a",\n "matrix": [1,', r"damaged JSON.*line 2"),
            (b'{"a": 1, "a": 2}', "damaged JSON.*'a' twice"),
            (b'{"a":' * 100_000, "damaged JSON"),
            (b"[" * 100_000, "damaged JSON|TOML"),
            (b'{"people": []}', "JSON names no cameras"),
            (b"[cam_1]\nname = 'a'\nmatrix = [ [1.0, ", r"TOML.*line 3"),
            (b"a = " + b"[" * 100_000, "nested too deeply|TOML"),
            (b"a" + b".a" * 500_000 + b" = 1", "nested too deeply"),
            (b"['a'" + b" . 'a'" * 200_000 + b"]\n", "nested too deeply"),
            (b"[tool.ruff]\nline-length = 110\n", "TOML names no cameras"),
            (b"Dear diary,\n", "a text, but no JSON"),
            (b"<svg></svg>", "XML names no cameras"),
            (b"<calibration><cameras>", "damaged XML.*line 1"),
            (b"x = 1\n" * 800_000, "larger than 4 MB"),
        ],
    )
    def test_the_message_tells_what_and_where(self, tmp_path: Path, content: bytes, message: str) -> None:
        path = tmp_path / "cams.json"
        path.write_bytes(content)
        with pytest.raises(CalibrationError, match=rf"cams\.json.*{message}.*tried: cams\.json, "):
            read_calibration(path)

    def test_what_is_not_there_or_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(CalibrationError, match=r"no such calibration file: .*cams\.json"):
            read_calibration(tmp_path / "cams.json")
        with pytest.raises(CalibrationError, match="cannot read"):
            read_calibration("\0")
        with pytest.raises(CalibrationError, match=r"folder without.*name the file itself"):
            read_calibration(tmp_path)
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(CalibrationError, match="neither a file nor a folder"):
            read_calibration(tmp_path / "pipe")

    def test_a_huge_file_is_not_read(self, tmp_path: Path) -> None:
        path = tmp_path / "video.mp4"
        with path.open("wb") as file:
            file.truncate(1 << 40)
        with pytest.raises(CalibrationError, match="larger than 32 MB"):
            read_calibration(path)

    @pytest.mark.parametrize("name", FILES)
    def test_a_truncated_file_is_told_or_read_never_a_crash(self, tmp_path: Path, name: str) -> None:
        text = FILES[name]
        told = 0
        for end in range(0, len(text), max(1, len(text) // 80)):
            try:
                read(tmp_path, "cameras", text[:end])
            except CalibrationError as error:
                assert "cameras" in str(error)
                told += 1
        # A TOML may end behind any camera; other syntaxes are whole or broken.
        assert told > 40

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        name=st.sampled_from(sorted(FILES)),
        start=st.floats(0, 1),
        length=st.integers(0, 40),
        noise=st.text(st.sampled_from("0123456789.e-+,[]{}<>\"'=/ nai\n\0é"), max_size=20),
    )
    def test_any_damage_is_told_or_read_never_a_crash(
        self, tmp_path: Path, name: str, start: float, length: int, noise: str
    ) -> None:
        text = FILES[name]
        at = int(start * len(text))
        try:
            found = read(tmp_path, "cameras", text[:at] + noise + text[at + length :])
        except CalibrationError as error:
            assert "cameras" in str(error)
        else:
            assert len(found.cameras) in (1, 2)


class TestChecked:
    def test_a_rig_passes_and_so_does_one_camera(self, tmp_path: Path) -> None:
        rig = (camera("a"), camera("b", 2.0))
        assert checked(rig, tmp_path) == rig
        assert checked(rig[:1], tmp_path) == rig[:1]

    @pytest.mark.parametrize(
        ("rig", "message"),
        [
            ((), "holds no camera"),
            ((camera("a"), camera("b", 2.0), camera("a", 3.0)), "camera 'a' twice"),
            ((camera("a"), camera("b")), "2 cameras at one place"),
            (tuple(camera(str(n), n / 100) for n in range(1001)), "1001 cameras"),
            ((camera("a", size=(8, 1080)),), "'a'.*8 x 1080"),
            ((camera("a", size=(1920, 99999)),), "'a'.*1920 x 99999"),
            ((camera("a", intrinsics=np.diag([10.0, 1500.0, 1.0])),), "'a'.*focal length in x is 10 px"),
            ((camera("a", intrinsics=np.diag([1500.0, 1e6, 1.0])),), r"'a'.*focal length in y is 1e\+06 px"),
            ((camera("a", distortion=np.full(5, 1e9)),), "'a'.*no lens"),
        ],
    )
    def test_what_cannot_be_is_told(self, rig: tuple[Camera, ...], message: str) -> None:
        with pytest.raises(CalibrationError, match=rf"cams\.json.*{message}"):
            checked(rig, Path("cams.json"))

    def test_every_reader_is_checked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        twice = calibrate.Calibration((camera("a"), camera("a")), "cams.json", tmp_path, "m", "y")
        careless = calibrate.Format("cams.json", lambda source: True, lambda source: twice)
        monkeypatch.setattr(calibrate, "READERS", {"cams.json": lambda: careless})
        with pytest.raises(CalibrationError, match="twice"):
            read(tmp_path, "cams.json", CAMS_JSON)


class TestSource:
    def test_the_subject_is_passed_on(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        assert open_source(tmp_path / "file", subject="S9").subject == "S9"
        assert open_source(tmp_path, subject="S9").subject == "S9"

    def test_a_file_is_parsed_once(self) -> None:
        source = Source(Path("x"), json.dumps({"a": [1]}).encode())
        assert source.json is source.json
        assert source.toml is None
        assert source.xml is None
