"""What ufbx, a reader that we did not write, sees in an FBX file.

It reads in a process of its own, one for all files: version 0.0.5 of the Python binding crashes when its objects
are freed, so they are all kept, and the process ends without freeing anything.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

USER = 2  # ufbx.PropFlags.USER_DEFINED
_KEPT: list[object] = []


def seen(path: Path, times: Sequence[float]) -> dict:
    """Return what ufbx sees in the file, and where nodes are at these times (s)."""
    reader = _reader()
    reader.stdin.write(json.dumps([str(path), [float(time) for time in times]]) + "\n")
    reader.stdin.flush()
    answer = reader.stdout.readline()
    if not answer:
        _reader.cache_clear()
        raise AssertionError(f"the process that reads {path} with ufbx broke down")
    found = json.loads(answer)
    assert "error" not in found, found["error"]
    return found


@cache
def _reader() -> subprocess.Popen:
    """Return the process that reads; it ends when nobody asks any more."""
    return subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _kept(thing):
    _KEPT.append(thing)
    return thing


def _all(things) -> list:
    things = _kept(things)
    return [_kept(things[place]) for place in range(len(things))]


def _matrix(matrix) -> list[list[float]]:
    return [list(column) for column in matrix]


def _node(node) -> dict:
    parent, props, bone = _kept(node.parent), _kept(node.props), _kept(node.bone)
    return {
        "name": node.name,
        "parent": parent.name if parent is not None else None,
        "is_root": node.is_root,
        "is_bone": bone is not None,
        "world": _matrix(node.node_to_world),
        "local": list(node.local_transform.rotation),
        "props": {prop.name: list(prop.value_vec4) for prop in _all(props.props)},
        "user": [prop.name for prop in _all(props.props) if int(prop.flags) & USER],
    }


def _camera(camera) -> dict:
    return {
        "name": camera.name,
        "fov_deg": list(camera.field_of_view_deg),
        "focal_mm": camera.focal_length_mm,
        "film_inch": list(camera.film_size_inch),
        "resolution": list(camera.resolution),
        "near": camera.near_plane,
        "offset_inch": [_kept(camera.props).find_real(f"FilmOffset{axis}", 0.0) for axis in "XY"],
    }


def _mesh(mesh) -> dict:
    position, normal = _kept(mesh.vertex_position), _kept(mesh.vertex_normal)
    uv = _kept(mesh.vertex_uv)
    skins = []
    for skin in _all(mesh.skin_deformers):
        for cluster in _all(skin.clusters):
            bone = _kept(cluster.bone_node)
            skins.append(
                {
                    "bone": bone.name,
                    "vertices": list(_kept(cluster.vertices)),
                    "weights": list(_kept(cluster.weights)),
                    "bind": _matrix(cluster.bind_to_world),
                    "mesh_to_bone": _matrix(cluster.mesh_node_to_bone),
                }
            )
    return {
        "vertices": [list(v) for v in _kept(mesh.vertices)],
        "indices": list(_kept(mesh.vertex_indices)),
        "normals": [list(v) for v in _kept(normal.values)] if normal.exists else [],
        "uvs": [list(v) for v in _kept(uv.values)] if uv.exists else [],
        "materials": len(_kept(mesh.materials)),
        "clusters": skins,
    } | {"positions": len(_kept(position.values))}


def _curves(scene) -> list[dict]:
    found = []
    for layer in _all(scene.anim_layers):
        for prop in _all(layer.anim_props):
            element, value = _kept(prop.element), _kept(prop.anim_value)
            for part, curve in zip("XYZ", _kept(value.curves), strict=True):
                if curve is None:
                    continue
                keys = _all(_kept(curve).keyframes)
                found.append(
                    {
                        "owner": element.name,
                        "property": prop.prop_name,
                        "part": part,
                        "times": [key.time for key in keys],
                        "values": [key.value for key in keys],
                        "kinds": sorted({_kept(key.interpolation).name for key in keys}),
                    }
                )
    return found


def look(source: str, times: list[float]) -> dict:
    """Read the file and sample it."""
    import ufbx

    scene = _kept(ufbx.load_file(source))
    anim, settings, metadata = _kept(scene.anim), _kept(scene.settings), _kept(scene.metadata)
    nodes = _all(scene.nodes)
    stacks = _all(scene.anim_stacks)
    frames = []
    for time in times:
        moved = _kept(ufbx.evaluate_scene(scene, anim, time))
        frames.append([list(node.node_to_world.c3) for node in _all(moved.nodes)])
    poses = []
    for pose in _all(scene.poses):
        bones = _all(pose.bone_poses)
        poses.append([[_kept(bone.bone_node).name, _matrix(bone.bone_to_world)] for bone in bones])
    axes = _kept(settings.axes)
    return {
        "warnings": [warning.description for warning in _all(metadata.warnings)],
        "version": metadata.version,
        "creator": metadata.creator,
        "nodes": [_node(node) for node in nodes],
        "frames": frames,
        "poses": poses,
        "fps": settings.frames_per_second,
        "time_mode": int(settings.time_mode),
        "unit_metres": settings.unit_meters,
        "axes": [axes.right.name, axes.up.name, axes.front.name],
        "takes": [[stack.name, stack.time_begin, stack.time_end] for stack in stacks],
        "curves": _curves(scene),
        "cameras": [_camera(camera) for camera in _all(scene.cameras)],
        "meshes": [_mesh(mesh) for mesh in _all(scene.meshes)],
    }


def main() -> None:
    """Answer every line [path, times] with a line of JSON."""
    for line in sys.stdin:
        try:
            answer = look(*json.loads(line))
        except Exception as error:
            answer = {"error": repr(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
