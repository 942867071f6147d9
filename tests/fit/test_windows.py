"""Windows of long clips: they cover everything, and what is cut apart joins again exactly."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mocaplift.fit.linearize import Pose
from mocaplift.fit.windows import crossfaded
from mocaplift.rotations import about_axis, angle_between
from mocaplift.windows import windows
from tests.fit import toy


def test_a_short_clip_is_one_window() -> None:
    assert windows(1, 300, 48) == [slice(0, 1)]
    assert windows(300, 300, 48) == [slice(0, 300)]
    assert windows(301, 300, 48) == [slice(0, 300), slice(1, 301)]


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 3000), st.integers(2, 300), st.data())
def test_windows_cover_and_overlap(frames: int, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size // 2))
    spans = windows(frames, size, overlap)
    assert spans[0].start == 0 and spans[-1].stop == frames
    assert all(span.stop - span.start <= size for span in spans)
    for before, after in pairwise(spans):
        assert before.stop - after.start >= overlap
        assert before.start < after.start
    # No more of them than needed.
    assert len(spans) <= max(1, -(-(frames - overlap) // (size - overlap)))


@pytest.mark.parametrize(
    ("frames", "size", "overlap"), [(40, 40, 8), (41, 40, 8), (100, 30, 10), (200, 24, 12)]
)
def test_what_was_cut_apart_joins_exactly(frames: int, size: int, overlap: int) -> None:
    whole = toy.smooth_pose(frames)
    spans = windows(frames, size, overlap)
    joined = crossfaded([whole.part(span) for span in spans], spans)
    np.testing.assert_allclose(joined.rotations, whole.rotations, atol=1e-9)
    np.testing.assert_allclose(joined.root, whole.root, atol=1e-12)
    np.testing.assert_array_equal(joined.shape, whole.shape)


def test_a_disagreement_is_faded_in_even_steps() -> None:
    def piece(frames: int, height: float, angle: float) -> Pose:
        turns = np.tile(about_axis("Y", angle), (frames, 24, 1))
        return Pose(turns, np.tile([0.0, height, 0.0], (frames, 1)), np.zeros(2))

    spans = [slice(0, 7), slice(4, 12)]
    joined = crossfaded([piece(7, 1.0, 0.0), piece(8, 2.0, 0.8)], spans)
    expected = [0, 0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 1]
    np.testing.assert_allclose(joined.root[:, 1] - 1, expected, atol=1e-12)
    turned = angle_between(about_axis("Y", 0.0), joined.rotations)
    np.testing.assert_allclose(turned, np.tile(0.8 * np.array(expected)[:, None], 24), atol=1e-7)
