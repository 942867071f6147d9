"""The mesh-based generator with the real body and the real renderer: truth lies on what is seen."""

import itertools

import numpy as np
import pytest

from mocaplift.cameras import project
from mocaplift.errors import InvalidData, MissingDependency
from mocaplift.layouts import BODY21
from mocaplift.train.data.outfits import dress, sample_outfit
from mocaplift.train.data.render import Renderer
from mocaplift.train.data.scenes import SceneConfig
from mocaplift.train.data.synthetic_mesh import generate
from tests.walker import walker

pytest.importorskip("anny", reason="anny is not installed")
pytest.importorskip("moderngl", reason="moderngl is not installed")
# The first body on a machine takes a minute to build.
pytestmark = pytest.mark.slow

CONFIG = SceneConfig(size=(640, 360), seconds=(0.5, 0.8))


@pytest.fixture(scope="module")
def body():
    from mocaplift.train.data.anny_body import Body

    return Body({"gender": 0.2, "height": 0.4})


@pytest.fixture(scope="module")
def shot(body):
    return next(generate(CONFIG, np.random.default_rng(3), [walker(frames=60).motion], [body]))


def test_a_shot_agrees_with_itself(shot, body):
    frames = len(shot.motion.root)
    assert 15 <= frames <= 24 and shot.truth.fps == CONFIG.fps
    assert shot.truth.xyz.shape == (frames, len(BODY21), 3) and shot.contacts.shape == (frames, 4)
    assert np.abs(body.pose_keypoints(shot.motion.rotations, shot.motion.root) - shot.truth.xyz).max() < 1e-4
    assert abs(np.median(shot.vertices[..., 1].min(axis=1))) < 0.02


def test_the_same_seed_gives_the_same_shots(body):
    motions = [walker(frames=60).motion]
    first, second = (
        list(itertools.islice(generate(CONFIG, np.random.default_rng(8), motions, [body]), 2))
        for _ in range(2)
    )
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.truth.xyz, b.truth.xyz)
        assert np.array_equal(a.cameras[0].cam_from_world, b.cameras[0].cam_from_world)
        assert a.outfit == b.outfit and a.surroundings == b.surroundings


def test_true_points_lie_on_the_person_in_the_picture(shot, body):
    figure = dress(body, shot.outfit)
    try:
        with Renderer(shot.cameras[0], shot.surroundings, [figure]) as renderer:
            picture, empty = renderer.draw([shot.vertices[5]]), renderer.draw([shot.vertices[5] + 50.0])
    except MissingDependency as error:
        pytest.skip(str(error))
    changed = np.abs(picture.astype(int) - empty).max(axis=2) > 6
    xy = np.round(project(shot.cameras[0], shot.truth.xyz[5])).astype(int)
    for name, (x, y) in zip(BODY21.joints, xy, strict=True):
        assert changed[y - 1 : y + 2, x - 1 : x + 2].any(), f"{name} is not on the person"
    # The person and the shadow are all that changed.
    assert changed.mean() < 0.35


def test_clothes_fit_the_body(body):
    figure = dress(body, sample_outfit(np.random.default_rng(0)))
    assert figure.thickness.min() >= 0.0 and figure.thickness.max() < 0.04
    assert figure.mould is not None
    assert np.abs(figure.mould.sum(axis=1) - 1).max() < 1e-9
    # Only toes are moved, and by less than a toe.
    moved = np.linalg.norm(figure.mould @ body.rest_vertices - body.rest_vertices, axis=1)
    assert 0.001 < moved.max() < 0.03 and (moved > 1e-9).mean() < 0.2


def test_a_generator_needs_motions_and_bodies(body):
    with pytest.raises(InvalidData, match="at least one take"):
        next(generate(CONFIG, np.random.default_rng(0), [], [body]))
