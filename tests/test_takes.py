"""Which videos a call means, and which of them are one take."""

from pathlib import Path

import pytest

from mocaplift.takes import find_clips, find_takes
from tests.test_jobs import make

CALIBRATION = Path("cams.json")


class TestFindClips:
    def test_a_folder_means_its_videos_sorted_and_nothing_else(self, tmp_path: Path) -> None:
        make(tmp_path, "b.mp4", "a.MOV", "notes.txt", ".hidden.mp4", "deeper/c.mp4")
        (tmp_path / "folder.mp4").mkdir()
        assert [path.name for path in find_clips([str(tmp_path)])] == ["a.MOV", "b.mp4"]

    def test_a_folder_without_videos_stays_so_that_it_fails_alone(self, tmp_path: Path) -> None:
        assert find_clips([str(tmp_path)]) == [tmp_path]

    def test_a_pattern_that_the_shell_left_is_expanded(self, tmp_path: Path) -> None:
        make(tmp_path, "t2.mp4", "t1.mp4", "t1.bvh")
        assert [path.name for path in find_clips([f"{tmp_path}/t*.mp4"])] == ["t1.mp4", "t2.mp4"]

    def test_a_file_whose_name_looks_like_a_pattern_is_that_file(self, tmp_path: Path) -> None:
        (clip,) = make(tmp_path, "take[1].mp4")
        make(tmp_path, "take1.mp4")
        assert find_clips([str(clip)]) == [clip]

    def test_the_same_clip_named_twice_comes_once(self, tmp_path: Path) -> None:
        (clip,) = make(tmp_path, "a.mp4")
        assert find_clips([str(clip), str(tmp_path), f"{tmp_path}/../{tmp_path.name}/a.mp4"]) == [clip]

    def test_overlays_that_we_drew_are_no_videos_to_capture(self, tmp_path: Path) -> None:
        make(tmp_path, "a.mp4", "a.overlay.mp4", "a.cam1.overlay.MP4")
        assert [path.name for path in find_clips([str(tmp_path)])] == ["a.mp4"]
        assert len(find_clips([str(tmp_path / "a.overlay.mp4")])) == 1

    def test_numbers_are_counted(self, tmp_path: Path) -> None:
        make(tmp_path, "cam10.mp4", "cam2.mp4", "cam1.mp4")
        for argument in (str(tmp_path), f"{tmp_path}/cam*.mp4"):
            assert [path.name for path in find_clips([argument])] == ["cam1.mp4", "cam2.mp4", "cam10.mp4"]

    def test_what_is_missing_stays(self) -> None:
        assert find_clips(["no such.mp4", "none*.mp4"]) == [Path("no such.mp4"), Path("none*.mp4")]


class TestFindTakes:
    def test_without_a_calibration_every_clip_is_its_own_take(self, tmp_path: Path) -> None:
        make(tmp_path, "a.mp4", "b.mp4")
        takes = find_takes([str(tmp_path)])
        assert [(take.label, take.name, take.calibration) for take in takes] == [
            (str(tmp_path / "a.mp4"), "a", None),
            (str(tmp_path / "b.mp4"), "b", None),
        ]

    def test_clips_that_are_named_are_one_take_in_the_order_given(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "jump_cam2.mp4", "jump_cam1.mp4")
        (take,) = find_takes([str(clip) for clip in clips], CALIBRATION)
        assert (take.clips, take.calibration) == (tuple(clips), CALIBRATION)
        assert (take.name, take.views) == ("jump", ("cam2", "cam1"))
        assert take.title == f"{tmp_path}/jump: jump_cam2.mp4, jump_cam1.mp4"

    def test_one_clip_may_have_a_known_camera(self, tmp_path: Path) -> None:
        (clip,) = make(tmp_path, "walk.mp4")
        (take,) = find_takes([str(clip)], CALIBRATION)
        assert (take.clips, take.name, take.title, take.inputs) == (
            (clip,),
            "walk",
            str(clip),
            (clip, CALIBRATION),
        )

    def test_a_folder_is_one_take_of_its_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make(tmp_path, "monday/cam2.mp4", "monday/cam10.mp4", "monday/notes.txt", "monday/m.cam2.overlay.mp4")
        (take,) = find_takes([str(tmp_path / "monday")], CALIBRATION)
        assert (take.name, take.views, take.folder) == ("monday", ("cam2", "cam10"), tmp_path / "monday")
        assert take.label == str(tmp_path / "monday")
        monkeypatch.chdir(tmp_path / "monday")
        assert [each.name for each in find_takes(["."], CALIBRATION)] == ["monday"]

    def test_a_folder_of_folders_is_many_takes(self, tmp_path: Path) -> None:
        make(
            tmp_path, *(f"t{day}/cam{number}.mp4" for day in (10, 2) for number in (1, 2)), "empty/notes.txt"
        )
        takes = find_takes([str(tmp_path)], CALIBRATION)
        assert [(take.name, len(take.clips)) for take in takes] == [("t2", 2), ("t10", 2)]
        assert [take.name for take in find_takes([f"{tmp_path}/t2", f"{tmp_path}/t2/"], CALIBRATION)] == [
            "t2"
        ]

    def test_a_takes_own_calibration_comes_before_the_one_given(self, tmp_path: Path) -> None:
        make(tmp_path, "a/cam1.mp4", "b/cam1.mp4", "b/cams.json", "rig/cams.json")
        a, b = find_takes([str(tmp_path / "a"), str(tmp_path / "b")], tmp_path / "rig" / "cams.json")
        assert (a.calibration, b.calibration) == (tmp_path / "rig/cams.json", tmp_path / "b/cams.json")

    def test_a_folder_without_videos_stays_so_that_it_fails_alone(self, tmp_path: Path) -> None:
        (take,) = find_takes([str(tmp_path)], CALIBRATION)
        assert take.clips == (tmp_path,)

    @pytest.mark.parametrize(
        ("names", "name", "views"),
        [
            (("d/cam1.mp4", "d/cam2.mp4"), "d", ("cam1", "cam2")),
            (("d/Cam_1.mp4", "d/Cam_2.mp4"), "d", ("1", "2")),
            (("d/my-jump.cam1.mp4", "d/my-jump.cam2.mov"), "my-jump", ("cam1", "cam2")),
            (("d/cam1_jump.mp4", "d/cam2_jump.mp4"), "jump", ("cam1", "cam2")),
            (("d/gW_sB_c01_d2_ch1.mp4", "d/gW_sB_c02_d2_ch1.mp4"), "gW_sB_d2_ch1", ("c01", "c02")),
            (("d/cam1/jump.mp4", "d/cam2/jump.mp4"), "jump", ("cam1", "cam2")),
            (("d/jump.mp4", "d/jump_2.mp4"), "jump", ("jump", "jump_2")),
            (("d/a.mp4", "d/A.mov"), "d", ("view1", "view2")),
        ],
    )
    def test_the_name_is_what_the_clips_share_and_the_views_what_they_do_not(
        self, tmp_path: Path, names: tuple[str, ...], name: str, views: tuple[str, ...]
    ) -> None:
        (take,) = find_takes([str(clip) for clip in make(tmp_path, *names)], CALIBRATION)
        assert (take.name, take.views) == (name, views)
        assert take.folder == tmp_path / "d"
