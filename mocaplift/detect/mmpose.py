"""Any top-down network of mmpose, with any checkpoint, read into body21.

mmpose reads one body inside a box. Where boxes come from is said in `facts["boxes"]`: mmdet's person detector
where it is installed, otherwise the finder network of mediapipe for people who come in, and for people who are
known the box around their last points.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from mocaplift.detect import openmmlab, stand_ins
from mocaplift.detect.boxes import Boxes, load_boxes
from mocaplift.detect.checkpoints import read_checkpoint
from mocaplift.detect.people import Person
from mocaplift.errors import ConfigError, MissingDependency, WeightsError
from mocaplift.layouts import BODY21
from mocaplift.weights import sha256

# RTMPose with feet (Halpe's 26 points): the best accuracy for its time on one core, 26 ms a person.
DEFAULT_CONFIG = "rtmpose-m_8xb512-700e_body8-halpe26-256x192"
# Points without which a network is for something else than bodies.
CORE = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
# Least confidence that a read point gets, so that it stays weak evidence instead of none.
FLOOR = 0.01

log = logging.getLogger(__name__)


class MMPoseDetector:
    """People of a picture in body21, by mmpose. Create it with `load`."""

    layout = BODY21
    name = "mmpose"
    # A box is not turned with the body.
    reads_turned = False
    frames_turned = 0

    def __init__(self, network: Any, boxes: Boxes, facts: Mapping[str, str]) -> None:
        self._network = network
        self._boxes = boxes
        self.facts = {**facts, "boxes": boxes.name}
        self._pipeline = _pipeline(network.cfg)
        self._places = _places(network.dataset_meta)

    def fresh(self) -> MMPoseDetector:
        """Return a detector with the same network that remembers nothing."""
        return MMPoseDetector(self._network, self._boxes.fresh(), self.facts)

    def __call__(self, image: UInt8[np.ndarray, "H W 3"]) -> list[Person]:
        """Return the people in an RGB picture."""
        people = [self._person(each) for each in self.read(image, self._boxes.of(image))]
        return self._boxes.remember(people)

    def read(
        self, image: UInt8[np.ndarray, "H W 3"], boxes: Sequence[Float[np.ndarray, "4"]]
    ) -> list[tuple[Float[np.ndarray, "K 2"], Float[np.ndarray, "K"]]]:
        """Return points (px) and scores of the network, in its own order, for each box."""
        if not len(boxes):
            return []
        import torch
        from mmengine.dataset import pseudo_collate

        # mmpose takes blue first, as OpenCV does.
        bgr = np.ascontiguousarray(image[:, :, ::-1])
        batch = [
            self._pipeline(
                {
                    "img": bgr,
                    "bbox": np.asarray(box, np.float32)[None],
                    "bbox_score": np.ones(1, np.float32),
                    **self._network.dataset_meta,
                }
            )
            for box in boxes
        ]
        with torch.no_grad():
            results = self._network.test_step(pseudo_collate(batch))
        return [
            (
                np.asarray(each.pred_instances.keypoints[0], float),
                np.asarray(each.pred_instances.keypoint_scores[0], float),
            )
            for each in results
        ]

    def _person(self, reading: tuple[Float[np.ndarray, "K 2"], Float[np.ndarray, "K"]]) -> Person:
        points, scores = reading
        xy, conf = np.full((len(BODY21), 2), np.nan), np.zeros(len(BODY21))
        for joint, place in self._places.items():
            if np.isfinite(points[place]).all():
                xy[BODY21.at(joint)] = points[place]
                # SimCC scores are products of two maxima and may pass 1 by rounding.
                conf[BODY21.at(joint)] = np.clip(np.nan_to_num(scores[place]), FLOOR, 1.0)
        return Person(xy, conf)


def load(
    weights: str | None = None,
    device: str = "cpu",
    *,
    config: str | None = None,
    is_flipped_too: bool = False,
) -> MMPoseDetector:
    """Return a detector around a network of mmpose.

    A configuration file is a Python program that mmpose runs: use those that you trust. A checkpoint is only
    read (see `checkpoints`).

    Args:
        weights: checkpoint file; without it, the one that mmpose names for its own configuration is fetched.
        device: as torch names it, "cpu" or "cuda:0".
        config: name of a configuration that mmpose ships, or a file; without it, `DEFAULT_CONFIG`.
        is_flipped_too: read the mirrored picture as well and average, at twice the time.

    Raises:
        MissingDependency: mmpose or a part of it is not installed.
        ConfigError: no such configuration, or it is not a top-down body network.
        WeightsError: the checkpoint is missing, damaged, unsafe, or of another network.
    """
    import_mmpose()
    path = openmmlab.find_config("mmpose", config or DEFAULT_CONFIG)
    checkpoint = Path(weights) if weights is not None else openmmlab.fetch_weights(path)
    network = build(path, is_flipped_too=is_flipped_too)
    fill(network, checkpoint)
    network.to(_checked(device)).eval()
    facts = {
        **{name: version for name, version in openmmlab.versions().items() if name != "mmdet"},
        "network": path.stem,
        "weights": str(checkpoint),
        "weights_sha256": sha256(checkpoint),
        "licence": "Apache-2.0 (mmpose); that of the checkpoint is its publisher's",
    }
    return MMPoseDetector(network, load_boxes(device), facts)


def import_mmpose() -> list[str]:
    """Return the names of the modules that mmpose was given stand-ins for, after importing it.

    Raises:
        MissingDependency: mmpose or a part of it is not installed, or cannot be imported.
    """
    openmmlab.require_mmpose()
    for package in ("mmpose", "mmengine", "mmcv"):
        # Deprecations that nobody will mend any more, and operators that only mmcv's full build has.
        warnings.filterwarnings("ignore", module=rf"{package}\.")
    replaced = stand_ins.install()
    if replaced:
        log.debug("mmpose runs with stand-ins for %s", ", ".join(replaced))
    try:
        import mmpose.apis  # noqa: F401
    except Exception as error:
        # Packages that do not fit together fail in many ways: assertions, missing attributes, binary formats.
        first, second = openmmlab.INSTALL_MMPOSE
        raise MissingDependency(
            f"mmpose is installed but cannot be imported ({_first_line(error)}); install it with\n"
            f"  {first}\n  {second}"
        ) from error
    return replaced


def build(config: Path, *, is_flipped_too: bool = False) -> Any:
    """Return the network of a configuration with random weights and `dataset_meta`, `cfg` as mmpose sets them.

    Raises:
        ConfigError: the configuration cannot be read, or is not a top-down pose estimator.
    """
    from mmengine.config import Config
    from mmengine.model.utils import revert_sync_batchnorm
    from mmengine.registry import init_default_scope
    from mmpose.apis.inference import dataset_meta_from_config
    from mmpose.models.builder import build_pose_estimator
    from mmpose.utils import register_all_modules

    try:
        cfg = Config.fromfile(config)
    except Exception as error:
        # It is a program: it can fail in any way.
        raise ConfigError(f"{config}: not a readable mmpose configuration ({_first_line(error)})") from error
    if "model" not in cfg or "Topdown" not in str(cfg.model.get("type")):
        found = cfg.model.get("type") if "model" in cfg else "no model"
        raise ConfigError(f"{config}: mocaplift reads top-down networks, but this is {found}")
    # Weights of the whole network come next: those of the backbone alone would be fetched for nothing.
    cfg.model.backbone.init_cfg = None
    cfg.model.train_cfg = None
    if "test_cfg" in cfg.model:
        cfg.model.test_cfg.flip_test = is_flipped_too
    _unscope(cfg.model)
    register_all_modules(init_default_scope=False)
    init_default_scope(cfg.get("default_scope", "mmpose"))
    try:
        network = revert_sync_batchnorm(build_pose_estimator(cfg.model))
        meta = dataset_meta_from_config(cfg, "test") or dataset_meta_from_config(cfg, "train")
    except MissingDependency:
        raise
    except Exception as error:
        # mmengine wraps what goes wrong inside, whatever it is.
        raise ConfigError(f"{config}: mmpose cannot build this network ({_first_line(error)})") from error
    if not meta:
        raise ConfigError(f"{config}: names no data set, so the meaning of its points is unknown")
    network.dataset_meta, network.cfg = meta, cfg
    _places(meta)
    return network


def fill(network: Any, checkpoint: Path) -> None:
    """Put the weights of a checkpoint into a network.

    Raises:
        WeightsError: missing, damaged or unsafe file, or weights of another network.
    """
    tensors = read_checkpoint(checkpoint)
    try:
        result = network.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise WeightsError(
            f"{checkpoint}: made for another network than the configuration's ({_first_line(error)})"
        ) from error
    # Constants of the preprocessing are the configuration's.
    lacking = [name for name in result.missing_keys if not name.startswith("data_preprocessor.")]
    if lacking:
        raise WeightsError(
            f"{checkpoint}: made for another network than the configuration's; it lacks {len(lacking)} of its "
            f"tensors, the first is {lacking[0]}"
        )
    if result.unexpected_keys:
        log.debug("%s: %d tensors are not used", checkpoint, len(result.unexpected_keys))


def _pipeline(cfg: Any) -> Any:
    from mmengine.dataset import Compose

    return Compose(cfg.test_dataloader.dataset.pipeline)


def _places(meta: Mapping[str, Any]) -> dict[str, int]:
    """Return where the network puts each joint of body21.

    Raises:
        ConfigError: it lacks shoulders or hips, so it is not for bodies.
    """
    names = {str(name): int(place) for place, name in meta["keypoint_id2name"].items()}
    lacking = [joint for joint in CORE if joint not in names]
    if lacking:
        raise ConfigError(
            f"this network is not for bodies: data set {meta.get('dataset_name')!r} has no {', '.join(lacking)}"
        )
    return {joint: names[joint] for joint in BODY21.joints if joint in names}


def _unscope(node: Any) -> None:
    """Drop mmdet's scope from a model's configuration where mmdet is absent: mmpose has the same backbone."""
    if not stand_ins.is_stand_in("mmdet"):
        return
    if isinstance(node, dict):
        if node.get("_scope_") == "mmdet":
            node.pop("_scope_")
        for child in node.values():
            _unscope(child)
    elif isinstance(node, list | tuple):
        for child in node:
            _unscope(child)


def _checked(device: str) -> str:
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {device!r} cannot be used ({_first_line(error)})") from error
    return device


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
