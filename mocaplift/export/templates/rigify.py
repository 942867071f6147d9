"""Names, hierarchy, A-pose and bone axes of the human that Blender's Rigify starts from, but face and fingers.

Every bone points along its +Y, as all of Blender's do.
"""

from __future__ import annotations

from mocaplift.export.templates.bones import Between, Bone, Template


def _side(mark: str, side: str, collar: str, arm: str) -> tuple[Bone, ...]:
    """Return the limbs of a side, with the axes of collar and arm."""
    return (
        Bone(f"shoulder.{mark}", "spine.003", f"{side}_collar", collar),
        Bone(f"upper_arm.{mark}", f"shoulder.{mark}", f"{side}_shoulder", arm),
        Bone(f"forearm.{mark}", f"upper_arm.{mark}", f"{side}_elbow", arm),
        Bone(f"hand.{mark}", f"forearm.{mark}", f"{side}_wrist", arm),
        Bone(f"thigh.{mark}", "spine", f"{side}_hip", "+x-y-z"),
        Bone(f"shin.{mark}", f"thigh.{mark}", f"{side}_knee", "+x-y-z"),
        Bone(f"foot.{mark}", f"shin.{mark}", f"{side}_ankle", "+x+z-y"),
        Bone(f"toe.{mark}", f"foot.{mark}", f"{side}_foot", "-x+z+y"),
    )


RIGIFY = Template(
    "rigify",
    (
        Bone("spine", None, "pelvis"),
        Bone("spine.001", "spine", "spine1"),
        Bone("spine.002", "spine.001", "spine2"),
        Bone("spine.003", "spine.002", "spine3"),
        Bone("spine.004", "spine.003", "neck"),
        Bone("spine.005", "spine.004", None, between=Between("neck", "head")),
        Bone("spine.006", "spine.005", "head"),
        *_side("L", "left", "+z+x+y", "-y+x+z"),
        *_side("R", "right", "-z-x+y", "+y-x+z"),
    ),
    # Measured on the metarig of Blender 3.4, as are the lengths.
    rest=28.0,
    aim="y",
    root="root",
    root_axes="+x-z+y",
    lengths={"knee": 0.536, "ankle": 0.454, "shoulder": 0.179, "elbow": 0.289, "wrist": 0.263},
)
