"""Corners of boards, found where the camera that drew the picture has them."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mocaplift.calibrate.board import Board
from mocaplift.calibrate.rig import settle_board
from mocaplift.errors import CalibrationError, ConfigError
from tests.calibrate.boards import BOARD, CHARUCO, before, camera, corners, picture, turned


class TestPoints:
    def test_a_chessboard_counts_inner_corners_from_the_first(self) -> None:
        board = Board(3, 2, 0.1)
        assert np.allclose(
            board.points, [[0, 0, 0], [0.1, 0, 0], [0.2, 0, 0], [0, 0.1, 0], [0.1, 0.1, 0], [0.2, 0.1, 0]]
        )

    def test_a_charuco_board_counts_squares_and_starts_at_its_rim(self) -> None:
        board = Board(3, 4, 0.1, "DICT_4X4_50", 0.07)
        assert len(board.points) == 2 * 3
        assert np.allclose(board.points[0], [0.1, 0.1, 0])

    def test_both_counts_odd_or_even_look_the_same_after_half_a_turn(self) -> None:
        assert [Board(4, 7, 0.1).is_two_way, Board(5, 7, 0.1).is_two_way, CHARUCO.is_two_way] == [
            False,
            True,
            False,
        ]


class TestFind:
    @pytest.mark.parametrize("board", [BOARD, CHARUCO], ids=["chessboard", "charuco"])
    def test_corners_are_where_the_camera_has_them(self, board: Board) -> None:
        seeing = camera()
        for pose in before(seeing, 4, board=board):
            found = board.find(picture(seeing, board, pose))
            assert found is not None
            off = np.linalg.norm(found.xy - corners(seeing, board, pose)[found.ids], axis=-1)
            assert len(found.ids) > 0.8 * len(board.points)
            assert off.max() < 0.25

    @pytest.mark.parametrize("roll", [0, 90, 180, 270])
    def test_the_first_corner_is_the_same_however_the_board_is_held(self, roll: float) -> None:
        pose = turned(20, -25, roll, (0.0, 0.0, 0.8)) @ turned(0, 0, 0, (-0.09, -0.18, 0.0))
        found = BOARD.find(picture(camera(), BOARD, pose))
        assert found is not None
        assert np.abs(found.xy - corners(camera(), BOARD, pose)).max() < 0.25

    def test_counts_in_the_other_order_are_the_same_board(self) -> None:
        pose = before(camera(), 1)[0]
        found = Board(7, 4, 0.06).find(picture(camera(), BOARD, pose))
        assert found is not None
        truth = corners(camera(), BOARD, pose)
        assert np.linalg.norm(found.xy[:, None] - truth, axis=-1).min(axis=0).max() < 0.25

    @pytest.mark.parametrize("counts", [(4, 6), (3, 7), (5, 7), (4, 8), (3, 3)])
    def test_a_part_of_a_larger_board_is_no_board(self, counts: tuple[int, int]) -> None:
        image = picture(camera(), BOARD, before(camera(), 1)[0])
        assert Board(*counts, 0.06).find(image) is None

    def test_a_board_half_outside_the_picture_is_none(self) -> None:
        pose = turned(10, 10, 0, (0.25, 0.0, 0.6))
        assert BOARD.find(picture(camera(), BOARD, pose)) is None

    def test_the_back_of_a_board_with_its_mirror_image_is_seen(self) -> None:
        pose = before(camera(), 1, board=CHARUCO)[0]
        image = picture(camera(), CHARUCO, pose)
        found = CHARUCO.find(np.ascontiguousarray(image[:, ::-1]))
        assert found is not None
        mirrored = corners(camera(), CHARUCO, pose)[found.ids] * [-1, 1] + [639, 0]
        assert np.linalg.norm(found.xy - mirrored, axis=-1).max() < 0.25

    @pytest.mark.parametrize(
        "image",
        [
            np.zeros((480, 640), np.uint8),
            np.full((480, 640), 255, np.uint8),
            np.random.default_rng(0).integers(0, 256, (480, 640), dtype=np.uint8),
            np.zeros((3, 5), np.uint8),
            np.indices((480, 640)).sum(axis=0).astype(np.uint8),
            (np.indices((480, 640)) // 4 % 2).sum(axis=0).astype(np.uint8) * 120,
        ],
        ids=["black", "white", "noise", "tiny", "ramps", "checks all over"],
    )
    @pytest.mark.parametrize("board", [BOARD, CHARUCO], ids=["chessboard", "charuco"])
    def test_pictures_without_a_board_show_none(self, board: Board, image: np.ndarray) -> None:
        assert board.find(image) is None


class TestDescription:
    @pytest.mark.parametrize(
        "change",
        [
            {"columns": 1},
            {"rows": 400},
            {"square": 60.0},
            {"square": float("nan")},
            {"dictionary": "DICT_9X9"},
            {"dictionary": "DICT_4X4_50"},
            {"dictionary": "DICT_4X4_50", "marker": 0.06},
        ],
        ids=str,
    )
    def test_boards_that_cannot_be_are_refused(self, change: dict) -> None:
        with pytest.raises(ConfigError):
            replace(BOARD, **change)


class TestSettle:
    def files(self, folder: Path, board: Board) -> dict[str, list[Path]]:
        paths = []
        for place, pose in enumerate(before(camera(), 4, board=board)):
            paths.append(folder / f"{place}.png")
            cv2.imwrite(str(paths[-1]), picture(camera(), board, pose))
        return {"cam1": paths}

    def test_a_board_described_well_is_left_alone(self, tmp_path: Path) -> None:
        assert settle_board(BOARD, self.files(tmp_path, BOARD)) == (BOARD, [])

    def test_squares_counted_instead_of_corners_are_understood_and_told(self, tmp_path: Path) -> None:
        board, notes = settle_board(Board(5, 8, 0.06), self.files(tmp_path, BOARD))
        assert (board.columns, board.rows) == (4, 7)
        assert "squares were counted" in notes[0]

    def test_a_wrong_count_is_refused_with_the_right_one(self, tmp_path: Path) -> None:
        with pytest.raises(CalibrationError, match=r"4x7 inner corners, not 4x6.*--board 4x7"):
            settle_board(Board(4, 6, 0.06), self.files(tmp_path, BOARD))

    def test_rows_before_columns_of_a_charuco_board_are_understood_and_told(self, tmp_path: Path) -> None:
        files = self.files(tmp_path, CHARUCO)
        board, notes = settle_board(replace(CHARUCO, columns=5, rows=4), files)
        assert (board.columns, board.rows) == (4, 5)
        assert "exchanged" in notes[0]
