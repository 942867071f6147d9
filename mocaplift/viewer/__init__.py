"""One page that shows a take: the motion on a floor beside its video, in any browser, without a network.

`write` makes it from one person's capture. README.md here tells how the parts of the page fit together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mocaplift.errors import OutputError
from mocaplift.files import write_whole
from mocaplift.values import Capture
from mocaplift.viewer import figures, footage, page, scene

__all__ = ["write"]


def write(
    capture: Capture,
    path: Path | str,
    *,
    title: str,
    facts: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the page of one person, whole or not at all.

    It shows the motion as it was captured, in its own world and at its own rate: rig, rate and root of exported
    files do not matter. Every camera's video is in the page, small (`footage.LARGEST`), turned as displayed and
    cut to the take; the body is that of `--mesh`.

    Args:
        capture: one person.
        path: the file to write; it appears when it is whole.
        title: what the page calls the take.
        facts: the report; without it, the capture's own part of it.
        progress: called with the pictures done and the pictures in all.

    Raises:
        VideoError: a clip cannot be read any more.
        OutputError: the page cannot be written, or would replace a video.
        InvalidData: the motion has no frames.
        WeightsError: the file of the body's surface is missing or damaged.
    """
    path = Path(path)
    if any(path.exists() and clip.path.exists() and path.samefile(clip.path) for clip in capture.clips):
        raise OutputError(f"the page would replace the video {path}; choose another name for it")
    told = capture.report if facts is None else facts
    shown = scene.describe(capture)
    films = footage.films(capture, progress)
    text = page.assemble(
        title=title,
        subtitle=figures.subtitle(told),
        figures=figures.as_html(told),
        data=shown | {"films": [film is not None for film in films]},
        films=films,
    )
    # A name that is no valid text is shown by its bytes, as in the report.
    write_whole(path, text.encode("utf-8", "backslashreplace"))
