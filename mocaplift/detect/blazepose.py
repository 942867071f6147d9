"""MediaPipe's two pose networks, called one person at a time.

`mediapipe.solutions.pose` follows one person and decides by itself whom. Here the same networks out of the same
package are run as two small graphs - find people in a picture, read one body inside a region - so that several
people are followed, regions may come from turned or cropped pictures, and no state hides between two clips.
Nothing is smoothed inside: MediaPipe's own filter takes every video for 30 frames per second and lags.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mocaplift.errors import MissingDependency
from mocaplift.layouts import MEDIAPIPE33

INSTALL = "pip install mediapipe==0.10.14"
# The region that the landmark network was trained on: a circle through the hips' middle that holds the whole
# body, made larger by this factor (BlazePose, Bazarevsky et al. 2020; the constant is MediaPipe's).
REGION_MARGIN = 1.25
# Side of the finder's input (px). Pictures larger than a few times this are reduced before it looks, averaging:
# mediapipe's own sampler takes four pixels whatever the reduction. (The same before reading a body was tried on
# 1080p clips: no change in error, 5 ms slower.)
FINDER_SIDE = 224
FINDER_OVERSAMPLING = 3
# Smallest region (px) that can hold a body worth reading.
SMALLEST_REGION = 24.0

_FIND_GRAPH = """
input_stream: "image"
output_stream: "detections"
node {
  calculator: "PoseDetectionCpu"
  input_stream: "IMAGE:image"
  output_stream: "DETECTIONS:detections"
}
"""
_READ_GRAPH = """
input_stream: "image"
input_stream: "region"
input_side_packet: "model_complexity"
input_side_packet: "enable_segmentation"
output_stream: "points"
output_stream: "circle"
output_stream: "landmarks"
node {
  calculator: "PoseLandmarkByRoiCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:region"
  input_side_packet: "MODEL_COMPLEXITY:model_complexity"
  input_side_packet: "ENABLE_SEGMENTATION:enable_segmentation"
  output_stream: "LANDMARKS:points"
  output_stream: "AUXILIARY_LANDMARKS:circle"
  output_stream: "WORLD_LANDMARKS:landmarks"
}
"""


class Region(NamedTuple):
    """A square around a body: middle of the hips and side (px), turn from upright (rad, clockwise)."""

    x: float
    y: float
    side: float
    turn: float


class Reading(NamedTuple):
    """What the landmark network says of one body, in MEDIAPIPE33.

    `visibility` is the network's probability that the point is in the picture and not hidden, `landmarks` are
    metres about the hips in camera axes, `region` is where to look for the same body in the next frame.
    """

    xy: Float[np.ndarray, "33 2"]
    visibility: Float[np.ndarray, "33"]
    landmarks: Float[np.ndarray, "33 3"]
    region: Region


def region_from_circle(center: Float[np.ndarray, "2"], edge: Float[np.ndarray, "2"]) -> Region:
    """Return the region of a body from the middle of its hips and a point on its circle above the head (px)."""
    arm = edge - center
    # Upright is towards -y; the turn is clockwise in the picture, since y points down.
    turn = float(np.arctan2(arm[0], -arm[1]))
    return Region(
        float(center[0]), float(center[1]), float(2 * REGION_MARGIN * np.hypot(arm[0], arm[1])), turn
    )


class BlazePose:
    """The networks, ready to run; holds no state of any clip.

    Raises:
        MissingDependency: mediapipe is not installed, or another release that lacks these networks.
    """

    def __init__(self) -> None:
        with quiet_stderr():
            self._load()
            blank = np.zeros((FINDER_SIDE, FINDER_SIDE, 3), np.uint8)
            self.find(blank)
            self.read(blank, Region(FINDER_SIDE / 2, FINDER_SIDE / 2, FINDER_SIDE, 0.0))

    def _load(self) -> None:
        # protobuf warns once about a function that mediapipe itself calls.
        warnings.filterwarnings("ignore", message=r"SymbolDatabase\.GetPrototype\(\) is deprecated")
        try:
            from google.protobuf import text_format
            from mediapipe.framework import calculator_pb2
            from mediapipe.framework.formats import rect_pb2

            # Imported for its effect: it registers the options of the pose graphs.
            from mediapipe.python.solutions import pose  # noqa: F401
        except ImportError as error:
            raise MissingDependency(
                f"the mediapipe detector needs mediapipe 0.10.14, which cannot be imported ({error}); {INSTALL}"
            ) from error
        from mediapipe.python.solution_base import SolutionBase

        def graph(text: str, **options: Any) -> Any:
            return SolutionBase(
                graph_config=text_format.Parse(text, calculator_pb2.CalculatorGraphConfig()), **options
            )

        self._rect = rect_pb2.NormalizedRect
        try:
            self._finder = graph(_FIND_GRAPH)
            # 1 is the only network inside the package; 0 and 2 would be fetched from the internet.
            self._reader = graph(
                _READ_GRAPH, side_inputs={"model_complexity": 1, "enable_segmentation": False}
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise MissingDependency(
                f"this mediapipe lacks the pose networks of 0.10.14 ({error}); {INSTALL}"
            ) from error

    def find(self, image: UInt8[np.ndarray, "H W 3"]) -> list[tuple[Region, float]]:
        """Return the regions of the people in an RGB picture with their scores, surest first."""
        height, width = image.shape[:2]
        reduction = min(1.0, FINDER_OVERSAMPLING * FINDER_SIDE / max(height, width))
        if reduction < 1.0:
            small = (max(1, round(width * reduction)), max(1, round(height * reduction)))
            image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        found = self._finder.process({"image": np.ascontiguousarray(image)}).detections or []
        size = np.array([width, height])
        people: list[tuple[Region, float]] = []
        for detection in found:
            marks = detection.location_data.relative_keypoints
            center, edge = (np.array([mark.x, mark.y]) * size for mark in marks[:2])
            people.append((region_from_circle(center, edge), float(detection.score[0])))
        return sorted(people, key=lambda each: -each[1])

    def read(
        self, image: UInt8[np.ndarray, "H W 3"], region: Region, *, is_mirrored: bool = False
    ) -> Reading | None:
        """Return the body in a region of an RGB picture, None where the network sees none.

        Args:
            image: the whole picture.
            region: where the body is.
            is_mirrored: show the network the mirror image; the answer is that of the true picture.
        """
        if not SMALLEST_REGION <= region.side < np.inf:
            return None
        part = _crop(image, region)
        if part is None:
            return None
        crop, corner, size = part
        (x, y), turn = np.array([region.x, region.y]) - corner, region.turn
        if is_mirrored:
            crop, x, turn = np.ascontiguousarray(crop[:, ::-1]), size[0] - 1 - x, -turn
        (x, y), (width, height) = (x, y) / size, region.side / size
        rect = self._rect(x_center=x, y_center=y, width=width, height=height, rotation=turn)
        out = self._reader.process({"image": crop, "region": rect})
        if out.points is None or out.landmarks is None or out.circle is None:
            return None
        circle = _pixels(out.circle, corner, size, is_mirrored)
        landmarks = np.array([[mark.x, mark.y, mark.z] for mark in out.landmarks.landmark])
        visibility = np.array([mark.visibility for mark in out.points.landmark])
        xy = _pixels(out.points, corner, size, is_mirrored)
        if is_mirrored:
            order = list(MEDIAPIPE33.mirror)
            landmarks = landmarks[order] * np.array([-1.0, 1.0, 1.0])
            xy, visibility = xy[order], visibility[order]
        if not (np.isfinite(xy).all() and np.isfinite(landmarks).all() and np.isfinite(circle).all()):
            return None
        return Reading(xy, np.clip(visibility, 0.0, 1.0), landmarks, region_from_circle(circle[0], circle[1]))


def _crop(
    image: UInt8[np.ndarray, "H W 3"], region: Region
) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "2"], Float[np.ndarray, "2"]] | None:
    """Return the part of the picture under a region, with its corner and its size (px)."""
    height, width = image.shape[:2]
    # A turned square reaches further than its side.
    reach = region.side / 2 * (abs(np.cos(region.turn)) + abs(np.sin(region.turn))) + 2
    left, top = max(0, int(region.x - reach)), max(0, int(region.y - reach))
    right, bottom = min(width, int(region.x + reach) + 2), min(height, int(region.y + reach) + 2)
    if right - left < 2 or bottom - top < 2:
        return None
    corner, size = np.array([left, top], float), np.array([right - left, bottom - top], float)
    return np.ascontiguousarray(image[top:bottom, left:right]), corner, size


def _pixels(
    marks: Any, corner: Float[np.ndarray, "2"], size: Float[np.ndarray, "2"], is_mirrored: bool
) -> Float[np.ndarray, "N 2"]:
    """Return normalised marks of a crop as pixels of the picture, pixel centres at integers.

    By the book this would be x * W - 0.5. But mediapipe's sampler warps corners at 0 and W with OpenCV, whose
    pixel centres are at integers: read that way, a picture and the same picture upside down differ by a pixel.
    """
    xy = np.array([[mark.x, mark.y] for mark in marks.landmark]) * size
    if is_mirrored:
        xy[:, 0] = size[0] - 1 - xy[:, 0]
    return xy + corner


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep what native code writes to the standard error stream from the user, unless it ends in an exception.

    TensorFlow Lite and absl announce themselves there when a graph starts, and no setting stops them.
    """
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:
        # The process has no standard error stream at all.
        yield
        return
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            sink.seek(0)
            os.write(2, sink.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
