"""One verb a stage, each reading and writing the .npz of a value: debugging is looking between two of them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mocaplift.cli.flags import (
    Command,
    camera_flags,
    capture_flags,
    check_cameras,
    encoding,
    loudness_flags,
    output_flag,
    output_flags,
    usual_format,
)
from mocaplift.options import Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mocaplift.cli.screen import Screen
    from mocaplift.export import Exportable, ExportOptions
    from mocaplift.values import Clip, Keypoints2D, Motion3D, SkeletonMotion
    from mocaplift.views.together import Scene


def _layout(text: str) -> Callable[[Command], Command]:
    return click.option(
        "--layout", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.toml", help=text
    )


_overwrite = click.option("--overwrite", is_flag=True, help="Replace files that are there already.")


@click.command()
@click.argument("videos", nargs=-1, required=True, metavar="VIDEO...")
@output_flag
@_overwrite
@capture_flags("detector", "detector_config", "detector_weights", "person", "start", "end", "slow_motion")
@loudness_flags
def detect(videos: tuple[str, ...], output: str | None, overwrite: bool, **flags: Any) -> None:
    """Find people in videos and write their keypoints, one file each.

    Each VIDEO makes VIDEO.keypoints.npz: the clip and the keypoints as the detector saw them, not repaired.
    """
    screen, options = _begin(flags)
    from mocaplift import jobs, takes, video
    from mocaplift.deliver import load_detector_of
    from mocaplift.detect import detect as look
    from mocaplift.detect.track import choose
    from mocaplift.views.people import Person
    from mocaplift.views.seen import seen_part

    clips = takes.find_clips(videos)
    detector = load_detector_of(options)
    for path in clips:
        clip = video.probe(path, start=options.start, end=options.end, slow_motion=options.slow_motion)
        screen.open(str(path))
        try:
            sighting = look(
                clip, detector, progress=lambda done, total: screen.progress("detect", done, total)
            )
        finally:
            screen.close()
        for track in choose(sighting.tracks, options.person):
            mark = f"_p{track.id}" if options.person == "all" else ""
            target = jobs.stage_file(path, output, ".keypoints.npz", is_only=len(clips) == 1, mark=mark)
            (part,), (view,), _ = seen_part([sighting.clip], Person(track.id, (track.keypoints,)))
            _write((part, view), _free(target, overwrite))


@click.command()
@click.argument("keypoints", nargs=-1, required=True, metavar="KEYPOINTS.npz...")
@output_flag
@_overwrite
@camera_flags
@capture_flags("lifter", "focal", "fov", "pitch", "longest_gap")
@click.option(
    "--network",
    metavar="FILE",
    help="Lift with a network that `train mvlift` made, of people or any other figure, from one camera.",
)
@_layout("With --network: refuse a network of another figure.")
@loudness_flags
def lift(
    keypoints: tuple[str, ...],
    calib: Path | None,
    network: str | None,
    layout: Path | None,
    output: str | None,
    overwrite: bool,
    **flags: Any,
) -> None:
    """Lift keypoints to points in metres, in the world of assumed or calibrated cameras.

    KEYPOINTS.npz is what `detect` wrote, with --calib one file for each camera of a take. Several lifters
    apply with `auto`: the first of them is written.
    """
    _, options = _begin(flags)
    check_cameras(options, calib)
    _check_network(network, layout, calib)
    from mocaplift import jobs, pipeline
    from mocaplift.lift import load_lifter

    for source, files in jobs.stage_sources(keypoints, calib):
        is_only = calib is not None or len(keypoints) == 1
        target = jobs.stage_file(source, output, ".lifted.npz", is_only=is_only, inputs=files)
        target = _free(target, overwrite)
        if network is not None:
            _write(_figure_in(source, network, layout, options), target)
            continue
        scene = _scene(files, calib, options)
        views, _ = pipeline.repair(scene.people[0].views, options.longest_gap)
        name = pipeline.lifters_for(options.lifter, views)[0]
        _write(load_lifter(name)(views, scene.cameras), target)


@click.command()
@click.argument("keypoints", nargs=-1, required=True, metavar="KEYPOINTS.npz...")
@output_flag
@_overwrite
@camera_flags
@capture_flags("lifter", "focal", "fov", "pitch", "height", "longest_gap", "smooth", "foot_lock")
@loudness_flags
def fit(
    keypoints: tuple[str, ...], calib: Path | None, output: str | None, overwrite: bool, **flags: Any
) -> None:
    """Solve the motion of a skeleton from keypoints: everything that comes after the detector.

    KEYPOINTS.npz is what `detect` wrote, with --calib one file for each camera of a take; the capture it
    becomes is what `export` reads.
    """
    screen, options = _begin(flags)
    check_cameras(options, calib)
    from mocaplift import jobs, pipeline

    for source, files in jobs.stage_sources(keypoints, calib):
        is_only = calib is not None or len(keypoints) == 1
        target = jobs.stage_file(source, output, ".motion.npz", is_only=is_only, inputs=files)
        target = _free(target, overwrite)
        scene = _scene(files, calib, options)
        screen.open(", ".join(map(str, files)))
        try:
            made = pipeline.reconstruct(
                scene.clips,
                scene.people[0].views,
                scene.cameras,
                options,
                screen.progress,
                scene.facts,
                gravity="given" if scene.is_level else None,
            )
        finally:
            screen.close()
        _write(made, target)


def _scene(files: "Sequence[Path]", calib: Path | None, options: Options) -> "Scene":
    """Return what files of keypoints show together: one person, with the cameras that saw them.

    Raises:
        InvalidData: a file holds something else than keypoints.
        CalibrationError: the cameras cannot be read, or are not those of these clips.
    """
    from dataclasses import replace

    import numpy as np

    from mocaplift.calibrate import read_calibration
    from mocaplift.detect import Sighting
    from mocaplift.detect.people import box_of
    from mocaplift.detect.track import Track, choose
    from mocaplift.views.seen import seen_part
    from mocaplift.views.together import paired, together

    seen = [_seen(path) for path in files]
    rig = paired(None if calib is None else read_calibration(calib), [clip for clip, _ in seen])
    boxes = [
        np.array([box_of(xy, conf) for xy, conf in zip(view.xy, view.conf, strict=True)]) for _, view in seen
    ]
    sightings = [
        Sighting(clip, (Track(1, view, box),), None, {"complete": True})
        for (clip, view), box in zip(seen, boxes, strict=True)
    ]
    scene = together(sightings, rig, options)
    (person,) = choose(scene.people, "largest")
    clips, views, share = seen_part(scene.clips, person)
    return replace(scene, clips=clips, people=[replace(person, views=views)], facts=scene.facts | share)


def _check_network(network: str | None, layout: Path | None, calib: Path | None) -> None:
    if calib is not None and network is not None:
        raise click.UsageError("--network lifts from one camera; give no --calib")
    if layout is not None and network is None:
        raise click.UsageError("--layout needs --network, the weight file that was trained for it")


def _figure_in(path: Path, weights: str, layout: Path | None, options: Options) -> "Motion3D":
    """Return the motion of a network's figure in a clip.

    Raises:
        InvalidData: the file holds something else, or too little.
        WeightsError: there is no such network.
        ConfigError: the network is for another figure than the layout file describes.
    """
    from mocaplift.figure_motion import check_layout, lift_figure
    from mocaplift.lift.mvlift.figure_clip import read_clip
    from mocaplift.lift.mvlift.figure_file import read_figure
    from mocaplift.lift.mvlift.lifter import load_network

    network = load_network(weights)
    if layout is not None:
        check_layout(read_figure(layout), network.figure, str(layout), weights)
    return lift_figure(read_clip(path, network.figure, options), network)


def _begin(flags: dict[str, Any]) -> "tuple[Screen, Options]":
    """Return the screen that the loudness flags ask for, and the options that the others make."""
    from mocaplift.cli.screen import Screen, start_logging

    is_quiet, is_verbose, is_debug = (flags.pop(name) for name in ("quiet", "verbose", "debug"))
    options = Options(**flags)
    screen = Screen(is_quiet=is_quiet, is_verbose=is_verbose, is_debug=is_debug)
    start_logging(screen)
    return screen, options


def _seen(path: Path) -> "tuple[Clip, Keypoints2D]":
    """Return the clip and the keypoints that `detect` wrote.

    Raises:
        InvalidData: the file holds something else, or the two do not fit together.
    """
    from math import isclose

    from mocaplift.errors import InvalidData
    from mocaplift.store import load
    from mocaplift.values import Clip, Keypoints2D

    value = load(path)
    if isinstance(value, tuple) and [type(each) for each in value] == [Clip, Keypoints2D]:
        clip, view = value
        if (len(view.xy), view.size) != (clip.frames, clip.size) or not isclose(view.fps, clip.fps):
            raise InvalidData(
                f"{path}: keypoints of {len(view.xy)} frames of {view.size} px at {view.fps:g} fps are no part of "
                f"a clip of {clip.frames} frames of {clip.size} px at {float(clip.fps):g} fps"
            )
        return clip, view
    kind = "several values" if isinstance(value, tuple) else type(value).__name__
    raise InvalidData(f"{path}: holds {kind}, but keypoints are needed; make them with `mocaplift detect`")


def _motion_in(path: Path, layout: Path | None) -> "Exportable":
    """Return the motion in a file, or the capture that holds it; with a layout, points on that figure's bones.

    Raises:
        InvalidData: the file holds something else.
        ConfigError: the layout file describes no figure.
    """
    from mocaplift.errors import InvalidData
    from mocaplift.store import load
    from mocaplift.values import Capture, Motion3D, SkeletonMotion

    value = load(path)
    if layout is not None and isinstance(value, Motion3D):
        from mocaplift.figure_motion import rigged
        from mocaplift.lift.mvlift.figure_file import read_figure

        return rigged(value, read_figure(layout))
    if not isinstance(value, Capture | SkeletonMotion):
        kind = "several values" if isinstance(value, tuple) else type(value).__name__
        advice = "give --layout" if isinstance(value, Motion3D) else "run `mocaplift fit` on keypoints"
        raise InvalidData(f"{path}: holds {kind}, but a motion is needed; {advice}")
    return value


def _check_mesh(mesh: Path | None, smpl_model: Path | None, num_motions: int) -> None:
    if mesh is not None and (smpl_model is None or num_motions > 1):
        raise click.UsageError("--smpl-mesh needs --smpl-model and one motion")


def _fitted(
    value: "Exportable",
    model_file: Path,
    chosen: "ExportOptions",
    mesh: Path | None,
    mesh_frame: int,
) -> "tuple[SkeletonMotion, ExportOptions]":
    """Return the motion fitted to the user's SMPL model and how to write it; write a mesh if one is wanted."""
    from dataclasses import replace

    from mocaplift.export import motion_of
    from mocaplift.fit.smpl import fit_smpl, vertices_of, write_mesh
    from mocaplift.fit.smpl_model import load_smpl_model

    model = load_smpl_model(model_file)
    fitted = fit_smpl(motion_of(value), model)
    click.echo(f"fitted {model_file.name}: its joints are {1000 * fitted.error:.1f} mm from ours on average")
    if mesh is not None:
        write_mesh(mesh, vertices_of(fitted, model, mesh_frame), model.faces)
        click.echo(f"wrote {mesh}")
    x, y, z = fitted.pelvis.tolist()
    # Publishers name their files by gender; SMPL's readers choose the model by it.
    gender = next((each for each in ("female", "male") if each in model_file.stem.lower()), "neutral")
    betas = tuple(fitted.betas.tolist())
    return fitted.motion, replace(chosen, gender=gender, betas=betas, pelvis=(x, y, z))


def _free(path: Path, overwrite: bool) -> Path:
    """Return the path if it may be written.

    Raises:
        OutputError: there is a file already.
    """
    from mocaplift.errors import OutputError

    if path.exists() and not overwrite:
        raise OutputError(f"{path} is there already; give --overwrite to replace it, or another -o")
    return path


def _write(value: Any, path: Path) -> None:
    from mocaplift.store import save

    save(value, path)
    click.echo(f"wrote {path}")


@click.command()
@click.argument("motions", nargs=-1, required=True, metavar="MOTION.npz...")
@output_flags
@_layout("What MOTION.npz of `lift --network` shows, a figure that is no person: it is put on its bones.")
@click.option(
    "--smpl-model",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Your own SMPL model file: shape and pose are fitted to it, and what is written is the fitted motion.",
)
@click.option(
    "--smpl-mesh",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --smpl-model, also write the body of one frame as a mesh: .glb, .obj or .ply.",
)
@click.option(
    "--smpl-mesh-frame",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Which frame the mesh shows, from 0.  [default 0]",
)
def export(
    motions: tuple[str, ...],
    output: str | None,
    formats: tuple[str, ...],
    overwrite: bool,
    layout: Path | None,
    smpl_model: Path | None,
    smpl_mesh: Path | None,
    smpl_mesh_frame: int,
    **flags: Any,
) -> None:
    """Write saved captures or skeleton motions in other formats.

    MOTION.npz is what `capture --format npz` or `fit` wrote.
    """
    _check_mesh(smpl_mesh, smpl_model, len(motions))
    from mocaplift import jobs, takes
    from mocaplift.export import EXPORTERS
    from mocaplift.export import export as write

    usual = usual_format(flags)
    chosen = encoding(flags)
    sources = [takes.single(Path(each)) for each in motions]
    for job in jobs.plan(sources, output, formats, EXPORTERS, usual=usual):
        (source,) = job.take.clips
        value, written = _motion_in(source, layout), chosen
        if smpl_model is not None:
            target = smpl_mesh and _free(smpl_mesh, overwrite)
            value, written = _fitted(value, smpl_model, chosen, target, smpl_mesh_frame)
        for path in job.results(1).values():
            write(value, _free(path, overwrite), written, inputs=[source])
            click.echo(f"wrote {path}")
