"""Pieces of a long clip joined to one pose by a cross-fade."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from mocaplift.fit.linearize import Pose
from mocaplift.rotations import slerp


def crossfaded(pieces: Sequence[Pose], spans: Sequence[slice]) -> Pose:
    """Return one pose over all frames: where two pieces overlap, the weight moves linearly to the later one."""
    frames = spans[-1].stop
    joints = pieces[0].rotations.shape[1]
    rotations, root = np.zeros((frames, joints, 4)), np.zeros((frames, 3))
    rotations[spans[0]], root[spans[0]] = pieces[0].rotations, pieces[0].root
    for (before, span), piece in zip(pairwise(spans), pieces[1:], strict=True):
        shared = before.stop - span.start
        weight = (np.arange(shared) + 1) / (shared + 1)
        fade = slice(span.start, before.stop)
        rotations[fade] = slerp(rotations[fade], piece.rotations[:shared], weight[:, None])
        root[fade] += weight[:, None] * (piece.root[:shared] - root[fade])
        rotations[before.stop : span.stop] = piece.rotations[shared:]
        root[before.stop : span.stop] = piece.root[shared:]
    return Pose(rotations=rotations, root=root, shape=pieces[0].shape)
