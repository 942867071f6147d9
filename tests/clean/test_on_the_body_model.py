"""The clean-up on the body that the fit delivers: its own bones, its own heels and toes."""

import numpy as np
import pytest

from mocaplift import quality
from mocaplift.body import attachments_of, body_keypoints, load_body
from mocaplift.clean.contacts import find_contacts
from mocaplift.clean.feet import contact_positions, pin_feet
from mocaplift.clean.ground import find_floor, move_motion, sole_drops
from mocaplift.clean.smoothing import amplitude_kept, smooth
from mocaplift.errors import InvalidData
from mocaplift.layouts import CONTACT_POINTS
from mocaplift.values import SkeletonMotion
from tests.clean.test_feet import _spoiled


def _on_body(seed: int, height: float = 1.75) -> SkeletonMotion:
    """Return the spoiled walk on the body model's bones: other lengths, so other feet."""
    motion, _ = _spoiled(seed)
    body = load_body()
    return SkeletonMotion(
        body.skeleton(body.shape_of_stature(height)), motion.rotations, motion.root, motion.fps
    )


def test_attachments_are_those_of_the_keypoints():
    motion = _on_body(0)
    places = attachments_of(motion.skeleton)
    points = body_keypoints(motion)
    np.testing.assert_allclose(
        contact_positions(motion, places), points.xyz[:, points.layout.index(*CONTACT_POINTS)], atol=1e-12
    )
    with pytest.raises(InvalidData, match="was not fitted by mocaplift"):
        attachments_of(_spoiled(0)[0].skeleton)


def test_heels_and_toes_rest_a_few_centimetres_above_the_sole():
    skeleton = load_body().skeleton(np.zeros(load_body().num_shape))
    drops = sole_drops(skeleton, attachments_of(skeleton))
    assert 0.0 < drops.min() < drops.max() < 0.06


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("height", [1.5, 1.95])
def test_the_whole_clean_up_in_the_order_of_the_pipeline(seed, height):
    motion = _on_body(seed, height)
    smoothed = smooth(motion)
    contacts = find_contacts(body_keypoints(smoothed))
    assert contacts.mean() > 0.2
    floor = find_floor(body_keypoints(smoothed), contacts)
    standing = move_motion(smoothed, floor.transform)
    places = attachments_of(motion.skeleton)
    out = pin_feet(standing, contacts, places)
    found = quality.measure(out, body_keypoints(out), contacts)
    assert found["foot_slide_mm"] < 1.0
    assert found["floor_penetration_mm"] < 2.0
    assert found["largest_turn_deg"] < quality.largest_turn(motion) + 3.0
    assert amplitude_kept(motion, out) > 0.9
    feet = contact_positions(out, places)
    assert np.abs(np.median(feet[..., 1][contacts])) < 0.06
