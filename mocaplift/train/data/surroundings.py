"""Where people are filmed: a room or outdoors, its floor, its light. All procedural, all from one seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mocaplift.train.data.outfits import Colour

FLOORS = ("planks", "tiles", "carpet", "concrete")
# More pictures, doors and windows than this do not fit the shader's arrays.
MOST_PANELS = 12
DOOR_HEIGHT = 2.0  # m
ROOM_HEIGHT = 2.7  # m, an ordinary ceiling
# Walls keep this far from the camera and from the person (m): a wall takes no shadow in the renderer.
ROOM_MARGIN = 1.2


@dataclass(frozen=True)
class Panel:
    """A rectangle on a wall: door, window, picture, cupboard. Metres along the wall and up from the floor."""

    wall: int  # 0 low x, 1 high x, 2 low z, 3 high z
    low: tuple[float, float]
    high: tuple[float, float]
    colour: Colour


@dataclass(frozen=True)
class Light:
    """One distant lamp or sun and the light from all around; colours are linear intensities."""

    direction: tuple[float, float, float]  # unit, from the scene towards the light
    sun: Colour
    sky: Colour
    bounce: Colour
    softness: float  # width of the shadows' edge, texels of the shadow map
    shade: float  # what is left of the floor's brightness in shadow


@dataclass(frozen=True)
class Surroundings:
    """A place to film in. `room` is (low x, low z, high x, high z, height) in metres, None outdoors."""

    room: tuple[float, float, float, float, float] | None
    floor: str
    floor_scale: float
    floor_colours: tuple[Colour, Colour]
    wall_colours: tuple[Colour, Colour]
    wall_stripe: float
    sky_colours: tuple[Colour, Colour]
    far_colour: Colour
    panels: tuple[Panel, ...]
    light: Light
    seed: int


def sample_surroundings(
    rng: np.random.Generator,
    around: np.ndarray,
    *,
    outdoor_share: float = 0.35,
) -> Surroundings:
    """Return a random place that holds all points `around` [N 3] (cameras and people) with room to spare."""
    is_outdoor = rng.random() < outdoor_share
    low, high = around.min(axis=0), around.max(axis=0)
    spare = ROOM_MARGIN + rng.uniform(0.3, 2.5, 4)
    height = max(ROOM_HEIGHT + rng.uniform(0.0, 1.0), float(high[1]) + 0.4)
    room = (
        float(low[0] - spare[0]), float(low[2] - spare[1]),
        float(high[0] + spare[2]), float(high[2] + spare[3]), height,
    )  # fmt: skip
    floor = str(rng.choice(("carpet", "concrete"))) if is_outdoor else str(rng.choice(FLOORS))
    return Surroundings(
        room=None if is_outdoor else room,
        floor=floor,
        floor_scale=rng.uniform(0.6, 1.4),
        floor_colours=_floor_colours(rng, floor, is_outdoor),
        wall_colours=(_muted(rng, 0.45, 0.9), _muted(rng, 0.45, 0.9)),
        wall_stripe=float(rng.random() < 0.15),
        sky_colours=(_muted(rng, 0.7, 0.9, (0.0, 0.03, 0.08)), _muted(rng, 0.4, 0.7, (-0.1, 0.0, 0.2))),
        far_colour=_muted(rng, 0.2, 0.45, (-0.03, 0.05, -0.05)),
        panels=() if is_outdoor else _panels(rng, room),
        light=_light(rng, is_outdoor),
        seed=int(rng.integers(1000)),
    )


def _light(rng: np.random.Generator, is_outdoor: bool) -> Light:
    azimuth = rng.uniform(0, 2 * np.pi)
    elevation = np.radians(rng.uniform(35, 65) if is_outdoor else rng.uniform(55, 85))
    level = np.cos(elevation)
    direction = (float(level * np.sin(azimuth)), float(np.sin(elevation)), float(level * np.cos(azimuth)))
    warmth = rng.uniform(-0.06, 0.08)
    strength = rng.uniform(0.55, 0.95) if is_outdoor else rng.uniform(0.3, 0.6)
    ambient = rng.uniform(0.35, 0.55) if is_outdoor else rng.uniform(0.45, 0.7)
    return Light(
        direction=direction,
        sun=(strength * (1 + warmth), strength, strength * (1 - warmth)),
        sky=(ambient * (1 - 0.3 * warmth), ambient, ambient * (1 + 0.5 * warmth)),
        bounce=(0.6 * ambient, 0.55 * ambient, 0.5 * ambient),
        softness=rng.uniform(1.0, 2.0) if is_outdoor else rng.uniform(2.5, 5.0),
        shade=rng.uniform(0.45, 0.65) if is_outdoor else rng.uniform(0.65, 0.85),
    )


def _floor_colours(rng: np.random.Generator, floor: str, is_outdoor: bool) -> tuple[Colour, Colour]:
    if floor == "planks":
        tone = np.array([0.55, 0.38, 0.24]) * rng.uniform(0.6, 1.5)
    elif floor == "carpet" and is_outdoor:
        tone = np.array([0.33, 0.45, 0.20]) * rng.uniform(0.7, 1.3)
    else:
        tone = rng.uniform(0.25, 0.75) + rng.uniform(-0.08, 0.08, 3)
    spread = rng.uniform(0.75, 0.95)
    clipped = np.clip(tone, 0.05, 0.92)
    return _rgb(clipped), _rgb(clipped * spread)


def _panels(rng: np.random.Generator, room: tuple[float, float, float, float, float]) -> tuple[Panel, ...]:
    """Return doors, pictures and cupboards on the walls; they may overlap, as furniture does."""
    panels = []
    for _ in range(int(rng.integers(3, MOST_PANELS + 1))):
        wall = int(rng.integers(4))
        begin, end = (room[1], room[3]) if wall < 2 else (room[0], room[2])
        kind = rng.choice(("picture", "door", "cupboard"))
        width = {"picture": rng.uniform(0.3, 1.4), "door": 0.9, "cupboard": rng.uniform(0.8, 2.2)}[str(kind)]
        at = rng.uniform(begin, max(end - width, begin + 0.1))
        bottom = rng.uniform(0.9, 1.4) if kind == "picture" else 0.0
        tall = {"picture": rng.uniform(0.3, 0.9), "door": DOOR_HEIGHT, "cupboard": rng.uniform(0.7, 1.9)}
        top = bottom + tall[str(kind)]
        panels.append(Panel(wall, (at, bottom), (at + width, top), _muted(rng, 0.15, 0.85, None)))
    return tuple(panels)


def _muted(
    rng: np.random.Generator, low: float, high: float, tint: tuple[float, float, float] | None = (0, 0, 0)
) -> Colour:
    """Return a colour of that brightness; `tint` None means any hue."""
    shift = rng.uniform(-0.2, 0.2, 3) if tint is None else np.array(tint) + rng.uniform(-0.05, 0.05, 3)
    return _rgb(np.clip(rng.uniform(low, high) + shift, 0.03, 0.97))


def _rgb(rgb: np.ndarray) -> Colour:
    return float(rgb[0]), float(rgb[1]), float(rgb[2])
