"""Run inside Blender: import files as a user does, write where every bone is in every frame, and draw pictures.

blender --background --factory-startup --python blender_files.py -- jobs.json

A job names the file (`source`, .bvh or .fbx), where the result goes (`target`), which axis of a BVH file is up
(`up`), and may ask for a `picture` in which bones named `left` are blue and those named `right` are red.
"""

import builtins
import json
import sys

import bpy
from bpy_extras.object_utils import world_to_camera_view
from io_anim_bvh import import_bvh
from mathutils import Vector

BLUE, RED, GREY = (0.1, 0.3, 1, 1), (1, 0.3, 0.1, 1), (0.8, 0.8, 0.8, 1)
PIXELS = 320


def _open(path, mode="r", **options):
    # Blender 3.4's add-on opens files in mode "rU", which Python 3.11 no longer knows.
    return builtins.open(path, mode.replace("U", ""), **options)


import_bvh.open = _open


def load(job: dict):
    """Import a file into an empty scene with every setting as it is, and return its armature."""
    kept = (bpy.data.objects, bpy.data.actions, bpy.data.armatures, bpy.data.meshes, bpy.data.cameras)
    for kind in kept:
        bpy.data.batch_remove(list(kind))
    if job["source"].endswith(".fbx"):
        bpy.ops.import_scene.fbx(filepath=job["source"])
    else:
        axes = {"y": ("-Z", "Y"), "z": ("Y", "Z")}[job["up"]]
        bpy.ops.import_anim.bvh(
            filepath=job["source"],
            update_scene_fps=True,
            update_scene_duration=True,
            axis_forward=axes[0],
            axis_up=axes[1],
        )
    (armature,) = (each for each in bpy.data.objects if each.type == "ARMATURE")
    return armature


def surface() -> list:
    """Return the vertices of the body in the world, as posed now."""
    graph = bpy.context.evaluated_depsgraph_get()
    found = []
    for each in bpy.data.objects:
        if each.type == "MESH":
            posed = each.evaluated_get(graph)
            found += [list(posed.matrix_world @ vertex.co) for vertex in posed.data.vertices]
    return found


def through(camera, points) -> list:
    """Return where world points are in the camera's picture, shares from the lower left corner."""
    return [list(world_to_camera_view(bpy.context.scene, camera, Vector(point))) for point in points]


def sticks(armature, job: dict, size: float) -> None:
    """Put a stick on every bone, from its head to those of its children, or to its own end."""
    for bone in armature.pose.bones:
        side = BLUE if bone.name in job["left"] else RED if bone.name in job["right"] else GREY
        ends = [child.head for child in bone.children] or [bone.tail]
        for end in ends:
            head, tail = armature.matrix_world @ bone.head, armature.matrix_world @ end
            bpy.ops.mesh.primitive_cylinder_add(
                radius=0.01 * size, depth=(tail - head).length, location=(head + tail) / 2
            )
            stick = bpy.context.object
            stick.rotation_mode = "QUATERNION"
            stick.rotation_quaternion = (tail - head).to_track_quat("Z", "Y")
            stick.color = side


def picture(armature, job: dict) -> None:
    """Render what is shown, seen from the left front and above, on a floor at height 0."""
    scene = bpy.context.scene
    points = [armature.matrix_world @ bone.head for bone in armature.pose.bones]
    size = max(point.z for point in points)
    # A root on the floor is no part of the body.
    points = [point for point in points if point.z > 0.01 * size]
    middle = sum(points[1:], points[0].copy()) / len(points)
    if not any(each.type == "MESH" for each in bpy.data.objects):
        sticks(armature, job, size)
    bpy.ops.mesh.primitive_plane_add(size=4 * size, location=(middle.x, middle.y, 0))
    eye = middle + Vector((0.5, -1.0, 0.35)) * 2.2 * size
    bpy.ops.object.camera_add(location=eye)
    scene.camera = bpy.context.object
    scene.camera.rotation_euler = (middle - eye).to_track_quat("-Z", "Y").to_euler()
    scene.camera.data.clip_end = 100 * size
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.shading.color_type = "OBJECT"
    scene.display.shading.show_shadows = True
    scene.render.resolution_x, scene.render.resolution_y = PIXELS, PIXELS
    scene.render.filepath = job["picture"]
    bpy.ops.render.render(write_still=True)


def look(job: dict) -> dict:
    """Import a file, show every frame that has keys, and tell what is seen."""
    armature, scene = load(job), bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = job["resolution"]
    bones = list(armature.pose.bones)
    curves = [[point.co[0] for point in curve.keyframe_points]
              for curve in armature.animation_data.action.fcurves]  # fmt: skip
    keys, frames = max(curves, key=len), []
    for key in keys:
        scene.frame_set(int(key), subframe=key % 1)
        frames.append([list(armature.matrix_world @ bone.head) for bone in bones])
    cameras = [each for each in bpy.data.objects if each.type == "CAMERA"]
    custom = {each.name: sorted(each.keys()) for bone in bones for each in (bone, bone.bone) if each.keys()}
    seen = {
        "names": [bone.name for bone in bones],
        "parents": [bone.parent.name if bone.parent else None for bone in bones],
        "rest": [list(armature.matrix_world @ bone.bone.head_local) for bone in bones],
        "scale": list(armature.scale),
        "objects": sorted(each.type for each in bpy.data.objects),
        "keys": keys,
        "fps": scene.render.fps / scene.render.fps_base,
        "frames": frames,
        "surface": surface(),
        "custom": custom,
        "cameras": {camera.name: through(camera, frames[-1]) for camera in cameras},
    }
    if job["picture"]:
        scene.frame_set(int(keys[len(keys) // 2]))
        picture(armature, job)
    return seen


with builtins.open(sys.argv[-1]) as file:
    jobs = json.load(file)
for job in jobs:
    with builtins.open(job["target"], "w") as file:
        json.dump(look(job), file)
