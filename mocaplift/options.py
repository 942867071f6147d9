"""What a user may decide about a capture, in one frozen value.

Each option is defined here once: the command line takes its flag, help, unit and default from the field.
This module imports nothing heavy, so that `mocaplift --help` answers at once.
"""

import math
from dataclasses import dataclass, field, fields
from typing import Any

from mocaplift.errors import ConfigError

FOOT_LOCKS = ("auto", "always", "never")
PERSON_POLICIES = ("largest", "longest", "center", "first", "all")
# A person outside these heights is a typing error, not a person (metres). Shortest and tallest adults known
# stood 0.55 m and 2.72 m tall; children are smaller than the first only as infants.
HEIGHT_RANGE = (0.5, 2.8)
# Steepest camera that still sees a person standing rather than a top of a head (degrees from horizontal).
STEEPEST_PITCH = 89.0
# A pinhole has no picture at 180 degrees; action cameras in their linear mode stay below 120.
WIDEST_FOV = 170.0


def _option(
    default: Any,
    help: str,
    *,
    unit: str = "",
    flag: str = "",
    metavar: str = "",
    choices: tuple[str, ...] = (),
) -> Any:
    """Return a field that carries its own documentation for the command line."""
    about = {"help": help, "unit": unit, "flag": flag, "metavar": metavar, "choices": choices}
    return field(default=default, metadata=about)


@dataclass(frozen=True)
class Options:
    """What a user may decide; every default suits a phone clip of one person.

    Raises:
        ConfigError: a value makes no sense; the message names the option.
    """

    detector: str = _option(
        "mediapipe", "Which detector finds the body in each frame: mediapipe or mmpose.", metavar="NAME"
    )
    detector_config: str | None = _option(
        None, "Config file, or name of a model, for a detector that needs one (mmpose).", metavar="PATH"
    )
    detector_weights: str | None = _option(
        None, "Checkpoint for a detector that needs one (mmpose).", metavar="PATH"
    )
    sync: str = _option(
        "none",
        "How several cameras are brought to one clock: none (same clock), auto, motion, sound, or their offsets "
        "in seconds, as in 0,0.12,-0.3.",
        metavar="HOW",
    )
    lifter: str = _option(
        "auto",
        "How the pose is lifted to metres before the fit: smplify, direct, mvlift, mvlift-2d or landmarks for "
        "one camera, dlt, triangulate or mpl for several, or auto for what measures best.",
        metavar="NAME",
    )
    person: str = _option(
        "largest",
        "Whom to capture: largest, longest, center, first, id:N, or all (one file each).",
        metavar="WHO",
    )
    start: float = _option(0.0, "Where in the video to start; 62.5 or 1:02.5.", unit="s", metavar="TIME")
    end: float | None = _option(
        None, "Where in the video to stop; without it, at its end.", unit="s", metavar="TIME"
    )
    slow_motion: float = _option(
        1.0,
        "How many times slower than life the video plays: 4 for 120 fps that play at 30.",
        flag="--slowmo",
        metavar="N",
    )
    height: float | None = _option(
        None,
        "Height of the person, as 1.78, 178cm or 5ft10; without it, a likely height is assumed.",
        unit="m",
        metavar="HEIGHT",
    )
    focal: float | None = _option(
        None,
        "Focal length of the camera; without it, the file's metadata, else a likely lens.",
        unit="px",
        metavar="F",
    )
    fov: float | None = _option(
        None,
        "Angle that the longer side of the picture covers: another way to give the focal length.",
        unit="degrees",
        metavar="A",
    )
    pitch: float | None = _option(
        None,
        "Angle of the camera below the horizontal; without it, it is estimated.",
        unit="degrees",
        metavar="A",
    )
    longest_gap: float = _option(0.5, "Longest gap in a keypoint that is filled in.", unit="s", metavar="T")
    smooth: float | None = _option(
        None,
        "Take faster movements than this for noise; 0 turns smoothing off; without it, automatic.",
        unit="Hz",
        metavar="F",
    )
    foot_lock: str = _option(
        "auto",
        "Pin planted feet to the floor: where contact is sure, always, or never.",
        choices=FOOT_LOCKS,
    )

    def __post_init__(self) -> None:
        self._check_person()
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ConfigError(f"{flag_of(each.name)} must be a finite number, not {value}")
        for name in ("start", "longest_gap", "smooth"):
            if (getattr(self, name) or 0.0) < 0:
                raise ConfigError(f"{flag_of(name)} must not be negative, but is {getattr(self, name)}")
        for name in ("slow_motion", "focal"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"{flag_of(name)} must be above 0, but is {value}")
        if self.end is not None and self.end <= self.start:
            raise ConfigError(f"--end ({self.end} s) must come after --start ({self.start} s)")
        if self.height is not None and not HEIGHT_RANGE[0] <= self.height <= HEIGHT_RANGE[1]:
            low, high = HEIGHT_RANGE
            raise ConfigError(
                f"--height must lie between {low} and {high} m, but is {self.height:g} m; "
                f"write 178cm or 5ft10 for other units"
            )
        if self.fov is not None and not 0 < self.fov < WIDEST_FOV:
            raise ConfigError(f"--fov must lie between 0 and {WIDEST_FOV:g} degrees, but is {self.fov:g}")
        if self.fov is not None and self.focal is not None:
            raise ConfigError("--fov and --focal say the same thing twice; give one of them")
        if self.pitch is not None and abs(self.pitch) > STEEPEST_PITCH:
            raise ConfigError(
                f"--pitch must lie within {STEEPEST_PITCH:g} degrees up or down, but is {self.pitch:g}"
            )
        if self.foot_lock not in FOOT_LOCKS:
            raise ConfigError(f"--foot-lock knows {', '.join(FOOT_LOCKS)}, but not {self.foot_lock!r}")

    def _check_person(self) -> None:
        identity = self.person.removeprefix("id:")
        if self.person not in PERSON_POLICIES and not (identity != self.person and identity.isdigit()):
            raise ConfigError(
                f"--person knows {', '.join(PERSON_POLICIES)} and id:N (as in id:2), but not {self.person!r}"
            )


def flag_of(name: str) -> str:
    """Return the command line's flag for an option, as in `--foot-lock` for `foot_lock`.

    Raises:
        KeyError: there is no such option.
    """
    known = {each.name: each for each in fields(Options)}
    return known[name].metadata["flag"] or "--" + name.replace("_", "-")
