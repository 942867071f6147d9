"""Which bone carries the path of the body, and motions that stay on the spot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from mocaplift.export.templates import rest_axes
from mocaplift.rotations import conjugate, multiply, rotate

if TYPE_CHECKING:
    from mocaplift.export.rigged import Rigged
    from mocaplift.export.templates import Template

HORIZONTAL = (0, 2)  # the axes x and z of the world
# The hips rest this far in front of a root below them. A bone that begins exactly where the one above it ends is
# fixed there by Blender's FBX importer, whatever moves it: roots with upright axes would end in the hips.
IN_FRONT = 1e-4  # m


def on_the_spot(path: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
    """Return the path above the origin: only its height remains."""
    return path * np.array([0.0, 1.0, 0.0])


def carried(rigged: Rigged, template: Template, root: str) -> Rigged:
    """Return the motion with a root bone where the template or the option wants one.

    "hips": the hips carry the whole path; a root bone that the template has stays at the origin. "floor": the
    root bone moves on the floor below the hips, without turning, and the hips keep their height above it.
    """
    if root == "hips" and not template.has_root:
        return rigged
    frames, axes = len(rigged), rest_axes(template.root_axes)
    path = np.zeros((frames, 3))
    if root == "floor":
        path[:, HORIZONTAL] = rigged.places[0][:, HORIZONTAL]
    back = conjugate(axes)
    rest, rotations = rigged.rest.copy(), rigged.rotations.copy()
    rest[0], rotations[:, 0] = multiply(back, rest[0]), multiply(back, rotations[:, 0])
    offsets = np.concatenate([np.zeros((1, 3)), rigged.offsets])
    offsets[1] = rotate(back, offsets[1] + IN_FRONT * np.array([0.0, 0.0, 1.0]))
    hips = rotate(back, rigged.places[0] - path)
    return replace(
        rigged,
        names=(template.root, *rigged.names),
        parents=(-1, *(parent + 1 for parent in rigged.parents)),
        offsets=offsets,
        rest=np.concatenate([axes[None], rest]),
        rotations=np.concatenate([np.broadcast_to(axes, (frames, 1, 4)), rotations], axis=1),
        places={bone + 1: place for bone, place in rigged.places.items()} | {0: path, 1: hips},
        joints=(None, *rigged.joints),
        tips={bone + 1: tip for bone, tip in rigged.tips.items()},
    )
