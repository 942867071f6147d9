"""Random cameras, clothes and places: everything drawn is within what was asked for."""

import numpy as np
import pytest

from mocaplift.cameras import centre, project
from mocaplift.errors import InvalidData
from mocaplift.train.data.outfits import sample_outfit
from mocaplift.train.data.scenes import SceneConfig, person_share, sample_rig
from mocaplift.train.data.surroundings import sample_surroundings
from tests.walker import walker

POINTS = walker(frames=60).keypoints.xyz


@pytest.mark.parametrize("seed", range(8))
def test_a_sampled_camera_sees_the_whole_passage_at_a_useful_size(seed):
    config = SceneConfig()
    (camera,) = sample_rig(config, np.random.default_rng(seed), POINTS)
    xy = project(camera, POINTS)
    margin = config.border * camera.size[1]
    assert (xy >= margin).all() and (xy <= np.array(camera.size) - 1 - margin).all()
    assert 0.8 * config.person_share[0] <= person_share(camera, POINTS) <= config.person_share[1]
    assert config.height[0] <= centre(camera)[1] <= config.height[1]
    fov = 2 * np.degrees(np.arctan(camera.size[0] / 2 / camera.intrinsics[0, 0]))
    assert config.fov_deg[0] <= fov <= config.fov_deg[1]
    # Upright: the head is above the feet in the picture.
    assert (xy[:, 0, 1] < xy[:, -1, 1]).all()


def test_the_azimuth_is_where_the_camera_stands():
    config = SceneConfig(ring_jitter_deg=0.0)
    middle = 0.5 * (POINTS.min(axis=(0, 1)) + POINTS.max(axis=(0, 1)))
    (camera,) = sample_rig(config, np.random.default_rng(1), POINTS, azimuth_deg=90.0)
    away = centre(camera) - middle
    assert away[0] > 1.0 and abs(away[2]) < 1e-6


def test_a_rig_stands_around_the_person():
    config = SceneConfig(views=(4, 4))
    rig = sample_rig(config, np.random.default_rng(2), POINTS)
    middle = 0.5 * (POINTS.min(axis=(0, 1)) + POINTS.max(axis=(0, 1)))
    bearings = [np.degrees(np.arctan2(*(centre(c) - middle)[[0, 2]])) for c in rig]
    gaps = np.diff(np.sort(bearings))
    assert len({camera.name for camera in rig}) == 4 and gaps.min() > 40


def test_the_same_seed_gives_the_same_scene():
    first, second = (sample_rig(SceneConfig(), np.random.default_rng(5), POINTS)[0] for _ in range(2))
    assert np.array_equal(first.cam_from_world, second.cam_from_world)
    assert sample_outfit(np.random.default_rng(5)) == sample_outfit(np.random.default_rng(5))


def test_a_passage_that_fits_no_picture_is_refused_with_its_size():
    far = POINTS + np.linspace(0, 40, len(POINTS))[:, None, None] * [1.0, 0.0, 0.0]
    with pytest.raises(InvalidData, match=r"40.* m whole"):
        sample_rig(SceneConfig(), np.random.default_rng(0), far, azimuth_deg=0.0)


def test_ranges_that_are_none_are_refused():
    with pytest.raises(InvalidData, match="fov_deg"):
        SceneConfig(fov_deg=(70.0, 50.0))


@pytest.mark.parametrize("seed", range(6))
def test_a_room_holds_cameras_and_people(seed):
    rng = np.random.default_rng(seed)
    around = rng.uniform([-3, 0, -3], [3, 2.2, 3], (6, 3))
    place = sample_surroundings(rng, around, outdoor_share=0.0)
    low_x, low_z, high_x, high_z, height = place.room
    assert (around[:, 0] > low_x + 1).all() and (around[:, 0] < high_x - 1).all()
    assert (around[:, 2] > low_z + 1).all() and (around[:, 2] < high_z - 1).all()
    assert height > around[:, 1].max()
    assert abs(np.linalg.norm(place.light.direction) - 1) < 1e-9 and place.light.direction[1] > 0.5
