"""Joint sets as data, and the moves between them.

Every detector is read into BODY21 (COCO's 17 points, big toes and heels); points that a detector lacks stay
missing. Sources of the orders: the data set pages of COCO, Halpe, OpenPose and BlazePose, and the SMPL paper.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift.values import Keypoints2D, Layout

_COCO_JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip


def _paired(name: str, joints: tuple[str, ...]) -> Layout:
    """Return the layout whose left and right joints are paired by their names."""
    pairs = tuple(
        (joint, "right" + joint[4:])
        for joint in joints
        if joint.startswith("left_") and "right" + joint[4:] in joints
    )
    return Layout(name=name, joints=joints, pairs=pairs)


COCO17 = _paired("coco17", _COCO_JOINTS)
BODY21 = _paired("body21", (*_COCO_JOINTS, "left_big_toe", "right_big_toe", "left_heel", "right_heel"))
HALPE26 = _paired(
    "halpe26",
    (*_COCO_JOINTS, "head", "neck", "hip", "left_big_toe", "right_big_toe", "left_small_toe",
     "right_small_toe", "left_heel", "right_heel"),
)  # fmt: skip
# The 133 points of COCO-WholeBody begin with the body and the feet; face and hands are not read.
COCO_WHOLEBODY23 = _paired(
    "coco_wholebody23",
    (*_COCO_JOINTS, "left_big_toe", "left_small_toe", "left_heel",
     "right_big_toe", "right_small_toe", "right_heel"),
)  # fmt: skip
MEDIAPIPE33 = _paired(
    "mediapipe33",
    ("nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye",
     "right_eye_outer", "left_ear", "right_ear", "left_mouth", "right_mouth", "left_shoulder",
     "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_pinky",
     "right_pinky", "left_index", "right_index", "left_thumb", "right_thumb", "left_hip", "right_hip",
     "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel", "right_heel",
     "left_big_toe", "right_big_toe"),
)  # fmt: skip
OPENPOSE25 = _paired(
    "openpose25",
    ("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
     "left_wrist", "hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
     "right_eye", "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel",
     "right_big_toe", "right_small_toe", "right_heel"),
)  # fmt: skip
SMPL24 = _paired(
    "smpl24",
    ("pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
     "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
     "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
     "left_hand", "right_hand"),
)  # fmt: skip
SMPL_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)

LAYOUTS = {
    layout.name: layout
    for layout in (COCO17, BODY21, HALPE26, COCO_WHOLEBODY23, MEDIAPIPE33, OPENPOSE25, SMPL24)
}

# The order of the columns of every contact array.
CONTACT_POINTS = ("left_heel", "left_big_toe", "right_heel", "right_big_toe")

# Lines to draw between body21 joints: for overlays and viewers.
BODY21_BONES = (
    ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"),
    ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"),
    ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
    ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
    ("left_ankle", "left_heel"), ("left_heel", "left_big_toe"), ("left_ankle", "left_big_toe"),
    ("right_ankle", "right_heel"), ("right_heel", "right_big_toe"), ("right_ankle", "right_big_toe"),
    ("nose", "left_eye"), ("left_eye", "left_ear"), ("nose", "right_eye"), ("right_eye", "right_ear"),
)  # fmt: skip


def remap(
    values: Float[np.ndarray, "*lead J C"], source: Layout, target: Layout
) -> Float[np.ndarray, "*lead K C"]:
    """Return per-joint values in the order of another layout, NaN where the source lacks the joint."""
    out = np.full((*values.shape[:-2], len(target), values.shape[-1]), np.nan)
    for position, joint in enumerate(target.joints):
        if joint in source.joints:
            out[..., position, :] = values[..., source.joints.index(joint), :]
    return out


def remap_keypoints(keypoints: Keypoints2D, target: Layout) -> Keypoints2D:
    """Return the keypoints in another layout; joints that the source lacks are missing."""
    conf = remap(keypoints.conf[..., None], keypoints.layout, target)[..., 0]
    landmarks = keypoints.landmarks
    return Keypoints2D(
        xy=remap(keypoints.xy, keypoints.layout, target),
        conf=np.nan_to_num(conf, nan=0.0),
        layout=target,
        fps=keypoints.fps,
        size=keypoints.size,
        landmarks=None if landmarks is None else remap(landmarks, keypoints.layout, target),
    )
