"""The clips in `sample_videos/`, made from recorded motions that no training of ours has seen.

    python -m mocaplift.train.data.samples --cmu DIR --out sample_videos

DIR holds the CMU archives. Each clip gets its truth beside it; a take with several cameras is a folder with one
video per camera, `cams.json` and one truth.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import click
import numpy as np
from jaxtyping import Float

from mocaplift import video
from mocaplift.errors import InvalidData
from mocaplift.files import whole_file, write_whole
from mocaplift.rotations import rotate
from mocaplift.train.data.anny_body import Body
from mocaplift.train.data.cmu import Take, read_takes
from mocaplift.train.data.motions import cut, measure_slide, with_more_strides
from mocaplift.train.data.scenes import SceneConfig
from mocaplift.train.data.synthetic_mesh import Shot, film, perform
from mocaplift.values import Camera, SkeletonMotion

log = logging.getLogger(__name__)

FPS = 30


@dataclass(frozen=True)
class Recipe:
    """One clip: which passage, whose body, which scene. `azimuth_deg` counts from the person's mean heading.

    `seed` draws clothes, place, light and what of the camera `scene` leaves open; times are seconds of the clean
    take. A recording that ends early is made longer by `more_strides`.
    """

    name: str
    recording: str
    part: int
    seconds: tuple[float, float]
    azimuth_deg: float
    seed: int
    body: Mapping[str, float]
    scene: SceneConfig = field(default_factory=SceneConfig)
    more_strides: int = 0


RECIPES = (
    Recipe(
        name="walk",
        recording="10_04",
        part=0,
        seconds=(0.2, 5.4),
        azimuth_deg=65.0,
        seed=21,
        body={"gender": 0.1, "age": 0.7, "height": 0.40, "weight": 0.5, "muscle": 0.6},
        scene=SceneConfig(
            fov_deg=(62.0, 66.0), height=(1.3, 1.6), person_share=(0.45, 0.6), outdoor_share=0.0
        ),
        more_strides=1,
    ),
    Recipe(
        name="salsa",
        recording="60_04",
        part=1,
        seconds=(3.0, 9.5),
        azimuth_deg=25.0,
        seed=12,
        body={"gender": 0.95, "age": 0.68, "height": 0.45, "weight": 0.45, "muscle": 0.5},
        scene=SceneConfig(fov_deg=(48.0, 56.0), height=(1.2, 1.6), person_share=(0.55, 0.75)),
    ),
    Recipe(
        name="karate",
        recording="135_05",
        part=0,
        seconds=(3.0, 9.5),
        azimuth_deg=60.0,
        seed=13,
        body={"gender": 0.05, "age": 0.75, "height": 0.42, "weight": 0.6, "muscle": 0.75},
        scene=SceneConfig(
            fov_deg=(60.0, 66.0), height=(1.0, 1.4), person_share=(0.48, 0.65), outdoor_share=1.0
        ),
    ),
    Recipe(
        name="behind",
        recording="13_26",
        part=1,
        seconds=(0.5, 7.0),
        azimuth_deg=180.0,
        seed=14,
        body={"gender": 0.3, "age": 0.8, "height": 0.42, "weight": 0.55, "muscle": 0.45},
        scene=SceneConfig(fov_deg=(48.0, 54.0), height=(1.4, 1.7), person_share=(0.6, 0.75)),
    ),
    Recipe(
        name="four_cameras",
        recording="61_10",
        part=0,
        seconds=(1.0, 7.0),
        azimuth_deg=35.0,
        seed=15,
        body={"gender": 0.9, "age": 0.72, "height": 0.40, "weight": 0.5, "muscle": 0.5},
        scene=SceneConfig(
            fov_deg=(55.0, 65.0),
            height=(1.2, 2.2),
            person_share=(0.45, 0.75),
            views=(4, 4),
            outdoor_share=0.0,
        ),
    ),
)


def make_shot(recipe: Recipe, takes: Sequence[Take]) -> Shot:
    """Return what a recipe describes, ready to be rendered.

    Raises:
        InvalidData: its recording is not among the takes, or was trained on.
    """
    found = [take for take in takes if take.name == recipe.recording and take.part == recipe.part]
    if not found or not found[0].is_validation:
        raise InvalidData(
            f"sample {recipe.name}: recording {recipe.recording} (part {recipe.part}) is not among the takes that "
            "are held out of training"
        )
    body = Body(recipe.body)
    motion = perform(found[0].motion, body, float(FPS))
    if recipe.more_strides:
        motion = with_more_strides(motion, recipe.more_strides)
    motion = cut(motion, *recipe.seconds)
    return film(
        recipe.scene,
        np.random.default_rng(recipe.seed),
        motion,
        body,
        azimuth_deg=recipe.azimuth_deg + _mean_heading_deg(motion),
    )


def write_sample(recipe: Recipe, shot: Shot, folder: Path) -> None:
    """Write videos and truth of one recipe: `<name>.mp4` or, for several cameras, a folder of that name.

    Raises:
        OutputError: a file cannot be written.
        MissingDependency: moderngl or an EGL driver is absent.
    """
    if len(shot.cameras) == 1:
        _write_video(shot, 0, folder / f"{recipe.name}.mp4")
        _write_truth(
            folder / f"{recipe.name}.truth.npz", truth_arrays(shot) | _camera_arrays(shot.cameras[0])
        )
        return
    inside = folder / recipe.name
    for view, camera in enumerate(shot.cameras):
        _write_video(shot, view, inside / f"{camera.name}.mp4")
    text = json.dumps(cameras_json(shot.cameras), indent=1)
    write_whole(inside / "cams.json", text.encode())
    _write_truth(inside / "truth.npz", truth_arrays(shot))


def truth_arrays(shot: Shot) -> dict[str, np.ndarray]:
    """Return everything true of a shot that does not depend on the camera; world metres, radians nowhere."""
    motion = shot.motion
    return {
        "body21": shot.truth.xyz.astype(np.float32),
        "joints24": shot.body.joints(motion.rotations, motion.root).astype(np.float32),
        "rotations": motion.rotations.astype(np.float32),
        "root": motion.root.astype(np.float32),
        "offsets": motion.skeleton.offsets.astype(np.float32),
        "contacts": shot.contacts,
        "fps": np.array(motion.fps, dtype=np.float32),
        "height_m": np.array(shot.body.stature, dtype=np.float32),
    }


def cameras_json(cameras: Sequence[Camera]) -> dict[str, object]:
    """Return our documented calibration format: OpenCV cameras of a world in metres with +Y up."""
    return {
        "cameras": [
            {
                "name": camera.name,
                "size": list(camera.size),
                "intrinsics": camera.intrinsics.tolist(),
                "distortion": camera.distortion.tolist(),
                "cam_from_world": camera.cam_from_world.tolist(),
            }
            for camera in cameras
        ],
        "units": "m",
        "up": "y",
    }


def _camera_arrays(camera: Camera) -> dict[str, np.ndarray]:
    return {
        "intrinsics": camera.intrinsics.astype(np.float32),
        "cam_from_world": camera.cam_from_world.astype(np.float32),
        "size": np.array(camera.size, dtype=np.int32),
    }


def _write_truth(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _write_video(shot: Shot, view: int, path: Path) -> None:
    with video.write(path, Fraction(FPS), shot.cameras[view].size) as append:
        for frame in shot.frames(view):
            append(frame)


def _mean_heading_deg(motion: SkeletonMotion) -> float:
    ahead: Float[np.ndarray, 3] = rotate(motion.rotations[:, 0], np.array([0.0, 0.0, 1.0])).mean(axis=0)
    return float(np.degrees(np.arctan2(ahead[0], ahead[2])))


@click.command()
@click.option("--cmu", type=click.Path(path_type=Path), required=True, help="Folder of the CMU archives.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where to write the clips.")
@click.option("--only", multiple=True, help="Names of clips to make; all of them without it.")
@click.option("--quick", is_flag=True, help="A quarter of the size: to look at a change.")
def main(cmu: Path, out: Path, only: tuple[str, ...], quick: bool) -> None:
    """Make the sample clips and their truth."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    default = Body()
    takes = list(read_takes(cmu, default.skeleton, sole_y=float(default.rest_vertices[:, 1].min())))
    for recipe in RECIPES:
        if only and recipe.name not in only:
            continue
        if quick:
            recipe = replace(recipe, scene=replace(recipe.scene, size=(320, 180)))
        shot = make_shot(recipe, takes)
        write_sample(recipe, shot, out)
        slide = measure_slide(shot.truth.xyz, shot.contacts)
        log.info(
            "%s: %d frames, %d cameras, height %.2f m, truth slides %.1f mm per frame while planted",
            recipe.name, len(shot.vertices), len(shot.cameras), shot.body.stature, 1e3 * slide.mean(),
        )  # fmt: skip


if __name__ == "__main__":
    main()
