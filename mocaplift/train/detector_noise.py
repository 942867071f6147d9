"""How wrong the embedded detector is: a table fitted on renderings, where the truth is exact.

    python -m mocaplift.train.detector_noise FILE.npz --out weights/detector-noise.safetensors

The input is made by `train.data.detections`. Errors are lengths in the picture, brought to metres at the joint's
own depth, and shares of the stature. The table tells what a visibility is worth, how the detector's points
differ in meaning from ours, how often it exchanges left and right, and how long an error lasts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np
from jaxtyping import Bool, Float, Int

from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21
from mocaplift.weights import save_arrays

log = logging.getLogger(__name__)

KIND = "detector-noise"
# Joints that are wrong alike; left and right together.
GROUPS = {
    "face": ("nose", "eye", "ear"), "shoulders": ("shoulder",), "elbows": ("elbow",), "wrists": ("wrist",),
    "hips": ("hip",), "knees": ("knee",), "ankles": ("ankle",), "feet": ("heel", "big_toe"),
}  # fmt: skip
# The network is sure most of the time, so bins are narrow near 1.
VISIBILITY_EDGES = np.array(
    [0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0]
)
# A bin with fewer observations than this says nothing of its own.
FEWEST = 60
QUANTILES = np.array([0.5, 0.75, 0.9, 0.95, 0.99])
NUM_DIRECTIONS = (
    8  # from where the person is seen: 0 is the front, then the person's left, the back, the right
)
NUM_LAGS = 15  # frames
# Joints whose left and right are looked at together for an exchange.
LIMBS = {
    "torso": ("shoulder", "hip"),
    "arms": ("shoulder", "elbow", "wrist"),
    "legs": ("hip", "knee", "ankle", "heel", "big_toe"),
}
# Left and right are exchanged where the other assignment fits this much better (share of the error), told only
# where they are this far apart on average (share of the stature).
SWAP_GAIN = 0.6
SWAP_APART = 0.04

NEEDED = ("clip", "xy", "visibility", "true_xy", "true_cam", "focal", "stature", "height_px")


def fit(seen: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the table of a detector's errors.

    * `median_error`, `p90_error` [G B] metres and `median_share` [G B] of the stature, by group and bin of
      visibility (`visibility_edges` [B+1], `visibility_knots`, `count` [G B]); none rises with visibility
    * `view_error` [G A] metres: median by direction of view, for joints whose visibility tells nothing
    * `tail` [G Q]: quantiles (`QUANTILES`) of the error over its expected median
    * `bias` [21 A 2]: median offset in the picture (x right, y down) as share of the stature, by direction of view
    * `visibility` [21 A Q]: quantiles of visibility by direction of view
    * `swaps` [3 A]: share of frames with torso, arms and legs exchanged; `missed`, `frames` [A]
    * `persistence` [G L]: correlation of the error with itself 1, 2, ... frames later
    * `size_exponent`: how the share of the stature depends on the person's height in pixels

    Raises:
        InvalidData: an array is missing, or nobody was ever seen.
    """
    residual, depth, stature = _residuals(seen)
    directions = view_directions(seen["true_cam"])
    swapped = find_swaps(seen)
    is_good = np.isfinite(residual[..., 0]) & ~swapped["any"][:, None]
    if not is_good.any():
        raise InvalidData("the detector never saw anybody: there is nothing to fit")
    length = np.linalg.norm(residual, axis=-1)
    bins = range(NUM_DIRECTIONS)
    table = _errors_by_visibility(
        length * depth, length * depth / stature[:, None], seen["visibility"], is_good
    )
    expected = expected_error(table, seen["visibility"])
    table["tail"] = np.stack(
        [np.quantile((length * depth / expected)[:, js][is_good[:, js]], QUANTILES) for js in _group_joints()]
    )
    table["view_error"] = np.stack(
        [
            [_median((length * depth)[:, js][is_good[:, js] & (directions == a)[:, None]]) for a in bins]
            for js in _group_joints()
        ]
    )
    table["bias"] = _bias(residual * depth[..., None] / stature[:, None, None], is_good, directions)
    table["visibility"] = _visibilities(seen["visibility"], is_good, directions)
    table["persistence"] = _persistence(residual * depth[..., None], is_good, seen["clip"])
    found = np.isfinite(residual[:, 0, 0])
    table["frames"] = np.array([(directions == a).sum() for a in bins])
    table["missed"] = np.array([1 - _mean(found[directions == a]) for a in bins])
    table["swaps"] = np.stack(
        [[_mean(swapped[limb][(directions == a) & swapped[f"{limb}_known"]]) for a in bins] for limb in LIMBS]
    )
    table["size_exponent"] = np.array(_size_exponent(length * depth / stature[:, None], is_good, seen))
    return table


def expected_error(
    table: Mapping[str, np.ndarray], visibility: Float[np.ndarray, "*lead 21"]
) -> Float[np.ndarray, "*lead 21"]:
    """Return the median error in metres at the person's depth of body21 points with these visibilities."""
    out = np.zeros_like(visibility, dtype=float)
    for group, joints in enumerate(_group_joints()):
        for joint in joints:
            out[..., joint] = np.interp(
                visibility[..., joint], table["visibility_knots"][group], table["median_error"][group]
            )
    return out


def coverage(table: Mapping[str, np.ndarray], seen: Mapping[str, np.ndarray]) -> Float[np.ndarray, "G 2"]:
    """Return which share of errors lies below the expected median, and below twice of it, for each group.

    Of a table that fits, the first is a half.

    Raises:
        InvalidData: an array is missing.
    """
    residual, depth, _ = _residuals(seen)
    is_good = np.isfinite(residual[..., 0]) & ~find_swaps(seen)["any"][:, None]
    ratio = np.linalg.norm(residual, axis=-1) * depth / expected_error(table, seen["visibility"])
    return np.array(
        [[_mean(ratio[:, js][is_good[:, js]] < bound) for bound in (1.0, 2.0)] for js in _group_joints()]
    )


def view_directions(true_cam: Float[np.ndarray, "N 21 3"]) -> Int[np.ndarray, N]:
    """Return from where the camera sees each person, as bins: 0 from the front, 2 from the person's own left."""
    points = {name: true_cam[:, place] for place, name in enumerate(BODY21.joints)}
    across = (points["left_shoulder"] + points["left_hip"]) - (points["right_shoulder"] + points["right_hip"])
    up = (points["left_shoulder"] + points["right_shoulder"]) - (points["left_hip"] + points["right_hip"])
    ahead = np.cross(across, up)
    away = -0.25 * sum(points[f"{s}_{j}"] for s in ("left", "right") for j in ("shoulder", "hip"))
    left = np.cross(up, ahead)
    forward = (away * ahead).sum(1) / np.linalg.norm(ahead, axis=1)
    sideways = (away * left).sum(1) / np.linalg.norm(left, axis=1)
    angle = np.arctan2(sideways, forward)
    return np.round(angle / (2 * np.pi) * NUM_DIRECTIONS).astype(int) % NUM_DIRECTIONS


def find_swaps(seen: Mapping[str, np.ndarray]) -> dict[str, Bool[np.ndarray, N]]:
    """Return in which frames left and right are exchanged: for each of `LIMBS`, where that can be told, and any.

    Raises:
        InvalidData: an array is missing.
    """
    _require(seen)
    direct = np.linalg.norm(seen["xy"] - seen["true_xy"], axis=-1)
    mirror = list(BODY21.mirror)
    other = np.linalg.norm(seen["xy"][:, mirror] - seen["true_xy"], axis=-1)
    apart = np.linalg.norm(seen["true_xy"][:, mirror] - seen["true_xy"], axis=-1)
    size = seen["height_px"][seen["clip"]]
    out: dict[str, np.ndarray] = {}
    for limb, kinds in LIMBS.items():
        joints = BODY21.index(*(f"{side}_{kind}" for side in ("left", "right") for kind in kinds))
        known = (apart[:, joints].mean(1) > SWAP_APART * size) & np.isfinite(direct[:, 0])
        out[f"{limb}_known"] = known
        out[limb] = known & (other[:, joints].sum(1) < SWAP_GAIN * direct[:, joints].sum(1))
    out["any"] = np.any([out[limb] for limb in LIMBS], axis=0)
    return out


def _require(seen: Mapping[str, np.ndarray]) -> None:
    missing = [key for key in NEEDED if key not in seen]
    if missing:
        raise InvalidData(f"the detections lack {', '.join(missing)}; make them with train.data.detections")


def _residuals(seen: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return offsets in units of the focal length [N 21 2], depths [N 21] (m) and statures [N] (m)."""
    _require(seen)
    focal = seen["focal"][seen["clip"]].astype(float)
    residual = (seen["xy"].astype(float) - seen["true_xy"]) / focal[:, None, None]
    return residual, seen["true_cam"][..., 2].astype(float), seen["stature"][seen["clip"]].astype(float)


def _group_joints() -> list[list[int]]:
    return [
        [place for place, name in enumerate(BODY21.joints) if any(kind in name for kind in kinds)]
        for kinds in GROUPS.values()
    ]


def _errors_by_visibility(
    error: Float[np.ndarray, "N 21"],
    share: Float[np.ndarray, "N 21"],
    visibility: Float[np.ndarray, "N 21"],
    is_good: Bool[np.ndarray, "N 21"],
) -> dict[str, np.ndarray]:
    bins = len(VISIBILITY_EDGES) - 1
    shape = (len(GROUPS), bins)
    count = np.zeros(shape, dtype=int)
    knots = np.tile(0.5 * (VISIBILITY_EDGES[1:] + VISIBILITY_EDGES[:-1]), (len(GROUPS), 1))
    found = {"median_error": np.full(shape, np.nan), "p90_error": np.full(shape, np.nan)}
    found["median_share"] = np.full(shape, np.nan)
    for group, joints in enumerate(_group_joints()):
        good = is_good[:, joints]
        seen, length, relative = (array[:, joints][good] for array in (visibility, error, share))
        place = np.clip(np.searchsorted(VISIBILITY_EDGES, seen, side="right") - 1, 0, bins - 1)
        for k in range(bins):
            inside = place == k
            count[group, k] = inside.sum()
            if count[group, k] < FEWEST:
                continue
            knots[group, k] = seen[inside].mean()
            found["median_error"][group, k] = np.median(length[inside])
            found["p90_error"][group, k] = np.quantile(length[inside], 0.9)
            found["median_share"][group, k] = np.median(relative[inside])
        for values in found.values():
            values[group] = _falling(values[group], count[group])
    return {**found, "count": count, "visibility_edges": VISIBILITY_EDGES, "visibility_knots": knots}


def _falling(values: Float[np.ndarray, B], count: Int[np.ndarray, B]) -> Float[np.ndarray, B]:
    """Return the nearest values, weighted by count, that never rise (pool adjacent violators), gaps bridged."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) == 0:
        raise InvalidData("a group of joints was never seen often enough to tell its error")
    blocks: list[tuple[float, float, int]] = []
    for k in known:
        blocks.append((float(values[k]), float(count[k]), 1))
        while len(blocks) > 1 and blocks[-1][0] > blocks[-2][0]:
            (a, weight_a, size_a), (b, weight_b, size_b) = blocks[-2:]
            mean = (a * weight_a + b * weight_b) / (weight_a + weight_b)
            blocks[-2:] = [(mean, weight_a + weight_b, size_a + size_b)]
    fitted = np.repeat([value for value, _, _ in blocks], [size for _, _, size in blocks])
    return np.interp(np.arange(len(values)), known, fitted)


def _bias(
    offset: Float[np.ndarray, "N 21 2"], is_good: Bool[np.ndarray, "N 21"], directions: Int[np.ndarray, N]
) -> Float[np.ndarray, "21 A 2"]:
    """Return median offsets; a joint seen from one side counts as its partner seen from the other."""
    mirror = list(BODY21.mirror)
    out = np.zeros((len(BODY21), NUM_DIRECTIONS, 2))
    for joint in range(len(BODY21)):
        for a in range(NUM_DIRECTIONS):
            own = offset[(directions == a) & is_good[:, joint], joint]
            partner = offset[(directions == -a % NUM_DIRECTIONS) & is_good[:, mirror[joint]], mirror[joint]]
            both = np.concatenate([own, partner * [-1.0, 1.0]])
            if len(both) >= FEWEST:
                out[joint, a] = np.median(both, axis=0)
    return out


def _visibilities(
    visibility: Float[np.ndarray, "N 21"], is_good: Bool[np.ndarray, "N 21"], directions: Int[np.ndarray, N]
) -> Float[np.ndarray, "21 A Q"]:
    """Return quantiles (10, 25, 50, 75, 90 %) of visibility, mirror images joined as in `_bias`."""
    mirror = list(BODY21.mirror)
    levels = (0.1, 0.25, 0.5, 0.75, 0.9)
    out = np.zeros((len(BODY21), NUM_DIRECTIONS, len(levels)))
    for joint in range(len(BODY21)):
        for a in range(NUM_DIRECTIONS):
            own = visibility[(directions == a) & is_good[:, joint], joint]
            partner = visibility[
                (directions == -a % NUM_DIRECTIONS) & is_good[:, mirror[joint]], mirror[joint]
            ]
            both = np.concatenate([own, partner])
            out[joint, a] = np.quantile(both if len(both) else visibility[:, joint], levels)
    return out


def _persistence(
    offset: Float[np.ndarray, "N 21 2"], is_good: Bool[np.ndarray, "N 21"], clip: Int[np.ndarray, N]
) -> Float[np.ndarray, "G L"]:
    """Return the error's correlation with itself 1, 2, ... frames later, outliers cut to the 95th percentile."""
    out = np.zeros((len(GROUPS), NUM_LAGS))
    for group, joints in enumerate(_group_joints()):
        values = np.where(is_good[:, joints, None], offset[:, joints], np.nan)
        length = np.linalg.norm(values, axis=-1, keepdims=True)
        values = values * np.minimum(1.0, np.nanquantile(length, 0.95) / np.maximum(length, 1e-12))
        values = values - np.nanmean(values, axis=0)
        for lag in range(1, NUM_LAGS + 1):
            same = clip[lag:] == clip[:-lag]
            now, later = values[:-lag][same], values[lag:][same]
            both = np.isfinite(now) & np.isfinite(later)
            a, b = now[both], later[both]
            out[group, lag - 1] = (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())
    return out


def _size_exponent(
    share: Float[np.ndarray, "N 21"], is_good: Bool[np.ndarray, "N 21"], seen: Mapping[str, np.ndarray]
) -> float:
    """Return k of share ~ height_px^k over the clips: 0 if the error grows with the person's size in pixels."""
    clips = np.unique(seen["clip"])
    medians = [np.median(share[seen["clip"] == c][is_good[seen["clip"] == c]]) for c in clips if
               is_good[seen["clip"] == c].any()]  # fmt: skip
    heights = [seen["height_px"][c] for c in clips if is_good[seen["clip"] == c].any()]
    if len(medians) < 3 or np.ptp(heights) < 1:
        return 0.0
    return float(np.polyfit(np.log(heights), np.log(medians), 1)[0])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else 0.0


def _held_out_coverage(seen: Mapping[str, np.ndarray], folds: int = 4) -> Float[np.ndarray, "G 2"]:
    """Return the mean coverage of clips that each table was not fitted on."""
    out = []
    for fold in range(folds):
        is_test = seen["clip"] % folds == fold
        per_frame = {
            key: value for key, value in seen.items() if len(np.shape(value)) and len(value) == len(is_test)
        }
        rest = {key: value for key, value in seen.items() if key not in per_frame}
        train, test = ({key: v[mask] for key, v in per_frame.items()} | rest for mask in (~is_test, is_test))
        out.append(coverage(fit(train), test))
    return np.mean(out, axis=0)


def _log_table(table: Mapping[str, np.ndarray], held_out: Float[np.ndarray, "G 2"]) -> None:
    edges = ", ".join(f"{edge:g}" for edge in VISIBILITY_EDGES)
    log.info("median error in mm at the person's depth, by visibility (bins between %s)", edges)
    for group, name in enumerate(GROUPS):
        log.info(
            "%-9s %s | p90 of the surest %.0f | tail p95 x%.1f p99 x%.1f | lag 1: %.2f, 5: %.2f, 15: %.2f | "
            "held out below the median %.2f, below twice %.2f",
            name,
            " ".join(f"{1e3 * value:4.0f}" for value in table["median_error"][group]),
            1e3 * table["p90_error"][group, -1],
            *table["tail"][group, -2:],
            *table["persistence"][group, [0, 4, -1]],
            *held_out[group],
        )
    log.info("views from the front round by the left: frames %s", table["frames"])
    for name, errors in zip(GROUPS, table["view_error"], strict=True):
        log.info("%-9s median error by view, mm: %s", name, np.round(1e3 * errors))
    log.info("nobody seen: %s", np.round(table["missed"], 3))
    for limb, rates in zip(LIMBS, table["swaps"], strict=True):
        log.info("%s exchanged: %s", limb, np.round(rates, 3))
    log.info("share of error ~ height in pixels ^ %.2f", table["size_exponent"])


@click.command()
@click.argument("detections", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The weight file to write.")
def main(detections: Path, out: Path) -> None:
    """Fit the table of the detector's errors and write it as a weight file."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with np.load(detections, allow_pickle=False) as file:
        seen = {key: file[key] for key in file.files}
    table = fit(seen)
    held_out = _held_out_coverage(seen)
    _log_table(table, held_out)
    save_arrays(
        out,
        KIND,
        {key: value.astype(np.float32) for key, value in table.items()},
        {
            "detector": "mediapipe 0.10.14, BlazePose full, as read by mocaplift.detect",
            "groups": {name: list(kinds) for name, kinds in GROUPS.items()},
            "quantiles": QUANTILES.tolist(),
            "limbs": list(LIMBS),
            "layout": BODY21.name,
            "frames": len(seen["clip"]),
            "clips": len(seen["stature"]),
            "held_out_below_median": held_out[:, 0].round(3).tolist(),
            "licence": "Apache-2.0; fitted on renderings of CC0 bodies with motions from mocap.cs.cmu.edu",
        },
    )


if __name__ == "__main__":
    main()
