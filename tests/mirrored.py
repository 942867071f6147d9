"""A mirror for keypoints: what a camera would have seen of the mirrored person."""

import numpy as np

from mocaplift.values import Keypoints2D


def mirror_keypoints(keypoints: Keypoints2D) -> Keypoints2D:
    """Return what a camera would have seen of the mirrored person: x flipped, left and right exchanged."""
    order = list(keypoints.layout.mirror)
    width = keypoints.size[0]
    xy = keypoints.xy[:, order].copy()
    xy[..., 0] = (width - 1) - xy[..., 0]
    landmarks = keypoints.landmarks
    if landmarks is not None:
        landmarks = landmarks[:, order] * np.array([-1.0, 1.0, 1.0])
    return Keypoints2D(
        xy=xy,
        conf=keypoints.conf[:, order],
        layout=keypoints.layout,
        fps=keypoints.fps,
        size=keypoints.size,
        landmarks=landmarks,
    )
