"""The report's figures as a person reads them, and the lines about the take: HTML, every word of it escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

Facts = Mapping[str, Any]

_SOURCES = {
    "given": "given",
    "metadata": "from the file",
    "prior": "assumed",
    "contacts": "from the planted feet",
    "cameras": "from the cameras",
}


def subtitle(facts: Facts) -> str:
    """Return one line about the take: its length and rate, and who of how many it shows."""
    parts = []
    if _known(facts, "duration_s"):
        parts.append(f"{facts['duration_s']:.1f} s")
    if _known(facts, "frames") and _known(facts, "fps"):
        parts.append(f"{facts['frames']} frames at {facts['fps']:.5g} fps")
    if _known(facts, "person") and (facts.get("people") or 1) > 1:
        parts.append(f"person {facts['person']} of {facts['people']}")
    return " · ".join(parts)


def as_html(facts: Facts) -> str:
    """Return the figures in groups, each with its unit, and the warnings above them."""
    out = [f'<p class="warning">{escape(str(each))}</p>' for each in facts.get("warnings") or ()]
    for heading, rows in _GROUPS.items():
        lines = [
            f"<div><dt>{escape(label)}</dt><dd>{escape(said(facts))}</dd></div>"
            for label, (key, said) in rows.items()
            if _known(facts, key)
        ]
        for name, share, error in _by_camera(facts) if heading == "Cameras" else ():
            lines.append(f"<div><dt>{escape(name)}</dt><dd>{escape(share)}{escape(error)}</dd></div>")
        if lines:
            out.append(f"<h2>{escape(heading)}</h2><dl>{''.join(lines)}</dl>")
    return "".join(out)


def _known(facts: Facts, key: str) -> bool:
    return facts.get(key) is not None


def _by_camera(facts: Facts) -> list[tuple[str, str, str]]:
    """Return of every camera its name, how often it saw the person, and how well the body fits its picture."""
    errors = facts.get("camera_reprojection_px") or {}
    return [
        (
            str(name),
            "not seen" if share is None else f"seen {100 * share:.0f} %",
            "" if errors.get(name) is None else f", off by {errors[name]:.1f} px",
        )
        for name, share in (facts.get("camera_seen_share") or {}).items()
    ]


Said = Callable[[Facts], str]


def _number(key: str, form: str, source: str = "") -> tuple[str, Said]:
    """Return the key of a figure and how it is said: with its unit, and its source if the report tells."""

    def said(facts: Facts) -> str:
        origin = _SOURCES.get(str(facts.get(source, "")), "")
        return form.format(facts[key]) + (f" ({origin})" if origin else "")

    return key, said


def _percent(key: str) -> tuple[str, Said]:
    return key, lambda facts: f"{100 * facts[key]:.0f} %"


def _name(key: str) -> tuple[str, Said]:
    return key, lambda facts: str(facts[key])


# Heading -> label -> the key in the report that must be known, and how it is said.
_GROUPS: dict[str, dict[str, tuple[str, Said]]] = {
    "How good it is": {
        "Body to keypoints, median": _number("reprojection_px", "{:.1f} px"),
        "the worst 5 %": _number("reprojection_p95_px", "above {:.1f} px"),
        "Seen": _percent("seen_share"),
        "Feet planted": _percent("contact_share"),
        "Slide of planted feet": _number("foot_slide_mm", "{:.1f} mm per frame"),
        "Feet below the floor": _number("floor_penetration_mm", "{:.1f} mm"),
        "Jitter (walking: 50 to 100)": _number("jitter_m_s3", "{:.0f} m/s³"),
        "Largest turn in a frame": _number("largest_turn_deg", "{:.0f}°"),
    },
    "What was repaired": {
        "Left and right exchanged": _number("swaps_repaired", "{:.0f} frames"),
        "Outliers": _number("outliers_repaired", "{:.0f} points"),
        "Gaps filled": _number("gaps_filled", "{:.0f} points"),
        "Gaps left": _number("gaps_left", "{:.0f} points"),
        "Jumps to a bystander": _number("identity_jumps", "{:.0f}"),
    },
    "Scale and camera": {
        "Height": _number("person_height_m", "{:.2f} m", "scale_source"),
        "Focal length": _number("focal_px", "{:.0f} px", "focal_source"),
        "Camera looks down by": _number("camera_pitch_deg", "{:.0f}°", "gravity_source"),
        "Camera moves": ("camera_is_moving", lambda facts: "yes" if facts["camera_is_moving"] else "no"),
        "Floor tilt": _number("floor_tilt_deg", "{:.1f}°"),
    },
    "Cameras": {
        "Calibration": _name("calibration_format"),
        "They agree to": _number("calibration_px", "{:.1f} px"),
        "Clock": _name("sync_source"),
    },
    "Made by": {
        "mocaplift": _name("mocaplift"),
        "Detector": _name("detector"),
        "Lifter": _name("lifter"),
    },
}
