"""Run inside Blender: import a BVH file as a user does, write where every bone's head is in every frame.

blender --background --factory-startup --python blender_positions.py -- in.bvh out.json [picture.png]
"""

import builtins
import json
import sys

import bpy
from io_anim_bvh import import_bvh
from mathutils import Vector


def _open(path, mode="r", **options):
    # Blender 3.4's add-on opens files in mode "rU", which Python 3.11 no longer knows.
    return builtins.open(path, mode.replace("U", ""), **options)


import_bvh.open = _open


def picture(armature, path: str) -> None:
    """Render the middle frame with a stick for every bone, seen from the front and above."""
    scene = bpy.context.scene
    scene.frame_set((scene.frame_start + scene.frame_end) // 2)
    size = max(armature.dimensions)
    points = [armature.matrix_world @ bone.head for bone in armature.pose.bones]
    middle = sum(points[1:], points[0].copy()) / len(points)
    for bone in armature.pose.bones:
        head, tail = armature.matrix_world @ bone.head, armature.matrix_world @ bone.tail
        bpy.ops.mesh.primitive_cylinder_add(
            radius=0.012 * size, depth=(tail - head).length, location=(head + tail) / 2
        )
        stick = bpy.context.object
        stick.rotation_mode = "QUATERNION"
        stick.rotation_quaternion = (tail - head).to_track_quat("Z", "Y")
        colour = (0.1, 0.3, 1, 1) if bone.name.startswith("Left") else (1, 0.3, 0.1, 1)
        stick.color = colour if bone.name.startswith(("Left", "Right")) else (0.8, 0.8, 0.8, 1)
    bpy.ops.mesh.primitive_plane_add(size=4 * size, location=(middle.x, middle.y, 0))
    eye = middle + Vector((0.5, -1.0, 0.35)) * 2.2 * size
    bpy.ops.object.camera_add(location=eye)
    scene.camera = bpy.context.object
    scene.camera.rotation_euler = (middle - eye).to_track_quat("-Z", "Y").to_euler()
    scene.camera.data.clip_end = 100 * size
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.shading.color_type = "OBJECT"
    scene.display.shading.show_shadows = True
    scene.render.resolution_x, scene.render.resolution_y = 480, 480
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)


def main(source: str, target: str, png: str | None) -> None:
    """Import, sample every frame, write JSON."""
    for existing in list(bpy.data.objects):
        bpy.data.objects.remove(existing)
    bpy.ops.import_anim.bvh(filepath=source, update_scene_fps=True, update_scene_duration=True)
    armature = bpy.context.object
    scene = bpy.context.scene
    bones = list(armature.pose.bones)
    frames = []
    first, last = (int(edge) for edge in armature.animation_data.action.frame_range)
    for frame in range(first, last + 1):
        scene.frame_set(frame)
        frames.append([list(armature.matrix_world @ bone.head) for bone in bones])
    result = {
        "names": [bone.name for bone in bones],
        "parents": [bone.parent.name if bone.parent else None for bone in bones],
        "rest": [list(armature.matrix_world @ bone.bone.head_local) for bone in bones],
        "first_frame": first,
        "fps": scene.render.fps / scene.render.fps_base,
        "frames": frames,
    }
    with builtins.open(target, "w") as file:
        json.dump(result, file)
    if png:
        picture(armature, png)


arguments = sys.argv[sys.argv.index("--") + 1 :]
main(arguments[0], arguments[1], arguments[2] if len(arguments) > 2 else None)
