"""What a capture found and assumed, in a few plain lines."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

Facts = Mapping[str, Any]

# A camera whose keypoints are so many times further from the body than the median camera's is pointed out: it
# was moved after calibration, or its clock differs. Below this many px it does no harm.
OUT_OF_LINE, HARMLESS = 3.0, 8.0


def describe(facts: Facts) -> list[tuple[str, str]]:
    """Return the lines about one person of one take: (subject, what is to be known of it).

    Only what the report knows is said. What was assumed is called assumed, with the flag that would set it.
    """
    lines = [
        ("video", _video(facts)),
        ("person", _person(facts)),
        ("repaired", _repairs(facts)),
        ("cameras", _cameras(facts)),
        ("clock", _clock(facts)),
        ("camera", _camera(facts)),
        ("scale", _scale(facts)),
        ("feet", _feet(facts)),
        ("fit", _fit(facts)),
    ]
    return [(subject, text) for subject, text in lines if text]


def _video(facts: Facts) -> str:
    parts = []
    if _has(facts, "duration_s", "frames", "fps"):
        parts.append(f"{facts['duration_s']:.1f} s, {facts['frames']} frames at {_rate(facts)}")
    if _has(facts, "width_px", "height_px"):
        parts.append(f"{facts['width_px']} x {facts['height_px']}")
    if facts.get("rotation_deg"):
        parts.append(f"turned by {facts['rotation_deg']:g}°")
    if facts.get("slow_motion", 1) != 1:
        parts.append(f"slow motion {facts['slow_motion']:g}x undone")
    if facts.get("is_variable_rate"):
        parts.append("variable rate put on a constant clock")
    if facts.get("complete") is False:
        parts.append("cut off: the file ends before it should")
    return ", ".join(parts)


def _rate(facts: Facts) -> str:
    exact = str(facts.get("fps_exact", ""))
    is_fraction = "/" in exact and not exact.endswith("/1")
    return f"{facts['fps']:.5g} fps" + (f" ({exact})" if is_fraction else "")


def _person(facts: Facts) -> str:
    parts = []
    if _has(facts, "person", "people"):
        count = facts["people"]
        parts.append(f"number {facts['person']} of {count}" if count > 1 else "one in the picture")
    if _has(facts, "seen_share"):
        parts.append(f"seen in {_percent(facts['seen_share'])} of the frames")
    if facts.get("identity_jumps"):
        parts.append(f"{_count(facts['identity_jumps'], 'jump')} to a bystander undone")
    return ", ".join(parts)


def _repairs(facts: Facts) -> str:
    parts = []
    if facts.get("swaps_repaired"):
        parts.append(f"left and right exchanged in {_count(facts['swaps_repaired'], 'frame')}")
    if facts.get("outliers_repaired"):
        parts.append(_count(facts["outliers_repaired"], "outlier"))
    if facts.get("gaps_filled"):
        parts.append(f"{_count(facts['gaps_filled'], 'missing point')} filled in")
    if facts.get("gaps_left"):
        parts.append(f"{_count(facts['gaps_left'], 'point')} left missing")
    if facts.get("frames_turned"):
        parts.append(f"{_count(facts['frames_turned'], 'frame')} detected on the turned picture")
    return ", ".join(parts)


def _cameras(facts: Facts) -> str:
    """Return which cameras see the person how often, and what was made of the file that describes them."""
    parts = []
    if _has(facts, "camera_seen_share"):
        shares = facts["camera_seen_share"]
        parts.append(
            f"{len(shares)}, which see "
            + ", ".join(f"{name} {_percent(each or 0.0)}" for name, each in shares.items())
        )
    if _has(facts, "calibration"):
        parts.append(
            f"from {Path(str(facts['calibration'])).name} ({facts.get('calibration_format', 'unknown')})"
        )
    reading = facts.get("calibration_reading")
    if reading not in (None, "as is"):
        parts.append(f"READ AS {reading}: that agrees with what they saw")
    if _has(facts, "calibration_px"):
        parts.append(f"{facts['calibration_px']:.1f} px apart")
    return ", ".join(parts)


def _clock(facts: Facts) -> str:
    if facts.get("sync_source") in (None, "same clock"):
        return ""
    names = list(facts.get("videos") or {})
    said = ", ".join(
        f"{name} {offset:+.3f} s"
        for name, offset in zip(names, facts.get("sync_offsets_s") or [], strict=False)
    )
    if _has(facts, "sync_error_ms"):
        said += f", to {facts['sync_error_ms']:.0f} ms"
    found = "offsets given" if facts["sync_source"] == "given" else f"offsets found by {facts['sync_source']}"
    return f"{found}: {said}" if said else found


def _camera(facts: Facts) -> str:
    parts = []
    if _has(facts, "camera_is_moving"):
        parts.append("MOVING: this is not compensated" if facts["camera_is_moving"] else "static")
    if _has(facts, "focal_px"):
        parts.append(f"focal length {facts['focal_px']:.0f} px ({_source(facts, 'focal_source', '--focal')})")
    if _has(facts, "camera_pitch_deg"):
        pitch = facts["camera_pitch_deg"]
        aim = "level" if abs(pitch) < 0.5 else f"looking {abs(pitch):.0f}° {'down' if pitch > 0 else 'up'}"
        parts.append(f"{aim} ({_source(facts, 'gravity_source', '--pitch')})")
    return ", ".join(parts)


def _scale(facts: Facts) -> str:
    if not _has(facts, "person_height_m"):
        return ""
    return f"{facts['person_height_m']:.2f} m tall ({_source(facts, 'scale_source', '--height')})"


def _feet(facts: Facts) -> str:
    parts = []
    if _has(facts, "contact_share"):
        parts.append(f"planted in {_percent(facts['contact_share'])} of the frames")
    if _has(facts, "foot_slide_mm"):
        parts.append(f"slide {facts['foot_slide_mm']:.1f} mm per frame")
    if _has(facts, "floor_tilt_deg"):
        parts.append(f"floor tilt {facts['floor_tilt_deg']:.1f}°")
    return ", ".join(parts)


def _fit(facts: Facts) -> str:
    if not _has(facts, "reprojection_px"):
        return ""
    parts = [f"{facts['reprojection_px']:.1f} px from the keypoints (median)"]
    errors = {
        name: each for name, each in (facts.get("camera_reprojection_px") or {}).items() if each is not None
    }
    usual = sorted(errors.values())[(len(errors) - 1) // 2] if errors else 0.0
    far = [
        f"{name} {each:.1f} px: moved, or on another clock?"
        for name, each in errors.items()
        if each > max(HARMLESS, OUT_OF_LINE * usual)
    ]
    if _has(facts, "calibration", "lifter"):
        parts.append(f"lifted by {facts['lifter']}")
    return ", ".join(parts + far)


def _source(facts: Facts, key: str, flag: str) -> str:
    source = str(facts.get(key, ""))
    says = {
        "given": "given",
        "metadata": "from the file",
        "contacts": "from the planted feet",
        "cameras": "from the cameras",
    }
    return says.get(source, f"assumed; {flag} sets it")


def _has(facts: Facts, *keys: str) -> bool:
    return all(facts.get(key) is not None for key in keys)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _count(number: float, thing: str) -> str:
    return f"{number:.0f} {thing}" + ("" if number == 1 else "s")
