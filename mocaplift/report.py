"""The report beside every result: what was found, what was assumed, how good it is, and what made it.

One flat JSON object with the keys of `KEYS`; some of them hold one level of names and values.
"""

import importlib.metadata
import json
import math
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mocaplift.errors import InvalidData
from mocaplift.files import write_whole

# Every key a report may have, in the order it is written, and what it means. README's table is made from this
# one, and a test holds real reports against it.
KEYS: dict[str, str] = {
    # the run
    "status": "`finished`, or `started` where the run was interrupted while it wrote",
    "mocaplift": "version that made this",
    "input": "path of the video, or of the folder of several cameras' videos",
    "input_sha256": "checksum of the video's bytes, or of the checksums of several videos",
    "fingerprint": "checksum of videos, cameras, options, version and weights: the same again means nothing to do",
    "options": "every option of the capture by name; null is automatic",
    "outputs": "checksum of every file written, by its name",
    # several cameras
    "videos": "path of every camera's video",
    "calibration": "path of the file that describes the cameras",
    "calibration_format": "which program's format it has",
    "calibration_unit": "unit of its lengths, as it says or as the bodies seen tell",
    "calibration_up_source": "how the upward direction is known: `file`, `bodies` or `cameras`",
    "calibration_reading": "how its numbers had to be read to agree with what the cameras saw",
    "calibration_px": "how well the cameras agree on where the body is, median (px)",
    "calibration_unchecked": "cameras that saw too little for this to be known of them",
    "calibration_notes": "what else was noticed about the cameras, in sentences",
    "sync_source": "how the videos share a clock: `same clock`, `motion`, `sound` or `given`",
    "sync_offsets_s": "what was added to each camera's own time, in the order of `videos` (s)",
    "sync_error_ms": "expected error of these, where they were measured (ms)",
    "sync_agreement": "how alike what the cameras measured is at these offsets: 1 the same, 0 unrelated",
    "camera_seen_share": "share of the frames in which each camera sees the person",
    "camera_reprojection_px": "distance between keypoints and the solved body in each picture, median (px)",
    # the clock and the picture
    "fps": "frames per second of the motion",
    "fps_exact": "the same as a fraction, as in 30000/1001",
    "source_fps": "frames per second that the file itself states",
    "is_timed": "whether the file tells the time of each frame",
    "first_time_s": "time of the file's first frame (s)",
    "is_variable_rate": "whether the file's frames were unevenly spaced and were put on a constant clock",
    "frames": "frames of the motion",
    "duration_s": "length of the motion (s)",
    "start_s": "where in the video it starts (s)",
    "slow_motion": "how many times slower than life the video plays",
    "complete": "whether the video could be read to its end",
    "codec": "how the video is compressed",
    "width_px": "width of the picture as displayed (px)",
    "height_px": "height of the picture as displayed (px)",
    "rotation_deg": "rotation that was applied for display (degrees, clockwise)",
    "is_mirrored": "whether the picture was mirrored for display",
    # the person
    "detector": "which detector found the body",
    "detector_facts": "what the detector says of itself: network, versions, licence",
    "lifter": "how the pose was lifted before the fit",
    "person": "number of this person in the video, as in `--person id:1`",
    "people": "how many people were tracked in the video",
    "people_written": "how many people this run wrote files for",
    "seen_share": "share of the frames, from first to last sight, in which the person was seen",
    "frames_empty": "frames of the clip in which nobody was seen",
    "ghosts": "detections that were taken for no person: too short, or twice the same",
    "gaps_filled": "keypoints that were missing for a short while and were filled in (joint-frames)",
    "gaps_left": "keypoints that stayed missing, carried by the pose prior alone (joint-frames)",
    "swaps_repaired": "frames in which the detector had exchanged left and right",
    "outliers_repaired": "keypoints that jumped and were replaced or down-weighted (joint-frames)",
    "frames_turned": "frames that were detected again on the turned image (person lying or upside down)",
    "identity_jumps": "times the detector jumped to a bystander and was stopped",
    # what was assumed
    "focal_px": "focal length (px)",
    "focal_source": "`given`, `metadata` or `prior`",
    "person_height_m": "height of the person (m)",
    "scale_source": "`given`, `prior`, or `cameras` where several agree on it",
    "camera_pitch_deg": "angle of the camera to the horizontal, positive looking down (degrees)",
    "camera_roll_deg": "roll of the camera (degrees)",
    "gravity_source": "`given`, `contacts` or `prior`",
    "camera_is_moving": "whether the background moves, so that the camera did",
    "camera_drift_px": "how far the background drifted over the clip (px)",
    # how good it is
    "reprojection_px": "distance between keypoints and the solved body in the picture, median (px)",
    "reprojection_p95_px": "the same, 95th percentile (px)",
    "reprojection_share": "the median as a share of the person's height in the picture",
    "contact_share": "share of frames with a foot planted",
    "foot_slide_mm": "slide of planted feet, mean (mm per frame)",
    "foot_slide_p95_mm": "the same, 95th percentile (mm per frame)",
    "floor_penetration_mm": "depth of the lowest foot point below the floor, mean (mm)",
    "jitter_m_s3": "jerk of the joints, mean (m/s^3); walking has 50 to 100",
    "largest_turn_deg": "largest turn of a joint from one frame to the next (degrees)",
    "amplitude_m": "how much the body moves about its mean pose (m); less of it means smoothed away",
    "floor_tilt_deg": "tilt of the floor that the planted feet suggest (degrees)",
    # what made it
    "seconds": "time by stage (s)",
    "versions": "version of every package that took part",
    "weights": "checksum of every weight file used",
    "licences": "licence of every model used",
    "warnings": "what went wrong without stopping the run, in sentences",
}

# Packages whose version can change a result.
_PACKAGES = (
    "numpy",
    "scipy",
    "av",
    "mediapipe",
    "mmpose",
    "mmcv-lite",
    "opencv-contrib-python",
    "opencv-python",
    "torch",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of every installed package that can change a result."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def ordered(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts in the order of `KEYS`, unknown ones last, as plain JSON values.

    Numbers that are not finite become null: JSON has no NaN.
    """
    rank = {key: place for place, key in enumerate(KEYS)}
    keys = sorted(facts, key=lambda key: rank.get(key, len(rank)))
    return {key: _plain(facts[key]) for key in keys}


def write(path: Path, facts: Mapping[str, Any]) -> None:
    """Write a report, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    text = json.dumps(ordered(facts), indent=2, ensure_ascii=False) + "\n"
    # A file name that is no valid text becomes JSON's own escape.
    write_whole(path, text.encode("utf-8", "backslashreplace"))


def read(path: Path) -> dict[str, Any]:
    """Return a report.

    Raises:
        InvalidData: the file cannot be read, or is no report.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidData(f"{path}: not a readable report ({error}); delete it and run again") from error
    if not isinstance(content, dict) or "fingerprint" not in content:
        raise InvalidData(f"{path}: JSON, but no report of mocaplift; delete it and run again")
    return content


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it: numpy scalars and paths unwrapped, NaN as None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
