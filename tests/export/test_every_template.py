"""What must hold for every template and preset in FBX and BVH, seen by readers that share nothing with writers.

FBX is read by ufbx, BVH by the few lines of `bvh_reader`. The expected places come from the motion itself.
"""

from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from mocaplift import kinematics, rotations
from mocaplift.export import PRESETS, TEMPLATES, ExportOptions, Rigged, export, rig
from mocaplift.export.rigged import prepared, without_rest_axes
from mocaplift.layouts import SMPL24
from mocaplift.reading import read_recording
from mocaplift.values import Layout, Skeleton, SkeletonMotion
from tests.export import bvh_reader, fbx_seen
from tests.walker import skeleton

NTSC = Fraction(30000, 1001)
# Largest distance (m) of a joint from where it was: text rounds to 1e-6 units.
NEAR = {".fbx": 1e-4, ".bvh": 1e-3}
FRAMES = 12

CASES = {name: ExportOptions(template=name) for name in TEMPLATES}
CASES |= {f"preset {name}": options for name, options in PRESETS.items()}
CASES |= {
    "floor": ExportOptions(root="floor", up="z", unit="m"),
    "all at once": ExportOptions(
        template="mixamo",
        proportions="template",
        root="floor",
        in_place=True,
        fps="24",
        rest_frame=True,
        up="z",
    ),
}
every_case = pytest.mark.parametrize("case", CASES)
both_formats = pytest.mark.parametrize("suffix", NEAR)


class Read(NamedTuple):
    """A file as its reader sees it, in metres with +Y up."""

    parents: dict[str, str | None]
    rest: dict[str, np.ndarray]
    frames: dict[str, np.ndarray]  # [T 3] by bone
    moments: np.ndarray  # s
    curves: dict[tuple[str, str], np.ndarray]  # degrees by bone and axis


def dance(frames: int = FRAMES, fps: float | Fraction = NTSC) -> SkeletonMotion:
    """Return a motion in which every joint turns far about all of its axes, without haste."""
    rng = np.random.default_rng(5)
    phase = rng.uniform(0, 2 * np.pi, (len(SMPL24), 3))
    swing = np.sin(0.12 * np.arange(frames)[:, None, None] + phase)
    turns = rotations.make_continuous(rotations.from_rotvec(1.1 * swing))
    path = np.stack([0.3 * np.arange(frames) / frames, 1 + 0.1 * swing[:, 0, 0], 0.8 * swing[:, 0, 1]], -1)
    return SkeletonMotion(skeleton(), turns, path, float(fps))


def _world(xyz, options: ExportOptions, unit: float) -> np.ndarray:
    """Return a file's points in metres with +Y up."""
    xyz = np.array(xyz) * unit
    return xyz if options.up == "y" else np.stack([xyz[..., 0], xyz[..., 2], -xyz[..., 1]], axis=-1)


def _read_fbx(path: Path, options: ExportOptions, frames: int, fps: Fraction) -> Read:
    found = fbx_seen.seen(path, [float(k / fps) for k in range(frames)])
    assert found["warnings"] == []
    names = [node["name"] for node in found["nodes"]]
    places = _world(found["frames"], options, found["unit_metres"])
    bones = [place for place, node in enumerate(found["nodes"]) if node["is_bone"]]
    rest = _world([node["world"][3] for node in found["nodes"]], options, found["unit_metres"])
    (root,) = (names[bone] for bone in bones if found["nodes"][bone]["parent"] == "")
    (path_curve,) = (
        curve for curve in found["curves"]
        if (curve["owner"], curve["property"], curve["part"]) == (root, "Lcl Translation", "Y")
    )  # fmt: skip
    return Read(
        parents={names[bone]: found["nodes"][bone]["parent"] or None for bone in bones},
        rest={names[bone]: rest[bone] for bone in bones},
        frames={names[bone]: places[:, bone] for bone in bones},
        moments=np.array(path_curve["times"]),
        curves={
            (curve["owner"], curve["part"]): np.array(curve["values"])
            for curve in found["curves"]
            if curve["property"] == "Lcl Rotation"
        },
    )


def _read_bvh(path: Path, options: ExportOptions, frames: int, fps: Fraction) -> Read:
    nodes, step, table = bvh_reader.read(path.read_text(encoding="utf-8"))
    unit = {"cm": 0.01, "m": 1.0}[options.unit]
    joints = [node for node in nodes if node["channels"]]
    places = [bvh_reader.positions(nodes, row) for row in table]
    channels = [(node["name"], channel) for node in joints for channel in node["channels"]]
    rest = bvh_reader.positions(nodes, np.zeros(len(channels)))
    return Read(
        parents={
            node["name"]: None if node["parent"] is None else nodes[node["parent"]]["name"] for node in joints
        },
        rest={node["name"]: _world(rest[node["name"]], options, unit) for node in joints},
        frames={
            node["name"]: _world([each[node["name"]] for each in places], options, unit) for node in joints
        },
        moments=step * np.arange(len(table)),
        curves={
            (name, channel[0]): table[:, column]
            for column, (name, channel) in enumerate(channels)
            if channel.endswith("rotation")
        },
    )


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Return a function that writes a case once and gives the rig with what its reader saw."""
    folder = tmp_path_factory.mktemp("every")

    @cache
    def opened(case: str, suffix: str) -> tuple[Rigged, Read]:
        options = CASES[case]
        path = folder / f"{case.replace(' ', '_')}{suffix}"
        export(dance(), path, options)
        rigged = rig(dance(), options)
        read = _read_fbx if suffix == ".fbx" else _read_bvh
        return rigged, read(path, options, len(rigged), Fraction(rigged.fps))

    return opened


@both_formats
@every_case
def test_every_joint_of_every_frame_is_where_the_motion_has_it(opened, case, suffix):
    rigged, found = opened(case, suffix)
    options = CASES[case]
    motion, _ = prepared(dance(), options)
    xyz, _ = kinematics.forward(motion.skeleton, motion.rotations, motion.root)
    checked = 0
    for name, joint in zip(rigged.names, rigged.joints, strict=True):
        if joint is not None:
            place = found.frames[name][int(options.rest_frame) :]
            assert np.abs(place - xyz[:, SMPL24.at(joint)]).max() < NEAR[suffix], (name, joint)
            checked += 1
    assert checked >= 22
    # Bones between our joints, and the rest frame: as the rig has them.
    expected, _ = rigged.world()
    for bone, name in enumerate(rigged.names):
        assert np.abs(found.frames[name] - expected[:, bone]).max() < NEAR[suffix], name


@both_formats
@every_case
def test_names_and_hierarchy_are_the_rigs(opened, case, suffix):
    rigged, found = opened(case, suffix)
    above = [None if parent < 0 else rigged.names[parent] for parent in rigged.parents]
    assert found.parents == dict(zip(rigged.names, above, strict=True))
    assert len(set(rigged.names)) == len(rigged.names)


@both_formats
@every_case
def test_the_rate_is_exact(opened, case, suffix):
    rigged, found = opened(case, suffix)
    assert rigged.fps == (NTSC if CASES[case].fps == "source" else Fraction(24))
    exact = [float(k / Fraction(rigged.fps)) for k in range(len(rigged))]
    np.testing.assert_allclose(found.moments, exact, rtol=0, atol=1e-10)


@both_formats
@every_case
def test_left_is_left_and_the_person_faces_forward_at_rest(opened, case, suffix):
    rigged, found = opened(case, suffix)
    at = {joint: found.rest[name] for name, joint in zip(rigged.names, rigged.joints, strict=True) if joint}
    sides = [joint.removeprefix("left_") for joint in at if joint.startswith("left_")]
    assert len(sides) >= 8
    for part in sides:
        assert at[f"left_{part}"][0] > 0 > at[f"right_{part}"][0], part
    assert at["left_foot"][2] > at["left_ankle"][2] and at["head"][1] > at["left_knee"][1]


@both_formats
@every_case
def test_curves_never_jump(opened, case, suffix):
    """Away from the pole an angle changes little faster than its bone turns, and nowhere by a whole turn."""
    rigged, found = opened(case, suffix)
    first = int(CASES[case].rest_frame)
    turned = rigged if suffix == ".fbx" else without_rest_axes(rigged)
    steps = np.degrees(rotations.angle_between(turned.rotations[1:], turned.rotations[:-1]))
    middle = "Y" if suffix == ".fbx" else "X"
    for bone, name in enumerate(rigged.names):
        angles = {axis: found.curves[name, axis] for axis in "XYZ"}
        if len(angles["X"]) < len(rigged):  # it never moves
            continue
        lying = np.abs(np.cos(np.radians(angles[middle])))
        away = np.minimum(lying[1:], lying[:-1]) > 0.3
        for axis, curve in angles.items():
            jumps = np.abs(np.diff(curve))
            assert jumps[first:].max() < 181, (name, axis)
            assert (jumps[first:] <= 4 * steps[first:, bone] + 1e-3)[away[first:]].all(), (name, axis)


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_bvh_to_fbx_to_bvh_turns_nothing(tmp_path, template):
    export(dance(), tmp_path / "a.bvh", ExportOptions(template=template))
    first = read_recording(tmp_path / "a.bvh", unit="cm", up="y").rigged
    export(first, tmp_path / "b.fbx")
    second = read_recording(tmp_path / "b.fbx").rigged
    export(replace(second, tips=first.tips), tmp_path / "c.bvh")
    tables = []
    for name in ("a.bvh", "c.bvh"):
        nodes, step, table = bvh_reader.read((tmp_path / name).read_text())
        tables.append(table)
        assert step == pytest.approx(float(1 / NTSC), abs=1e-12)
        assert [node["name"] for node in nodes if node["channels"]] == list(first.names)
    assert np.abs(tables[0] - tables[1]).max() < 0.01  # degrees, and cm of the path


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), NTSC])
def test_ten_minutes_stay_in_step(tmp_path, fps):
    """The last of all keys is at its moment: in FBX to a tick of its clock, in BVH to a microsecond."""
    frames = int(600 * fps) + 1
    stick = Skeleton(Layout("stick", ("base", "tip")), (-1, 0), np.array([[0, 0, 0], [0, 1.0, 0]]))
    turns = np.tile(rotations.IDENTITY, (frames, 2, 1))
    motion = SkeletonMotion(stick, turns, np.zeros((frames, 3)), float(fps))
    exact = float((frames - 1) / fps)
    export(motion, tmp_path / "long.fbx")
    found = fbx_seen.seen(tmp_path / "long.fbx", [])
    (last,) = {curve["times"][-1] for curve in found["curves"]}
    assert last == pytest.approx(exact, abs=1e-10)
    export(motion, tmp_path / "long.bvh")
    _, step, table = bvh_reader.read((tmp_path / "long.bvh").read_text())
    assert step * (len(table) - 1) == pytest.approx(exact, abs=1e-6)
    assert read_recording(tmp_path / "long.bvh", unit="m", up="y").rigged.fps == fps
    assert read_recording(tmp_path / "long.fbx").rigged.fps == fps
