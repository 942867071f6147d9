"""The creature: paws stand where they land, bones keep their lengths, left and right are alike."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.errors import InvalidData
from mocaplift.evaluate.figures import bone_lengths
from mocaplift.train.data.creature import ahead_of, creature, turned
from mocaplift.train.data.footfalls import PAW_HEIGHT, bent, missing_reach, paw_path
from mocaplift.train.figure_clips import SUBJECTS
from mocaplift.values import Layout, Motion3D

FIGURE = SUBJECTS["creature"].figure
PAWS = FIGURE.layout.index("left_fore_paw", "right_fore_paw", "left_hind_paw", "right_hind_paw")


@pytest.fixture(name="clips", scope="module")
def _clips() -> list[Motion3D]:
    rng = np.random.default_rng(0)
    return [creature(rng, FIGURE.layout, 6.0) for _ in range(30)]


class TestCreature:
    def test_paws_that_stand_do_not_slide(self, clips) -> None:
        slides, standing = [], []
        for clip in clips:
            paws = clip.xyz[:, PAWS]
            stands = paws[..., 1] < PAW_HEIGHT + 1e-9
            both = stands[1:] & stands[:-1]
            slides.append(np.linalg.norm(np.diff(paws, axis=0), axis=-1)[both])
            standing.append(both.mean())
        assert np.concatenate(slides).max() < 1e-4
        assert 0.4 < np.mean(standing) < 0.9

    def test_bones_keep_their_lengths_and_are_those_of_the_figure(self, clips) -> None:
        means = []
        for clip in clips:
            bones = clip.xyz[:, FIGURE.starts] - clip.xyz[:, FIGURE.ends]
            lengths = np.linalg.norm(bones, axis=-1)
            assert lengths.std(axis=0).max() < 1e-9
            means.append(bone_lengths(clip.xyz, FIGURE))
        np.testing.assert_allclose(np.mean(means, axis=0), FIGURE.lengths * FIGURE.unit, rtol=0.08)
        assert np.std(means, axis=0).min() > 0.005  # every clip is another animal

    def test_nothing_is_below_the_floor_or_jumps(self, clips) -> None:
        for clip in clips:
            assert np.isfinite(clip.xyz).all() and clip.xyz[..., 1].min() > -0.03
            assert np.linalg.norm(np.diff(clip.xyz, axis=0), axis=-1).max() * clip.fps < 12.0  # m/s

    def test_left_and_right_are_alike(self, clips) -> None:
        """Knees bend as far on both sides, on the mean of many clips."""
        height = np.concatenate([clip.xyz[..., 1] for clip in clips]).mean(axis=0)
        for left, right in FIGURE.layout.pairs:
            assert abs(height[FIGURE.layout.at(left)] - height[FIGURE.layout.at(right)]) < 0.02

    def test_they_do_different_things(self, clips) -> None:
        backs = np.concatenate([clip.xyz[:, FIGURE.layout.at("spine"), 1] for clip in clips])
        ways = [np.linalg.norm(clip.xyz[-1, 0] - clip.xyz[0, 0]) for clip in clips]
        assert np.quantile(backs, 0.05) < 0.4 < 0.5 < np.quantile(backs, 0.9)
        assert min(ways) < 0.4 and max(ways) > 1.0

    def test_the_seed_decides(self) -> None:
        one, other = (creature(np.random.default_rng(7), FIGURE.layout, 2.0) for _ in range(2))
        np.testing.assert_array_equal(one.xyz, other.xyz)

    def test_a_layout_with_joints_that_it_lacks_is_refused(self) -> None:
        with pytest.raises(InvalidData, match="no left_wing"):
            creature(np.random.default_rng(0), Layout("bird", ("nose", "left_wing")), 2.0)


class TestFootfalls:
    def test_a_paw_goes_from_place_to_place(self) -> None:
        """By hand: strides of 10 frames, standing for half of each, on a body at 0.05 m a frame."""
        phase = np.arange(50) / 10
        below = np.stack([0.05 * np.arange(50), np.zeros(50)], axis=-1)
        path = paw_path(phase, np.full(50, 0.5), below)
        # It lands in frame 10, stands until 15, and is then below where the body is in between.
        np.testing.assert_allclose(path[10:16, 0], 0.05 * 12.5, atol=1e-9)
        np.testing.assert_allclose(path[10:16, 1], PAW_HEIGHT, atol=1e-9)
        np.testing.assert_allclose(path[20:26, 0], 0.05 * 22.5, atol=1e-9)
        assert path[17:19, 1].min() > PAW_HEIGHT + 0.05

    def test_who_stands_lifts_no_paw(self) -> None:
        path = paw_path(np.arange(50) / 10, np.full(50, 0.7), np.zeros((50, 2)))
        np.testing.assert_allclose(path, np.tile([0.0, PAW_HEIGHT, 0.0], (50, 1)), atol=1e-9)

    def test_a_leg_bends_to_the_side_that_it_is_told(self) -> None:
        """By hand: bones of 0.3 and 0.4 m whose ends are 0.5 m apart make a right angle."""
        start, end = np.array([[0.0, 0.5, 0.0]]), np.zeros((1, 3))
        knee = bent(start, end, np.array([[0.0, 0.3, 1.0]]), (0.3, 0.4))
        np.testing.assert_allclose(knee, [[0.0, 0.5 - 0.18, 0.24]], atol=1e-9)
        with pytest.raises(InvalidData, match="out of its leg's reach"):
            bent(start, end, np.array([[0.0, 0.0, 1.0]]), (0.2, 0.2))

    def test_a_body_sinks_until_its_paw_is_in_reach(self) -> None:
        start, paw = np.array([[0.0, 0.6, 0.0]]), np.array([[0.3, 0.0, 0.0]])
        sunk = start - [0.0, float(missing_reach(start, paw, 0.5)[0]), 0.0]
        assert np.linalg.norm(sunk - paw) == pytest.approx(0.99 * 0.5)
        with pytest.raises(InvalidData, match=r"no leg of 0\.20 m"):
            missing_reach(start, paw, 0.2)


def test_turns_are_by_yaw_then_pitch() -> None:
    """By hand: a quarter of yaw takes +Z to +X; pitch raises; roll about +Z takes +X to +Y."""
    quarter, zero = np.array([np.pi / 2]), np.zeros(1)
    z, x = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(turned(quarter, zero, zero)[0] @ z, [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(turned(zero, quarter, zero)[0] @ z, [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(turned(zero, zero, quarter)[0] @ x, [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(ahead_of(quarter, zero)[0], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(ahead_of(zero, quarter)[0], [0, 1, 0], atol=1e-12)
