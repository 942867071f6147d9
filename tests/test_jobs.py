"""Where results go: no two in one place, none over a video."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from mocaplift.errors import ConfigError, UnsupportedFormat
from mocaplift.jobs import Job, choose_formats, plan, split_suffix, stage_file
from mocaplift.takes import Take, find_takes, single

SUFFIXES = (".bvh", ".npz", ".smpl.npz")


def make(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")
    return paths


def planned(clips: Sequence[Path], *args, **options) -> list[Job]:
    return plan([single(clip) for clip in clips], *args, **options)


def targets(*args, **options) -> list[list[Path]]:
    return [list(job.results(1).values()) for job in planned(*args, **options)]


class TestFormats:
    def test_names_are_those_of_the_suffixes(self) -> None:
        assert choose_formats(["smpl", "bvh", "smpl"], SUFFIXES) == (".smpl.npz", ".bvh")

    def test_a_near_miss_is_suggested_and_all_are_listed(self) -> None:
        with pytest.raises(UnsupportedFormat, match=r"'bhv'; did you mean 'bvh'\? There are bvh, npz, smpl"):
            choose_formats(["bhv"], SUFFIXES)

    @pytest.mark.parametrize(
        ("name", "parts"),
        [
            ("walk.bvh", ("walk", ".bvh")),
            ("walk.smpl.npz", ("walk", ".smpl.npz")),
            ("walk.npz", ("walk", ".npz")),
            ("take.2.BVH", ("take.2", ".bvh")),
            (".bvh", (".bvh", "")),
            ("walk", ("walk", "")),
        ],
    )
    def test_the_longest_suffix_wins(self, name: str, parts: tuple[str, str]) -> None:
        assert split_suffix(name, SUFFIXES) == parts


class TestPlan:
    def test_without_an_output_results_lie_beside_each_video(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "a/walk.mp4", "b/walk.mp4")
        assert targets(clips, None, [], SUFFIXES) == [[tmp_path / "a/walk.bvh"], [tmp_path / "b/walk.bvh"]]

    def test_without_a_format_the_usual_one_is_written(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "walk.mp4")
        assert targets(clips, None, [], SUFFIXES, usual="npz") == [[tmp_path / "walk.npz"]]
        assert targets(clips, str(tmp_path / "o.bvh"), [], SUFFIXES, usual="npz") == [[tmp_path / "o.bvh"]]

    def test_a_file_says_its_format(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "walk.mp4")
        found = targets(clips, str(tmp_path / "out.smpl.npz"), [], SUFFIXES)
        assert found == [[tmp_path / "out.smpl.npz"]]

    def test_a_file_and_more_formats_share_a_stem(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "walk.mp4")
        found = targets(clips, str(tmp_path / "out.bvh"), ["npz", "bvh"], SUFFIXES)
        assert found == [[tmp_path / "out.bvh", tmp_path / "out.npz"]]

    def test_dots_in_names_stay(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "take.2.mp4")
        assert targets(clips, f"{tmp_path}/r/", [], SUFFIXES) == [[tmp_path / "r/take.2.bvh"]]

    def test_an_unknown_suffix_is_refused_with_advice(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "walk.mp4")
        with pytest.raises(UnsupportedFormat, match=r"-o out\.bhv: .*did you mean '\.bvh'.*write out\.bhv/"):
            planned(clips, "out.bhv", [], SUFFIXES)

    def test_a_folder_may_have_dots(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "walk.mp4")
        (tmp_path / "results.v2").mkdir()
        for output in (str(tmp_path / "results.v2"), f"{tmp_path}/results.v3/"):
            assert targets(clips, output, [], SUFFIXES) == [[Path(output) / "walk.bvh"]]

    def test_several_videos_do_not_go_into_one_file(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "a.mp4", "b.mp4")
        with pytest.raises(ConfigError, match=r"out\.bvh is one file, but there are 2 videos"):
            planned(clips, "out.bvh", [], SUFFIXES)
        with pytest.raises(ConfigError, match=r"check\.mp4 is one file"):
            planned(clips, None, [], SUFFIXES, overlay="check.mp4")

    @pytest.mark.parametrize(
        "names",
        [
            ("a/walk.mp4", "b/walk.mp4"),
            ("a/walk.mp4", "a/walk.mov"),
            ("a/walk.mp4", "a/Walk.mov"),
            ("x/a/walk.mp4", "y/a/walk.mp4"),
            ("a/walk.mp4", "a/walk.mov", "b/walk_mov.mp4", "b/walk.mov"),
            ("x/a/walk.mp4", "y/a/walk.mp4", "z/a_walk_2.mp4"),
        ],
    )
    def test_clips_of_one_name_never_share_a_result(self, tmp_path: Path, names: tuple[str, ...]) -> None:
        clips = make(tmp_path, *names)
        found = [
            str(path).lower()
            for paths in targets(clips, str(tmp_path / "out"), [], SUFFIXES)
            for path in paths
        ]
        assert len(set(found)) == len(names)
        again = [
            str(path).lower()
            for paths in targets(clips, str(tmp_path / "out"), [], SUFFIXES)
            for path in paths
        ]
        assert found == again

    def test_two_containers_beside_each_other_do_not_share_a_result(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "walk.mp4", "walk.mov")
        assert targets(clips, None, [], SUFFIXES) == [
            [tmp_path / "walk_mp4.bvh"],
            [tmp_path / "walk_mov.bvh"],
        ]

    def test_people_are_numbered(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "walk.mp4")
        (job,) = planned(clips, str(tmp_path / "o.bvh"), [], SUFFIXES, overlay="c.mp4", is_per_person=True)
        assert job.results(3) == {".bvh": tmp_path / "o_p3.bvh"}
        assert job.overlays(3) == [Path("c_p3.mp4")]
        assert job.report(3) == tmp_path / "o_p3.report.json"

    def test_overlays_go_to_a_folder_under_the_clips_names(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "a.mp4", "b.mp4")
        jobs = planned(clips, None, [], SUFFIXES, overlay=str(tmp_path))
        assert [job.overlays(1) for job in jobs] == [
            [tmp_path / "a.overlay.mp4"],
            [tmp_path / "b.overlay.mp4"],
        ]

    def test_an_overlay_of_another_kind_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UnsupportedFormat, match=r"check\.gif: overlays are written as \.mp4"):
            planned(make(tmp_path, "a.mp4"), None, [], SUFFIXES, overlay="check.gif")

    def test_pages_go_to_a_folder_or_into_one_file(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "a.mp4", "b.mp4")
        jobs = planned(clips, None, [], SUFFIXES, page=str(tmp_path))
        assert [job.pages(1) for job in jobs] == [[tmp_path / "a.html"], [tmp_path / "b.html"]]
        assert jobs[0].files(1) == [tmp_path / "a.bvh", tmp_path / "a.html"]
        (job,) = planned(clips[:1], None, [], SUFFIXES, page=str(tmp_path / "see.HTML"), is_per_person=True)
        assert job.pages(2) == [tmp_path / "see_p2.html"]
        (tmp_path / "see_p7.html").touch()
        assert job.existing() == [tmp_path / "see_p7.html"]

    def test_a_page_of_another_kind_or_for_several_videos_is_refused(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "a.mp4", "b.mp4")
        with pytest.raises(UnsupportedFormat, match=r"--viewer see\.pdf: pages are written as \.html"):
            planned(clips, None, [], SUFFIXES, page="see.pdf")
        with pytest.raises(ConfigError, match=r"see\.html is one file.*2 videos; give a folder to --viewer"):
            planned(clips, None, [], SUFFIXES, page="see.html")

    @pytest.mark.parametrize("kind", ["same", "link", "hard link"])
    def test_a_video_is_never_overwritten(self, tmp_path: Path, kind: str) -> None:
        (clip,) = make(tmp_path, "walk.mp4")
        target = clip
        if kind != "same":
            target = tmp_path / "other.mp4"
            target.symlink_to(clip) if kind == "link" else target.hardlink_to(clip)
        with pytest.raises(ConfigError, match="is the input itself"):
            planned([clip], None, [], SUFFIXES, overlay=str(target))

    def test_a_video_with_the_name_of_a_result_is_never_overwritten(self, tmp_path: Path) -> None:
        (clip,) = make(tmp_path, "walk.bvh")
        with pytest.raises(ConfigError, match="is the input itself"):
            planned([clip], None, [], SUFFIXES)


class TestPlanOfTakes:
    def take(self, tmp_path: Path, calibration: str = "cams.json") -> Take:
        clips = make(tmp_path, "jump_cam1.mp4", "jump_cam2.mp4")
        return find_takes([str(clip) for clip in clips], tmp_path / calibration)[0]

    def test_one_take_is_one_file_beside_its_videos(self, tmp_path: Path) -> None:
        (job,) = plan([self.take(tmp_path)], None, [], SUFFIXES)
        assert job.files(1) == [tmp_path / "jump.bvh"]
        assert job.report(1) == tmp_path / "jump.report.json"
        (job,) = plan([self.take(tmp_path)], str(tmp_path / "out.bvh"), [], SUFFIXES)
        assert job.files(1) == [tmp_path / "out.bvh"]

    @pytest.mark.parametrize(
        ("overlay", "stem"), [("here/", "here/jump"), ("c.mp4", "c"), ("c.overlay.mp4", "c")]
    )
    def test_every_camera_has_its_overlay(self, tmp_path: Path, overlay: str, stem: str) -> None:
        (job,) = plan([self.take(tmp_path)], None, [], SUFFIXES, overlay=overlay)
        assert job.overlays(1) == [Path(f"{stem}.cam1.overlay.mp4"), Path(f"{stem}.cam2.overlay.mp4")]
        (job,) = plan([self.take(tmp_path)], None, [], SUFFIXES, overlay=overlay, is_per_person=True)
        assert job.overlays(2)[0] == Path(f"{stem}_p2.cam1.overlay.mp4")

    def test_what_is_there_is_found_for_all_people_and_cameras(self, tmp_path: Path) -> None:
        (job,) = plan([self.take(tmp_path)], None, [], SUFFIXES, overlay=str(tmp_path), is_per_person=True)
        there = make(tmp_path, "jump_p1.bvh", "jump_p2.cam2.overlay.mp4")
        make(tmp_path, "jump_p1.cam3.overlay.mp4", "other_p1.bvh")
        assert sorted(job.existing()) == there

    def test_takes_of_one_name_never_share_a_result(self, tmp_path: Path) -> None:
        make(tmp_path, *(f"{day}/walk/cam{number}.mp4" for day in "ab" for number in (1, 2)))
        takes = find_takes([str(tmp_path / "a"), str(tmp_path / "b")], Path("cams.json"))
        jobs = plan(takes, f"{tmp_path}/out/", [], SUFFIXES)
        assert [job.stem.name for job in jobs] == ["a_walk", "b_walk"]
        with pytest.raises(ConfigError, match=r"out\.bvh is one file, but there are 2 takes"):
            plan(takes, "out.bvh", [], SUFFIXES)

    def test_neither_a_video_nor_the_calibration_is_overwritten(self, tmp_path: Path) -> None:
        for name, output in (("jump.bvh", None), ("cams.json", str(tmp_path / "cams.bvh"))):
            take = self.take(tmp_path, name)
            (tmp_path / "cams.bvh").unlink(missing_ok=True)
            make(tmp_path, name)
            if output is not None:
                (tmp_path / "cams.bvh").hardlink_to(tmp_path / name)
            with pytest.raises(ConfigError, match="is the input itself"):
                plan([take], output, [], SUFFIXES)


class TestStageFile:
    @pytest.mark.parametrize(
        ("source", "output", "mark", "expected"),
        [
            ("a/walk.mp4", None, "", "a/walk.keypoints.npz"),
            ("a/walk.mp4", None, "_p2", "a/walk_p2.keypoints.npz"),
            ("a/walk.mp4", "b/", "", "b/walk.keypoints.npz"),
            ("a/walk.mp4", "b/k.npz", "_p2", "b/k_p2.npz"),
            ("a/walk.lifted.npz", None, "", "a/walk.keypoints.npz"),
            ("a/take.2.npz", None, "", "a/take.2.keypoints.npz"),
        ],
    )
    def test_names(self, source: str, output: str | None, mark: str, expected: str) -> None:
        path = stage_file(Path(source), output, ".keypoints.npz", is_only=True, mark=mark)
        assert path == Path(expected)

    def test_refusals(self) -> None:
        with pytest.raises(ConfigError, match="is the input itself"):
            stage_file(Path("walk.npz"), "walk.npz", ".motion.npz", is_only=True)
        with pytest.raises(ConfigError, match="several inputs"):
            stage_file(Path("walk.npz"), "out.npz", ".motion.npz", is_only=False)
        with pytest.raises(UnsupportedFormat):
            stage_file(Path("walk.npz"), "out.json", ".motion.npz", is_only=True)
