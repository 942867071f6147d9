"""Bodies of OpenSim's full-body models: standing with hanging arms, x forward, y up, z to the right.

Where those models are rigid and people are not, bones are added (two lumbar vertebrae, neck, clavicles), so that
shoulders and head are where they were seen. A forearm is two bones: the radius carries its twist.
"""

from __future__ import annotations

from mocaplift.export.templates.bones import Between, Bone, Template

_AXES = "+z+y-x"


def _side(mark: str, side: str, arm: str) -> tuple[Bone, ...]:
    """Return the limbs of a side; `arm` are the axes that become the others' when the arm hangs."""
    return (
        Bone(f"femur_{mark}", "pelvis", f"{side}_hip", _AXES),
        Bone(f"tibia_{mark}", f"femur_{mark}", f"{side}_knee", _AXES),
        Bone(f"talus_{mark}", f"tibia_{mark}", f"{side}_ankle", _AXES),
        Bone(
            f"calcn_{mark}", f"talus_{mark}", None, _AXES, Between(f"{side}_ankle", f"{side}_foot", 0.2, 0.0)
        ),
        Bone(f"toes_{mark}", f"calcn_{mark}", f"{side}_foot", _AXES),
        Bone(f"clavicle_{mark}", "torso", f"{side}_collar", _AXES),
        Bone(f"humerus_{mark}", f"clavicle_{mark}", f"{side}_shoulder", arm),
        Bone(f"ulna_{mark}", f"humerus_{mark}", f"{side}_elbow", arm),
        Bone(
            f"radius_{mark}", f"ulna_{mark}", None, arm, Between(f"{side}_elbow", f"{side}_wrist", 0.1, 1.0)
        ),
        Bone(f"hand_{mark}", f"radius_{mark}", f"{side}_wrist", arm),
    )


OPENSIM = Template(
    "opensim",
    (
        Bone("pelvis", None, "pelvis", _AXES),
        Bone("lumbar5", "pelvis", "spine1", _AXES),
        Bone("lumbar1", "lumbar5", "spine2", _AXES),
        Bone("torso", "lumbar1", "spine3", _AXES),
        Bone("neck", "torso", "neck", _AXES),
        Bone("head", "neck", "head", _AXES),
        *_side("l", "left", "+z-x-y"),
        *_side("r", "right", "+z+x+y"),
    ),
    rest=90.0,
    root="ground",
)
