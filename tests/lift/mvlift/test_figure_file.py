"""Figures from TOML: what is read, and every mistake told with the key and the joint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mocaplift.errors import ConfigError
from mocaplift.lift.mvlift.figure import Figure, bone_order, reach_of
from mocaplift.lift.mvlift.figure_file import read_figure
from tests.puppet import LAYOUT, TOML

BONES = TOML.split("bones = ")[1].split("\nroot")[0]


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "puppet.toml"


def test_a_file_is_read(path: Path) -> None:
    path.write_text(TOML)
    figure = read_figure(path)
    assert figure.layout == LAYOUT and figure.root == ("neck", "tail") and figure.has_lengths
    # By hand: the longest way is from the tail over the neck to a paw, 0.6 + 0.5 m; the unit is half of it.
    assert figure.unit == pytest.approx(0.55)
    np.testing.assert_allclose(figure.lengths * 0.55, [0.6, 0.3, 0.5, 0.5])
    assert Figure.of_header(figure.as_header()) == figure


def test_shipped_figures_are_read() -> None:
    import mocaplift

    paths = sorted((Path(mocaplift.__file__).parent / "figures").glob("*.toml"))
    assert len(paths) >= 2
    for path in paths:
        assert read_figure(path).layout.name == path.stem


def test_without_lengths_the_reach_is_the_size(path: Path) -> None:
    path.write_text(TOML.replace(BONES, BONES.replace(", 0.6", "").replace(", 0.3", "").replace(", 0.5", "")))
    figure = read_figure(path)
    assert not figure.has_lengths and reach_of(figure) == pytest.approx(1.0)
    path.write_text(path.read_text() + "reach = 0.4\n")
    assert reach_of(read_figure(path)) == pytest.approx(0.4) and read_figure(path).unit == 0.4


def test_bones_are_ordered_from_the_root(path: Path) -> None:
    path.write_text(TOML)
    names = [tuple(LAYOUT.joints[joint] for joint in pair) for pair in bone_order(read_figure(path))]
    assert names == [("neck", "tail"), ("neck", "nose"), ("neck", "left_paw"), ("neck", "right_paw")]


def test_several_trees_are_one_figure(path: Path) -> None:
    path.write_text(TOML.replace('["neck", "nose", 0.3]', '["left_paw", "nose", 0.2]').replace(
        '["neck", "left_paw", 0.5], ', ""))  # fmt: skip
    figure = read_figure(path)
    assert len(bone_order(figure)) == 3 and reach_of(figure) == pytest.approx(0.55)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("joints = [", "joints = 3 #[", "joints: needs a list"),
        ('["nose", "neck", "tail", "left_paw", "right_paw"]', '["nose", "neck"]', "joints: there are 2"),
        ('["nose", ', '["tail", ', "joints: 'tail' is there twice"),
        ('["nose", ', '["my nose", ', "joints: 'my nose' is no name"),
        ('["nose", ', "[7, ", "joints: 7 is no name"),
        ('[["left_paw", "right_paw"]]', '[["left_paw", "right_pew"]]', "'right_pew'; did you mean 'right_paw'"),
        ('[["left_paw", "right_paw"]]', '[["left_paw", "left_paw"]]', "names 'left_paw' twice"),
        ('[["left_paw", "right_paw"]]', '[["left_paw", "right_paw"], ["nose", "left_paw"]]', "another pair"),
        ('[["left_paw", "right_paw"]]', '["left_paw", "right_paw"]', "pairs: 'left_paw' is no pair"),
        ('[["left_paw", "right_paw"]]', "1", "pairs: needs a list of pairs"),
        ('["neck", "nose", 0.3]', '["neck", "nase", 0.3]', "bones.*no joint 'nase'; did you mean 'nose'"),
        ('["neck", "nose", 0.3]', '["neck", "neck", 0.3]', "names 'neck' twice"),
        ('["neck", "nose", 0.3]', '["neck"]', "bones: .'neck'. is no bone"),
        ('["neck", "nose", 0.3]', '["neck", "nose"]', "'nose'.: has no length"),
        ('["neck", "nose", 0.3]', '["neck", "nose", -1]', "-1 is no length in metres"),
        ('["neck", "nose", 0.3]', '["neck", "nose", nan]', "nan is no length"),
        ('["neck", "nose", 0.3]', '["neck", "nose", 300]', "300 is no length"),
        ('["neck", "nose", 0.3]', '["neck", "nose", true]', "True is no length"),
        ('["neck", "nose", 0.3]', '["neck", "nose", 0.0002]', "lengths from 0.0002 to 0.6 m are not of"),
        ('["neck", "nose", 0.3], ', "", "none of them reaches the joint 'nose'"),
        ('["neck", "nose", 0.3]', '["neck", "nose", 0.3], ["nose", "tail", 0.3]', "form a cycle"),
        ('["neck", "nose", 0.3]', '["neck", "nose", 0.3], ["nose", "neck", 0.3]', "form a cycle"),
        ('root = ["neck", "tail"]', 'root = ["neck", "hip"]', "root: there is no joint 'hip'"),
        ('root = ["neck", "tail"]', "root = []", "root: needs a list with something in it"),
        ('root = ["neck", "tail"]', "", "root: missing"),
        ("root =", "roots =", "roots: there is no such key; did you mean 'root'"),
        ("root =", "reach = 1.0\nroot =", "reach: the bones have lengths"),
        ("root =", "name = 5\nroot =", "name: 5 is no name"),
        ("root =", "root = [[", "not a TOML file"),
        ("root =", "root = " + "[" * 5000, "not a TOML file"),
    ],
)  # fmt: skip
def test_mistakes_are_told(path: Path, old: str, new: str, message: str) -> None:
    path.write_text(TOML.replace(old, new, 1))
    assert path.read_text() != TOML
    with pytest.raises(ConfigError, match=message) as told:
        read_figure(path)
    assert str(path) in str(told.value)


def test_no_file_and_large_files_are_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match="not a TOML file"):
        read_figure(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not a TOML file"):
        read_figure(path)
    path.write_text("#" * (1 << 20) + "#")
    with pytest.raises(ConfigError, match="larger than any"):
        read_figure(path)
