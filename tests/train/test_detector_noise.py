"""The detector's table against errors that the test itself put in: sizes, bias, exchanges, persistence."""

import numpy as np
import pytest

from mocaplift.cameras import cam_points, intrinsics_from_fov, look_at, project
from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21
from mocaplift.train.detector_noise import (
    GROUPS,
    LIMBS,
    coverage,
    expected_error,
    find_swaps,
    fit,
    view_directions,
)
from mocaplift.values import Camera
from tests.walker import walker

SIZE = (960, 540)
FRAMES = 240
BEHIND = 4  # the bin of views from the back
MEDIAN_OF_RAYLEIGH = 1.1774  # median length of a 2D Gaussian with sigma 1


def camera_at(azimuth_deg):
    angle = np.radians(azimuth_deg)
    eye = np.array([4.5 * np.sin(angle), 1.2, 4.5 * np.cos(angle)])
    return Camera("c", intrinsics_from_fov(50, SIZE), np.zeros(5), look_at(eye, np.array([0, 0.9, 0])), SIZE)


def standing():
    """Return a person who walks on the spot, facing +Z."""
    points = walker(frames=FRAMES).keypoints.xyz.copy()
    points[..., 2] -= points[:, :1, 2]
    return points


def sigma_of(visibility):
    """The error that the test gives to a visibility, metres per axis."""
    return 0.01 + 0.06 * (1 - visibility)


def detections(seed=0, correlation=0.8, shift=(0.0, 0.0), swap_behind=0.0):
    """Return what a detector with known errors would say of one person from eight sides."""
    rng = np.random.default_rng(seed)
    points, rows = standing(), []
    for clip, azimuth in enumerate(range(0, 360, 45)):
        camera = camera_at(azimuth)
        seen, xy = cam_points(camera, points), project(camera, points)
        visibility = rng.uniform(0, 1, (FRAMES, len(BODY21))) ** 0.3
        noise = np.zeros((FRAMES, len(BODY21), 2))
        fresh = rng.normal(size=noise.shape)
        noise[0] = fresh[0]
        for frame in range(1, FRAMES):
            noise[frame] = correlation * noise[frame - 1] + np.sqrt(1 - correlation**2) * fresh[frame]
        pixels_per_metre = camera.intrinsics[0, 0] / seen[..., 2:]
        found = xy + (noise * sigma_of(visibility)[..., None] + shift) * pixels_per_metre
        if azimuth == 180:
            swapped = rng.random(FRAMES) < swap_behind
            found[swapped] = found[swapped][:, list(BODY21.mirror)]
        rows.append({"clip": np.full(FRAMES, clip), "xy": found, "visibility": visibility, "true_xy": xy,
                     "true_cam": seen})  # fmt: skip
    joined = {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}
    clips = len(rows)
    focal = camera_at(0).intrinsics[0, 0]
    return joined | {
        "focal": np.full(clips, focal),
        "stature": np.full(clips, 1.7),
        "height_px": np.full(clips, 1.7 * focal / 4.5),
    }


SEEN = detections()


def test_directions_are_bins_round_the_person_by_his_left():
    points = standing()[:1]
    found = [view_directions(cam_points(camera_at(azimuth), points))[0] for azimuth in range(0, 360, 45)]
    # A person facing +Z has his left at +X, which is azimuth 90.
    assert found == [0, 1, 2, 3, 4, 5, 6, 7]


def test_the_expected_error_is_the_one_that_was_put_in():
    table = fit(SEEN)
    visibility = np.linspace(0.3, 0.99, 8)
    found = expected_error(table, np.repeat(visibility[:, None], len(BODY21), axis=1))
    expected = MEDIAN_OF_RAYLEIGH * sigma_of(visibility)
    assert np.abs(found / expected[:, None] - 1).max() < 0.25
    assert (np.diff(table["median_error"], axis=1) <= 1e-12).all()
    assert table["median_error"].shape[0] == len(GROUPS)


def test_errors_by_view_tell_the_view_that_is_worse():
    seen = detections()
    back = seen["clip"] == BEHIND
    seen["xy"][back] += 2.0 * (seen["xy"][back] - seen["true_xy"][back])
    table = fit(seen)
    others = [a for a in range(8) if a != BEHIND]
    assert (table["view_error"][:, BEHIND] > 2 * table["view_error"][:, others].max(axis=1)).all()


def test_the_table_covers_what_it_was_not_fitted_on():
    share = coverage(fit(SEEN), detections(seed=1))
    assert np.abs(share[:, 0] - 0.5).max() < 0.05
    # P(length < 2 medians) of a 2D Gaussian: 1 - 2^-4.
    assert np.abs(share[:, 1] - 0.9375).max() < 0.04


def test_a_constant_offset_is_a_bias_and_sides_are_mirror_images():
    table = fit(detections(shift=(0.0, 0.03)))
    assert np.abs(table["bias"][..., 1] - 0.03 / 1.7).max() < 0.006
    assert np.abs(table["bias"][..., 0]).max() < 0.006
    mirror = list(BODY21.mirror)
    opposite = -np.arange(8) % 8
    reflected = table["bias"][mirror][:, opposite] * [-1.0, 1.0]
    assert np.abs(reflected - table["bias"]).max() < 1e-9


def test_exchanged_sides_are_found_where_they_happen_and_leave_the_errors_alone():
    table = fit(detections(swap_behind=0.3))
    assert np.abs(table["swaps"][0, BEHIND] - 0.3).max() < 0.07
    others = [a for a in range(8) if a != BEHIND]
    assert table["swaps"][:, others].max() < 0.05
    assert np.abs(table["median_error"] / fit(SEEN)["median_error"] - 1).max() < 0.3
    assert set(find_swaps(SEEN)) == {"any", *LIMBS, *(f"{limb}_known" for limb in LIMBS)}


def test_errors_last_as_long_as_they_were_made_to():
    table = fit(detections(correlation=0.8))
    # The error's size changes with visibility from frame to frame, so the correlation is a little below 0.8^lag.
    assert np.abs(table["persistence"][:, 0] - 0.8).max() < 0.15
    assert np.abs(table["persistence"][:, 4] - 0.8**5).max() < 0.15


def test_frames_without_a_person_are_counted_and_otherwise_left_out():
    seen = detections()
    front = np.flatnonzero(seen["clip"] == 0)[:60]
    seen["xy"][front] = np.nan
    seen["visibility"][front] = 0.0
    table = fit(seen)
    assert abs(table["missed"][0] - 60 / FRAMES) < 0.01 and table["missed"][1:].max() == 0
    assert np.isfinite(np.concatenate([value.ravel() for value in table.values()])).all()


def test_incomplete_detections_are_refused_by_name():
    seen = {key: value for key, value in SEEN.items() if key not in ("focal", "clip")}
    with pytest.raises(InvalidData, match="clip, focal"):
        fit(seen)
    nobody = dict(SEEN) | {"xy": np.full_like(SEEN["xy"], np.nan)}
    with pytest.raises(InvalidData, match="never saw anybody"):
        fit(nobody)
