"""What an animator would find wrong with a file of motion, in plain words, with the frames.

>>> list(CHECKS)
['names', 'scale', 'up_axis', 'bone_lengths', 'rate', 'flips', 'jitter', 'floor', 'foot_slide']
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mocaplift.checks.body import find_bone_lengths, find_names, find_scale, find_up_axis
from mocaplift.checks.feet import find_floor, find_foot_slide
from mocaplift.checks.finding import NOTE, PROBLEM, Finding
from mocaplift.checks.movement import find_flips, find_jitter, find_rate
from mocaplift.checks.subject import Subject
from mocaplift.reading.recording import Recording

__all__ = ["CHECKS", "NOTE", "PROBLEM", "Finding", "check"]

# What is looked for, in the order of the report; a finding's `kind` is one of these names.
CHECKS: dict[str, Callable[[Subject], Iterator[Finding]]] = {
    "names": find_names,
    "scale": find_scale,
    "up_axis": find_up_axis,
    "bone_lengths": find_bone_lengths,
    "rate": find_rate,
    "flips": find_flips,
    "jitter": find_jitter,
    "floor": find_floor,
    "foot_slide": find_foot_slide,
}


def check(recording: Recording) -> list[Finding]:
    """Return what is wrong with a recording, problems first. Frame 0 is the file's first."""
    subject = Subject.of(recording)
    found = [finding for look in CHECKS.values() for finding in look(subject)]
    return sorted(found, key=lambda finding: finding.level != PROBLEM)
