"""Mixamo's skeleton without fingers, in its exact T-pose; every bone points along its own +Y."""

from __future__ import annotations

from mocaplift.export.templates.bones import Bone, Template

_PREFIX = "mixamorig:"


def _bone(
    name: str, parent: str | None, joint: str | None, axes: str = "+x+y+z", end_of: str | None = None
) -> Bone:
    return Bone(_PREFIX + name, parent and _PREFIX + parent, joint, axes, end_of=end_of)


def _side(title: str, side: str, arm: str) -> tuple[Bone, ...]:
    """Return the limbs of a side; `arm` are the axes of its arm."""
    return (
        _bone(f"{title}Shoulder", "Spine2", f"{side}_collar", arm),
        _bone(f"{title}Arm", f"{title}Shoulder", f"{side}_shoulder", arm),
        _bone(f"{title}ForeArm", f"{title}Arm", f"{side}_elbow", arm),
        _bone(f"{title}Hand", f"{title}ForeArm", f"{side}_wrist", arm),
        _bone(f"{title}UpLeg", "Hips", f"{side}_hip", "-x-y+z"),
        _bone(f"{title}Leg", f"{title}UpLeg", f"{side}_knee", "-x-y+z"),
        _bone(f"{title}Foot", f"{title}Leg", f"{side}_ankle", "-x+z+y"),
        _bone(f"{title}ToeBase", f"{title}Foot", f"{side}_foot", "-x+z+y"),
        _bone(f"{title}Toe_End", f"{title}ToeBase", None, "-x+z+y", f"{side}_foot"),
    )


MIXAMO = Template(
    "mixamo",
    (
        _bone("Hips", None, "pelvis"),
        _bone("Spine", "Hips", "spine1"),
        _bone("Spine1", "Spine", "spine2"),
        _bone("Spine2", "Spine1", "spine3"),
        _bone("Neck", "Spine2", "neck"),
        _bone("Head", "Neck", "head"),
        _bone("HeadTop_End", "Head", None, end_of="head"),
        *_side("Left", "left", "-z+x-y"),
        *_side("Right", "right", "+z-x-y"),
    ),
    rest=0.0,
    aim="y",
    # Their grey test figure, which most of their downloads are made for.
    lengths={"knee": 0.406, "ankle": 0.421, "shoulder": 0.129, "elbow": 0.274, "wrist": 0.276},
)
