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


def _option(default: Any, help: str, *, unit: str = "", flag: str = "", choices: tuple[str, ...] = ()) -> Any:
    """Return a field that carries its own documentation for the command line."""
    return field(default=default, metadata={"help": help, "unit": unit, "flag": flag, "choices": choices})


@dataclass(frozen=True)
class Options:
    """What a user may decide; every default suits a phone clip of one person.

    Raises:
        ConfigError: a value makes no sense; the message names the option.
    """

    detector: str = _option("mediapipe", "Which detector finds the body in each frame.")
    detector_config: str | None = _option(None, "Config file or model name for the detector (mmpose only).")
    detector_weights: str | None = _option(None, "Checkpoint for the detector (mmpose only).")
    lifter: str = _option("smplify", "How the pose is lifted from pixels to metres before the fit.")
    person: str = _option(
        "largest", "Whom to capture: largest, longest, center, first, id:N, or all (one file each)."
    )
    start: float = _option(0.0, "Where to start in the video.", unit="s")
    end: float | None = _option(None, "Where to stop in the video; without it, at its end.", unit="s")
    slow_motion: float = _option(
        1.0, "How many times slower than life the video plays; 4 for 120 fps played at 30.", flag="--slowmo"
    )
    height: float | None = _option(
        None, "Height of the person (1.78, 178cm or 5ft10); without it, a likely height is assumed.", unit="m"
    )
    focal: float | None = _option(
        None,
        "Focal length of the camera in pixels of the video; without it, metadata or a likely lens.",
        unit="px",
    )
    pitch: float | None = _option(
        None,
        "Angle of the camera to the horizontal, positive when it looks down; without it, estimated.",
        unit="deg",
    )
    longest_gap: float = _option(0.5, "Longest gap in a keypoint that is filled in.", unit="s")
    smooth: float | None = _option(
        None,
        "Smoothing: movements faster than this are taken for noise; 0 turns it off; without it, automatic.",
        unit="Hz",
    )
    foot_lock: str = _option(
        "auto", "Pin planted feet: auto where contact is sure, always, or never.", choices=FOOT_LOCKS
    )

    def __post_init__(self) -> None:
        self._check_person()
        for name in ("start", "end", "slow_motion", "height", "focal", "pitch", "longest_gap", "smooth"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise ConfigError(f"{flag_of(name)} must be a finite number, not {value}")
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
        if self.pitch is not None and abs(self.pitch) > STEEPEST_PITCH:
            raise ConfigError(f"--pitch must lie between -89 and 89 degrees, but is {self.pitch:g}")
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
