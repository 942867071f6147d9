"""A person drawn with a few shapes, which real detectors take for one: known joints, and nobody's picture."""

from __future__ import annotations

import cv2
import numpy as np

BACKGROUND = (170, 175, 165)
SKIN, SHIRT, TROUSERS, SHOES, HAIR = (224, 172, 140), (40, 70, 150), (50, 50, 60), (30, 25, 20), (60, 35, 20)
# Pixels from the middle of the head's top, for a figure 370 px tall: x to the right of the picture.
JOINTS = {
    "left_eye": (8, 33), "right_eye": (-8, 33), "left_shoulder": (42, 85), "right_shoulder": (-42, 85),
    "left_elbow": (62, 140), "right_elbow": (-62, 140), "left_wrist": (72, 195), "right_wrist": (-72, 195),
    "left_hip": (18, 190), "right_hip": (-18, 190), "left_knee": (22, 270), "right_knee": (-22, 270),
    "left_ankle": (24, 345), "right_ankle": (-24, 345),
}  # fmt: skip
HEIGHT = 370


def canvas(size: tuple[int, int] = (640, 480)) -> np.ndarray:
    """Return an empty picture, RGB."""
    return np.full((size[1], size[0], 3), BACKGROUND, dtype=np.uint8)


def draw(
    image: np.ndarray, x: float, top: float, scale: float = 1.0, shirt: tuple[int, int, int] = SHIRT
) -> np.ndarray:
    """Return the picture with a figure facing us, its head's top at (x, top)."""
    image = image.copy()

    def at(a: float, b: float) -> tuple[int, int]:
        return round(x + a * scale), round(top + b * scale)

    def limb(
        a: tuple[float, float], b: tuple[float, float], width: float, color: tuple[int, int, int]
    ) -> None:
        cv2.line(image, at(*a), at(*b), color, max(1, int(width * scale)), cv2.LINE_AA)

    def disc(a: tuple[float, float], wide: float, high: float, color: tuple[int, int, int]) -> None:
        axes = (max(1, int(wide * scale)), max(1, int(high * scale)))
        cv2.ellipse(image, at(*a), axes, 0, 0, 360, color, -1, cv2.LINE_AA)

    for side, sign in (("left", 1), ("right", -1)):
        hip, knee, ankle = (JOINTS[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
        limb(hip, knee, 28, TROUSERS)
        limb(knee, ankle, 22, TROUSERS)
        limb((sign * 24, 350), (sign * 34, 358), 16, SHOES)
    trunk = np.array([at(-42, 75), at(42, 75), at(34, 195), at(-34, 195)])
    cv2.fillPoly(image, [trunk], shirt, cv2.LINE_AA)
    for side, sign in (("left", 1), ("right", -1)):
        shoulder, elbow, wrist = (JOINTS[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
        limb(shoulder, elbow, 20, shirt)
        limb(elbow, wrist, 15, SKIN)
        disc((sign * 74, 204), 9, 9, SKIN)
    limb((0, 60), (0, 80), 20, SKIN)
    disc((0, 32), 24, 31, HAIR)
    disc((0, 38), 20, 25, SKIN)
    for sign in (1, -1):
        disc((sign * 8, 33), 3, 3, (255, 255, 255))
        disc((sign * 8, 33), 1.6, 1.6, (20, 20, 20))
        limb((sign * 5, 27), (sign * 12, 27), 2, HAIR)
    limb((0, 36), (0, 44), 3, (200, 140, 110))
    limb((-6, 52), (6, 52), 3, (170, 70, 70))
    return cv2.GaussianBlur(image, (0, 0), 0.8)


def joint_at(joint: str, x: float, top: float, scale: float = 1.0) -> np.ndarray:
    """Return where a joint of such a figure is (px)."""
    a, b = JOINTS[joint]
    return np.array([x + a * scale, top + b * scale])
