"""From a video file to tracks, with the real detector on drawn people."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mocaplift import video
from mocaplift.confidence import expected_error
from mocaplift.detect import detect, load_detector
from mocaplift.detect.calibration import OUTSIDE_ERROR, error_of, reference_confidence
from mocaplift.detect.people import Detector, Person
from mocaplift.detect.search import LOOK_EVERY
from mocaplift.detect.track import choose
from mocaplift.errors import ConfigError, NoPersonFound
from mocaplift.layouts import BODY21
from mocaplift.values import Clip, Layout
from tests.clips import write_clip
from tests.detect.figure import canvas, draw
from tests.detect.test_turned import standing

SIZE = (480, 320)
RED = (170, 50, 40)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return load_detector("mediapipe")


def walkers(frame: int) -> np.ndarray:
    """Return a picture of somebody who walks to the right, and from frame 12 of somebody smaller who stands."""
    image = draw(canvas(SIZE), 90 + 6 * frame, 20, 0.75)
    return draw(image, 420, 120, 0.45, RED) if frame >= 12 else image


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = tmp_path_factory.mktemp("clips") / "walkers.mp4"
    return video.probe(write_clip(path, (walkers(frame) for frame in range(36)), fps=30))


def test_two_people_are_two_tracks(clip: Clip, detector: Detector) -> None:
    told: list[tuple[int, int]] = []
    sighting = detect(clip, detector, progress=lambda done, total: told.append((done, total)))
    assert told == [(k + 1, 36) for k in range(36)]
    assert sighting.clip is clip
    first, second = sighting.tracks
    assert first.keypoints.layout is BODY21 and len(first.keypoints.xy) == 36
    assert first.is_seen.all()
    x = np.nanmean(first.keypoints.xy[:, BODY21.index("left_shoulder", "right_shoulder"), 0], axis=1)
    assert np.abs(x - (90 + 6 * np.arange(36))).max() < 6
    assert second.is_seen[:12].sum() == 0 and second.is_seen[20:].all()
    assert np.nanmean(second.keypoints.xy[20:, :, 0]) == pytest.approx(420, abs=8)
    assert first.keypoints.landmarks is not None
    assert sighting.camera_motion is not None and not sighting.camera_motion.is_moving
    assert sighting.facts["detector"] == "mediapipe"
    assert (sighting.facts["people"], sighting.facts["identity_jumps"]) == (2, 0)
    assert choose(sighting.tracks, "largest")[0].id == 1


def test_one_detector_serves_many_clips(clip: Clip, detector: Detector) -> None:
    a = detect(clip, detector, camera_motion=False)
    b = detect(clip, detector, camera_motion=False)
    assert a.camera_motion is None
    assert np.array_equal(a.tracks[0].keypoints.xy, b.tracks[0].keypoints.xy, equal_nan=True)


def test_frames_without_people_are_gaps(tmp_path: Path, detector: Detector) -> None:
    images = [canvas(SIZE) if 8 <= k < 14 else draw(canvas(SIZE), 240, 20, 0.75) for k in range(24)]
    sighting = detect(video.probe(write_clip(tmp_path / "gap.mp4", images, fps=30)), detector)
    (track,) = sighting.tracks
    assert not track.is_seen[8:14].any()
    assert track.is_seen[:8].all() and track.is_seen[14:].all()
    assert sighting.facts["frames_empty"] == 6


def test_nobody_in_the_clip_is_no_track_and_a_clear_error(tmp_path: Path, detector: Detector) -> None:
    clip = video.probe(write_clip(tmp_path / "empty.mp4", [canvas(SIZE)] * 10, fps=30))
    sighting = detect(clip, detector)
    assert sighting.tracks == ()
    with pytest.raises(NoPersonFound):
        choose(sighting.tracks, "largest")


def test_lying_people_are_read(tmp_path: Path, detector: Detector) -> None:
    """The same figure, turned by a quarter: its head is on the left."""
    lying = np.rot90(draw(canvas((320, 480)), 160, 40, 0.9))
    clip = video.probe(write_clip(tmp_path / "lying.mp4", [np.ascontiguousarray(lying)] * 8, fps=30))
    sighting = detect(clip, detector)
    (track,) = sighting.tracks
    nose, ankle = (track.keypoints.xy[:, BODY21.at(joint)].mean(axis=0) for joint in ("nose", "left_ankle"))
    assert nose[0] < 110 and ankle[0] > 300
    # Head to the left, facing us: the left hand is above.
    left, right = (track.keypoints.xy[:, BODY21.at(f"{side}_wrist"), 1].mean() for side in ("left", "right"))
    assert left < right - 60
    assert sighting.facts["frames_turned"] == 8


class Counter:
    """A detector that keeps no picture and finds one standing person."""

    layout: Layout = BODY21
    name = "counter"
    reads_turned = True
    frames_turned = 0

    def __init__(self) -> None:
        self.facts: dict[str, str] = {"licence": "none"}

    def fresh(self) -> Counter:
        return self

    def __call__(self, image: np.ndarray) -> list[Person]:
        return [standing(at=(image.shape[1] / 2, image.shape[0] / 2))]


def test_large_pictures_are_shrunk_and_points_come_back_full_size(tmp_path: Path) -> None:
    images = [np.full((2160, 3840, 3), 90, np.uint8)] * 3
    clip = video.probe(write_clip(tmp_path / "8k.mp4", images, fps=30))
    (track,) = detect(clip, Counter(), camera_motion=False).tracks
    truth = standing(at=(2560 / 2, 1440 / 2)).xy
    expected = (truth + 0.5) * 1.5 - 0.5
    assert np.abs(track.keypoints.xy[0] - expected).max() < 1e-6
    assert track.keypoints.size == (3840, 2160)


def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    def peak(frames: int) -> int:
        path = tmp_path / f"{frames}.mp4"
        clip = video.probe(write_clip(path, (canvas((320, 240)) for _ in range(frames)), fps=30))
        tracemalloc.start()
        detect(clip, Counter(), camera_motion=False)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    short, long = peak(30), peak(300)
    # 270 frames more hold 270 times one person's points (1 kB), and not their pictures (230 kB).
    assert long - short < 270 * 10_000


def test_mediapipe_refuses_what_it_does_not_have() -> None:
    with pytest.raises(ConfigError, match="no weights"):
        load_detector("mediapipe", "rtmpose.pth")
    with pytest.raises(ConfigError, match="CPU only"):
        load_detector("mediapipe", device="cuda")
    for other in ("0", "2", "heavy"):
        with pytest.raises(ConfigError, match="would have to be fetched"):
            load_detector("mediapipe", config=other)


def test_visibility_becomes_a_confidence_of_the_place() -> None:
    joints = len(BODY21)
    inside = np.ones(joints, bool)
    wrist, hip = BODY21.index("left_wrist", "left_hip")
    hidden = reference_confidence(np.full(joints, 0.15), inside)
    # What comes out on the reference scale expects the error that the visibility is worth.
    told = expected_error(hidden, BODY21)[wrist]
    assert told == pytest.approx(error_of(np.array([0.15]), "left_wrist")[0], rel=0.03)
    assert 0.05 < told < 0.15
    seen = reference_confidence(np.ones(joints), inside)
    assert 0.01 < expected_error(seen, BODY21)[wrist] < 0.03
    assert (seen >= hidden).all()
    outside = reference_confidence(np.ones(joints), ~inside)
    assert expected_error(outside, BODY21)[wrist] == pytest.approx(OUTSIDE_ERROR, rel=0.03)
    assert (outside < seen).all() and (outside > 0).all()
    # A hip is never hidden to the network: its visibility must not make it surer than it is.
    assert expected_error(seen, BODY21)[hip] > 0.015


def test_half_a_body_for_the_whole_clip_is_read_at_the_usual_cost(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person cut at the hips is always doubtful; looking around for a better reading has to rest."""
    from mocaplift.detect.blazepose import BlazePose

    looks: list[int] = []
    find = BlazePose.find
    monkeypatch.setattr(BlazePose, "find", lambda self, image: (looks.append(1), find(self, image))[1])
    image = draw(canvas((480, 320)), 240, 60, 1.5)
    eyes = detector.fresh()
    people = [eyes(image) for _ in range(31)]
    assert [len(found) for found in people] == [1] * 31
    shoulders, feet = (
        BODY21.index("left_shoulder", "right_shoulder"),
        BODY21.index("left_ankle", "right_ankle"),
    )
    assert (people[-1][0].conf[shoulders] > 0.2).all()
    assert (people[-1][0].conf[feet] < 0.05).all(), "feet outside the picture are guesses"
    first = 1 + 3 + 8
    assert len(looks) < first + 31 / LOOK_EVERY + 4 * (31 / 10 + 1) + 4
