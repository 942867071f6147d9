"""Run inside Blender: import GLB files as a user does, write where every bone and vertex is, and draw pictures.

blender --background --factory-startup --python blender_glb.py -- jobs.json

A job names the file (`source`), where the result goes (`target`), the moments to look at in seconds (`times`; the
surface is told at the last one), and may ask for a `picture` of that moment.
Blender's importer needs numpy, which Debian's Blender only suggests: $NUMPY_FOLDER is where there is one.
"""

import json
import os
import sys
from importlib.util import find_spec

import bpy
from mathutils import Vector

if find_spec("numpy") is None:
    sys.path.append(os.environ["NUMPY_FOLDER"])

PIXELS = 400


def load(source: str):
    """Import a file into an empty scene with every setting as it is; return its armature and its surface."""
    for kind in (bpy.data.objects, bpy.data.actions, bpy.data.armatures, bpy.data.meshes, bpy.data.cameras):
        bpy.data.batch_remove(list(kind))
    bpy.ops.import_scene.gltf(filepath=source)
    (armature,) = (each for each in bpy.data.objects if each.type == "ARMATURE")
    # The importer makes a mesh of its own too, as a shape for bones.
    (surface,) = (each for each in bpy.data.objects if each.type == "MESH" and each.parent == armature)
    return armature, surface


def show(seconds: float) -> None:
    """Show a moment. The importer puts keys at seconds times the scene's rate, between frames as well."""
    scene = bpy.context.scene
    frame = seconds * scene.render.fps / scene.render.fps_base
    scene.frame_set(int(frame), subframe=frame - int(frame))


def picture(armature, surface, path: str) -> None:
    """Render what is shown, seen from the left front, on a floor at height 0."""
    scene = bpy.context.scene
    points = [armature.matrix_world @ bone.head for bone in armature.pose.bones]
    middle = sum(points[1:], points[0].copy()) / len(points)
    surface.color = (0.5, 0.6, 0.7, 1)
    bpy.ops.mesh.primitive_plane_add(size=6, location=(middle.x, middle.y, 0))
    eye = middle + Vector((1.4, -2.2, 0.5))
    bpy.ops.object.camera_add(location=eye)
    scene.camera = bpy.context.object
    scene.camera.rotation_euler = (middle - eye).to_track_quat("-Z", "Y").to_euler()
    # The importer of GLB turns to another engine.
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.render_aa = "5"
    scene.display.shading.color_type = "OBJECT"
    scene.display.shading.show_shadows = True
    # What is inside out is not drawn.
    scene.display.shading.show_backface_culling = True
    scene.render.resolution_x, scene.render.resolution_y = PIXELS, PIXELS
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)


def look(job: dict) -> dict:
    """Import a file, show every moment, and tell what is seen."""
    armature, surface = load(job["source"])
    bones = list(armature.pose.bones)
    frames = []
    for seconds in job["times"]:
        show(seconds)
        frames.append([list(armature.matrix_world @ bone.head) for bone in bones])
    shown = surface.evaluated_get(bpy.context.evaluated_depsgraph_get())
    seen = {
        "names": [bone.name for bone in bones],
        "parents": [bone.parent.name if bone.parent else None for bone in bones],
        "scale": list(armature.scale),
        "frames": frames,
        "surface": [list(shown.matrix_world @ vertex.co) for vertex in shown.data.vertices],
        "cameras": [
            list(each.matrix_world.translation) for each in bpy.data.objects if each.type == "CAMERA"
        ],
    }
    if job["picture"]:
        picture(armature, surface, job["picture"])
    return seen


with open(sys.argv[-1]) as file:
    jobs = json.load(file)
for job in jobs:
    with open(job["target"], "w") as file:
        json.dump(look(job), file)
