"""Names and hierarchy of the CMU motion library's BVH files, in an exact T-pose with the world's axes.

Their lower back turns at the hips; ours turns where the spine begins, a hand's breadth above.
"""

from __future__ import annotations

from mocaplift.export.templates.bones import Between, Bone, Template


def _side(letter: str, title: str, side: str) -> tuple[Bone, ...]:
    return (
        Bone(f"{letter}HipJoint", "Hips", between=Between("pelvis", f"{side}_hip", 0.0, 0.0)),
        Bone(f"{title}UpLeg", f"{letter}HipJoint", f"{side}_hip"),
        Bone(f"{title}Leg", f"{title}UpLeg", f"{side}_knee"),
        Bone(f"{title}Foot", f"{title}Leg", f"{side}_ankle"),
        Bone(f"{title}ToeBase", f"{title}Foot", f"{side}_foot"),
    )


def _arm(title: str, side: str) -> tuple[Bone, ...]:
    return (
        Bone(f"{title}Shoulder", "Spine1", f"{side}_collar"),
        Bone(f"{title}Arm", f"{title}Shoulder", f"{side}_shoulder"),
        Bone(f"{title}ForeArm", f"{title}Arm", f"{side}_elbow"),
        Bone(f"{title}Hand", f"{title}ForeArm", f"{side}_wrist"),
        Bone(f"{title}FingerBase", f"{title}Hand", f"{side}_hand"),
    )


CMU = Template(
    "cmu",
    (
        Bone("Hips", None, "pelvis"),
        *_side("L", "Left", "left"),
        *_side("R", "Right", "right"),
        Bone("LowerBack", "Hips", "spine1"),
        Bone("Spine", "LowerBack", "spine2"),
        Bone("Spine1", "Spine", "spine3"),
        Bone("Neck", "Spine1", "neck"),
        Bone("Neck1", "Neck", between=Between("neck", "head")),
        Bone("Head", "Neck1", "head"),
        *_arm("Left", "left"),
        *_arm("Right", "right"),
    ),
    rest=0.0,
)
