"""What was made of windows of a clip is joined without a seam; `fit.test_windows` tests the windows themselves."""

from __future__ import annotations

import numpy as np

from mocaplift.windows import crossfaded_points, windows


def test_pieces_that_agree_are_joined_as_they_are() -> None:
    whole = np.random.default_rng(0).normal(size=(53, 21, 3))
    spans = windows(53, 24, 12)
    np.testing.assert_allclose(crossfaded_points([whole[span] for span in spans], spans), whole, atol=1e-12)


def test_where_two_pieces_overlap_one_fades_into_the_other() -> None:
    """Zeros and ones that share three frames: a quarter, a half, three quarters."""
    spans = [slice(0, 5), slice(2, 7)]
    joined = crossfaded_points([np.zeros((5, 2)), np.ones((5, 2))], spans)
    np.testing.assert_allclose(joined[:, 0], [0, 0, 0.25, 0.5, 0.75, 1, 1])
    np.testing.assert_array_equal(joined[:, 0], joined[:, 1])


def test_pieces_of_which_three_meet_have_no_jumps() -> None:
    spans = [slice(0, 10), slice(4, 14), slice(8, 18)]
    joined = crossfaded_points([np.full((10, 1), value) for value in (0.0, 1.0, 2.0)], spans)
    assert np.abs(np.diff(joined[:, 0])).max() < 0.5
    assert joined[0, 0] == 0.0 and joined[-1, 0] == 2.0
