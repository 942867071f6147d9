"""Offsets from motion: the oracle walker, seen by cameras whose clocks are known."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mocaplift.cameras import intrinsics_from_fov, look_at, project
from mocaplift.detect.track import Track
from mocaplift.errors import InvalidData, NoPersonFound
from mocaplift.layouts import BODY21
from mocaplift.values import Camera, Clip, Keypoints2D
from mocaplift.views import find_offsets
from mocaplift.views.lags import Correlation, correlation, reconciled
from tests.walker import walker

SIZE = (1280, 720)
EYES = ((4.0, 1.5, 3.0), (-3.5, 1.2, 1.0), (1.0, 2.0, 8.0), (4.0, 1.0, -2.0))
# Of the walk, at this rate, every camera's frames are taken.
FINE = 600
WALK = walker(frames=FINE * 6, fps=FINE, speed=0.9)


def rig(count: int) -> list[Camera]:
    return [
        Camera(
            f"cam{i}",
            intrinsics_from_fov(60.0, SIZE),
            np.array([0.05, -0.02, 0.0, 0.0, 0.0]),
            look_at(np.array(EYES[i]), np.array([0.0, 0.9, 2.5])),
            SIZE,
        )
        for i in range(count)
    ]


def filmed(camera: Camera, begin: float, seconds: float, fps: int, noise: float = 2.0) -> tuple[Clip, Track]:
    """Return what a camera that starts at a moment of the walk (s) sees of it."""
    frames = int(seconds * fps)
    rng = np.random.default_rng(int(begin * 1000))
    ticks = np.rint((begin + np.arange(frames) / fps) * FINE).astype(int)
    xy = project(camera, WALK.keypoints.xyz[ticks])
    xy = xy + rng.normal(0, noise, xy.shape)
    conf = rng.uniform(0.3, 1.0, xy.shape[:2])
    lost = rng.random(conf.shape) < 0.05
    xy[lost], conf[lost] = np.nan, 0.0
    clip = Clip(Path(f"{camera.name}.mp4"), Fraction(fps), frames, SIZE)
    return clip, track(Keypoints2D(xy, conf, BODY21, float(fps), SIZE))


def track(view: Keypoints2D, number: int = 1) -> Track:
    return Track(number, view, np.zeros((len(view.xy), 4)))


def take(begins: Sequence[float], rates: Sequence[int]) -> tuple[list[list[Track]], list[Clip], list[Camera]]:
    cameras = rig(len(begins))
    shots = [filmed(*each, 3.5, fps) for *each, fps in zip(cameras, begins, rates, strict=True)]
    return [[person] for _, person in shots], [clip for clip, _ in shots], cameras


class TestMotion:
    @pytest.mark.parametrize(
        ("begins", "rates"),
        [
            ((0.5, 0.5), (30, 30)),
            ((0.5, 0.71), (30, 30)),
            ((1.805, 0.5), (30, 60)),
            ((0.5, 1.315, 0.25), (25, 30, 60)),
        ],
    )
    def test_offsets_are_found_to_a_part_of_a_frame(
        self, begins: Sequence[float], rates: Sequence[int]
    ) -> None:
        found = find_offsets(*take(begins, rates), "motion")
        assert found.source == "motion"
        np.testing.assert_allclose(found.offsets, np.array(begins) - begins[0], atol=0.008)
        assert 0.0 < max(found.errors) < 0.01
        assert found.agreement > 0.3

    def test_the_world_of_the_cameras_does_not_matter(self) -> None:
        """In millimetres, with y down, and one camera turned by 2 degrees: rays meet as well, or nearly."""
        tracks, clips, cameras = take((0.5, 1.1, 0.8), (30, 30, 30))
        flip = np.diag([1.0, -1.0, -1.0, 1.0])
        tilted = np.eye(4)
        tilted[:2, :2] = [[np.cos(0.035), -np.sin(0.035)], [np.sin(0.035), np.cos(0.035)]]
        moved = []
        for turn, camera in zip((np.eye(4), tilted, np.eye(4)), cameras, strict=True):
            pose = turn @ camera.cam_from_world @ flip
            pose[:3, 3] *= 1000.0
            moved.append(replace(camera, cam_from_world=pose))
        found = find_offsets(tracks, clips, moved, "motion")
        np.testing.assert_allclose(found.offsets, [0.0, 0.6, 0.3], atol=0.012)

    def test_cut_clips_count_from_their_own_files(self) -> None:
        tracks, clips, cameras = take((0.5, 0.9), (30, 30))
        clips[1] = replace(clips[1], start=2.0)
        found = find_offsets(tracks, clips, cameras, "motion")
        np.testing.assert_allclose(found.offsets, [0.0, 0.4 - 2.0], atol=0.005)

    def test_a_bystander_does_not_matter(self) -> None:
        tracks, clips, cameras = take((0.5, 0.9), (30, 30))
        standing = tracks[1][0].keypoints
        still = np.random.default_rng(0).normal(0, 2, standing.xy.shape) + np.nanmean(standing.xy[:5], axis=0)
        conf = np.full(standing.conf.shape, 0.8)
        tracks[1] = [track(replace(standing, xy=still + 150.0, conf=conf)), *tracks[1]]
        found = find_offsets(tracks, clips, cameras, "motion")
        np.testing.assert_allclose(found.offsets, [0.0, 0.4], atol=0.005)

    def test_who_stands_still_tells_no_time(self) -> None:
        tracks, clips, cameras = take((0.5, 0.9), (30, 30))
        rng = np.random.default_rng(1)
        still = [
            [track(replace(people[0].keypoints, xy=xy, conf=np.full(xy.shape[:2], 0.8)))]
            for people in tracks
            for xy in [np.nanmean(people[0].keypoints.xy[:9], axis=0) + rng.normal(0, 2, (105, 21, 2))]
        ]
        with pytest.raises(InvalidData, match=r"cam0\.mp4: what moves in it.*clap"):
            find_offsets(still, clips, cameras, "motion")

    def test_an_empty_view_is_named(self) -> None:
        tracks, clips, cameras = take((0.5, 0.9), (30, 30))
        with pytest.raises(NoPersonFound, match=r"cam1\.mp4: nobody"):
            find_offsets([tracks[0], []], clips, cameras, "motion")

    def test_a_drifting_clock_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        """The second camera claims 30 frames a second and takes 29: it gains 190 ms in 5.5 s."""
        camera = rig(2)
        first = filmed(camera[0], 0.2, 5.5, 30)
        second = filmed(camera[1], 0.2, 5.7, FINE)
        places = np.rint(np.arange(0, 0.95 * second[0].frames, FINE / 29)).astype(int)
        view = second[1].keypoints
        view = Keypoints2D(view.xy[places], view.conf[places], BODY21, 30.0, SIZE)
        clips = [first[0], replace(second[0], fps=Fraction(30), frames=len(places))]
        with caplog.at_level(logging.WARNING):
            find_offsets([[first[1]], [track(view)]], clips, camera, "motion")
        assert "cam1.mp4: its clock seems to gain" in caplog.text

    def test_steady_clocks_do_not_drift(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            find_offsets(*take((0.5, 0.9, 0.7), (30, 30, 30)), "motion")
        assert "gain" not in caplog.text


class TestLags:
    def test_a_peak_between_ticks_by_hand(self) -> None:
        """A parabola through 3, 4, 3.5 peaks 1/6 after its middle: (3 - 3.5) / (2 (3 - 8 + 3.5)) = 1/6."""
        found = Correlation(-2, np.array([0.0, 3.0, 4.0, 3.5, 0.0]), Fraction(10))
        assert found.peaks(1) == pytest.approx([1 / 6])

    def test_the_lag_is_second_minus_first(self) -> None:
        pulse = np.zeros((1, 300))
        pulse[0, 150] = 1.0
        ones = np.ones((1, 300))
        found = correlation((pulse, ones), (np.roll(pulse, 7, axis=1), ones), Fraction(100))
        assert found.peaks(1)[0] == pytest.approx(7.0)

    def test_missing_parts_do_not_count(self) -> None:
        rng = np.random.default_rng(2)
        first = rng.normal(size=(2, 400))
        second = np.roll(first, 11, axis=1)
        second[:, 100:200] = 50.0
        weights = np.ones((2, 400))
        hidden = weights.copy()
        hidden[:, 100:200] = 0.0
        found = correlation((first, weights), (second, hidden), Fraction(100))
        assert found.peaks(1)[0] == pytest.approx(11.0, abs=0.3)

    def test_contradicting_pairs_are_outvoted(self) -> None:
        keys = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
        truth = np.array([0.0, 2.0, -1.0, 5.0])
        lags = np.array([truth[i] - truth[j] for i, j in keys])
        lags[3] += 40.0
        values, errors = reconciled(keys, lags, np.full(6, 0.1), 4)
        np.testing.assert_allclose(values, truth, atol=0.2)
        assert errors[0] == 0.0
        assert errors[1] > errors[3]
