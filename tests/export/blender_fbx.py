"""Run inside Blender: import an FBX file as a user does, write what came of it.

blender --background --factory-startup --python blender_fbx.py -- in.fbx out.json [picture.png]
"""

import json
import sys

import bpy
from mathutils import Vector


def picture(armature, path: str) -> None:
    """Render the middle frame: the body where there is one, and a stick for every bone."""
    scene = bpy.context.scene
    scene.frame_set((scene.frame_start + scene.frame_end) // 2)
    points = [armature.matrix_world @ bone.head for bone in armature.pose.bones]
    middle = sum(points[1:], points[0].copy()) / len(points)
    has_body = any(each.type == "MESH" for each in bpy.data.objects)
    for bone in () if has_body else armature.pose.bones:
        for child in bone.children:
            head, tail = armature.matrix_world @ bone.head, armature.matrix_world @ child.head
            bpy.ops.mesh.primitive_cylinder_add(
                radius=0.015, depth=(tail - head).length, location=(head + tail) / 2
            )
            stick = bpy.context.object
            stick.rotation_mode = "QUATERNION"
            stick.rotation_quaternion = (tail - head).to_track_quat("Z", "Y")
            colour = (0.1, 0.3, 1, 1) if child.name.startswith("Left") else (1, 0.3, 0.1, 1)
            stick.color = colour if child.name.startswith(("Left", "Right")) else (0.8, 0.8, 0.8, 1)
    bpy.ops.mesh.primitive_plane_add(size=6, location=(middle.x, middle.y, 0))
    eye = middle + Vector((0.5, -1.0, 0.35)) * 3.5
    bpy.ops.object.camera_add(location=eye)
    scene.camera = bpy.context.object
    scene.camera.rotation_euler = (middle - eye).to_track_quat("-Z", "Y").to_euler()
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.shading.color_type = "OBJECT"
    scene.display.shading.show_shadows = True
    scene.render.resolution_x, scene.render.resolution_y = 480, 480
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)


def surface(frame: int) -> list:
    """Return the vertices of the body in the world in one frame."""
    bpy.context.scene.frame_set(frame)
    graph = bpy.context.evaluated_depsgraph_get()
    found = []
    for each in bpy.data.objects:
        if each.type == "MESH":
            posed = each.evaluated_get(graph)
            found += [list(posed.matrix_world @ vertex.co) for vertex in posed.data.vertices]
    return found


def through(camera, points) -> dict:
    """Return where world points are in the camera's picture, shares from the lower left corner."""
    from bpy_extras.object_utils import world_to_camera_view

    scene = bpy.context.scene
    data = camera.data
    # The picture's size is the scene's in Blender, and no part of a camera.
    scene.render.resolution_x, scene.render.resolution_y = json.loads(sys.argv[-1])
    return {
        "name": camera.name,
        "lens": data.lens,
        "pixels": [list(world_to_camera_view(scene, camera, Vector(point))) for point in points],
    }


def main(source: str, target: str, png: str | None) -> None:
    """Import, sample every frame, write JSON."""
    for existing in list(bpy.data.objects):
        bpy.data.objects.remove(existing)
    bpy.ops.import_scene.fbx(filepath=source)
    scene = bpy.context.scene
    (armature,) = (each for each in bpy.data.objects if each.type == "ARMATURE")
    bones = list(armature.pose.bones)
    frames = []
    action = armature.animation_data.action
    keys = max(([point.co[0] for point in curve.keyframe_points] for curve in action.fcurves), key=len)
    for key in keys:
        scene.frame_set(int(key), subframe=key % 1)
        frames.append([list(armature.matrix_world @ bone.head) for bone in bones])
    cameras = [each for each in bpy.data.objects if each.type == "CAMERA"]
    result = {
        "names": [bone.name for bone in bones],
        "parents": [bone.parent.name if bone.parent else None for bone in bones],
        "rest": [list(armature.matrix_world @ bone.bone.head_local) for bone in bones],
        "scale": list(armature.scale),
        "objects": sorted([each.name, each.type] for each in bpy.data.objects),
        "keys": keys,
        "fps": scene.render.fps / scene.render.fps_base,
        "frames": frames,
        "surface": surface(round(keys[-1])),
        "custom": {
            each.name: sorted(each.keys()) for bone in bones for each in (bone, bone.bone) if each.keys()
        },
        "cameras": [through(camera, frames[-1]) for camera in cameras if sys.argv[-1].startswith("[")],
    }
    with open(target, "w") as file:
        json.dump(result, file)
    if png:
        picture(armature, png)


arguments = [word for word in sys.argv[sys.argv.index("--") + 1 :] if not word.startswith("[")]
main(arguments[0], arguments[1], arguments[2] if len(arguments) > 2 else None)
