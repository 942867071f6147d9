"""The names of Unity's humanoid bones, in an exact T-pose: its avatar maps them without a click."""

from __future__ import annotations

from mocaplift.export.templates.bones import Bone, Template


def _side(title: str, side: str) -> tuple[Bone, ...]:
    return (
        Bone(f"{title}Shoulder", "UpperChest", f"{side}_collar"),
        Bone(f"{title}UpperArm", f"{title}Shoulder", f"{side}_shoulder"),
        Bone(f"{title}LowerArm", f"{title}UpperArm", f"{side}_elbow"),
        Bone(f"{title}Hand", f"{title}LowerArm", f"{side}_wrist"),
        Bone(f"{title}UpperLeg", "Hips", f"{side}_hip"),
        Bone(f"{title}LowerLeg", f"{title}UpperLeg", f"{side}_knee"),
        Bone(f"{title}Foot", f"{title}LowerLeg", f"{side}_ankle"),
        Bone(f"{title}Toes", f"{title}Foot", f"{side}_foot"),
    )


UNITY = Template(
    "unity",
    (
        Bone("Hips", None, "pelvis"),
        Bone("Spine", "Hips", "spine1"),
        Bone("Chest", "Spine", "spine2"),
        Bone("UpperChest", "Chest", "spine3"),
        Bone("Neck", "UpperChest", "neck"),
        Bone("Head", "Neck", "head"),
        *_side("Left", "left"),
        *_side("Right", "right"),
    ),
    rest=0.0,
)
