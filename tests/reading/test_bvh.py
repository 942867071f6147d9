"""The BVH reader: numbers computed by hand, files as others write them, and files that are damaged or hostile."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.errors import InvalidData
from mocaplift.reading.bvh import parse_bvh, read_bvh
from mocaplift.rotations import rotate
from tests.train.recordings import DAZ, ROOT_HEIGHT, daz_bvh

SMALL = """HIERARCHY
ROOT body
{
  OFFSET 0 90 0
  CHANNELS 6 Zposition Xposition Yposition Zrotation Yrotation Xrotation
  JOINT limb
  {
    OFFSET 10 0 0
    CHANNELS 3 Yrotation Zrotation Xrotation
    End Site
    {
      OFFSET 0 5 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0166667
0 0 0 0 0 0 0 0 0
3 1 2 90 0 90 90 90 0
"""


def test_every_joint_has_its_own_order_of_channels():
    bvh = parse_bvh(SMALL)
    assert bvh.names == ("body", "limb")
    assert bvh.parents == (-1, 0)
    np.testing.assert_allclose(bvh.root[1], [1, 2, 3], atol=1e-9)
    # The root's ZYX = Rz(90) Rx(90): z -> -y -> x. The limb's YZX = Ry(90) Rz(90): x -> y -> y.
    np.testing.assert_allclose(rotate(bvh.rotations[1, 0], np.array([0.0, 0, 1])), [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(rotate(bvh.rotations[1, 1], np.array([1.0, 0, 0])), [0, 1, 0], atol=1e-9)
    # In the other order it would be x -> -z.
    np.testing.assert_allclose(rotate(bvh.rotations[1, 1], np.array([0.0, 0, 1])), [1, 0, 0], atol=1e-9)
    assert list(bvh.tips) == [1]
    np.testing.assert_array_equal(bvh.tips[1], [0, 5, 0])
    assert bvh.frame_time == pytest.approx(0.0166667)


def test_a_root_without_positions_stays_at_its_offset():
    text = SMALL.replace("6 Zposition Xposition Yposition", "3").replace("0 0 0 0 0 0 0 0 0", "0 0 0 0 0 0")
    bvh = parse_bvh(text.replace("3 1 2 90", "90"))
    np.testing.assert_allclose(bvh.root, [[0, 90, 0], [0, 90, 0]])


def test_a_whole_skeleton_is_read(tmp_path):
    path = tmp_path / "take.bvh"
    path.write_text(daz_bvh(3, {("lForeArm", "Yrotation"): np.array([0.0, 45.0, 90.0])}), encoding="utf-8")
    bvh = read_bvh(path)
    assert set(bvh.names) == set(DAZ)
    np.testing.assert_allclose(bvh.root[:, 1], ROOT_HEIGHT)
    bent = rotate(bvh.rotations[2, bvh.index("lForeArm")], np.array([1.0, 0, 0]))
    np.testing.assert_allclose(bent, [0, 0, -1], atol=1e-6)
    with pytest.raises(InvalidData, match="no joint 'tail'"):
        bvh.index("tail")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: "", "no MOTION"),
        (lambda t: "not a bvh\nMOTION\n", "begin with HIERARCHY"),
        (lambda t: t.replace("OFFSET 10 0 0", "OFFSET 10 zero 0"), "damaged"),
        (lambda t: t.replace("OFFSET 10 0 0", "OFFSET 10 nan 0"), "finite"),
        (lambda t: t.replace("    OFFSET 10 0 0\n", ""), "no OFFSET"),
        (lambda t: t.replace("CHANNELS 3 Yrotation", "CHANNELS 3 Wrotation"), "not understood"),
        (
            lambda t: t.replace("CHANNELS 3 Yrotation Zrotation", "CHANNELS 3 Yrotation Yrotation"),
            "three axes",
        ),
        (lambda t: t.replace("}\nMOTION", "MOTION"), "open braces"),
        (lambda t: t.replace("HIERARCHY\n", "HIERARCHY\n} "), "damaged"),
        (lambda t: t.replace("JOINT limb", "ROOT limb"), "second ROOT"),
        (lambda t: t.replace("Frames: 2", "Frames: 3"), "promises 3"),
        (lambda t: t.replace("Frames: 2", "Frames: -2"), "no sense"),
        (lambda t: t.replace("Frames: 2", "Frames: 99999999999"), "more than"),
        (lambda t: t.replace("Frame Time: 0.0166667", "Frame Time: 0"), "no sense"),
        (lambda t: t.replace("Frame Time:", "Frame Tome 1"), "Frame Time"),
        (lambda t: t.replace("3 1 2 90", "3 1 2 inf"), "not finite"),
        (lambda t: t.replace("3 1 2 90", "3 1 2"), "1.88889 frames of 9 values"),
        (lambda t: t.replace("3 1 2 90", "3 1 two 90"), "damaged: could not convert string to float: 'two'"),
        (lambda t: t + "1 2 3", "more than 2 frames"),
        (lambda t: t + "the end", "damaged"),
        (lambda t: t.replace("HIERARCHY\n", "HIERARCHY\n" + " " * (5 << 20)), "larger than 4 MB"),
        (lambda t: t.replace("JOINT limb\n  {", "JOINT limb\n  { " * 300), "nested deeper than 200"),
    ],
)
def test_damage_is_named(damage, message):
    with pytest.raises(InvalidData, match=message):
        parse_bvh(damage(SMALL), name="some.bvh")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidData, match=r"nothing\.bvh: cannot be read"):
        read_bvh(tmp_path / "nothing.bvh")
