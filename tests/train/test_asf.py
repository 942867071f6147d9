"""The ASF/AMC reader: numbers computed by hand, and damaged files."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.errors import InvalidData
from mocaplift.rotations import rotate
from mocaplift.train.data.asf import parse_amc, parse_asf
from tests.train.recordings import amc, asf_skeleton

METRES = 0.0254 / 0.45  # CMU's unit


def test_bones_lead_from_their_beginning_to_their_end_in_metres():
    skeleton = parse_asf(asf_skeleton())
    assert skeleton.names[0] == "root"
    assert all(parent < bone for bone, parent in enumerate(skeleton.parents))
    humerus = skeleton.names.index("lhumerus")
    assert skeleton.names[skeleton.parents[humerus]] == "lclavicle"
    np.testing.assert_allclose(skeleton.vectors[humerus], [5 * METRES, 0, 0])


def test_a_knee_bends_about_the_axis_of_its_own_leg():
    skeleton = parse_asf(asf_skeleton())
    motion = parse_amc(amc(2, {"ltibia": [90.0], "root": [0, 90, 0]}), skeleton)
    shin = skeleton.names.index("ltibia")
    # The leg rests 20 degrees outward in the x-y plane; its own x axis is (cos 20, sin 20, 0), and a quarter turn
    # about that takes the shin straight back, to -z.
    back = rotate(motion.rotations[0, shin], skeleton.vectors[shin])
    np.testing.assert_allclose(back, [0, 0, -7 * METRES], atol=1e-6)
    np.testing.assert_allclose(motion.root, [[0, 17 * METRES, 0]] * 2)
    np.testing.assert_allclose(rotate(motion.rotations[0, 0], np.array([0, 0, 1.0])), [1, 0, 0], atol=1e-12)


def test_angles_multiply_with_z_last():
    skeleton = parse_asf(asf_skeleton())
    motion = parse_amc(amc(1, {"thorax": [90.0, 0.0, 90.0]}), skeleton)
    # Rz(90) Rx(90): y -> z -> z, z -> -y -> x.
    turned = motion.rotations[0, skeleton.names.index("thorax")]
    np.testing.assert_allclose(rotate(turned, np.array([0, 1.0, 0])), [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(rotate(turned, np.array([0, 0, 1.0])), [1, 0, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: "", "not an ASF"),
        (lambda t: t.replace("length 0.45", "length none"), "damaged"),
        (lambda t: t.replace("lfemur ltibia", "lfemur ghost"), "ghost"),
        (lambda t: t.replace("lfemur ltibia", "lfemur ltibia ltibia"), "twice"),
        (lambda t: t.replace("direction 0 1 0", "direction 0 inf 0"), "not finite"),
        (lambda t: t.replace("dof rx\n", "dof sx\n"), "not understood"),
        (lambda t: t.replace("axis -90 0 20 XYZ", "axis -90 0 20 ZYX"), "order XYZ"),
    ],
)
def test_damaged_skeletons_are_named(damage, message):
    with pytest.raises(InvalidData, match=message):
        parse_asf(damage(asf_skeleton()), name="1.asf")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: "", "0 frames"),
        (lambda t: t.replace("ltibia 0.0", "ltibia 0.0 1.0"), "line 1"),
        (lambda t: t.replace("ltibia 0.0", "ltail 0.0"), "ltail"),
        (lambda t: t.replace("ltibia 0.0", "ltibia nan"), "not finite"),
        (lambda t: "root 0 0 0 0 0 0\n" + t, "line 1"),
        (lambda t: t + "9\n", "places of the root"),
    ],
)
def test_damaged_motions_are_named(damage, message):
    skeleton = parse_asf(asf_skeleton())
    with pytest.raises(InvalidData, match=message):
        parse_amc(damage(amc(2, {})), skeleton, name="1.amc")
