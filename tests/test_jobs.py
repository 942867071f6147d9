"""Which clips a call means and where results go: no two results in one place, none over a video."""

from pathlib import Path

import pytest

from mocaplift.errors import ConfigError, UnsupportedFormat
from mocaplift.jobs import choose_formats, find_clips, plan, split_suffix, stage_file

SUFFIXES = (".bvh", ".npz", ".smpl.npz")


def make(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")
    return paths


def targets(*args, **options) -> list[list[Path]]:
    return [list(job.results(1).values()) for job in plan(*args, **options)]


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

    def test_what_is_missing_stays(self) -> None:
        assert find_clips(["no such.mp4", "none*.mp4"]) == [Path("no such.mp4"), Path("none*.mp4")]


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
            plan(clips, "out.bhv", [], SUFFIXES)

    def test_a_folder_may_have_dots(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "walk.mp4")
        (tmp_path / "results.v2").mkdir()
        for output in (str(tmp_path / "results.v2"), f"{tmp_path}/results.v3/"):
            assert targets(clips, output, [], SUFFIXES) == [[Path(output) / "walk.bvh"]]

    def test_several_videos_do_not_go_into_one_file(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "a.mp4", "b.mp4")
        with pytest.raises(ConfigError, match=r"out\.bvh is one file, but there are 2 videos"):
            plan(clips, "out.bvh", [], SUFFIXES)
        with pytest.raises(ConfigError, match=r"check\.mp4 is one file"):
            plan(clips, None, [], SUFFIXES, overlay="check.mp4")

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
        (job,) = plan(clips, str(tmp_path / "o.bvh"), [], SUFFIXES, overlay="c.mp4", is_per_person=True)
        assert job.results(3) == {".bvh": tmp_path / "o_p3.bvh", "overlay": Path("c_p3.mp4")}
        assert job.report(3) == tmp_path / "o_p3.report.json"

    def test_overlays_go_to_a_folder_under_the_clips_names(self, tmp_path: Path) -> None:
        clips = make(tmp_path, "a.mp4", "b.mp4")
        jobs = plan(clips, None, [], SUFFIXES, overlay=str(tmp_path))
        assert [job.results(1)["overlay"] for job in jobs] == [
            tmp_path / "a.overlay.mp4",
            tmp_path / "b.overlay.mp4",
        ]

    def test_an_overlay_of_another_kind_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UnsupportedFormat, match=r"check\.gif: overlays are written as \.mp4"):
            plan(make(tmp_path, "a.mp4"), None, [], SUFFIXES, overlay="check.gif")

    @pytest.mark.parametrize("kind", ["same", "link", "hard link"])
    def test_a_video_is_never_overwritten(self, tmp_path: Path, kind: str) -> None:
        (clip,) = make(tmp_path, "walk.mp4")
        target = clip
        if kind != "same":
            target = tmp_path / "other.mp4"
            target.symlink_to(clip) if kind == "link" else target.hardlink_to(clip)
        with pytest.raises(ConfigError, match="is the input itself"):
            plan([clip], None, [], SUFFIXES, overlay=str(target))

    def test_a_video_with_the_name_of_a_result_is_never_overwritten(self, tmp_path: Path) -> None:
        (clip,) = make(tmp_path, "walk.bvh")
        with pytest.raises(ConfigError, match="is the input itself"):
            plan([clip], None, [], SUFFIXES)


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
