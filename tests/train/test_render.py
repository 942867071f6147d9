"""The renderer against numbers worked out by hand: pixels, up and left, who hides whom, shadows, lens."""

import numpy as np
import pytest

from mocaplift.cameras import look_at, project
from mocaplift.errors import InvalidData, MissingDependency
from mocaplift.values import Camera

pytest.importorskip("moderngl", reason="moderngl is not installed")

from mocaplift.train.data.outfits import marker
from mocaplift.train.data.render import Renderer, render
from mocaplift.train.data.surroundings import sample_surroundings

# Four samples a pixel: over 300 places the mean error of the centre was 0.01 px, the largest 0.24 px.
PIXEL_TOLERANCE = 0.3
RED, GREEN = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
SIZE = (640, 360)


def octahedron(radius):
    """Return a closed mesh around the origin, triangles counter-clockwise from outside."""
    corners = radius * np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
    faces = []
    for x in (0, 1):
        for y in (2, 3):
            for z in (4, 5):
                face = (x, y, z)
                a, b, c = corners[list(face)]
                faces.append(face if np.cross(b - a, c - a) @ (a + b + c) > 0 else (x, z, y))
    return corners, np.array(faces)


CORNERS, FACES = octahedron(0.05)


def a_camera(principal=(311.0, 187.5), distortion=(0.0,) * 5):
    """Return a camera at (0, 1, 5) that looks along -Z, upright: x_cam = x, y_cam = 1 - y, z_cam = 5 - z."""
    cam_from_world = np.diag([1.0, -1.0, -1.0, 1.0])
    cam_from_world[:3, 3] = [0.0, 1.0, 5.0]
    intrinsics = np.array([[500.0, 0.0, principal[0]], [0.0, 500.0, principal[1]], [0.0, 0.0, 1.0]])
    return Camera("front", intrinsics, np.array(distortion), cam_from_world, SIZE)


def a_place(seed=3, outdoor_share=1.0):
    around = np.array([[0.0, 1.0, 5.0], [-1.0, 0.0, -1.0], [1.0, 2.0, 1.0]])
    return sample_surroundings(np.random.default_rng(seed), around, outdoor_share=outdoor_share)


def picture(camera, spots, colours=None, place=None):
    """Return the picture of little octahedra at these points."""
    figures = [marker(CORNERS, FACES, colour) for colour in colours or [RED] * len(spots)]
    with _renderer(camera, place or a_place(), figures) as renderer:
        return renderer.draw([CORNERS + spot for spot in np.asarray(spots, float)])


def _renderer(camera, place, figures):
    try:
        return Renderer(camera, place, figures)
    except MissingDependency as error:
        pytest.skip(str(error))


def centre_of(image, channel=0):
    """Return the centre (x, y) of what is coloured in one channel alone, weighted by how much."""
    colour = image.astype(float)
    other = np.delete(colour, channel, axis=2).max(axis=2)
    weight = np.clip(colour[..., channel] - other - 100.0, 0.0, None)
    assert weight.sum() > 0, "the marker is not in the picture"
    v, u = np.indices(weight.shape)
    return np.array([(u * weight).sum(), (v * weight).sum()]) / weight.sum()


def test_up_is_up_and_left_is_right_of_who_faces_us():
    # 0.5 m to +X at 5 m with f = 500: 50 px right of the principal point; 0.4 m above the camera: 40 px up.
    found = centre_of(picture(a_camera(), [[0.5, 1.4, 0.0]]))
    assert np.abs(found - [361.0, 147.5]).max() < PIXEL_TOLERANCE


def test_depth_makes_things_smaller_towards_the_principal_point():
    # The same offsets at 10 m: 25 px and 20 px.
    found = centre_of(picture(a_camera(), [[0.5, 1.4, -5.0]]))
    assert np.abs(found - [336.0, 167.5]).max() < PIXEL_TOLERANCE


@pytest.mark.parametrize("distortion", [(0.0,) * 5, (-0.25, 0.08, 0.002, -0.003, 0.01)])
def test_points_appear_where_the_camera_projects_them(distortion):
    camera = a_camera(distortion=distortion)
    tilted = Camera(
        "tilted",
        camera.intrinsics,
        camera.distortion,
        look_at(np.array([2.0, 1.9, 3.0]), np.array([0.1, 0.8, 0.0]), 0.1),
        SIZE,
    )
    for spot in ([0.0, 1.0, 0.0], [-0.6, 0.4, 0.5], [0.9, 1.8, -0.4]):
        found = centre_of(picture(tilted, [spot]))
        assert np.abs(found - project(tilted, np.array(spot))).max() < PIXEL_TOLERANCE


def test_the_nearer_hides_the_farther():
    behind, before = [0.0, 1.0, 0.0], [0.0, 1.0, 1.0]
    image = picture(a_camera(), [before, behind], [RED, GREEN])
    middle = image[188, 311]
    assert middle[0] > 200 and middle[1] < 50
    image = picture(a_camera(), [behind, before], [RED, GREEN])
    middle = image[188, 311]
    assert middle[1] > 200 and middle[0] < 50


def test_a_body_casts_a_shadow_where_the_light_says():
    camera, place = a_camera(), a_place()
    light = np.array(place.light.direction)
    spot = np.array([0.0, 0.6, 0.0])
    shadow = spot - light * spot[1] / light[1]
    assert abs(shadow[1]) < 1e-12
    x, y = np.round(project(camera, shadow)).astype(int)
    with_it, without = picture(camera, [spot], place=place), picture(camera, [], place=place)
    darker = with_it[y, x].astype(float).sum() / without[y, x].sum()
    assert darker < 0.5 * (1 + place.light.shade)
    # Far from body and shadow the picture is the empty place, to the last bit.
    changed = (with_it != without).any(axis=2)
    assert 0 < changed.mean() < 0.05


def test_the_place_is_drawn_with_the_sky_above_the_floor():
    place = a_place()
    image = picture(a_camera(), [], place=place)
    # The camera is level and 1 m high, so the floor fills everything well below the principal row.
    floor, sky = image[300:, :].reshape(-1, 3).mean(axis=0), image[:40, :].reshape(-1, 3).mean(axis=0)
    assert np.abs(floor / 255 - place.floor_colours[0]).max() < 0.25
    assert np.abs(sky - floor).max() > 20


def test_a_room_has_walls_all_around():
    place = a_place(outdoor_share=0.0)
    assert place.room is not None
    image = picture(a_camera(), [], place=place)
    assert image.shape == (360, 640, 3) and image.std() > 5


def test_a_picture_is_the_same_every_time():
    spots = [[0.1, 0.9, 0.2]]
    assert np.array_equal(picture(a_camera(), spots), picture(a_camera(), spots))


def test_what_is_out_of_the_picture_is_not_drawn():
    empty = picture(a_camera(), [])
    assert np.array_equal(picture(a_camera(), [[30.0, 1.0, 0.0]]), empty)


def test_frames_come_in_order():
    path = np.linspace(-0.5, 0.5, 3)
    meshes = np.stack([CORNERS + np.array([x, 1.0, 0.0]) for x in path])
    try:
        frames = list(render(a_camera(), a_place(), [marker(CORNERS, FACES, RED)], [meshes]))
    except MissingDependency as error:
        pytest.skip(str(error))
    assert [round(centre_of(frame)[0]) for frame in frames] == [261, 311, 361]


def test_meshes_that_do_not_fit_the_figures_are_refused():
    with _renderer(a_camera(), a_place(), [marker(CORNERS, FACES, RED)]) as renderer:
        with pytest.raises(InvalidData, match="2 meshes"):
            renderer.draw([CORNERS, CORNERS])
        with pytest.raises(InvalidData, match="mesh of 6 vertices"):
            renderer.draw([CORNERS[:4]])
