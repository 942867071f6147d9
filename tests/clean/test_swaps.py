"""Left and right put back: what was exchanged is found, what was not is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.clean.swaps import DOUBT, GROUPS, find_swaps, repair_swaps
from mocaplift.layouts import BODY21, COCO17, remap_keypoints
from mocaplift.values import Keypoints2D
from tests.clean.seen import changed, joints, seen_walker
from tests.mirrored import mirror_keypoints

VIEWS = [0, 40, 90, 150, 180, 230, 270, 320]
PARTS = {
    "body": tuple(part for parts in GROUPS.values() for part in parts),
    "arms": GROUPS["arms"],
    "legs": GROUPS["legs"],
}


def exchange(keypoints: Keypoints2D, what: str, frames: slice | list[int]) -> Keypoints2D:
    """Return what a detector gives that exchanges left and right; of a whole body, depth as well."""
    xy, conf = keypoints.xy.copy(), keypoints.conf.copy()
    assert keypoints.landmarks is not None
    landmarks = keypoints.landmarks.copy()
    places = [place for place in joints(*PARTS[what]) if place < len(keypoints.layout)]
    partners = [keypoints.layout.mirror[place] for place in places]
    rows = np.arange(len(xy))[frames][:, None]
    for array in (xy, conf, landmarks):
        array[rows, places] = array[rows, partners]
    if what == "body":
        landmarks[frames] *= [1.0, 1.0, -1.0]
    return changed(keypoints, xy=xy, conf=conf, landmarks=landmarks)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0, 120.0])
def test_a_walker_seen_rightly_is_left_alone(view: int, fps: float) -> None:
    keypoints = seen_walker(view, frames=int(3 * fps), fps=fps)
    repaired, count = repair_swaps(keypoints)
    assert count == 0
    assert np.array_equal(repaired.xy, keypoints.xy)


@pytest.mark.parametrize("what", list(PARTS))
@pytest.mark.parametrize("view", [0, 40, 180, 215])
@pytest.mark.parametrize("length", [1, 2, 5, 20])
def test_bursts_are_put_back(what: str, view: int, length: int) -> None:
    truth = seen_walker(view, frames=90)
    frames = slice(30, 30 + length)
    repaired, count = repair_swaps(exchange(truth, what, frames))
    assert count == length
    assert np.array_equal(repaired.xy, truth.xy)
    assert np.allclose(repaired.landmarks, truth.landmarks)


@pytest.mark.parametrize("what", list(PARTS))
def test_a_detector_that_wavers_is_put_back(what: str) -> None:
    truth = seen_walker(20, frames=90)
    repaired, count = repair_swaps(exchange(truth, what, [20, 22, 25, 26, 27, 40, 41, 43, 44, 60]))
    assert count == 10
    assert np.array_equal(repaired.xy, truth.xy)


def test_the_mean_of_both_sides_for_a_moment_hides_no_exchange() -> None:
    """A wavering network gives left and right the same place before it changes its mind."""
    truth = seen_walker(0, frames=90)
    wrong = exchange(truth, "body", slice(31, 50))
    xy = wrong.xy.copy()
    xy[30] = (truth.xy[30] + truth.xy[30][list(BODY21.mirror)]) / 2
    xy[50] = (truth.xy[50] + truth.xy[50][list(BODY21.mirror)]) / 2
    repaired, _ = repair_swaps(changed(wrong, xy=xy))
    assert np.array_equal(repaired.xy[31:50], truth.xy[31:50])
    assert np.array_equal(repaired.xy[51:], truth.xy[51:])


@pytest.mark.parametrize(("view", "wrong"), [(0, 50), (180, 75)])
def test_an_exchange_of_most_of_the_clip_is_told_by_the_feet(view: int, wrong: int) -> None:
    """The larger part is not always right: toes point towards a camera that sees the front."""
    truth = seen_walker(view, frames=90)
    repaired, count = repair_swaps(exchange(truth, "body", slice(90 - wrong, 90)))
    assert count == wrong
    assert np.array_equal(repaired.xy, truth.xy)


def test_an_exchange_of_the_whole_clip_is_told_by_the_feet() -> None:
    truth = seen_walker(180, frames=60)
    repaired, count = repair_swaps(exchange(truth, "body", slice(0, 60)))
    assert count == 60
    assert np.array_equal(repaired.xy, truth.xy)


def faceless(view: int) -> Keypoints2D:
    """Return a walker seen by a detector without feet, which gives the face no confidence."""
    seen = remap_keypoints(seen_walker(view, frames=60), COCO17)
    conf = seen.conf.copy()
    conf[:, seen.layout.index("nose", "left_eye", "right_eye")] = 0.03
    return changed(seen, conf=conf)


def test_a_back_without_a_face_tells_which_part_is_exchanged() -> None:
    """Detectors that know what they see give no confidence to the face of a turned head; no feet are needed."""
    truth = faceless(180)
    wrong = exchange(truth, "body", slice(0, 36))
    repaired, count = repair_swaps(wrong)
    assert count == 36
    assert np.array_equal(repaired.xy, truth.xy)


def test_a_mask_does_not_turn_anybody_about() -> None:
    assert repair_swaps(faceless(0))[1] == 0


def test_high_heels_do_not_turn_anybody_about() -> None:
    """From behind, heels 8 cm up look like toes that point towards us."""
    truth = seen_walker(180, frames=60)
    xy = truth.xy.copy()
    xy[:, joints("heel"), 1] -= 0.10 * 220
    assert repair_swaps(changed(truth, xy=xy))[1] == 0


def test_gaps_and_missing_joints_are_no_hindrance() -> None:
    truth = seen_walker(30, frames=90)
    conf = truth.conf.copy()
    conf[40:44] = 0
    conf[:, joints("eye")] = 0
    conf[60:75, BODY21.at("left_wrist")] = 0
    truth = changed(truth, conf=conf)
    wrong = exchange(truth, "body", slice(30, 55))
    repaired, _ = repair_swaps(wrong)
    assert np.array_equal(repaired.xy, truth.xy, equal_nan=True)
    assert np.array_equal(repaired.conf > 0, truth.conf > 0)


def test_mirrored_people_are_repaired_alike() -> None:
    wrong = exchange(seen_walker(30, frames=60), "legs", slice(20, 30))
    a = mirror_keypoints(repair_swaps(wrong)[0])
    b = repair_swaps(mirror_keypoints(wrong))[0]
    assert np.allclose(a.xy, b.xy)


def test_the_size_of_the_picture_does_not_matter() -> None:
    wrong = exchange(seen_walker(30, frames=60), "legs", slice(20, 30))
    small = changed(wrong, xy=wrong.xy / 7 + 50)
    assert np.array_equal(find_swaps(wrong).is_swapped, find_swaps(small).is_swapped)


def test_doubt_costs_confidence_where_the_sides_differ() -> None:
    """Seen before and after a long gap, turned about: nothing tells which way round the middle is."""
    truth = seen_walker(90, frames=60)
    conf = np.zeros_like(truth.conf)
    conf[[10, 11, 12]] = 0.6
    repaired, _ = repair_swaps(changed(truth, conf=conf))
    doubtful = repaired.conf[10:13] < 0.6
    assert set(np.unique(repaired.conf)) <= {0.0, 0.6 * DOUBT, 0.6}
    assert doubtful.any()
    assert not doubtful[:, BODY21.at("nose")].any()


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_too_short_to_tell_is_left_alone(frames: int) -> None:
    whole = seen_walker(0, frames=10)
    conf = whole.conf.copy()
    conf[frames:] = 0
    keypoints = changed(whole, conf=conf)
    repaired, count = repair_swaps(keypoints)
    assert count == 0
    assert np.array_equal(repaired.xy, keypoints.xy, equal_nan=True)


def test_nothing_is_changed_in_place() -> None:
    wrong = exchange(seen_walker(0, frames=40), "body", slice(10, 20))
    before = wrong.xy.copy(), wrong.conf.copy(), wrong.landmarks.copy()  # type: ignore[union-attr]
    repair_swaps(wrong)
    assert np.array_equal(wrong.xy, before[0])
    assert np.array_equal(wrong.conf, before[1])
    assert np.array_equal(wrong.landmarks, before[2])  # type: ignore[arg-type]
