"""What moves in the page: skeleton, body, contacts and cameras, as plain values for its script."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift.export import ExportOptions, Rigged, rig
from mocaplift.export.body_mesh import body_skin
from mocaplift.layouts import CONTACT_POINTS
from mocaplift.rotations import conjugate, rotate
from mocaplift.values import Camera, Capture
from mocaplift.viewer.packing import packed

# Steps of the numbers in the page. A turn is off by up to 0.003 degrees, 0.05 mm at the end of a limb.
LENGTH_UNIT = 1e-4  # m
TURN_UNIT = 2.0**-15
WEIGHT_UNIT = 1 / 255
# The joint that each point of a foot moves with.
_CARRIERS = {"heel": "ankle", "big_toe": "foot"}


def describe(capture: Capture) -> dict[str, object]:
    """Return everything that the page's script shows of a capture, ready for JSON.

    World +Y up, metres, quaternions wxyz relative to the parent, pixels with centres at integers: the house's
    conventions, which the script keeps until it draws.

    Raises:
        InvalidData: the motion has no frames.
        WeightsError: the file of the body's surface is missing or damaged.
    """
    rigged = rig(capture, ExportOptions())
    return {
        "fps": float(rigged.fps),
        "frames": len(rigged),
        "joints": list(rigged.joints),
        "parents": list(rigged.parents),
        "offsets": rigged.offsets.tolist(),
        "rotations": packed(rigged.rotations, TURN_UNIT),
        "root": packed(rigged.places[0], LENGTH_UNIT),
        "marks": _marks(capture, rigged),
        "contacts": packed(capture.contacts),
        "seen": packed(np.stack([(view.conf > 0).any(axis=1) for view in capture.views], axis=1)),
        "cameras": [_camera(each) for each in capture.cameras],
        "body": _body(capture, rigged),
    }


def _body(capture: Capture, rigged: Rigged) -> dict[str, object]:
    """Return the free body in the person's shape, on the rig at rest."""
    skin = body_skin(rigged, capture.motion.skeleton.shape)
    return {
        "vertices": packed(skin.vertices, LENGTH_UNIT),
        "triangles": packed(skin.triangles),
        "joints": packed(skin.joints),
        "weights": packed(skin.weights, WEIGHT_UNIT),
    }


def _marks(capture: Capture, rigged: Rigged) -> list[dict[str, object]]:
    """Return where each point of contact rides: its bone, and its place (m) in the bone's axes."""
    xyz, turned = rigged.world()
    marks: list[dict[str, object]] = []
    for point in CONTACT_POINTS:
        side, part = point.split("_", 1)
        bone = rigged.joints.index(f"{side}_{_CARRIERS[part]}")
        marks.append(
            {"name": point, "bone": bone, "place": _riding(capture, point, xyz[:, bone], turned[:, bone])}
        )
    return marks


def _riding(
    capture: Capture, point: str, xyz: Float[np.ndarray, "T 3"], turned: Float[np.ndarray, "T 4"]
) -> list[float]:
    """Return where a point of the body lies in a bone's axes (m), the bone's own place if nothing tells."""
    if point not in capture.joints.layout.joints:
        return [0.0, 0.0, 0.0]
    places = rotate(conjugate(turned), capture.joints.xyz[:, capture.joints.layout.at(point)] - xyz)
    known = np.isfinite(places).all(axis=1)
    return np.median(places[known], axis=0).tolist() if known.any() else [0.0, 0.0, 0.0]


def _camera(camera: Camera) -> dict[str, object]:
    return {
        "name": camera.name,
        "size": list(camera.size),
        "intrinsics": camera.intrinsics.tolist(),
        "distortion": camera.distortion.tolist(),
        "cam_from_world": camera.cam_from_world.tolist(),
    }
