"""Numbers as text: whole multiples of a unit, their changes in time, compressed. motion.js unpacks them."""

from __future__ import annotations

import base64
import zlib

import numpy as np
from jaxtyping import Shaped

from mocaplift.errors import InvalidData

# What int32 holds.
LARGEST = 2**31 - 1


def packed(values: Shaped[np.ndarray, "..."], unit: float = 1.0) -> dict[str, object]:
    """Return an array as {shape, unit, data}; each number is off by half a unit at most.

    The first axis is time. Along it only changes are kept, each channel by itself, which a smooth motion makes
    small; even numbers are rises, odd ones falls, and the four bytes of all of them stand apart, so that
    those of high order are zeros. zlib then takes a fifth of what the numbers would.

    Raises:
        InvalidData: a value is not finite, or is more units than 31 bits hold.
    """
    scaled = np.asarray(values, dtype=float) / unit
    # Half of the range: a change may be the difference of two extremes.
    if not np.isfinite(scaled).all() or np.abs(scaled).max(initial=0.0) > LARGEST / 2:
        raise InvalidData(f"a page holds finite numbers below {unit * LARGEST / 2:g} only")
    whole = np.rint(scaled).astype(np.int64).reshape(len(scaled), -1)
    changes = np.diff(whole, axis=0, prepend=0).T.ravel()
    folded = np.where(changes < 0, -2 * changes - 1, 2 * changes).astype("<u4")
    planes = folded.view(np.uint8).reshape(-1, 4).T
    return {
        "shape": list(np.shape(values)),
        "unit": unit,
        "data": base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode("ascii"),
    }
