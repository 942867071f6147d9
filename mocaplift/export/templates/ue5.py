"""Unreal's mannequin: its names, five bones of spine, two of neck, its A-pose, and its bones' own axes.

Limbs of the left side point along their +X, those of the right along their -X. The axes are those of its FBX
files; Unreal mirrors Y when it imports. The root has no rotation there.
"""

from __future__ import annotations

from mocaplift.export.templates.bones import Between, Bone, Template

_TRUNK = "+y-z-x"


def _side(mark: str, side: str, arm: str, hand: str, leg: str, ball: str) -> tuple[Bone, ...]:
    """Return the limbs of a side, with the axes of arm, hand, leg and ball."""
    return (
        Bone(f"clavicle_{mark}", "spine_05", f"{side}_collar", arm),
        Bone(f"upperarm_{mark}", f"clavicle_{mark}", f"{side}_shoulder", arm),
        Bone(f"lowerarm_{mark}", f"upperarm_{mark}", f"{side}_elbow", arm),
        Bone(f"hand_{mark}", f"lowerarm_{mark}", f"{side}_wrist", hand),
        Bone(f"thigh_{mark}", "pelvis", f"{side}_hip", leg),
        Bone(f"calf_{mark}", f"thigh_{mark}", f"{side}_knee", leg),
        Bone(f"foot_{mark}", f"calf_{mark}", f"{side}_ankle", leg),
        Bone(f"ball_{mark}", f"foot_{mark}", f"{side}_foot", ball),
    )


UE5 = Template(
    "ue5",
    (
        Bone("pelvis", None, "pelvis", _TRUNK),
        Bone("spine_01", "pelvis", "spine1", _TRUNK),
        Bone("spine_02", "spine_01", None, _TRUNK, Between("spine1", "spine2")),
        Bone("spine_03", "spine_02", "spine2", _TRUNK),
        Bone("spine_04", "spine_03", None, _TRUNK, Between("spine2", "spine3")),
        Bone("spine_05", "spine_04", "spine3", _TRUNK),
        Bone("neck_01", "spine_05", "neck", _TRUNK),
        Bone("neck_02", "neck_01", None, _TRUNK, Between("neck", "head")),
        Bone("head", "neck_02", "head", _TRUNK),
        *_side("l", "left", "+x-z+y", "+x-y-z", "+y-z-x", "+z+y-x"),
        *_side("r", "right", "+x+z-y", "+x+y+z", "-y+z-x", "-z-y-x"),
    ),
    # The upper arm's angle in the mannequin's own A-pose, to the nearest five degrees.
    rest=40.0,
    root="root",
    has_root=True,
    root_axes="+x-z+y",
    lengths={"knee": 0.426, "ankle": 0.402, "shoulder": 0.158, "elbow": 0.303, "wrist": 0.270},
)
