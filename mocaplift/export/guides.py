"""What a person clicks in each program to import what its preset writes."""

from __future__ import annotations

from dataclasses import dataclass

from mocaplift.export.presets import ExportOptions, preset_named


@dataclass(frozen=True)
class Guide:
    """Which format to write for a program, and the steps of its import in order."""

    program: str
    format: str
    steps: tuple[str, ...]


GUIDES = {
    "standard": Guide(
        "most programs that read BVH",
        "bvh",
        (
            "Import the .bvh with the program's own scale for centimetres (0.01 where it counts in metres).",
            "Up is +Y, the person faces +Z at rest; the rotation order is in the file.",
        ),
    ),
    "blender": Guide(
        "Blender 3.4 or later",
        "fbx",
        (
            "File > Import > FBX (.fbx), leave every setting as it is, and choose the file.",
            "For BVH: File > Import > Motion Capture (.bvh), tick Update Scene FPS and Update Scene Duration, "
            "leave the scale at 1.",
            "At 23.976, 29.97 or 59.94 frames per second take BVH, or write with --fps 24, 30 or 60: Blender's "
            "importers of FBX and GLB place keys as if these rates were whole, 0.1 % too late.",
            "The armature stands on the grid in metres; bones have the names of Rigify's human, so that a rig "
            "generated from it takes the motion by bones of the same name.",
        ),
    ),
    "unreal": Guide(
        "Unreal Engine 5",
        "fbx",
        (
            "Content Browser > Import, choose the .fbx.",
            "For the mannequin: turn Import Mesh off, set Skeleton to SK_Mannequin, turn Import Animations on. "
            "For a skeleton of its own: write the file with --mesh, and leave Skeleton empty.",
            "Leave Import Uniform Scale at 1 and Force Front XAxis off; leave Custom Sample Rate at 0.",
            "Import. Open the animation and turn EnableRootMotion on if the character shall move by it.",
            "For other characters: right-click the animation > Retarget Animations.",
        ),
    ),
    "unity": Guide(
        "Unity 2021 or later",
        "fbx",
        (
            "Drag the .fbx into the Project window and select it.",
            "Inspector > Rig: Animation Type Humanoid, Avatar Definition Create From This Model, Apply.",
            "Configure... shows every bone green: the names are Unity's own and the rest pose is an exact T.",
            "Inspector > Animation: for Root Transform Rotation, Position (Y) and Position (XZ) choose Based Upon "
            "Original, and tick Bake Into Pose for what the character shall not move by. Apply.",
        ),
    ),
    "maya": Guide(
        "Maya 2022 or later",
        "fbx",
        (
            "File > Import, choose the .fbx (plug-in fbxmaya), with its settings as they are.",
            "Go to the first frame: it is an exact T-pose.",
            "Windows > Animation Editors > HumanIK, Create Character Definition, and map the bones: the names are "
            "HumanIK's own (Reference, Hips, LeftUpLeg, ...).",
            "Lock the definition. In your character's HumanIK window choose this one as Source.",
        ),
    ),
    "motionbuilder": Guide(
        "MotionBuilder",
        "fbx",
        (
            "File > Open (or Merge) the .fbx; for BVH: File > Motion File Import.",
            "Go to the first frame: it is an exact T-pose, facing +Z.",
            "Asset Browser > Templates > Characters: drag Character onto Reference, choose Characterize, Biped.",
            "In your own character's Character Settings choose it as Input Source.",
        ),
    ),
    "mixamo": Guide(
        "characters from Mixamo, in whatever program",
        "fbx",
        (
            "Download your character from Mixamo as FBX, in T-pose, and import it; then import this .fbx.",
            "Bones have the same names, rest pose and axes: give the character the imported action (Blender: Dope "
            "Sheet > Action Editor; three.js: mixer.clipAction(clip, character)).",
            "Where feet slide because the character's legs have other lengths, write with --proportions template.",
        ),
    ),
    "opensim": Guide(
        "OpenSim 4",
        "trc",
        (
            "File > Preview Experimental Data... shows the .trc.",
            "Load your model; Tools > Scale Model with the .trc, then Tools > Inverse Kinematics with it.",
            "In .fbx and .bvh of this preset bones have the names of OpenSim's bodies, and arms hang at rest.",
        ),
    ),
}


def guide_to(name: str) -> str:
    """Return a preset's settings and its steps as text.

    Raises:
        ConfigError: no such preset.
    """
    options, guide = preset_named(name), GUIDES[name]
    steps = "\n".join(f"  {number}. {step}" for number, step in enumerate(guide.steps, 1))
    return f"{name}: for {guide.program} (--format {guide.format})\n  {_settings(options)}\n{steps}"


def _settings(options: ExportOptions) -> str:
    root = "on the floor" if options.root == "floor" else "in the hips"
    rest = ", a rest pose before the motion" if options.rest_frame else ""
    return (
        f"bones of {options.template}, {options.unit}, +{options.up.upper()} up, path {root}{rest}; "
        "every flag of its own overrules it"
    )
