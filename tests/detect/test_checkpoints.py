"""Checkpoints of other projects are read, and cannot run code."""

from __future__ import annotations

import io
import os
import pickle  # noqa: TID251 - to make what must be refused
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from mocaplift.detect.checkpoints import Inert, RestrictedUnpickler, read_checkpoint
from mocaplift.errors import WeightsError

torch = pytest.importorskip("torch")


def weights() -> OrderedDict:
    generator = torch.Generator().manual_seed(1)
    return OrderedDict(
        {
            "head.weight": torch.randn(4, 3, generator=generator),
            "head.count": torch.tensor(7, dtype=torch.int64),
            "half": torch.randn(5, generator=generator).half(),
        }
    )


def check_read(path: Path) -> None:
    read = read_checkpoint(path)
    assert list(read) == list(weights())
    assert all(torch.equal(read[name], tensor) for name, tensor in weights().items())


@pytest.mark.parametrize("key", ["state_dict", "model", None])
@pytest.mark.parametrize("is_zip", [True, False])
def test_plain_checkpoints(tmp_path: Path, key: str | None, is_zip: bool) -> None:
    content = {key: weights(), "epoch": 3} if key else weights()
    path = tmp_path / "plain.pth"
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    check_read(path)


def test_safetensors(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(dict(weights()), tmp_path / "a.safetensors")
    read = read_checkpoint(tmp_path / "a.safetensors")
    assert torch.equal(read["head.weight"], weights()["head.weight"])


def test_the_prefix_of_many_gpus_is_dropped(tmp_path: Path) -> None:
    torch.save({"state_dict": {f"module.{k}": v for k, v in weights().items()}}, tmp_path / "a.pth")
    check_read(tmp_path / "a.pth")


@pytest.mark.parametrize("is_zip", [True, False])
def test_training_checkpoints_of_openmmlab(tmp_path: Path, is_zip: bool) -> None:
    """Message hub, history buffers and bound methods lie beside the weights: torch's own safe mode refuses."""
    logging = pytest.importorskip("mmengine.logging")
    buffer = logging.HistoryBuffer([0.5, 0.25], [1, 1])
    hub = logging.MessageHub.get_instance("test_training_checkpoint")
    hub.update_scalar("train/loss", 0.5)
    content = {
        "meta": {
            "epoch": 2,
            "dataset_meta": {"keypoint_colors": np.zeros((3, 3), np.uint8)},
            "seed": np.int64(3),
        },
        "message_hub": {"log_scalars": OrderedDict(loss=buffer), "getter": buffer.mean},
        "hub": hub.state_dict(),
        "state_dict": weights(),
    }
    path = tmp_path / "epoch_2.pth"
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    check_read(path)


class Attack:
    """Runs a command when it is unpickled by an unpickler that lets it."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


ATTACKS = {
    "os.system": lambda mark: Attack(os.system, f"touch {mark}"),
    "eval": lambda mark: Attack(eval, f"open({str(mark)!r}, 'w')"),
    "open": lambda mark: Attack(open, str(mark), "w"),
    "torch.load": lambda mark: Attack(torch.load, str(mark)),
    "torch.hub": lambda mark: Attack(torch.hub.load, "a/b", "c"),
    "import": lambda mark: Attack(__import__, "antigravity"),
    "storage": lambda mark: Attack(torch.storage._load_from_bytes, b"x"),
}


@pytest.mark.parametrize("name", list(ATTACKS))
@pytest.mark.parametrize("is_zip", [True, False])
def test_malicious_checkpoints_are_refused_and_run_nothing(tmp_path: Path, name: str, is_zip: bool) -> None:
    mark, path = tmp_path / "mark", tmp_path / "evil.pth"
    content = {"state_dict": weights(), "meta": ATTACKS[name](mark)}
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(WeightsError, match="could run code"):
        read_checkpoint(path)
    assert not mark.exists()


def opcodes(module: str, name: str, argument: str) -> bytes:
    """Return a pickle (protocol 4) that calls module.name(argument); names with dots walk through attributes."""

    def text(value: str) -> bytes:
        raw = value.encode()
        return b"\x8c" + bytes([len(raw)]) + raw

    return b"\x80\x04" + text(module) + text(name) + b"\x93" + text(argument) + b"\x85R."


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("torch", "os.system"),
        ("numpy", "os.system"),
        ("builtins", "dict.__base__.__subclasses__"),
        ("posix", "system"),
        ("torch.serialization", "load"),
        ("torch._C", "_import_ir_module_from_package"),
    ],
)
def test_names_that_reach_code_are_refused(module: str, name: str) -> None:
    with pytest.raises(pickle.UnpicklingError, match="no checkpoint needs"):
        RestrictedUnpickler(io.BytesIO(opcodes(module, name, "true"))).load()


def test_getattr_of_a_training_checkpoint_does_nothing() -> None:
    """A chain getattr(torch, 'os') is only ever an inert object."""
    loaded = RestrictedUnpickler(io.BytesIO(opcodes("builtins", "getattr", "os"))).load()
    assert isinstance(loaded, Inert)
    assert isinstance(loaded("anything", more=1), Inert)


def test_objects_of_trainers_are_inert() -> None:
    loaded = RestrictedUnpickler(io.BytesIO(opcodes("mmengine.runner", "Runner.from_cfg", "x"))).load()
    assert isinstance(loaded, Inert)


@pytest.mark.parametrize(
    "bomb",
    [
        # list(range(10**10)); and room in the memo for 2**31 objects.
        b"\x80\x02cbuiltins\nlist\n(cbuiltins\nrange\n(L10000000000L\ntRtR.",
        b"\x80\x02}r\xff\xff\xff\x7f.",
    ],
)
def test_a_checkpoint_that_would_fill_the_memory_does_not(tmp_path: Path, bomb: bytes) -> None:
    path = tmp_path / "bomb.pth"
    torch.save({"state_dict": weights()}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, bomb if name.endswith("data.pkl") else content)
    with pytest.raises(WeightsError, match=r"bomb\.pth: (damaged|holds no weights)"):
        read_checkpoint(path)


@pytest.mark.parametrize("size", [0, 10, 700])
def test_damaged_checkpoints_are_named(tmp_path: Path, size: int) -> None:
    path = tmp_path / "cut.pth"
    torch.save({"state_dict": weights()}, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(WeightsError, match=r"cut\.pth: damaged"):
        read_checkpoint(path)


def test_a_zip_of_something_else_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no weights")
    with pytest.raises(WeightsError, match="damaged"):
        read_checkpoint(path)


def test_text_and_absent_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(WeightsError, match=r"text\.pth: damaged"):
        read_checkpoint(tmp_path / "text.pth")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(WeightsError, match="damaged"):
        read_checkpoint(tmp_path / "text.safetensors")
    with pytest.raises(WeightsError, match=r"none\.pth: no such checkpoint"):
        read_checkpoint(tmp_path / "none.pth")


def test_a_checkpoint_without_weights_is_named(tmp_path: Path) -> None:
    torch.save({"optimizer": {"lr": 0.1}}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="holds no weights"):
        read_checkpoint(tmp_path / "a.pth")
