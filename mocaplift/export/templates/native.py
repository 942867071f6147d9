"""Every joint of the skeleton, in the actor's own rest pose: under common names, or under ours."""

from __future__ import annotations

from mocaplift.export.templates.bones import Template

_SIDES = {"left": "Left", "right": "Right"}

# The names that MotionBuilder's characteriser, Rokoko's, Auto-Rig's and most retargeters find by themselves:
# those of the CMU and Truebones BVH files, without spaces and without a prefix.
_NATIVE_MIDDLE = {
    "pelvis": "Hips",
    "spine1": "Spine",
    "spine2": "Spine1",
    "spine3": "Spine2",
    "neck": "Neck",
    "head": "Head",
}
_NATIVE_LIMBS = {
    "hip": "UpLeg",
    "knee": "Leg",
    "ankle": "Foot",
    "foot": "ToeBase",
    "collar": "Shoulder",
    "shoulder": "Arm",
    "elbow": "ForeArm",
    "wrist": "Hand",
    "hand": "Fingers",
}

_NATIVE_NAMES = _NATIVE_MIDDLE | {
    f"{side}_{joint}": title + bone for side, title in _SIDES.items() for joint, bone in _NATIVE_LIMBS.items()
}

NATIVE = Template("native", names=_NATIVE_NAMES)
SMPL = Template("smpl")
# MotionBuilder and Maya find the bones of a character by the native names; they want an exact T-pose and a bone
# on the floor that everything hangs on.
HUMANIK = Template("humanik", names=_NATIVE_NAMES, rest=0.0, root="Reference", has_root=True)
