"""The stretch in which somebody is seen, by one camera or several."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mocaplift.detect.track import Track
from mocaplift.errors import InvalidData, NoPersonFound
from mocaplift.layouts import BODY21
from mocaplift.values import Clip, Keypoints2D, SkeletonMotion
from mocaplift.views.people import Person
from mocaplift.views.seen import seen_part
from tests.dancer import camera, dancer, seen

FRAMES = 36
SIZE = (320, 180)
LENS = camera(eye=(0.0, 1.3, 4.5), size=SIZE)


@pytest.fixture(scope="module")
def motion() -> SkeletonMotion:
    return dancer(FRAMES)


def person(*tracks: Track) -> Person:
    return Person(3, tuple(track.keypoints for track in tracks))


class TestSeenPart:
    def track(self, motion, first: int, last: int, legs: float = 1.0) -> Track:
        """Return a track seen from `first` to before `last`, its legs in that share of the frames."""
        view = seen(motion, LENS)
        xy, conf = view.xy.copy(), view.conf.copy()
        away = np.ones(FRAMES, bool)
        away[first:last] = False
        conf[away] = 0.0
        hidden = first + round(legs * (last - first))
        conf[hidden:last, BODY21.at("left_knee")] = 0.0
        xy[conf == 0] = np.nan
        boxes = np.tile([0.0, 0.0, 30.0, 40.0], (FRAMES, 1))
        return Track(3, replace(view, xy=xy, conf=conf), boxes)

    CLIP = Clip(Path("dance.mp4"), Fraction(30), FRAMES, SIZE, start=2.0)

    def test_it_is_cut_to_where_the_person_is(self, motion) -> None:
        track = self.track(motion, 6, 30)
        (part,), (view,), facts = seen_part([self.CLIP], person(track))
        assert (part.frames, part.start, part.fps) == (24, pytest.approx(2.2), 30)
        np.testing.assert_array_equal(view.xy, track.keypoints.xy[6:30])
        assert view.landmarks is not None and len(view.landmarks) == 24
        assert facts == {"seen_share": 1.0}

    def test_frames_in_between_count_as_unseen(self, motion) -> None:
        track = self.track(motion, 6, 30)
        xy, conf = track.keypoints.xy.copy(), track.keypoints.conf.copy()
        xy[12:18], conf[12:18] = np.nan, 0.0
        track = replace(track, keypoints=replace(track.keypoints, xy=xy, conf=conf))
        assert seen_part([self.CLIP], person(track))[2] == {"seen_share": 0.75}

    def test_a_glimpse_is_no_motion(self, motion) -> None:
        with pytest.raises(NoPersonFound, match=r"dance\.mp4: id:3 .* seen for 0\.17 s only"):
            seen_part([self.CLIP], person(self.track(motion, 10, 15)))
        assert seen_part([self.CLIP], person(self.track(motion, 10, 16)))[0][0].frames == 6

    def test_half_a_body_is_no_motion(self, motion) -> None:
        with pytest.raises(NoPersonFound, match=r"hips and knees of id:3 .* 15% of the frames only; film"):
            seen_part([self.CLIP], person(self.track(motion, 5, 25, legs=0.15)))
        assert seen_part([self.CLIP], person(self.track(motion, 5, 25, legs=0.25)))[0][0].frames == 20

    def test_any_camera_will_do(self, motion) -> None:
        """One camera sees the person first, the other one longer; neither sees all of the legs."""
        first, then = self.track(motion, 4, 20), self.track(motion, 12, 32)
        views = []
        for each, joint in ((first, "left_knee"), (then, "right_hip")):
            view = each.keypoints
            xy, conf = view.xy.copy(), view.conf.copy()
            xy[:, BODY21.at(joint)], conf[:, BODY21.at(joint)] = np.nan, 0.0
            views.append(Keypoints2D(xy, conf, BODY21, view.fps, view.size))
        clips = [self.CLIP, replace(self.CLIP, path=Path("side.mp4"), start=0.5)]
        parts, cut, facts = seen_part(clips, Person(1, tuple(views)))
        assert [part.start for part in parts] == pytest.approx([2 + 4 / 30, 0.5 + 4 / 30])
        assert [part.frames for part in parts] == [len(view.xy) for view in cut] == [28, 28]
        assert facts == {"seen_share": 1.0}
        np.testing.assert_array_equal(cut[1].xy, views[1].xy[4:32])
        for only in views:
            with pytest.raises(NoPersonFound, match=r"dance\.mp4, side\.mp4: .* in 0% of the frames"):
                seen_part(clips, Person(1, (only, replace(only, xy=only.xy * np.nan, conf=only.conf * 0))))

    def test_nobody_at_all_is_told(self, motion) -> None:
        with pytest.raises(NoPersonFound, match=r"dance\.mp4: no keypoint was seen"):
            seen_part([self.CLIP], person(self.track(motion, 0, 0)))

    @pytest.mark.parametrize(("scale", "shift"), [(0.01, 0.0), (0.0, 0.0), (1e6, 0.0), (1.0, 1e4)])
    def test_coordinates_that_are_no_pixels_of_the_picture_are_refused(self, motion, scale, shift) -> None:
        track = self.track(motion, 0, FRAMES)
        centre = np.nanmean(track.keypoints.xy, axis=(0, 1))
        view = replace(track.keypoints, xy=centre + scale * (track.keypoints.xy - centre) + shift)
        with pytest.raises(InvalidData, match=r"dance\.mp4: id:3 .* is about .* must be in pixels"):
            seen_part([self.CLIP], Person(3, (view,)))
        # Beside another camera it is not ours to judge: the calibration does.
        clips = [self.CLIP, replace(self.CLIP, path=Path("side.mp4"))]
        assert len(seen_part(clips, Person(3, (track.keypoints, view)))[1]) == 2
