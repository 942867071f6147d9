"""The sample clips in the repository: truth, cameras and videos agree with each other."""

import json
from pathlib import Path

import numpy as np
import pytest

from mocaplift import video
from mocaplift.cameras import project
from mocaplift.kinematics import forward
from mocaplift.layouts import BODY21, CONTACT_POINTS, SMPL24, SMPL_PARENTS
from mocaplift.train.data.motions import measure_slide
from mocaplift.train.data.samples import FPS, RECIPES, cameras_json
from mocaplift.values import Camera, Skeleton

FOLDER = Path(__file__).parents[2] / "sample_videos"
SINGLE = [recipe.name for recipe in RECIPES if recipe.scene.views == (1, 1)]
LARGEST = 3_000_000  # bytes of a video in the repository

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="sample_videos is not beside the tests")


def read(path):
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def rig():
    """Return the cameras of the take with several, and its truth."""
    inside = FOLDER / "four_cameras"
    told = json.loads((inside / "cams.json").read_text())
    assert (told["units"], told["up"]) == ("m", "y")
    cameras = [
        Camera(
            each["name"],
            *(np.array(each[key], float) for key in ("intrinsics", "distortion", "cam_from_world")),
            tuple(each["size"]),
        )
        for each in told["cameras"]
    ]
    return cameras, read(inside / "truth.npz"), told


def all_views():
    """Return every video with its camera and truth."""
    views = []
    for name in SINGLE:
        truth = read(FOLDER / f"{name}.truth.npz")
        camera = Camera(
            name, truth["intrinsics"].astype(float), np.zeros(5), truth["cam_from_world"].astype(float),
            tuple(int(side) for side in truth["size"]),
        )  # fmt: skip
        views.append((FOLDER / f"{name}.mp4", camera, truth))
    cameras, truth, _ = rig()
    views += [(FOLDER / "four_cameras" / f"{camera.name}.mp4", camera, truth) for camera in cameras]
    return views


@pytest.fixture(scope="module")
def views():
    return all_views()


def test_every_recipe_is_there():
    assert len(SINGLE) == 4
    for name in SINGLE:
        assert (FOLDER / f"{name}.mp4").is_file() and (FOLDER / f"{name}.truth.npz").is_file()
    assert len(rig()[0]) == 4


def test_videos_are_as_long_and_as_large_as_their_truth_says(views):
    for path, camera, truth in views:
        clip = video.probe(path)
        assert (clip.frames, clip.size, clip.fps) == (len(truth["body21"]), camera.size, FPS)
        assert path.stat().st_size < LARGEST
        assert 5.0 <= clip.frames / FPS <= 8.0


def test_the_person_is_in_the_picture_all_the_time(views):
    for _, camera, truth in views:
        xy = project(camera, truth["body21"].astype(float))
        assert (xy > 0).all() and (xy < np.array(camera.size) - 1).all()
        height = np.ptp(xy[..., 1], axis=1) / camera.size[1]
        assert 0.3 < np.median(height) < 0.75


def test_joints_follow_from_bones_and_rotations(views):
    for _, _, truth in views:
        skeleton = Skeleton(layout=SMPL24, parents=SMPL_PARENTS, offsets=truth["offsets"].astype(float))
        xyz, _ = forward(skeleton, truth["rotations"].astype(float), truth["root"].astype(float))
        assert np.abs(xyz - truth["joints24"]).max() < 1e-4


def test_skin_points_are_near_their_joints(views):
    for _, _, truth in views:
        for name in ("knee", "ankle", "elbow", "wrist", "hip", "shoulder"):
            for side in ("left", "right"):
                skin = truth["body21"][:, BODY21.at(f"{side}_{name}")]
                joint = truth["joints24"][:, SMPL24.at(f"{side}_{name}")]
                assert np.linalg.norm(skin - joint, axis=-1).max() < 0.15


def test_feet_stand_on_the_floor_and_do_not_slide(views):
    feet = BODY21.index(*CONTACT_POINTS)
    for _, _, truth in views:
        points, contacts = truth["body21"].astype(float), truth["contacts"]
        assert 0.2 < contacts.mean() < 0.95
        assert points[:, feet, 1].min() > 0.0
        assert np.percentile(points[:, feet, 1][contacts], 95) < 0.07
        assert measure_slide(points, contacts).mean() < 2e-3


def test_somebody_is_seen_from_behind(views):
    (camera, truth) = next((c, t) for path, c, t in views if path.stem == "behind")
    xy = project(camera, truth["body21"].astype(float))
    left, right = (xy[:, BODY21.at(f"{side}_shoulder"), 0] for side in ("left", "right"))
    # Of who turns his back to us the left shoulder is left in the picture.
    assert np.mean(left < right) > 0.8


def test_the_picture_changes_where_the_person_is(views):
    path, camera, truth = next(view for view in views if view[0].stem == "walk")
    clip = video.probe(path)
    pictures = list(video.frames(clip))
    first, last = pictures[0].astype(int), pictures[-1].astype(int)
    hips = truth["body21"][:, BODY21.index("left_hip", "right_hip")].mean(axis=1).astype(float)
    for xyz in (hips[0], hips[-1]):
        x, y = np.round(project(camera, xyz)).astype(int)
        patch = np.abs(first - last)[y - 6 : y + 7, x - 6 : x + 7]
        assert patch.mean() > 15
    assert np.median(np.abs(first - last)) < 3


def test_cameras_are_written_as_they_are_documented():
    cameras, _, told = rig()
    again = cameras_json(cameras)
    assert again == told
    assert set(told["cameras"][0]) == {"name", "size", "intrinsics", "distortion", "cam_from_world"}
