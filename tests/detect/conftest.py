"""The detectors, loaded once for all tests. mmpose gets random weights: its checkpoints are their publishers'."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from mocaplift.detect import DETECTORS
from mocaplift.detect.people import Detector

SMALL = "rtmpose-t_8xb1024-700e_body8-halpe26-256x192"


def need_mmpose() -> None:
    for package in ("torch", "mmengine", "mmcv", "mmpose"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed; CONTRIBUTING tells how")


@pytest.fixture(scope="session")
def random_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint of RTMPose-t with random weights."""
    need_mmpose()
    import torch

    from mocaplift.detect import mmpose, openmmlab

    mmpose.import_mmpose()
    torch.manual_seed(0)
    network = mmpose.build(openmmlab.find_config("mmpose", SMALL))
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save({"meta": {"epoch": 1}, "state_dict": network.state_dict()}, path)
    return path


@pytest.fixture(scope="session")
def loaded() -> dict[str, Detector]:
    return {}


@pytest.fixture
def detector(request: pytest.FixtureRequest, loaded: dict[str, Detector]) -> Iterator[Detector]:
    """Give the detector named by the test's parameter, remembering nothing."""
    name = request.param
    if name not in loaded:
        options = {}
        if name == "mmpose":
            options = {"weights": str(request.getfixturevalue("random_checkpoint")), "config": SMALL}
        loaded[name] = DETECTORS[name](**options)
    yield loaded[name].fresh()
