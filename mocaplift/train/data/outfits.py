"""What people look like: skin, hair and clothes as numbers that fit any body.

Clothes are painted on the body by where a point lies in the T-pose (see `shaders.PERSON_FRAGMENT`) and lifted
off the skin by a thickness. Lengths are shares of the wearer's own limbs, so one outfit fits everybody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from scipy.spatial import ConvexHull

from mocaplift.layouts import BODY21, SMPL24
from mocaplift.train.data.anny_body import PARTS, Body

Colour = tuple[float, float, float]  # sRGB, 0..1; or a place in metres

# Skin tones from light to dark and hair colours, sRGB; chosen by eye.
SKINS: tuple[Colour, ...] = (
    (0.93, 0.78, 0.69), (0.87, 0.69, 0.57), (0.78, 0.59, 0.46), (0.66, 0.47, 0.35), (0.50, 0.34, 0.25),
    (0.36, 0.24, 0.18),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (0.07, 0.06, 0.05), (0.20, 0.13, 0.08), (0.35, 0.23, 0.13), (0.62, 0.48, 0.28), (0.45, 0.20, 0.10),
    (0.55, 0.54, 0.53),
)  # fmt: skip
IRISES: tuple[Colour, ...] = ((0.15, 0.09, 0.05), (0.10, 0.16, 0.22), (0.12, 0.17, 0.10))

PATTERNS = ("plain", "across", "along", "blots")

# Clothes get thinner over this distance from their edge, metres.
EDGE = 0.02
# The collar lies at this share of the way from the shoulders to the nose, and is this soft (m).
COLLAR, COLLAR_EDGE = 0.30, 0.06
HEM_OVER_HIP = 0.02  # m
SHOE_OVER_ANKLE = 0.01  # m
# Ears begin at this share of the distance of the ear points from the middle; the shader knows it too.
EAR_SHARE = 0.86
# A hairline above this share of the forehead leaves no hair.
BALD = 1.0
# Toes are covered from this far behind the ball of the foot, metres.
TOE_BOX = 0.015


@dataclass(frozen=True)
class Outfit:
    """One person's look. Colours are sRGB in 0..1, thicknesses metres, lengths shares of the limb.

    `sleeve`: 0 shoulder, 0.5 elbow, 1 wrist. `leg`: 0 hip, 0.5 knee, 1 ankle. `hairline`: height where the
    hair begins at the front, from the eyes (0) to the crown (1; bald above it). `nape`: where it ends behind,
    from the shoulders (0) to the eyes (1).
    """

    skin: Colour
    hair: Colour
    iris: Colour
    shirt: Colour
    shirt_2: Colour
    trousers: Colour
    shoes: Colour
    pattern: str = "plain"
    pattern_size: float = 0.08
    sleeve: float = 0.3
    leg: float = 0.97
    hairline: float = 0.5
    nape: float = 0.45
    shirt_thickness: float = 0.010
    trousers_thickness: float = 0.010
    shoe_thickness: float = 0.006
    hair_thickness: float = 0.015


def sample_outfit(rng: np.random.Generator) -> Outfit:
    """Return a random look: any skin, hair, clothes plain or patterned, short or long."""
    shirt = _cloth(rng)
    return Outfit(
        skin=_between(rng, SKINS),
        hair=HAIRS[rng.integers(len(HAIRS))],
        iris=IRISES[rng.integers(len(IRISES))],
        shirt=shirt,
        shirt_2=_cloth(rng),
        trousers=_cloth(rng) if rng.random() < 0.5 else _dark(rng),
        shoes=_cloth(rng) if rng.random() < 0.4 else _dark(rng),
        pattern=str(rng.choice(PATTERNS, p=(0.6, 0.15, 0.1, 0.15))),
        pattern_size=rng.uniform(0.03, 0.15),
        sleeve=rng.uniform(0.15, 0.4) if rng.random() < 0.6 else rng.uniform(0.8, 1.0),
        leg=rng.uniform(0.94, 1.0) if rng.random() < 0.7 else rng.uniform(0.25, 0.6),
        hairline=1.5 if rng.random() < 0.08 else rng.uniform(0.4, 0.65),
        nape=rng.uniform(0.3, 0.75),
        shirt_thickness=rng.uniform(0.004, 0.020),
        trousers_thickness=rng.uniform(0.004, 0.018),
        hair_thickness=rng.uniform(0.006, 0.03),
    )


@dataclass(frozen=True, eq=False)
class Figure:
    """A body dressed for the renderer: mesh, T-pose, thickness of clothes (m), and numbers for the shader.

    `mould` [V V] takes posed vertices to those drawn: it closes the gaps between the toes of whoever wears shoes.
    """

    faces: Int[np.ndarray, "F 3"]
    rest: Float[np.ndarray, "V 3"]
    thickness: Float[np.ndarray, V]
    look: dict[str, float | int | Colour]
    mould: csr_array | None = None


def dress(body: Body, outfit: Outfit) -> Figure:
    """Return the body wearing the outfit. Heights are above the soles of the T-pose."""
    sole = body.rest_vertices[:, 1].min()
    rest = body.rest_vertices - [0.0, sole, 0.0]
    points = dict(zip(BODY21.joints, body.keypoints(rest[None])[0], strict=True))
    cuts, places = _cuts(points, outfit, crown=float(rest[:, 1].max())), _places(points)
    look: dict[str, float | int | Colour] = {
        "is_plain": 0,
        "pattern": PATTERNS.index(outfit.pattern),
        "pattern_size": outfit.pattern_size,
        **{
            name: getattr(outfit, name)
            for name in ("skin", "hair", "shirt", "shirt_2", "trousers", "shoes", "iris")
        },
        **cuts,
        **places,
    }
    mould = _shoes(body, rest)
    return Figure(
        faces=body.faces,
        rest=mould @ rest,
        thickness=_thickness(body, rest, outfit, cuts, places["ear_centre"]),
        look=look,
        mould=mould,
    )


def marker(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], colour: Colour) -> Figure:
    """Return a mesh that is drawn in one colour without light: for tests and for pointing at things."""
    look: dict[str, float | int | Colour] = {"is_plain": 1, "skin": colour}
    return Figure(faces=faces, rest=vertices, thickness=np.zeros(len(vertices)), look=look)


def _cuts(points: dict[str, np.ndarray], outfit: Outfit, crown: float) -> dict[str, float]:
    """Return where the clothes end on this body, metres in the T-pose; `head_size` is half the ears' distance."""
    height = {
        name: float(0.5 * (points[f"left_{name}"] + points[f"right_{name}"])[1])
        for name in ("eye", "shoulder", "hip", "knee", "ankle")
    }
    shoulder, elbow, wrist = (abs(points[f"left_{name}"][0]) for name in ("shoulder", "elbow", "wrist"))
    head_size = float(abs(points["left_ear"][0]))
    eye, neck = height["eye"], height["shoulder"]
    return {
        "collar": float(neck + COLLAR * (points["nose"][1] - neck)),
        "sleeve": float(np.interp(outfit.sleeve, [0.0, 0.5, 1.0], [shoulder, elbow, wrist])),
        "hem": height["hip"] + HEM_OVER_HIP,
        "cuff": float(np.interp(outfit.leg, [0.0, 0.5, 1.0], [height[j] for j in ("hip", "knee", "ankle")])),
        "shoe": height["ankle"] + SHOE_OVER_ANKLE,
        "head_size": head_size,
        "hairline": outfit.hairline * (crown - eye) / head_size,
        "nape": float(np.interp(outfit.nape, [0.0, 1.0], [neck + 0.02 - eye, 0.0])) / head_size,
    }


def _places(points: dict[str, np.ndarray]) -> dict[str, Colour]:
    """Return the left eye, the left ear, and the head's middle: between the ears at the height of the eyes."""
    eye = points["left_eye"]
    ear = 0.5 * (points["left_ear"] + points["right_ear"])
    return {
        "eye_centre": _triple(eye),
        "ear_centre": _triple(np.array([points["left_ear"][0], ear[1], ear[2]])),
        "head_centre": _triple(np.array([0.0, eye[1], ear[2]])),
    }


def _thickness(
    body: Body, rest: np.ndarray, outfit: Outfit, cuts: dict[str, float], ear: Colour
) -> Float[np.ndarray, V]:
    """Return how far each vertex is lifted off the skin, tapering to nothing at cuffs, collar and hairline."""
    part = {name: body.parts == number for number, name in enumerate(PARTS)}
    x, y = np.abs(rest[:, 0]), rest[:, 1]
    arms = part["upper_arms"] | part["forearms"] | part["hands"]
    legs = part["hips"] | part["thighs"] | part["shins"]
    out = np.zeros(len(rest))
    trunk = (part["torso"] | part["hips"]) & (y > cuts["hem"])
    out[trunk] = outfit.shirt_thickness * _ramp(cuts["collar"] - y[trunk], COLLAR_EDGE)
    out[arms] = outfit.shirt_thickness * _ramp(cuts["sleeve"] - x[arms], EDGE)
    lower = legs & (y <= cuts["hem"])
    out[lower] = outfit.trousers_thickness * _ramp(y[lower] - cuts["cuff"], EDGE)
    out[y < cuts["shoe"]] = outfit.shoe_thickness
    if outfit.hairline <= BALD:
        near_ear = np.linalg.norm((rest - np.array(ear))[:, 1:], axis=1) < 0.5 * cuts["head_size"]
        out[part["hair"] & ~(near_ear & (x > EAR_SHARE * cuts["head_size"]))] = outfit.hair_thickness
    return _smooth(out, body.faces)


def _shoes(body: Body, rest: np.ndarray) -> csr_array:
    """Return the weights that bring each toe's skin onto the convex hull of all toes of its foot.

    A point of the hull is a mean of the three vertices of its facet, so the weights hold in every pose.
    """
    rows, columns, values = [np.arange(len(rest))], [np.arange(len(rest))], [np.ones(len(rest))]
    feet = body.parts == PARTS.index("feet")
    for side, sign in (("left", 1.0), ("right", -1.0)):
        ball = body.rest_joints[SMPL24.at(f"{side}_foot"), 2]
        toes = np.flatnonzero(feet & (sign * rest[:, 0] > 0) & (rest[:, 2] > ball - TOE_BOX))
        hull = ConvexHull(rest[toes])
        # The cut through the foot is no surface.
        facets = hull.equations[:, 2] > -0.5
        normals, offsets = hull.equations[facets, :3], hull.equations[facets, 3]
        depth = rest[toes] @ normals.T + offsets  # negative inside
        nearest = depth.argmax(axis=1)
        landing = rest[toes] - depth[np.arange(len(toes)), nearest, None] * normals[nearest]
        corners = toes[hull.simplices[facets][nearest]]
        shares = _barycentric(landing, rest[corners])
        values[0][toes] = 0.0
        rows.append(np.repeat(toes, 3))
        columns.append(corners.ravel())
        values.append(shares.ravel())
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return csr_array(entries, shape=(len(rest), len(rest)))


def _barycentric(
    points: Float[np.ndarray, "N 3"], corners: Float[np.ndarray, "N 3 3"]
) -> Float[np.ndarray, "N 3"]:
    """Return shares of the three corners for points in their plane, moved to the triangle where outside."""
    a, b, c = np.moveaxis(corners, 1, 0)
    normal = np.cross(b - a, c - a)
    area = np.maximum((normal * normal).sum(axis=1), 1e-18)
    u = (np.cross(c - b, points - b) * normal).sum(axis=1) / area
    v = (np.cross(a - c, points - c) * normal).sum(axis=1) / area
    shares = np.clip(np.stack([u, v, 1 - u - v], axis=1), 0.0, 1.0)
    return shares / shares.sum(axis=1, keepdims=True)


def _ramp(inside: np.ndarray, width: float) -> np.ndarray:
    return np.clip(inside / width, 0.0, 1.0)


def _smooth(values: np.ndarray, faces: np.ndarray, rounds: int = 2) -> np.ndarray:
    """Return values averaged with the mesh neighbours, so that no edge of the cloth is torn."""
    count = np.bincount(faces.ravel(), minlength=len(values))
    for _ in range(rounds):
        total = np.bincount(
            faces.ravel(), weights=np.repeat(values[faces].mean(axis=1), 3), minlength=len(values)
        )
        values = 0.5 * values + 0.5 * total / np.maximum(count, 1)
    return values


def _between(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    place = rng.uniform(0, len(colours) - 1)
    low = int(place)
    mixed = np.array(colours[low]) * (low + 1 - place) + np.array(colours[low + 1]) * (place - low)
    return _triple(mixed)


def _cloth(rng: np.random.Generator) -> Colour:
    """Return a cloth's colour: any hue, often muted, seldom neon."""
    grey = rng.uniform(0.12, 0.9)
    return _triple(np.clip(grey + rng.beta(1.5, 3.0) * rng.uniform(-0.6, 0.6, 3), 0.04, 0.95))


def _dark(rng: np.random.Generator) -> Colour:
    return _triple(np.clip(rng.uniform(0.06, 0.25) + rng.uniform(-0.05, 0.12, 3), 0.03, 0.5))


def _triple(values: np.ndarray) -> Colour:
    return float(values[0]), float(values[1]), float(values[2])
