"""Frame rates as files tell them: rounded, and meant exactly."""

from __future__ import annotations

from fractions import Fraction

# The rates of film, television and capture systems, and television's 1000/1001 of a whole number (SMPTE ST 12).
WHOLE_RATES = (
    10,
    12,
    15,
    20,
    24,
    25,
    30,
    48,
    50,
    60,
    72,
    75,
    90,
    100,
    120,
    125,
    144,
    150,
    180,
    200,
    240,
    250,
    300,
)
BROADCAST_RATES = (24, 30, 48, 60, 120)
KNOWN_RATES: tuple[Fraction, ...] = (
    *(Fraction(rate) for rate in WHOLE_RATES),
    *(Fraction(rate * 1000, 1001) for rate in BROADCAST_RATES),
)
# A frame time of so few digits that a rate within it may be this far off (share) tells no rate.
COARSEST = 2e-3
# A rate this near (share) to a known one was computed from it.
SAME_RATE = 1e-6


def rate_of_frame_time(stated: str) -> Fraction | float:
    """Return the rate (1/s) of a frame time in seconds, as a file writes it: "0.0333333" is 30.

    A known rate whose frame time has these digits, rounded or cut off, is meant; else it is 1 / frame time.
    """
    time = float(stated)
    mantissa, _, exponent = stated.lower().partition("e")
    decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
    digit = min(10.0**-decimals, COARSEST * time)
    near = [rate for rate in KNOWN_RATES if abs(float(1 / rate) - time) <= digit * (1 + 1e-9)]
    return min(near, key=lambda rate: abs(float(1 / rate) - time)) if near else 1 / time


def known_rate(fps: float) -> Fraction | None:
    """Return the known rate that a float stands for, None if there is none."""
    near = min(KNOWN_RATES, key=lambda rate: abs(float(rate) - fps))
    return near if abs(float(near) / fps - 1) <= SAME_RATE else None
