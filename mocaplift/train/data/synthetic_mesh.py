"""The mesh-based generator: recorded motions on free bodies, filmed by virtual cameras, with the exact truth.

What it yields are the values that inference consumes (`Motion3D`, `Camera`) and the pictures a detector would
see, so that training, tests and evaluation share one path.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21
from mocaplift.train.data.anny_body import Body
from mocaplift.train.data.motions import cut, find_true_contacts, resample, transfer, with_level_head
from mocaplift.train.data.outfits import Outfit, dress, sample_outfit
from mocaplift.train.data.planting import plant_feet
from mocaplift.train.data.render import render
from mocaplift.train.data.scenes import SceneConfig, sample_rig
from mocaplift.train.data.surroundings import Surroundings, sample_surroundings
from mocaplift.values import Camera, Motion3D, SkeletonMotion

# Every how many vertices are looked at to place a camera: enough that no hand leaves the picture unseen.
VERTEX_STRIDE = 20
# Passages and places that did not fit are thrown away; so many in a row mean that the ranges cannot be met.
MOST_REJECTED = 50


@dataclass(frozen=True, eq=False)
class Shot:
    """One passage of one person, seen by one or several cameras at the same time.

    `truth` is body21 on the skin, `motion` the skeleton under it, `contacts` heels and toes that stand
    (`CONTACT_POINTS`), `vertices` the naked mesh. All in one world with the floor at y = 0.
    """

    body: Body
    motion: SkeletonMotion
    truth: Motion3D
    contacts: Bool[np.ndarray, "T 4"]
    vertices: Float[np.ndarray, "T V 3"]
    cameras: tuple[Camera, ...]
    outfit: Outfit
    surroundings: Surroundings

    def frames(self, view: int = 0) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
        """Yield the pictures of one camera, RGB.

        Raises:
            MissingDependency: moderngl or an EGL driver is absent.
        """
        figure = dress(self.body, self.outfit)
        return render(self.cameras[view], self.surroundings, [figure], [self.vertices])


def perform(motion: SkeletonMotion, body: Body, fps: float) -> SkeletonMotion:
    """Return a recorded motion as this body performs it: its own legs, feet planted, head up, at this rate."""
    return plant_feet(with_level_head(transfer(resample(motion, fps), body.skeleton)), body)


def film(
    config: SceneConfig,
    rng: np.random.Generator,
    motion: SkeletonMotion,
    body: Body,
    *,
    azimuth_deg: float | None = None,
    outfit: Outfit | None = None,
    cameras: tuple[Camera, ...] | None = None,
) -> Shot:
    """Return the shot of a performed motion with random cameras (where none are given), clothes, place and light.

    Raises:
        InvalidData: no camera within the ranges sees the whole passage.
    """
    vertices = body.pose(motion.rotations, motion.root)
    if cameras is None:
        cameras = sample_rig(config, rng, vertices[:, ::VERTEX_STRIDE], azimuth_deg=azimuth_deg)
    eyes = np.stack([np.linalg.inv(camera.cam_from_world)[:3, 3] for camera in cameras])
    around = np.concatenate([eyes, vertices.min(axis=1), vertices.max(axis=1)])
    keypoints = body.keypoints(vertices)
    return Shot(
        body=body,
        motion=motion,
        truth=Motion3D(xyz=keypoints, sigma=np.zeros(keypoints.shape[:2]), layout=BODY21, fps=motion.fps),
        contacts=find_true_contacts(keypoints, body, motion.fps),
        vertices=vertices,
        cameras=cameras,
        outfit=sample_outfit(rng) if outfit is None else outfit,
        surroundings=sample_surroundings(rng, around, outdoor_share=config.outdoor_share),
    )


def generate(
    config: SceneConfig, rng: np.random.Generator, takes: Sequence[SkeletonMotion], bodies: Sequence[Body]
) -> Iterator[Shot]:
    """Yield shots without end: a random passage of a random take on a random body in a random scene.

    Raises:
        InvalidData: there is no take or no body, or no camera within the ranges ever sees a passage.
    """
    if not takes or not bodies:
        raise InvalidData("a generator of shots needs at least one take and one body")
    rejected = 0
    while True:
        motion = takes[int(rng.integers(len(takes)))]
        body = bodies[int(rng.integers(len(bodies)))]
        length = len(motion.root) / motion.fps
        wanted = min(rng.uniform(*config.seconds), length)
        begin = rng.uniform(0.0, length - wanted)
        passage = perform(cut(motion, begin, begin + wanted), body, config.fps)
        try:
            shot = film(config, rng, passage, body)
        except InvalidData:
            rejected += 1
            if rejected >= MOST_REJECTED:
                raise
            continue
        rejected = 0
        yield shot
