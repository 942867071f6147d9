from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mocaplift.detect.track import Track
from mocaplift.errors import ConfigError, InvalidData
from mocaplift.layouts import BODY21
from mocaplift.values import Clip, Keypoints2D
from mocaplift.views import Timing, find_offsets, on_one_clock, tracks_on_one_clock
from mocaplift.views.shared_clock import common_rate

SIZE = (640, 480)
NOSE = BODY21.at("nose")


def clip(frames: int, fps: Fraction | int = 30, start: float = 0.0) -> Clip:
    return Clip(Path("a.mp4"), Fraction(fps), frames, SIZE, start=start)


def path_of(shared: np.ndarray) -> np.ndarray:
    """Return where the nose is at moments of the shared clock: 100 px/s to the right, and a slow wave."""
    return np.stack([100 * shared, 200 + 20 * np.sin(2 * np.pi * shared)], axis=-1)


def seen(of: Clip, offset: float, missing: Sequence[int] = ()) -> Keypoints2D:
    moments = of.start + np.arange(of.frames) / float(of.fps) + offset
    xy = np.full((of.frames, len(BODY21), 2), np.nan)
    conf = np.zeros(xy.shape[:2])
    xy[:, NOSE], conf[:, NOSE] = path_of(moments), 0.9
    xy[list(missing)], conf[list(missing)] = np.nan, 0.0
    return Keypoints2D(xy, conf, BODY21, float(of.fps), SIZE)


def timing(*offsets: float) -> Timing:
    return Timing(offsets, (0.0,) * len(offsets), "given")


class TestModes:
    def test_none_is_the_same_clock(self) -> None:
        found = find_offsets([[], []], [clip(10), clip(12)], [], "none")
        assert (found.offsets, found.source) == ((0.0, 0.0), "same clock")
        assert found.facts() == {"sync_source": "same clock", "sync_offsets_s": [0.0, 0.0]}

    def test_offsets_can_be_given(self) -> None:
        found = find_offsets([[], [], []], [clip(10)] * 3, [], "0, 0.12,-0.3")
        assert (found.offsets, found.source) == ((0.0, 0.12, -0.3), "given")

    @pytest.mark.parametrize("mode", ["0,0.1", "0,nan,1", "0,1,2,3", "moton", ""])
    def test_what_is_no_mode_is_refused(self, mode: str) -> None:
        with pytest.raises(ConfigError, match="--sync"):
            find_offsets([[], [], []], [clip(10)] * 3, [], mode)

    @pytest.mark.parametrize("mode", ["auto", "motion", "sound", "none"])
    def test_one_camera_needs_no_clock(self, mode: str) -> None:
        assert find_offsets([[]], [clip(10)], [], mode).offsets == (0.0,)


class TestOneClock:
    def test_cameras_on_one_clock_are_not_changed(self) -> None:
        clips = [clip(90, Fraction(30000, 1001)), clip(90, Fraction(30000, 1001))]
        views = [seen(each, 0.0, missing=[4, 50]) for each in clips]
        found, stretches = on_one_clock(views, clips, timing(0, 0))
        for before, after, stretch in zip(views, found, stretches, strict=True):
            np.testing.assert_array_equal(before.xy, after.xy)
            np.testing.assert_array_equal(before.conf, after.conf)
            assert (stretch.frames, stretch.fps, stretch.start) == (90, Fraction(30000, 1001), 0.0)

    def test_whole_frames_by_hand(self) -> None:
        """The second camera started 2 frames later: its frame 0 was taken with the first's frame 2."""
        clips = [clip(10), clip(10)]
        views = [seen(each, offset) for each, offset in zip(clips, (0.0, 2 / 30), strict=True)]
        (first, second), (a, b) = on_one_clock(views, clips, timing(0.0, 2 / 30))
        assert len(first.xy) == len(second.xy) == 8
        np.testing.assert_array_equal(first.xy[0], views[0].xy[2])
        np.testing.assert_array_equal(second.xy[0], views[1].xy[0])
        assert a.start == pytest.approx(2 / 30)
        assert b.start == pytest.approx(0.0)

    def test_parts_of_a_frame_follow_the_path(self) -> None:
        clips = [clip(60), clip(60, start=1.0)]
        offsets = (0.0, -1.0 + 0.4 / 30)
        views = [seen(each, offset) for each, offset in zip(clips, offsets, strict=True)]
        found, stretches = on_one_clock(views, clips, timing(*offsets))
        moments = stretches[0].start + np.arange(stretches[0].frames) / 30
        for view in found:
            np.testing.assert_allclose(view.xy[1:-1, NOSE], path_of(moments)[1:-1], atol=0.01)
            assert (view.conf[:, NOSE] == 0.9).all()

    def test_points_beside_gaps_are_missing_and_nothing_crosses_them(self) -> None:
        clips = [clip(20), clip(20)]
        views = [seen(clips[0], 0.0), seen(clips[1], 0.5 / 30, missing=[7])]
        (_, second), _ = on_one_clock(views, clips, timing(0.0, 0.5 / 30))
        # Tick n lies between the second's frames n and n + 1; the first tick is 1.
        assert np.flatnonzero(second.conf[:, NOSE] == 0).tolist() == [6, 7]
        assert np.isfinite(second.xy[5, NOSE]).all()

    def test_lower_confidence_of_the_two_frames_counts(self) -> None:
        clips = [clip(20), clip(20)]
        view = seen(clips[1], 0.5 / 30)
        view.conf[7, NOSE] = 0.2
        (_, second), _ = on_one_clock([seen(clips[0], 0.0), view], clips, timing(0.0, 0.5 / 30))
        assert np.flatnonzero(second.conf[:, NOSE] == 0.2).tolist() == [6, 7]

    def test_different_rates_and_lengths(self) -> None:
        clips = [clip(60, 60), clip(25, 25), clip(10, 30)]
        views = [seen(each, 0.0) for each in clips]
        found, stretches = on_one_clock(views, clips, timing(0.0, 0.0, 0.0))
        assert [each.fps for each in stretches] == [Fraction(30)] * 3
        # The second to end is the 25 fps clip: at 0.96 s.
        assert {len(view.xy) for view in found} == {29}
        assert {view.fps for view in found} == {30.0}
        np.testing.assert_allclose(found[1].xy[1:-1, NOSE], path_of(np.arange(29) / 30)[1:-1], atol=0.05)
        assert (found[2].conf[10:] == 0).all()
        assert np.isnan(found[2].xy[10:]).all()
        assert (found[2].conf[:10, NOSE] > 0).all()

    @pytest.mark.parametrize(
        ("rates", "common"), [((30,), 30), ((30, 60), 60), ((240, 30, 30), 30), ((60, 60, 30, 25), 60)]
    )
    def test_half_of_the_cameras_reach_the_rate(self, rates: Sequence[int], common: int) -> None:
        assert common_rate([clip(9, rate) for rate in rates]) == common

    def test_boxes_and_landmarks_follow(self) -> None:
        clips = [clip(20), clip(20)]
        landmarks = np.arange(20.0)[:, None, None] * np.ones((1, len(BODY21), 3))
        view = replace(seen(clips[1], 0.5 / 30), landmarks=landmarks)
        boxes = np.arange(20.0)[:, None] * np.ones(4)
        nobody = Track(2, seen(clips[1], 0.0, missing=range(20)), np.full((20, 4), np.nan))
        tracks = [[Track(1, seen(clips[0], 0.0), boxes)], [Track(1, view, boxes), nobody]]
        (_, second), _ = tracks_on_one_clock(tracks, clips, timing(0.0, 0.5 / 30))
        assert [track.id for track in second] == [1]
        np.testing.assert_allclose(second[0].boxes[:3, 0], [0.5, 1.5, 2.5])
        assert second[0].keypoints.landmarks is not None
        np.testing.assert_allclose(second[0].keypoints.landmarks[:3, 0, 0], [0.5, 1.5, 2.5])

    def test_clips_that_share_no_moment_are_refused_with_their_times(self) -> None:
        clips = [clip(30), clip(30)]
        with pytest.raises(InvalidData, match=r"a\.mp4 from 5\.00 to 5\.97 s"):
            on_one_clock([seen(each, 0.0) for each in clips], clips, timing(0.0, 5.0))

    def test_numbers_must_agree(self) -> None:
        with pytest.raises(InvalidData, match="2 views for 1 videos"):
            on_one_clock([seen(clip(9), 0.0)] * 2, [clip(9)], timing(0.0))
        with pytest.raises(InvalidData, match="1 offsets for 2 videos"):
            on_one_clock([seen(clip(9), 0.0)] * 2, [clip(9)] * 2, timing(0.0))
        with pytest.raises(InvalidData, match="1 views for 2 videos"):
            tracks_on_one_clock([[]], [clip(9)] * 2, timing(0.0, 0.0))
