"""The two cameras of `written` in the formats of data sets and of OpenCV, AIST++ to COLMAP.

With +Y up (ours): front is half a turn about x; side is half a turn about (1, 0, -1) / sqrt(2).
With +Y down (ours = x, -y, -z) the columns of y and z change sign: front is the identity, side is
[0 0 1; 0 1 0; -1 0 0].
As quaternions wxyz with +Z up: front (s, s, 0, 0) with s = sqrt(1/2), side (1, 1, 1, -1) / 2.
"""

import json
from pathlib import Path

import numpy as np

from tests.calibrate.written import FRONT_VECTOR, MATRIX, SIDE_VECTOR, SIZE, Z_UP_FRONT, Z_UP_SIDE

HALF = float(np.sqrt(0.5))
NONE = [0.0] * 5
Y_DOWN_FRONT = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
Y_DOWN_SIDE = [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]


def aist_entries() -> list[dict]:
    turns = {"front": [np.pi, 0.0, 0.0], "side": [np.pi * HALF, 0.0, -np.pi * HALF]}
    return [
        {"name": name, "size": list(SIZE), "matrix": MATRIX, "distortions": NONE, "rotation": turn,
         "translation": [0.0, 100.0, 400.0]}
        for name, turn in turns.items()
    ]  # fmt: skip


def panoptic_cameras() -> list[dict]:
    return [
        {"name": name, "type": "hd", "resolution": list(SIZE), "panel": 0, "node": node, "K": MATRIX,
         "distCoef": NONE, "R": turn, "t": [[0.0], [100.0], [400.0]]}
        for node, (name, turn) in enumerate({"front": Y_DOWN_FRONT, "side": Y_DOWN_SIDE}.items())
    ]  # fmt: skip


def karfly() -> dict:
    pose = {"front": Z_UP_FRONT, "side": Z_UP_SIDE}
    return {
        "intrinsics": {name: {"calibration_matrix": MATRIX, "distortion": NONE} for name in pose},
        "extrinsics": {
            "S1": {name: {"R": turn, "t": [[0.0], [1000.0], [4000.0]]} for name, turn in pose.items()},
            "S5": {name: {"R": turn, "t": [[0.0], [1000.0], [5000.0]]} for name, turn in pose.items()},
        },
    }


def videopose() -> dict:
    """From camera to world: the other way round, (s, -s, 0, 0) and (1, -1, -1, 1) / 2, and the places."""
    lens = {"center": [959.5, 539.5], "focal_length": [1500.0, 1500.0], "radial_distortion": [0.0, 0.0, 0.0],
            "tangential_distortion": [0.0, 0.0], "res_w": 1920, "res_h": 1080}  # fmt: skip
    return {
        "h36m_cameras_intrinsic_params": [lens | {"id": "front"}, lens | {"id": "side"}],
        "h36m_cameras_extrinsic_params": {
            "S1": [
                {"orientation": [HALF, -HALF, 0.0, 0.0], "translation": [0.0, -4000.0, 1000.0]},
                {"orientation": [0.5, -0.5, -0.5, 0.5], "translation": [4000.0, 0.0, 1000.0]},
            ]
        },
    }


def yaml_matrix(name: str, value: object) -> str:
    array = np.atleast_2d(np.array(value, dtype=float))
    array = array.T if array.shape[0] == 1 and array.shape[1] == 3 else array
    data = ", ".join(repr(float(each)) for each in array.ravel())
    # OpenCV breaks long rows.
    data = data.replace(", 1500.0, 539.5", ",\n       1500., 539.5")
    return (
        f"{name}: !!opencv-matrix\n   rows: {array.shape[0]}\n   cols: {array.shape[1]}\n   dt: d\n"
        f"   data: [ {data} ]\n"
    )


def yaml(**entries: object) -> str:
    lines = ["%YAML:1.0\n---\n"]
    for name, value in entries.items():
        lines.append(f"{name}: {value}\n" if np.ndim(value) == 0 else yaml_matrix(name, value))
    return "".join(lines)


NAMES = 'names:\n  - "1"\n  - "side"\n'
INTRI = (
    "%YAML:1.0\n---\n" + NAMES
    + yaml_matrix("K_1", MATRIX) + yaml_matrix("dist_1", [NONE]) + "H_1: 1080\nW_1: 1920\n"
    + yaml_matrix("K_side", MATRIX) + yaml_matrix("D_side", [NONE]) + "H_side: 1080\nW_side: 1920\n"
)  # fmt: skip
EXTRI = (
    "%YAML:1.0\n---\n" + NAMES
    + yaml_matrix("R_1", FRONT_VECTOR) + yaml_matrix("Rot_1", Z_UP_FRONT) + yaml_matrix("T_1", [0, 1, 4])
    + yaml_matrix("R_side", SIDE_VECTOR) + yaml_matrix("T_side", [0, 1, 4])
)  # fmt: skip


def storage(turn: object, translation: object) -> dict[str, object]:
    return {"image_width": 1920, "image_height": 1080, "camera_matrix": MATRIX,
            "distortion_coefficients": [NONE], "rvec": turn, "tvec": translation}  # fmt: skip


def openpose_xml(turn: list[list[float]]) -> str:
    pose = np.column_stack([turn, [0.0, 1.0, 4.0]])

    def node(name: str, array: np.ndarray) -> str:
        data = "\n ".join(" ".join(f"{each:.17g}" for each in row) for row in array)
        return (
            f'<{name} type_id="opencv-matrix"><rows>{array.shape[0]}</rows><cols>{array.shape[1]}</cols>'
            f"<dt>d</dt><data>\n {data}</data></{name}>\n"
        )

    return (
        '<?xml version="1.0"?>\n<opencv_storage>\n'
        + node("CameraMatrix", pose) + node("Intrinsics", np.array(MATRIX)) + node("Distortion", np.zeros((8, 1)))
        + "</opencv_storage>\n"
    )  # fmt: skip


# A scale of its own: 7 to the metre. The middle of the first pixel is (0.5, 0.5) there.
COLMAP_CAMERAS = (
    "# Camera list with one line of data per camera:\n"
    "1 PINHOLE 1920 1080 1500 1500 960 540\n"
    "2 SIMPLE_RADIAL 1920 1080 1500 960 540 0\n"
)
COLMAP_IMAGES = (
    "# Image list with two lines of data per image:\n"
    f"1 {HALF} {HALF} 0 0 0 7 28 1 front.jpg\n"
    "12.5 30 -1 100 200 17 7 8 3\n"
    "2 0.5 0.5 0.5 -0.5 0 7 28 2 side.jpg\n"
    "\n"
)


def write_folder(folder: Path, **files: str) -> Path:
    """Write files whose names have two underscores for the dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


def dumped(value: object) -> str:
    return json.dumps(value)
