"""Configurations and checkpoints of OpenMMLab packages (mmpose, mmdet): found, named, fetched."""

from __future__ import annotations

import difflib
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from mocaplift.errors import ConfigError, MissingDependency, WeightsError

# mmpose's own metadata asks for a package that no current pip can build, so it goes in alone, after the rest.
INSTALL_MMPOSE = (
    "pip install 'mocaplift[mmpose]'",
    "pip install --no-deps mmpose==1.3.2",
)
PACKAGES = ("mmpose", "mmengine", "mmcv-lite", "mmcv", "mmdet", "torch")
# The end of a published checkpoint's name: the first 8 hexadecimal digits of its sha256, then a date.
_HASH = re.compile(r"[-_]([0-9a-f]{8})(?:_\d{8})?\.pth$")
CHUNK = 1 << 20
TIMEOUT = 30.0  # s without an answer


def versions() -> dict[str, str]:
    """Return the installed versions of mmpose and of what it stands on; missing ones are absent."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def missing() -> list[str]:
    """Return the packages that the mmpose detector needs and that are not installed."""
    modules = {"mmpose": "mmpose", "mmengine": "mmengine", "mmcv-lite": "mmcv", "torch": "torch"}
    return [package for package, module in modules.items() if importlib.util.find_spec(module) is None]


def require_mmpose() -> None:
    """Check that mmpose can be imported.

    Raises:
        MissingDependency: it cannot; the message holds the two commands that install it.
    """
    lacking = missing()
    if lacking:
        first, second = INSTALL_MMPOSE
        raise MissingDependency(
            f"the mmpose detector needs {', '.join(lacking)}, not installed here; install with\n"
            f"  {first}\n  {second}"
        )


def configs_of(package: str) -> dict[str, Path]:
    """Return the configurations that an installed package ships, by name."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return {}
    root = Path(spec.origin).parent / ".mim" / "configs"
    return {path.stem: path for path in sorted(root.rglob("*.py")) if "_base_" not in path.parts}


def find_config(package: str, config: str) -> Path:
    """Return the file of a configuration, given a path or the name of a shipped one.

    Raises:
        ConfigError: there is no such file or name; the message suggests near ones.
    """
    path = Path(config)
    if path.suffix == ".py" and path.is_file():
        return path
    known = configs_of(package)
    if path.stem in known and path.parent == Path("."):
        return known[path.stem]
    near = difflib.get_close_matches(path.stem, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"{package} ships {len(known)} of them"
    raise ConfigError(f"{config}: no such {package} configuration, neither a file nor a name; {hint}")


def weights_url(config: Path) -> str | None:
    """Return where the publisher keeps the checkpoint of a shipped configuration, if the package says so."""
    import yaml

    for index in sorted(config.parent.glob("*.yml")):
        content = yaml.safe_load(index.read_text(encoding="utf-8")) or {}
        for model in content.get("Models") or []:
            if Path(str(model.get("Config", ""))).name == config.name and model.get("Weights"):
                return str(model["Weights"])
    return None


def fetch_weights(config: Path, folder: Path | None = None) -> Path:
    """Return the published checkpoint of a shipped configuration, fetched once into the user's cache.

    Raises:
        WeightsError: the configuration names no checkpoint, there is no network, or what came is damaged.
    """
    url = weights_url(config)
    if url is None:
        raise WeightsError(
            f"{config.name} names no published checkpoint: give your own with --detector-weights FILE"
        )
    folder = folder or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mocaplift"
    path = folder / url.rsplit("/", 1)[-1]
    if path.is_file():
        return path
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            temporary = Path(file.name)
            digest = _download(url, file)
        wanted = _HASH.search(path.name)
        if wanted and not digest.startswith(wanted.group(1)):
            raise WeightsError(
                f"{url}: arrived damaged (sha256 {digest[:8]}, not {wanted.group(1)}); try again"
            )
        os.replace(temporary, path)
        temporary = None
    except (urllib.error.URLError, OSError) as error:
        raise WeightsError(
            f"cannot fetch {url} ({error}). Fetch it on a machine with a network, then give it with "
            "--detector-weights FILE"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return path


def _download(url: str, file: object) -> str:
    """Write what is at an address into a file; return its sha256."""
    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
        while chunk := answer.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)  # type: ignore[attr-defined]
    return digest.hexdigest()
