"""Motions of figures on their trees of bones, and networks of other figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mocaplift.errors import ConfigError, InvalidData
from mocaplift.export import export
from mocaplift.figure_motion import check_layout, lift_figure, rigged
from mocaplift.lift.mvlift.figure import PERSON, Figure
from mocaplift.lift.mvlift.figure_clip import FigureClip
from mocaplift.lift.mvlift.figure_file import read_figure
from mocaplift.lift.mvlift.network import Denoiser
from mocaplift.values import Motion3D
from tests.lift.mvlift.tiny import SIZES, tiny_arrays, tiny_header
from tests.puppet import FPS, LAYOUT, TOML, camera, filmed, puppet


@pytest.fixture(name="figure")
def _figure(tmp_path: Path) -> Figure:
    (tmp_path / "puppet.toml").write_text(TOML)
    return read_figure(tmp_path / "puppet.toml")


def motion(xyz: np.ndarray) -> Motion3D:
    return Motion3D(xyz, np.full(xyz.shape[:2], 0.1), LAYOUT, FPS)


class TestRigged:
    def test_joints_are_where_they_were(self, figure: Figure) -> None:
        true = motion(puppet(frames=40))
        made = rigged(true, figure)
        assert made.names[0] == "neck" and sorted(made.names) == sorted(LAYOUT.joints)
        xyz, _ = made.world()
        assert np.abs(xyz - true.xyz[:, LAYOUT.index(*made.names)]).max() < 0.005 * figure.unit + 1e-9

    def test_a_chain_turns_and_keeps_its_lengths(self, tmp_path: Path) -> None:
        """By hand: an arm of four bones in a plane, whose second joint bends by a right angle."""
        (tmp_path / "chain.toml").write_text(
            'joints = ["a", "b", "c", "d", "e"]\nroot = ["a"]\n'
            'bones = [["a", "b", 1.0], ["b", "c", 1.0], ["c", "d", 1.0], ["d", "e", 1.0]]\n'
        )
        chain = read_figure(tmp_path / "chain.toml")
        straight = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0], [4, 0, 0]], dtype=float)
        bent = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 2, 0], [1, 3, 0]], dtype=float)
        made = rigged(Motion3D(np.stack([straight, bent]), np.ones((2, 5)), chain.layout, FPS), chain)
        assert list(made.places) == [0]
        half = np.sqrt(0.5)
        np.testing.assert_allclose(np.abs(made.rotations[1, 1]), [half, 0, 0, half], atol=1e-3)
        np.testing.assert_allclose(np.abs(made.rotations[1, [0, 2, 3]]), [[1, 0, 0, 0]] * 3, atol=1e-3)
        np.testing.assert_allclose(made.world()[0][1], bent, atol=5e-3)

    @pytest.mark.parametrize("suffix", [".bvh", ".fbx", ".glb", ".trc"])
    def test_it_is_written(self, figure: Figure, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"puppet{suffix}"
        export(rigged(motion(puppet(frames=10)), figure), path)
        assert path.stat().st_size > 500

    def test_several_trees_hang_on_the_first(self, tmp_path: Path) -> None:
        (tmp_path / "two.toml").write_text(
            TOML.replace('["neck", "nose", 0.3], ["neck", "left_paw", 0.5]', '["nose", "left_paw", 0.5]')
        )
        two = read_figure(tmp_path / "two.toml")
        true = motion(puppet(frames=20))
        made = rigged(true, two)
        assert made.parents.count(-1) == 1
        top = made.names.index("nose")
        assert top in made.places and made.parents[top] == 0
        np.testing.assert_allclose(made.world()[0][:, top], true.xyz[:, LAYOUT.at("nose")], atol=1e-9)

    def test_others_are_refused(self, figure: Figure) -> None:
        true = motion(puppet(frames=3))
        with pytest.raises(InvalidData, match=r"layout puppet.*figure of body21"):
            rigged(true, PERSON)
        with pytest.raises(InvalidData, match="at least one frame"):
            rigged(motion(puppet(frames=0)), figure)


def test_a_network_of_another_figure_is_refused(figure: Figure, tmp_path: Path) -> None:
    check_layout(figure, figure, "puppet.toml", "puppet.safetensors")
    with pytest.raises(
        ConfigError, match=r"puppet.safetensors is for the figure body21 \(21 joints\).*their joints"
    ):
        check_layout(figure, PERSON, "puppet.toml", "puppet.safetensors")
    (tmp_path / "other.toml").write_text(TOML.replace('["neck", "nose", 0.3]', '["tail", "nose", 0.3]'))
    with pytest.raises(ConfigError, match=r"other.toml describes other.*their bones differ"):
        check_layout(read_figure(tmp_path / "other.toml"), figure, "other.toml", "puppet.safetensors")


def test_bones_of_what_is_lifted_keep_their_lengths(figure: Figure) -> None:
    network = Denoiser.of(tiny_arrays(figure=figure, head=0.0), tiny_header(SIZES, figure))
    clip = FigureClip(filmed(puppet(frames=40), camera()), camera(), Path("clip.npz"))
    found = lift_figure(clip, network)
    assert found.layout == LAYOUT and np.isfinite(found.xyz).all()
    lengths = np.linalg.norm(found.xyz[:, figure.starts] - found.xyz[:, figure.ends], axis=-1)
    # To this network the creature is a point in the middle: everything here is of the solve.
    np.testing.assert_allclose(lengths.mean(axis=0), figure.unit * figure.lengths, rtol=0.15)
    assert lengths.std(axis=0).max() < 0.1
    middle = found.xyz.mean(axis=1) - puppet(frames=40).mean(axis=1)
    assert np.linalg.norm(middle, axis=-1).mean() < 0.6
