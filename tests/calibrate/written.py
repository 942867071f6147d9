"""Two cameras that every format must write its own way, and what they see, computed by hand.

In our world (+Y up, metres) camera "front" stands at (0, 1, 4) and looks along -Z; "side" stands at (4, 1, 0) and
looks along -X. Both look at (0, 1, 0), 4 m away, with f = 1500 px and (959.5, 539.5) as principal point, so that a
metre across the view is 375 px.

front: right +X, down -Y, forward -Z: R = [1 0 0; 0 -1 0; 0 0 -1], t = -R c = (0, 1, 4).
side: right -Z, down -Y, forward -X: R = [0 0 -1; 0 -1 0; -1 0 0], t = -R c = (0, 1, 4).

In a world with +Z up that has the same x (ours = x, z, -y) they stand at (0, -4, 1) and (4, 0, 1):
front: right +x, down -z, forward +y: R = [1 0 0; 0 0 -1; 0 1 0], a quarter turn about x.
side: right +y, down -z, forward -x: R = [0 1 0; 0 0 -1; -1 0 0], a third of a turn about (1, 1, -1).
"""

from pathlib import Path

import numpy as np

from mocaplift.calibrate import Calibration, read_calibration
from mocaplift.cameras import centre, project
from mocaplift.values import Camera

MATRIX = [[1500.0, 0.0, 959.5], [0.0, 1500.0, 539.5], [0.0, 0.0, 1.0]]
SIZE = (1920, 1080)
Z_UP_FRONT = [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]
Z_UP_SIDE = [[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]]
FRONT_VECTOR = [np.pi / 2, 0.0, 0.0]
THIRD = float(2 * np.pi / 3 / np.sqrt(3))
SIDE_VECTOR = [THIRD, THIRD, -THIRD]
# Of both cameras, world to camera, in metres.
TRANSLATION = [0.0, 1.0, 4.0]
# Written with 15 digits.
TOLERANCE = 1e-9


def read(folder: Path, name: str, text: str) -> Calibration:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_calibration(path)


def check_front(camera: Camera) -> None:
    """Check against numbers computed by hand in our world; no distortion."""
    assert camera.size == SIZE
    np.testing.assert_allclose(centre(camera), [0.0, 1.0, 4.0], atol=TOLERANCE)
    right_above = project(camera, np.array([1.0, 1.5, 0.0]))
    np.testing.assert_allclose(right_above, [959.5 + 375.0, 539.5 - 187.5], atol=1e-6)


def check_side(camera: Camera) -> None:
    """Check against numbers computed by hand in our world; no distortion."""
    assert camera.size == SIZE
    np.testing.assert_allclose(centre(camera), [4.0, 1.0, 0.0], atol=TOLERANCE)
    right_above = project(camera, np.array([0.0, 1.5, -1.0]))
    np.testing.assert_allclose(right_above, [959.5 + 375.0, 539.5 - 187.5], atol=1e-6)


def check_z_up(front: Camera, side: Camera, metre: float = 1.0) -> None:
    """Check cameras that were left in a world with +Z up, and in the file's unit."""
    np.testing.assert_allclose(centre(front), np.array([0.0, -4.0, 1.0]) * metre, atol=TOLERANCE * metre)
    np.testing.assert_allclose(centre(side), np.array([4.0, 0.0, 1.0]) * metre, atol=TOLERANCE * metre)
    for camera, point in ((front, [1.0, 0.0, 1.5]), (side, [0.0, 1.0, 1.5])):
        seen = project(camera, np.array(point) * metre)
        np.testing.assert_allclose(seen, [959.5 + 375.0, 539.5 - 187.5], atol=1e-6)


def toml_table(key: str, name: str | None, vector: object, metre: float = 1.0, more: str = "") -> str:
    """Return a camera's table as anipose and its descendants write it."""
    translation = [part * metre for part in TRANSLATION]
    lines = [f"[{key}]", f'name = "{name}"' if name else "", f"size = {list(SIZE)}", f"matrix = {MATRIX}"]
    lines += [f"rotation = {vector}", f"translation = {translation}", more]
    return "\n".join(line for line in lines if line) + "\n\n"


FIVE = "distortions = [0.0, 0.0, 0.0, 0.0, 0.0]"
FOUR = "distortions = [0.0, 0.0, 0.0, 0.0]\nfisheye = false"

POSE2SIM = (
    toml_table("cam_01", "front", FRONT_VECTOR, more=FOUR)
    + toml_table("cam_02", "side", SIDE_VECTOR, more=FOUR)
    + "[metadata]\nadjusted = false\nerror = 0.0\n"
)
ANIPOSE = (
    toml_table("cam_0", "front", FRONT_VECTOR, metre=40.0, more=FIVE)
    + toml_table("cam_1", "side", SIDE_VECTOR, metre=40.0, more=FIVE)
    + "[metadata]\nadjusted = false\nerror = 0.3\n"
)
FREEMOCAP = (
    toml_table("cam_0", "front", FRONT_VECTOR, metre=1000.0, more=FIVE)
    + toml_table("cam_1", "side", SIDE_VECTOR, metre=1000.0, more=FIVE)
    + "[metadata]\nadjusted = false\nerror = 0.3\ncharuco_square_size = 39.0\n"
)
CALISCOPE = (
    toml_table("cam_0", None, Z_UP_FRONT, more=FIVE + "\nport = 0\nrotation_count = 1\nignore = false")
    + toml_table("cam_1", None, Z_UP_SIDE, more=FIVE + "\nport = 1\nrotation_count = 0\nignore = false")
    + toml_table("cam_2", None, Z_UP_SIDE, more=FIVE + "\nport = 2\nignore = true")
    + "[capture_volume]\nstage = 2\n\n[charuco]\ncolumns = 4\nrows = 5\nsquare_size_overide_cm = 5.4\n"
)


def qualisys_camera(serial: str, place: str, turn: str, more: str = "", attributes: str = "") -> str:
    """Return a camera of a .qca.txt: principal point and focal length in 1/64 px, cut out of a larger sensor.

    (959.5 + 100) * 64 = 67808, (539.5 + 50) * 64 = 37728, 1500 * 64 = 96000.
    """
    return (
        f'<camera active="1" serial="{serial}" model="Miqus Video" viewrotation="0" {attributes}>'
        '<fov_video left="100" top="50" right="2019" bottom="1129"/>'
        f"<transform {place} {turn}/>"
        '<intrinsic focallength="9.3" sensorMinU="0" sensorMaxU="143359" sensorMinV="0" sensorMaxV="81919" '
        'focalLengthU="96000" focalLengthV="96000" centerPointU="67808" centerPointV="37728" skew="0" '
        f"{more or _NO_DISTORTION}/></camera>"
    )


_NO_DISTORTION = (
    'radialDistortion1="0" radialDistortion2="0" radialDistortion3="0" '
    'tangentalDistortion1="0" tangentalDistortion2="0"'
)
# Half a turn about x before R of the world with +Z up: y and z rows change sign.
_QUALISYS_FRONT = 'r11="1" r12="0" r13="0" r21="0" r22="0" r23="1" r31="0" r32="-1" r33="0"'
_QUALISYS_SIDE = 'r11="0" r12="1" r13="0" r21="0" r22="0" r23="1" r31="1" r32="0" r33="0"'
QUALISYS_FRONT = qualisys_camera("front", 'x="0" y="-4000" z="1000"', _QUALISYS_FRONT)
QUALISYS_SIDE = qualisys_camera("side", 'x="4000" y="0" z="1000"', _QUALISYS_SIDE)
_HEAD = "<?xml version='1.0' encoding='UTF-8'?>\n<calibration type=\"regular\"><cameras>"
_TAIL = "</cameras></calibration>"
QUALISYS = _HEAD + QUALISYS_FRONT + QUALISYS_SIDE + _TAIL


def qualisys(*cameras: str) -> str:
    return _HEAD + "".join(cameras) + _TAIL


def theia_camera(serial: str, turn: str, sensor: str) -> str:
    """Return a camera of a Theia file: px, and x_cam = R x_world + t in mm."""
    return (
        f'<camera active="1" serial="{serial}" viewrotation="0"><intrinsic focallength="9.3" {sensor} '
        'focalLengthU="1500" focalLengthV="1500" centerPointU="959.5" centerPointV="539.5" skew="0" '
        f'{_NO_DISTORTION}/><transform x="0" y="1000" z="4000" {turn}/></camera>'
    )


_THEIA_FRONT = 'r11="1" r12="0" r13="0" r21="0" r22="0" r23="-1" r31="0" r32="1" r33="0"'
_THEIA_SIDE = 'r11="0" r12="1" r13="0" r21="0" r22="0" r23="-1" r31="-1" r32="0" r33="0"'
THEIA = (
    '<calibration third_party="false"><results/><cameras>'
    + theia_camera("front", _THEIA_FRONT, 'sensorDimU="1920" sensorDimV="1080"')
    + theia_camera("side", _THEIA_SIDE, 'sensorMinU="0" sensorMaxU="1919" sensorMinV="0" sensorMaxV="1079"')
    + "</cameras></calibration>"
)

CAMS_JSON = """{
 "units": "m", "up": "y",
 "cameras": [
  {"name": "front", "size": [1920, 1080],
   "intrinsics": [[1500.0, 0.0, 959.5], [0.0, 1500.0, 539.5], [0.0, 0.0, 1.0]],
   "distortion": [0.0, 0.0, 0.0, 0.0, 0.0],
   "cam_from_world": [[1, 0, 0, 0], [0, -1, 0, 1], [0, 0, -1, 4], [0, 0, 0, 1]]},
  {"name": "side", "size": [1920, 1080],
   "intrinsics": [[1500.0, 0.0, 959.5], [0.0, 1500.0, 539.5], [0.0, 0.0, 1.0]],
   "cam_from_world": [[0, 0, -1, 0], [0, -1, 0, 1], [-1, 0, 0, 4]]}
 ]
}
"""
# Format to a file of it.
FILES = {
    "cams.json": CAMS_JSON,
    "pose2sim": POSE2SIM,
    "anipose": ANIPOSE,
    "freemocap": FREEMOCAP,
    "caliscope": CALISCOPE,
    "qualisys": QUALISYS,
    "theia": THEIA,
}
