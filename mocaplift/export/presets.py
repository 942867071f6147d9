"""How motions are written: every choice in one value, and the choices that suit a program."""

from __future__ import annotations

from dataclasses import dataclass

from mocaplift.errors import ConfigError
from mocaplift.export.templates import template_named
from mocaplift.export.timing import SOURCE, rate_named

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

    Raises:
        ConfigError: a value is unknown; the message lists the known ones.
    """

    template: str = "native"
    proportions: str = "actor"
    root: str = "hips"
    in_place: bool = False
    fps: str = SOURCE
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
        template_named(self.template)
        rate_named(self.fps, 1)


PRESETS = {
    # What most programs expect of a BVH file: centimetres, and nothing but the motion.
    "standard": ExportOptions(),
    # Blender counts in metres, so that its import dialogues can be left as they are (scale 1), mirrors by the
    # endings .L and .R, and draws every bone along its own +Y. Frame 1 of the scene is the first of a BVH file:
    # measured with 3.4.1, whose importer skips only a rest frame of its own and none of the file's.
    "blender": ExportOptions(template="rigify", unit="m"),
    # A file that is already in Unreal's axes and centimetres is not turned or scaled by its importer, and root
    # motion is read from the bone on the floor.
    "unreal": ExportOptions(template="ue5", root="floor", up="z"),
    "unity": ExportOptions(template="unity", unit="m"),
    # HumanIK characterises a skeleton in the frame shown, which must be a T-pose.
    "maya": ExportOptions(template="humanik", rest_frame=True),
    "motionbuilder": ExportOptions(template="humanik", rest_frame=True),
    "mixamo": ExportOptions(template="mixamo"),
    "opensim": ExportOptions(template="opensim", unit="m"),
}


def preset_named(name: str) -> ExportOptions:
    """Return the options of a preset.

    Raises:
        ConfigError: no such preset; the message lists the known ones.
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}; known: {', '.join(sorted(PRESETS))}")
    return PRESETS[name]
