"""Tables about cameras: how they were calibrated, where they stand, what they see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mocaplift.calibrate.rig import Rig
from mocaplift.cameras import centre
from mocaplift.values import Camera

# Names of pictures that are left out are listed up to this many.
MOST_NAMED = 10
# Columns of text that a table may take: a rig of fifty cameras.
WIDEST = 1000


def show_rig(rig: Rig) -> None:
    """Print how well each camera was calibrated, what was left out, and what could be better."""
    console = Console(highlight=False)
    table = _table("camera", "lens error px", "pictures", "left out", "coverage", "rig error px", "placed by")
    for lens in rig.lenses:
        table.add_row(
            escape(lens.camera),
            f"{lens.error_px:.2f}",
            f"{len(lens.used)} of {lens.num_pictures}",
            f"{len(lens.rejected)}",
            f"{100 * lens.coverage:.0f} %",
            f"{rig.error_px[lens.camera]:.2f}",
            f"{rig.used[lens.camera]}",
        )
    _print(console, table)
    rejected = [("intrinsics", lens.rejected) for lens in rig.lenses if lens.rejected]
    if rig.rejected:
        rejected.append(("extrinsics", rig.rejected))
    for what, which in rejected:
        said = [f"{label} ({error:.1f} px)" for label, error in which.items()]
        more = f" and {len(said) - MOST_NAMED} more" if len(said) > MOST_NAMED else ""
        line = f"left out of {what}, they contradict the others: {', '.join(said[:MOST_NAMED])}{more}"
        console.print(escape(line), soft_wrap=True)
    for note in rig.notes:
        console.print(f"[yellow]note:[/yellow] {escape(note)}", soft_wrap=True)
    for lens in rig.lenses:
        for advice in lens.advice:
            console.print(f"[yellow]note:[/yellow] {escape(lens.camera)}: {escape(advice)}", soft_wrap=True)
    console.print(f"world: {escape(rig.up)}", soft_wrap=True)


def show_cameras(cameras: Sequence[Camera], unit: str = "m") -> None:
    """Print the lens, place and direction of each camera, and how far it is from the others."""
    console = Console(highlight=False, soft_wrap=True)
    mark = f" {unit}" if unit else ""
    lenses = _table("camera", "size px", "focal px", "view", "middle px", "distortion")
    places = _table(
        "camera", *(f"{axis}{mark}" for axis in "xyz"), "looks", *(f"to {each.name}" for each in cameras)
    )
    for place, camera in enumerate(cameras):
        k = camera.intrinsics
        lenses.add_row(
            escape(camera.name),
            f"{camera.size[0]} x {camera.size[1]}",
            f"{k[0, 0]:.1f} {k[1, 1]:.1f}",
            f"{_field_of_view(camera, 0):.0f} x {_field_of_view(camera, 1):.0f}°",
            f"{k[0, 2]:.0f} {k[1, 2]:.0f}",
            " ".join(f"{each:.3g}" for each in camera.distortion) if camera.distortion.any() else "none",
        )
        apart = [float(np.linalg.norm(centre(camera) - centre(other))) for other in cameras]
        places.add_row(
            escape(camera.name),
            *(f"{each:.3f}" for each in centre(camera)),
            _direction(camera),
            *("" if column == place else f"{each:.3f}" for column, each in enumerate(apart)),
        )
    _print(console, lenses)
    _print(console, places)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(escape(column), justify="left" if place == 0 else "right", no_wrap=True)
    return table


def _print(console: Console, table: Table) -> None:
    """Print a table as wide as it is: a number cut short is worse than a line that the terminal wraps."""
    width = console.measure(table, options=console.options.update(max_width=WIDEST)).maximum
    Console(highlight=False, width=max(width, console.width)).print(table)


def _field_of_view(camera: Camera, axis: int) -> float:
    """Return the angle (degrees) that a side of the picture spans, distortion left aside."""
    ends = np.array([-0.5, camera.size[axis] - 0.5]) - camera.intrinsics[axis, 2]
    return float(np.degrees(np.ptp(np.arctan(ends / camera.intrinsics[axis, axis]))))


def _direction(camera: Camera) -> str:
    """Return where a camera looks: the world's axis nearest to it, and how far up or down (degrees), +Y up."""
    forward = camera.cam_from_world[2, :3]
    axis = int(np.abs(forward).argmax())
    tilt = np.degrees(np.arcsin(np.clip(forward[1], -1, 1)))
    return (
        f"{'+' if forward[axis] > 0 else '-'}{'XYZ'[axis]}, {abs(tilt):.0f}° {'up' if tilt > 0 else 'down'}"
    )
