"""Tables of several views: errors pooled over scenes, by joint, by angle between the views, against a reference.

Every figure is of all points of all scenes of its group together, so a long take counts for more than a short
one. Rows of a scene's name come first, then "all".

* `absolute_*`: mean, median and 95th percentile of all joints; `limbs_*` of `LIMBS` alone, the joints that COCO
  and Human3.6M define alike (KP* of the MPL paper, Fig. 4).
* `absolute_<joints>`: the mean of one kind of joint, left and right together.
* `..._at_<degrees>`: the scenes whose `several.view_angle` is nearest to that multiple of 45 degrees.
* `negative_view_*`: the negative-view rate. The literature of MPL counts how often an added view does harm: the
  share of points (`joints`) that the lifter finds worse with all views of a scene than with one of them taken
  away, and the share of frames whose mean over the joints is worse. Which view is taken away changes from scene
  to scene. Needs three views.
* `worse_than_triangulate`, `better_than_triangulate`: the share of points that are worse, or better, by more than
  `CLEARLY` than that lifter's in the same scene. `worse_bins`: the angles whose mean is above that lifter's.
* `missing`: the share of points that the lifter did not give. They are in all errors, charged (see `several`).
* `within_sigma`, `within_2_sigma`: the share of points whose error is below once or twice the sigma that the
  lifter itself gave. Were sigma that of each axis of a Gaussian, it would be 20 and 74 %; were it the root mean
  square of the distance, 61 and 99 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float

from mocaplift.evaluate.metrics import spread
from mocaplift.evaluate.report import ALL, Row
from mocaplift.evaluate.several import Scored

LIMBS = ("shoulder", "elbow", "wrist", "knee", "ankle")
# The lifter that no other may do worse than.
GATE = "triangulate"
# mm: smaller differences are no difference.
CLEARLY = 2.0
# degrees between the bins of view angles: AIST's cameras stand so far apart.
ANGLE_STEP = 45.0

_SPREAD = ("absolute_mpjpe", "absolute_median", "absolute_p95")


def table(results: Sequence[Scored], benchmark: str) -> list[Row]:
    """Return the rows of scored scenes: one group for each scene name, view count and lifter, then "all"."""
    made: list[Row] = []
    names = list(dict.fromkeys(each.name for each in results))
    for views in dict.fromkeys(each.views for each in results):
        for name in [*names, ALL] if names != [ALL] else names:
            group = [each for each in results if each.views == views and name in (ALL, each.name)]
            for lifter in dict.fromkeys(each.lifter for each in group):
                made += _of_lifter(group, lifter, Row(benchmark, name, views, lifter, "", 0.0, "", 0))
    return made


def kinds_of(joints: Iterable[str]) -> dict[str, list[int]]:
    """Return the positions of each kind of joint, sides together: "wrist" for left and right wrist."""
    kinds: dict[str, list[int]] = {}
    for position, joint in enumerate(joints):
        kinds.setdefault(joint.removeprefix("left_").removeprefix("right_"), []).append(position)
    return kinds


def angle_bin(angle: float) -> int:
    """Return the multiple of `ANGLE_STEP` nearest to an angle, degrees."""
    return round(ANGLE_STEP * np.floor(angle / ANGLE_STEP + 0.5))


def _of_lifter(group: Sequence[Scored], lifter: str, row: Row) -> list[Row]:
    """Return the rows of one lifter among scenes that all lifters met; `row` tells what they share."""
    mine = [each for each in group if each.lifter == lifter]
    gate = [each for each in group if each.lifter == GATE]
    if lifter == GATE or len(gate) != len(mine):
        gate = []
    row = row._replace(frames=sum(len(each.errors) for each in mine))
    kinds = kinds_of(mine[0].layout.joints)
    limbs = [position for kind in LIMBS for position in kinds.get(kind, [])]
    figures = _spread("absolute", _pool(each.errors for each in mine))
    figures |= _spread("limbs", _pool(each.errors[:, limbs] for each in mine))
    shares = {"missing": _share(_pool(each.is_missing[np.isfinite(each.errors)] for each in mine) > 0)}
    shares |= _against(mine, gate) | _negative(mine) | _calibration(mine)
    for kind, positions in kinds.items():
        figures[f"absolute_{kind}"] = _mean(_pool(each.errors[:, positions] for each in mine))
    made = [row._replace(metric=name, value=value, unit="mm") for name, value in figures.items()]
    made += [row._replace(metric=name, value=100 * value, unit="%") for name, value in shares.items()]
    return made + _by_angle(mine, gate, row)


def _by_angle(mine: Sequence[Scored], gate: Sequence[Scored], row: Row) -> list[Row]:
    """Return the rows of each bin of view angles, and how many bins are worse than the gate's."""
    made, worse = [], 0
    for degrees in sorted({angle_bin(each.angle) for each in mine}):
        part = [each for each in mine if angle_bin(each.angle) == degrees]
        errors = _pool(each.errors for each in part)
        here = row._replace(unit="mm", frames=sum(len(each.errors) for each in part))
        for name, value in _spread("absolute", errors).items():
            made.append(here._replace(metric=f"{name}_at_{degrees}", value=value))
        rival = [each for each in gate if angle_bin(each.angle) == degrees]
        worse += bool(rival) and _mean(errors) > _mean(_pool(each.errors for each in rival))
    if gate:
        made.append(row._replace(metric="worse_bins", value=float(worse), unit="count"))
    return made


def _against(mine: Sequence[Scored], gate: Sequence[Scored]) -> dict[str, float]:
    if not gate:
        return {}
    change = _pool(a.errors - b.errors for a, b in zip(mine, gate, strict=True))
    return {f"worse_than_{GATE}": _share(change > CLEARLY), f"better_than_{GATE}": _share(change < -CLEARLY)}


def _negative(mine: Sequence[Scored]) -> dict[str, float]:
    pairs = [(each.errors, each.fewer) for each in mine if each.fewer is not None]
    if not pairs:
        return {}
    joints = _pool(more - fewer for more, fewer in pairs)
    frames = [(more - fewer)[np.isfinite(more).any(1)] for more, fewer in pairs]
    return {
        "negative_view_joints": _share(joints > 0),
        "negative_view_frames": _share(_pool(np.nanmean(change, axis=1) for change in frames) > 0),
    }


def _calibration(mine: Sequence[Scored]) -> dict[str, float]:
    ratios = _pool(each.in_sigma for each in mine)
    if not ratios.size:
        return {}
    return {"within_sigma": _share(ratios < 1), "within_2_sigma": _share(ratios < 2)}


def _spread(prefix: str, errors: Float[np.ndarray, "N"]) -> dict[str, float]:
    found = spread(errors)
    return {name.replace("absolute", prefix): found[name] for name in _SPREAD}


def _pool(arrays: Iterable[np.ndarray]) -> Float[np.ndarray, "N"]:
    """Return all numbers of the arrays in one row, NaN (no truth) left out."""
    together = np.concatenate([np.ravel(array).astype(float) for array in arrays])
    return together[np.isfinite(together)]


def _mean(errors: Float[np.ndarray, "N"]) -> float:
    return float(errors.mean()) if errors.size else float("nan")


def _share(flags: np.ndarray) -> float:
    return float(flags.mean()) if flags.size else float("nan")
