"""The errors and confidences of a COCO top-down detector, drawn together.

After measurements on two AIST++ sequences (gBR_sBM d04 and gJS_sBM d03; nine cameras, 60 fps, residuals to the
published 3D): medians by confidence are those of `mocaplift.confidence`; tails, correlations in time and along
limbs, and what hides a joint are here. Toes and heels were not in them and are given the ankles' errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from mocaplift.confidence import expected_error
from mocaplift.layouts import BODY21
from mocaplift.train.data.view_geometry import Guess, Sight, course, episodes, heavy_tailed

LIMBS = {
    "left_arm": ("left_elbow", "left_wrist"), "right_arm": ("right_elbow", "right_wrist"),
    "left_leg": ("left_knee", "left_ankle", "left_big_toe", "left_heel"),
    "right_leg": ("right_knee", "right_ankle", "right_big_toe", "right_heel"),
    "trunk": ("left_shoulder", "right_shoulder", "left_hip", "right_hip"),
    "head": ("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
}  # fmt: skip
LAGS = tuple(k / 60 for k in (1, 2, 4, 8, 15, 30))  # s
ERROR_CORRELATION = (0.85, 0.76, 0.64, 0.49, 0.34, 0.20)
CONF_CORRELATION = (0.90, 0.83, 0.70, 0.51, 0.31, 0.10)  # of the logit
# Shares of noise that a limb's joints have in common: of the error, and of the confidence's logit.
CHAIN, OWN = 0.75, 0.66
CONF_CHAIN, CONF_OWN = 0.87, 0.5


@dataclass(frozen=True)
class Joint:
    """What the confidence's logit and the error of one kind of joint are made of.

    `base` is the logit in plain view, `hidden` what is lost out of sight, `spread` the sigma of its noise. `lost`
    is the share of confidence 0 that is not near the joint at all but `away` (m, sigma) from it, falling to none
    at confidence `sure`; `worse` multiplies the median error at confidence 0, falling to 1 there too.
    """

    base: float
    hidden: float
    spread: float
    lost: float
    away: float
    sure: float
    worse: float


JOINTS = {
    "nose": Joint(0.4, 0.0, 0.7, 0.25, 0.08, 0.05, 1.0),
    "eye": Joint(-1.2, 0.0, 0.7, 0.25, 0.08, 0.05, 1.0),
    "ear": Joint(-0.1, 0.0, 0.8, 0.10, 0.06, 0.05, 1.0),
    "shoulder": Joint(1.05, 1.7, 0.75, 0.0, 0.0, 0.3, 1.0),
    "elbow": Joint(0.7, 3.0, 0.95, 0.05, 0.15, 0.35, 1.0),
    "wrist": Joint(1.1, 3.2, 1.35, 0.18, 0.30, 0.40, 1.0),
    "hip": Joint(0.1, 1.2, 0.75, 0.0, 0.0, 0.3, 1.0),
    "knee": Joint(0.85, 3.2, 1.3, 0.08, 0.16, 0.35, 1.0),
    "ankle": Joint(1.15, 2.9, 1.3, 0.26, 0.22, 0.75, 1.6),
    "big_toe": Joint(0.8, 2.6, 1.15, 0.32, 0.22, 0.75, 1.8),
    "heel": Joint(0.8, 2.6, 1.15, 0.32, 0.22, 0.75, 1.8),
}
LARGEST_LOGIT = 2.3  # limbs and trunk are never surer than .9
# Logit per cosine: of the face turned to the camera for nose and eyes, of the ear's own side for ears.
FACE_GAIN, EYE_GAIN, EAR_GAIN, LARGEST_FACE_LOGIT = 5.5, 6.2, 4.0, 5.0
EAR_FORWARD = 1.5  # an ear is seen from the front rather than from behind
INVERTED = 1.3  # logit lost head down
SAMPLE_SPREAD, VIEW_SPREAD = 0.45, 0.35  # logit, for a whole window: dark clothes, a dim camera
DROPPED, DROPPED_SECONDS, DROPPED_LOGIT = 0.035, 0.5, 2.8  # a limb behind something: share of time, s, logit
# Tails: Student's t. Limbs below this confidence have the heavier.
HEAVY_BELOW, HEAVY_NU, NU = 0.35, 3.0, 6.0
LONGEST = 1.2  # m
NUM_LEVELS = 201  # of confidence, for which medians are tabulated
TOGETHER = 0.9  # share of the elbows and knees that take hand and foot with them
# How much of an elbow's or a knee's error hand and foot take over, if it is longer than this (m, none and all).
CARRIED = {"elbow": (("wrist",), 1.0), "knee": (("ankle", "big_toe", "heel"), 0.4)}
CARRIED_FROM, CARRIED_BELOW = (0.06, 0.12), 0.5  # m; the confidence of hand and foot
# How far a lost leg is drawn to the other leg's joint.
PULLED, PULLED_SHARE = (0.5, 1.0), 0.5
SWAPS = (
    (("left_knee", "right_knee", "left_ankle", "right_ankle", "left_big_toe", "right_big_toe", "left_heel",
      "right_heel"), 0.004),
    (("left_ankle", "right_ankle", "left_big_toe", "right_big_toe", "left_heel", "right_heel"), 0.005),
    (("left_elbow", "right_elbow", "left_wrist", "right_wrist"), 0.0006),
    (BODY21.joints, 0.003),
)  # fmt: skip


class TopDown:
    """Confidences and errors of a COCO top-down detector."""

    forgets_outside = True
    may_lack_feet = True

    def guess(self, rng: np.random.Generator, sight: Sight, fps: float) -> Guess:
        """Return confidences and errors of what there is to see."""
        traits = _traits()
        logit = self._logit(rng, sight, fps)
        conf = 1 / (1 + np.exp(-logit))
        level = np.minimum(
            (conf * (len(traits["median"]) - 1) + 0.5).astype(np.int32), len(traits["median"]) - 1
        )
        median = traits["median"][level, np.arange(len(BODY21))]
        nu = np.where((conf < HEAVY_BELOW) & traits["is_limb"], np.float32(HEAVY_NU), np.float32(NU))
        count, views, num_frames, _ = conf.shape
        offset = heavy_tailed(_errors(rng, (count, views, num_frames), fps), nu)
        offset *= median[..., None]
        away, pull = _lost(rng, conf)
        offset += away
        _carry(offset, conf)
        length = np.sqrt((offset * offset).sum(-1, keepdims=True))
        offset *= np.minimum(1, np.float32(LONGEST) / np.maximum(length, np.float32(1e-6)))
        return Guess(conf, offset, pull, tuple((BODY21.index(*joints), share) for joints, share in SWAPS))

    def _logit(self, rng: np.random.Generator, sight: Sight, fps: float) -> Float[np.ndarray, "N V T 21"]:
        count, views, num_frames, _ = sight.depth.shape
        traits = _traits()
        noise = _mixed(rng, (count, views, num_frames, 1), CONF_CHAIN, CONF_OWN)[..., 0]
        noise = np.matmul(course(LAGS, CONF_CORRELATION, num_frames, fps), noise) * traits["spread"]
        noise += rng.normal(0.0, SAMPLE_SPREAD, (count, 1, 1, 1)).astype(np.float32)
        noise += rng.normal(0.0, VIEW_SPREAD, (count, views, 1, 1)).astype(np.float32)
        dropped = episodes(
            rng, (count, views, 4), DROPPED, seconds=DROPPED_SECONDS, num_frames=num_frames, fps=fps
        )
        noise -= np.float32(DROPPED_LOGIT) * (dropped.swapaxes(2, 3) @ traits["limbs"])
        logit = traits["base"] - traits["hidden"] * sight.hidden
        logit -= np.float32(INVERTED) * sight.inverted[..., None]
        logit += noise
        # Limbs and trunk approach a bound: nobody is quite sure of them.
        logit = np.float32(LARGEST_LOGIT) - np.log1p(np.exp(np.float32(LARGEST_LOGIT) - logit))
        for name, gain in (("nose", FACE_GAIN), ("left_eye", EYE_GAIN), ("right_eye", EYE_GAIN)):
            logit[..., BODY21.at(name)] += np.float32(gain) * sight.head
        for side, name in ((1, "left_ear"), (-1, "right_ear")):
            turned = np.float32(EAR_GAIN * side) * sight.ear + np.float32(EAR_FORWARD) * sight.head
            logit[..., BODY21.at(name)] += turned
        return np.clip(logit, -7, LARGEST_FACE_LOGIT)


def _errors(
    rng: np.random.Generator, shape: tuple[int, int, int], fps: float
) -> Float[np.ndarray, "N V T 21 2"]:
    """Return Gaussian errors of variance 1 that last, and that the joints of a limb share in part."""
    white = _mixed(rng, (*shape, 2), CHAIN, OWN)
    flat = white.reshape(*shape, -1)
    return np.matmul(course(LAGS, ERROR_CORRELATION, shape[2], fps), flat).reshape(white.shape)


def _mixed(
    rng: np.random.Generator, shape: tuple[int, int, int, int], chain: float, own: float
) -> Float[np.ndarray, "N V T 21 C"]:
    """Return white noise of variance 1 for [N V T C], of which a limb's joints have the chain's part in common."""
    lead, channels = shape[:-1], shape[-1]
    out = rng.standard_normal((*lead, len(BODY21), channels), dtype=np.float32)
    shared = rng.standard_normal((*lead, len(LIMBS), channels), dtype=np.float32)
    out *= np.float32(own)
    shared *= np.float32(chain)
    for number, joints in enumerate(LIMBS.values()):
        for place in BODY21.index(*joints):
            out[..., place, :] += shared[..., number, :]
    return out


def _lost(
    rng: np.random.Generator, conf: Float[np.ndarray, "N V T 21"]
) -> tuple[Float[np.ndarray, "N V T 21 2"], Float[np.ndarray, "N V T 21"]]:
    """Return the offsets (m) of joints that are not near their place, and how far they are at their partner's.

    A joint gets lost where its confidence falls under what was drawn for the window, and then is where
    it always is: so it comes and goes with the confidence. Hands go with elbows and feet with knees.
    """
    traits = _traits()
    shape = (*conf.shape[:2], 1, conf.shape[3])
    odds = rng.random(shape, dtype=np.float32)
    away = rng.standard_normal((*shape, 2), dtype=np.float32) * traits["away"][:, None]
    for side in ("left", "right"):
        for inner, outer in (("elbow", ("wrist",)), ("knee", ("ankle", "big_toe", "heel"))):
            parent = BODY21.at(f"{side}_{inner}")
            place = BODY21.index(*(f"{side}_{name}" for name in outer))
            together = rng.random((*shape[:3], 1), dtype=np.float32) < TOGETHER
            odds[..., place] = np.where(together, odds[..., parent, None], odds[..., place])
            away[..., place, :] += np.where(together[..., None], away[..., parent, None, :], 0)
    share = traits["lost"] * np.clip(1 - conf / traits["sure"], 0, 1)
    is_lost = odds < share
    to_partner = (rng.random(shape, dtype=np.float32) < PULLED_SHARE) & traits["is_leg"]
    pull = np.where(is_lost & to_partner, rng.uniform(*PULLED, shape).astype(np.float32), np.float32(0))
    return np.where((is_lost & ~to_partner)[..., None], away, np.float32(0)), pull


def _carry(offset: Float[np.ndarray, "N V T 21 2"], conf: Float[np.ndarray, "N V T 21"]) -> None:
    """Let unsure hands and feet go where elbows and knees went that are far off, in place."""
    for side in ("left", "right"):
        for inner, (outer, share) in CARRIED.items():
            wrong = offset[..., BODY21.at(f"{side}_{inner}"), :]
            length = np.sqrt((wrong * wrong).sum(-1, keepdims=True))
            low, high = CARRIED_FROM
            taken = wrong * (np.float32(share) * np.clip((length - low) / np.float32(high - low), 0, 1))
            for name in outer:
                place = BODY21.at(f"{side}_{name}")
                unsure = np.clip(1 - conf[..., place] / np.float32(CARRIED_BELOW), 0, 1)
                offset[..., place, :] += unsure[..., None] * taken


@lru_cache(maxsize=1)
def _traits() -> dict[str, np.ndarray]:
    """Return what `JOINTS` tells, one number for each joint of body21, and medians by confidence [C 21]."""
    kinds = [JOINTS[name.removeprefix("left_").removeprefix("right_")] for name in BODY21.joints]
    names = ("base", "hidden", "spread", "lost", "away", "sure", "worse")
    traits = {name: np.array([getattr(kind, name) for kind in kinds], dtype=np.float32) for name in names}
    levels = np.linspace(0, 1, NUM_LEVELS)[:, None]
    worse = 1 + (traits["worse"] - 1) * np.clip(1 - levels / traits["sure"], 0, 1)
    traits["median"] = (expected_error(np.tile(levels, len(BODY21)), BODY21) * worse).astype(np.float32)
    limbs = [LIMBS[limb] for limb in ("left_arm", "right_arm", "left_leg", "right_leg")]
    traits["limbs"] = np.array([[name in limb for name in BODY21.joints] for limb in limbs], dtype=np.float32)
    is_limb, is_leg = np.any(traits["limbs"], axis=0), np.any(traits["limbs"][2:], axis=0)
    return traits | {"is_limb": np.asarray(is_limb), "is_leg": np.asarray(is_leg)}
