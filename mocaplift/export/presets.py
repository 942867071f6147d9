"""How motions are written: every choice in one value, and the choices that suit a program."""

from __future__ import annotations

from dataclasses import dataclass

from mocaplift.errors import ConfigError

# Pelvis of the neutral SMPL model at mean shape, in the model's own axes (m): the constant that published
# readers of SMPL parameters subtract. Other genders and shapes differ by up to 3 cm.
MEAN_PELVIS = (-0.0018, -0.2233, 0.0282)
# The rotation order that nearly every BVH file has; readers that ignore CHANNELS assume it.
USUAL_ORDER = "ZXY"
PROPORTIONS = ("actor", "template")
ROOTS = ("hips", "floor")
UNITS = ("cm", "m")
UP_AXES = ("y", "z")


@dataclass(frozen=True)
class ExportOptions:
    """How a motion is written; formats without a choice ignore it.

    The rig: `template` (names, hierarchy, rest pose and axes of the bones), `proportions` ("actor" or
    "template": whose bone lengths), `root` ("hips" or "floor": which bone carries the path), `in_place` (the
    path keeps its height only), `fps` ("source" or one of `timing.RATES`), `rest_frame` (one frame of the rest
    pose before the motion). The file: `unit` ("cm" or "m"), `up` ("y" or "z"), `order` (rotation order of BVH,
    or "auto"), `mesh` (a body on the skeleton). `gender`, `betas` and `pelvis` are SMPL's: they come from a fit
    to the user's own model, whose motion is then what is exported.
    """

    template: str = "native"
    proportions: str = "actor"
    root: str = "hips"
    in_place: bool = False
    fps: str = "source"
    rest_frame: bool = False
    unit: str = "cm"
    up: str = "y"
    order: str = USUAL_ORDER
    mesh: bool = False
    gender: str = "neutral"
    betas: tuple[float, ...] | None = None
    pelvis: tuple[float, float, float] = MEAN_PELVIS

    def __post_init__(self) -> None:
        known = {"proportions": PROPORTIONS, "root": ROOTS, "unit": UNITS, "up": UP_AXES}
        for name, values in known.items():
            if (value := getattr(self, name)) not in values:
                raise ConfigError(f"unknown {name} {value!r}; known: {', '.join(values)}")


PRESETS = {
    # What most programs expect of a BVH file: centimetres, and nothing but the motion.
    "standard": ExportOptions(),
    # Blender counts in metres, so that its import dialogue can be left as it is (scale 1, -Z forward, Y up).
    # Frame 1 of the scene is the first of the motion: measured with 3.4.1, whose importer skips only a rest
    # frame of its own and none of the file's.
    "blender": ExportOptions(unit="m"),
}


def preset_named(name: str) -> ExportOptions:
    """Return the options of a preset.

    Raises:
        ConfigError: no such preset; the message lists the known ones.
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}; known: {', '.join(sorted(PRESETS))}")
    return PRESETS[name]
