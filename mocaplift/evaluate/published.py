"""What papers report on AIST++ from one camera: rows to stand beside ours, on other sequences.

MVLift (arXiv 2411.18808, its main table and ablation; the rows of others are its authors' runs) scores 308 windows
of the test split, the first 120 frames of each, against SMPL joints on one mean body; AnyLift (arXiv 2604.17818)
and Mocap-2-to-3 report in the same form. T_root is as released code computes it, MPJPE after the yaw is aligned on
the first frame, PA-MPJPE with one similarity for a whole sequence.
"""

from __future__ import annotations

from typing import NamedTuple

from mocaplift.evaluate.report import Row
from mocaplift.evaluate.scores import UNITS

# What their rows are called in place of a sequence.
ELSEWHERE = "published, other sequences"


class Figures(NamedTuple):
    """One method's figures by the names of our rows, mm; None where it reports none."""

    yaw_t_root_released: float | None
    yaw_mpjpe: float
    pa_mpjpe_sequence: float


PUBLISHED = {
    "MVLift": Figures(67.6, 110.7, 79.2),
    "MVLift, stage 2": Figures(65.3, 127.4, 96.2),
    "MVLift, stage 1": Figures(73.1, 135.2, 104.4),
    "SDS in 3D": Figures(72.9, 137.3, 103.5),
    "without lines": Figures(752.3, 230.4, 186.2),
    "SMPLify": Figures(77.4, 171.6, 146.7),
    "MAS": Figures(None, 191.1, 155.6),
    "ElePose": Figures(None, 269.4, 215.1),
    "MotionBERT": Figures(101.6, 134.0, 108.6),
    "WHAM": Figures(164.3, 104.8, 75.1),
    "AnyLift": Figures(64.9, 108.0, 82.3),
    "Mocap-2-to-3": Figures(61.8, 90.9, 60.1),
}


def published(benchmark: str) -> list[Row]:
    """Return the published figures as rows of a benchmark; they count no frames of ours."""
    return [
        Row(benchmark, ELSEWHERE, 1, method, metric, value, UNITS[metric], 0)
        for method, figures in PUBLISHED.items()
        for metric, value in figures._asdict().items()
        if value is not None
    ]
