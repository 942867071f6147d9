"""FBX, binary, version 7.4: what Maya, MotionBuilder, Unreal, Unity and Blender read.

Written from the layout alone, without Autodesk's SDK: bones in a tree with nothing above the root, their rest
as bind pose, one take with a key on every frame, contacts of the feet as animated properties, the camera of
the shot, and the body where there is one. Units and axes are in the file: centimetres and +Y up unless the options
say otherwise.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mocaplift.export.fbx.animation import Take
from mocaplift.export.fbx.records import encode as encode_records
from mocaplift.export.fbx.scene import Objects, Space, document
from mocaplift.export.fbx.shot import add_camera
from mocaplift.export.fbx.skeleton import add_bind_pose, add_bones, move_bones, rest_matrices
from mocaplift.export.fbx.surface import add_body
from mocaplift.export.presets import ExportOptions
from mocaplift.export.rigged import Rigged
from mocaplift.export.skin import Skin
from mocaplift.export.timing import exact_rate


def encode(rigged: Rigged, options: ExportOptions, skin: Skin | None = None) -> bytes:
    """Return the motion as an FBX file; `options` tell the unit and the axis that is up.

    Frame k has its key at k / fps seconds, rounded to the format's ticks. Bones have the usual rotation order,
    and in each of the curves neighbouring frames are as near as they can be.

    Raises:
        InvalidData: a name that FBX cannot hold, a skin for other bones, or more than 4 GiB.
    """
    space = Space(options.unit, options.up)
    fps = Fraction(exact_rate(rigged.fps))
    objects = Objects()
    bones = add_bones(objects, rigged, space)
    rest = rest_matrices(rigged, space)
    nodes, matrices = list(bones), rest
    if skin is not None:
        nodes.append(add_body(objects, skin, bones, rigged.names, rest, space))
        matrices = np.concatenate([rest, np.eye(4)[None]])
    add_bind_pose(objects, nodes, matrices)
    if rigged.camera is not None:
        add_camera(objects, rigged.camera, space, rigged.names)
    take = Take(objects, len(rigged.rotations), fps)
    move_bones(take, bones, rigged, space)
    return encode_records(document(objects, space, fps, take.stop))
