from pathlib import Path

import numpy as np
import pytest

from mocaplift.calibrate.assemble import Y_UP_FROM, assemble, field, numbers, picture_size, rotation_matrix
from mocaplift.cameras import centre
from mocaplift.errors import CalibrationError
from tests.calibrate.written import MATRIX, SIZE, Z_UP_FRONT, check_front

PATH = Path("rig.file")


class TestNumbers:
    @pytest.mark.parametrize(
        "value", [[1, 2, 3], [[1], [2], [3]], [[1, 2, 3]], ("1", "2", "3"), np.arange(1, 4)]
    )
    def test_any_way_to_write_three_numbers_is_read(self, value: object) -> None:
        np.testing.assert_array_equal(numbers(value, (3,), "place", PATH, "a"), [1.0, 2.0, 3.0])

    def test_a_matrix_may_be_flat_row_by_row(self) -> None:
        found = numbers([1, 2, 3, 4], (2, 2), "matrix", PATH, "a")
        np.testing.assert_array_equal(found, [[1.0, 2.0], [3.0, 4.0]])

    @pytest.mark.parametrize(
        "value",
        [
            None,
            "abc",
            {},
            [1, 2],
            [1, 2, 3, 4],
            [[1, 2], [3]],
            [1, 2, "x"],
            [1, 2, float("inf")],
            [1, 2, 10**400],
            [1, 2, 1e300],
        ],
    )
    def test_everything_else_is_told_with_file_camera_and_entry(self, value: object) -> None:
        with pytest.raises(CalibrationError, match=r"rig\.file, camera 'a': place"):
            numbers(value, (3,), "place", PATH, "a")

    def test_other_shapes_of_as_many_numbers_are_refused(self) -> None:
        with pytest.raises(CalibrationError, match="2 x 3 numbers"):
            numbers([[1, 2], [3, 4], [5, 6]], (2, 3), "matrix", PATH, "a")

    def test_long_values_are_shortened_in_the_message(self) -> None:
        with pytest.raises(CalibrationError) as caught:
            numbers("x" * 10_000, (3,), "place", PATH, "a")
        assert len(str(caught.value)) < 200


class TestRotation:
    def test_a_vector_turns_by_its_length_about_itself(self) -> None:
        found = rotation_matrix([np.pi / 2, 0.0, 0.0], PATH, "a")
        np.testing.assert_allclose(found, Z_UP_FRONT, atol=1e-12)

    def test_a_rounded_matrix_becomes_a_rotation(self) -> None:
        exact = rotation_matrix([0.3, -0.5, 0.7], PATH, "a")
        found = rotation_matrix(exact.round(3), PATH, "a")
        np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(found, exact, atol=1e-3)

    def test_neither_is_told(self) -> None:
        with pytest.raises(CalibrationError, match="3 x 3"):
            rotation_matrix([1, 0, 0, 0], PATH, "a")
        with pytest.raises(CalibrationError, match="not a rotation matrix"):
            rotation_matrix(np.ones((3, 3)), PATH, "a")


@pytest.mark.parametrize(
    ("axis", "up"), [("y", [0, 1, 0]), ("-y", [0, -1, 0]), ("z", [0, 0, 1]), ("-z", [0, 0, -1])]
)
def test_every_up_axis_becomes_y_without_a_mirror(axis: str, up: list[int]) -> None:
    np.testing.assert_array_equal(Y_UP_FROM[axis] @ up, [0, 1, 0])
    assert np.linalg.det(Y_UP_FROM[axis]) == pytest.approx(1.0)


class TestAssemble:
    def test_units_and_axes(self) -> None:
        found = assemble(
            PATH,
            "front",
            matrix=np.array(MATRIX) * 2,  # homogeneous: only ratios count
            distortion=None,
            rotation=Z_UP_FRONT,
            translation=[0, 100, 400],
            size=SIZE,
            unit="cm",
            up="z",
        )
        check_front(found)

    def test_unknown_unit_and_up_change_nothing(self) -> None:
        found = assemble(
            PATH, "a", matrix=MATRIX, distortion=[], rotation=Z_UP_FRONT, translation=[0, 100, 400], size=SIZE
        )
        np.testing.assert_allclose(centre(found), [0.0, -400.0, 100.0], atol=1e-9)

    @pytest.mark.parametrize("size", [[1920], [1920, 1080, 3], [0, 10], [-4, 4], [1.5, 2], "big", None])
    def test_sizes_are_two_whole_numbers(self, size: object) -> None:
        with pytest.raises(CalibrationError, match="camera 'a': size"):
            picture_size(size, PATH, "a")

    @pytest.mark.parametrize("entry", ["matrix", "distortion", "rotation", "translation", "size"])
    @pytest.mark.parametrize("value", [[1, [2, 3]], "none", [[[]]], [1e308] * 9, {"a": 1}, [None] * 3])
    def test_no_value_of_any_entry_is_a_crash(self, entry: str, value: object) -> None:
        whole = {
            "matrix": MATRIX,
            "distortion": None,
            "rotation": Z_UP_FRONT,
            "translation": [0, 1, 4],
            "size": SIZE,
        }
        if entry == "distortion" and value == [[[]]]:
            assert not assemble(PATH, "a", **(whole | {entry: value})).distortion.any()
            return
        with pytest.raises(CalibrationError, match=r"rig\.file, camera 'a'"):
            assemble(PATH, "a", **(whole | {entry: value}))

    def test_missing_entries_are_named(self) -> None:
        assert field({"K": 1, "M": 2}, ["M", "K"], PATH, "a") == 2
        with pytest.raises(CalibrationError, match="there is no K or M"):
            field({}, ["K", "M"], PATH, "a")
        with pytest.raises(CalibrationError, match="there is no K"):
            field([1], ["K"], PATH, "a")
