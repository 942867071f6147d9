"""Which clips a call means, and where the results of each go. No video is opened here."""

import difflib
import glob
import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mocaplift.errors import ConfigError, UnsupportedFormat

# Containers that cameras, phones and editors write. Only used to look into folders: a file that is named is
# opened whatever its suffix.
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"}
    | {".mts", ".m2ts", ".wmv", ".flv", ".3gp", ".ogv", ".mxf"}
)
# What the stages add to a name before `.npz`.
_STAGES = frozenset({".keypoints", ".lifted", ".motion"})
REPORT_SUFFIX = ".report.json"
OVERLAY_SUFFIX = ".mp4"


@dataclass(frozen=True)
class Job:
    """One clip and where its results go.

    Every result is named `stem` + suffix, or `stem_p3` + suffix where several people are captured and this is
    number 3. `overlay` is the stem of the overlay video, None for none.
    """

    clip: Path
    stem: Path
    suffixes: tuple[str, ...]
    overlay: Path | None = None
    is_per_person: bool = False

    def results(self, person: int) -> dict[str, Path]:
        """Return the files to write for a person: export suffix, or "overlay", to path."""
        mark = f"_p{person}" if self.is_per_person else ""
        files = {suffix: appended(self.stem, mark + suffix) for suffix in self.suffixes}
        if self.overlay is not None:
            files["overlay"] = appended(self.overlay, mark + OVERLAY_SUFFIX)
        return files

    def report(self, person: int) -> Path:
        """Return where the report of a person goes."""
        return appended(self.stem, (f"_p{person}" if self.is_per_person else "") + REPORT_SUFFIX)

    def reports(self) -> list[Path]:
        """Return the reports that earlier runs left for this job, of everybody in the clip."""
        if not self.is_per_person:
            return [path for path in [self.report(0)] if path.is_file()]
        pattern = glob.escape(str(self.stem)) + "_p*" + REPORT_SUFFIX
        return sorted(Path(path) for path in glob.glob(pattern))

    def existing(self) -> list[Path]:
        """Return the results that are on the disk already, whoever made them."""
        if not self.is_per_person:
            return [path for path in self.results(0).values() if path.exists()]
        stems = [(self.stem, suffix) for suffix in self.suffixes]
        if self.overlay is not None:
            stems.append((self.overlay, OVERLAY_SUFFIX))
        patterns = [glob.escape(str(stem)) + "_p*" + suffix for stem, suffix in stems]
        return sorted(Path(path) for pattern in patterns for path in glob.glob(pattern))


def appended(stem: Path, ending: str) -> Path:
    """Return the path with text added to its name; unlike `with_suffix` it keeps dots: `take.2` stays."""
    return stem.with_name(stem.name + ending)


def find_clips(arguments: Iterable[str]) -> list[Path]:
    """Return the clips that the arguments mean: files, folders (their videos, sorted), or patterns (`*.mp4`).

    A clip that is named twice comes once. Something that does not exist, or a folder without videos, is
    returned as it is: opening it fails later, alone, with its own message.
    """
    clips: dict[str, Path] = {}
    for argument in arguments:
        for path in _expand(argument):
            clips.setdefault(os.path.abspath(path), path)
    return list(clips.values())


def _expand(argument: str) -> list[Path]:
    path = Path(argument)
    if path.is_dir():
        videos = [each for each in path.iterdir() if each.suffix.lower() in VIDEO_SUFFIXES and each.is_file()]
        return sorted(each for each in videos if not each.name.startswith(".")) or [path]
    if not path.exists() and glob.has_magic(argument):
        return [Path(each) for each in sorted(glob.glob(argument, recursive=True))] or [path]
    return [path]


def choose_formats(names: Sequence[str], suffixes: Collection[str]) -> tuple[str, ...]:
    """Return the export suffixes for format names: "bvh" is ".bvh", "smpl" is ".smpl.npz".

    Raises:
        UnsupportedFormat: there is no such format; the message lists those there are.
    """
    known = {suffix.split(".")[1]: suffix for suffix in suffixes}
    for name in names:
        if name not in known:
            raise UnsupportedFormat(f"there is no format {name!r}; {_advice(name, known)}")
    return tuple(dict.fromkeys(known[name] for name in names))


def split_suffix(name: str, suffixes: Collection[str]) -> tuple[str, str]:
    """Return a file name as (stem, export suffix); the suffix is empty where it names no format.

    The longest one wins: `walk.smpl.npz` is an SMPL file called `walk`.
    """
    for suffix in sorted(suffixes, key=len, reverse=True):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)], suffix
    return name, ""


def plan(
    clips: Sequence[Path],
    output: str | None,
    formats: Sequence[str],
    suffixes: Collection[str],
    *,
    overlay: str | None = None,
    is_per_person: bool = False,
) -> list[Job]:
    """Return what to make of each clip and where.

    Args:
        clips: what to capture.
        output: a file (its suffix is its format; for one clip only), a folder, or None: beside each clip.
        formats: names of formats; none means BVH, or what the output's suffix says.
        suffixes: the export suffixes there are.
        overlay: a .mp4 file (for one clip only) or a folder, for videos with the result drawn in.
        is_per_person: whether results carry the person's number.

    Raises:
        ConfigError: several clips into one file, or a result would replace its own video.
        UnsupportedFormat: a format or the output's suffix is unknown.
    """
    chosen = choose_formats(formats, suffixes)
    target, own_suffix = _parse_output(output, suffixes)
    if own_suffix and len(clips) > 1:
        raise ConfigError(f"{output} is one file, but there are {len(clips)} videos; give a folder to -o")
    chosen = tuple(dict.fromkeys(([own_suffix] if own_suffix else []) + list(chosen))) or (".bvh",)
    drawn, is_video = _parse_overlay(overlay)
    if is_video and len(clips) > 1:
        raise ConfigError(
            f"{overlay} is one file, but there are {len(clips)} videos; give a folder to --overlay"
        )
    names = _distinct_names(clips, is_flat=target is not None or drawn is not None)
    jobs = []
    for clip, name in zip(clips, names, strict=True):
        stem = target if own_suffix and target else (target or clip.parent) / name
        above = None if drawn is None else drawn if is_video else drawn / f"{name}.overlay"
        job = Job(clip, stem, chosen, above, is_per_person)
        _refuse_input(job)
        jobs.append(job)
    return jobs


def stage_file(source: Path, output: str | None, ending: str, *, is_only: bool, mark: str = "") -> Path:
    """Return where a stage writes its value: `walk.mp4` and `.keypoints.npz` make `walk.keypoints.npz`.

    `output` is a file (for one source only), a folder, or None: beside the source. What an earlier stage added
    to the name goes. `mark` is put at the end of the stem, as in `walk_p2.keypoints.npz`.

    Raises:
        ConfigError: several sources into one file, or the source itself would be replaced.
        UnsupportedFormat: a file that is no .npz.
    """
    name = source.name.removesuffix(".npz")
    last = Path(name).suffix
    stem = name.removesuffix(last) if last.lower() in _STAGES | VIDEO_SUFFIXES else name
    target, suffix = _parse_output(output, [".npz"])
    if suffix and not is_only:
        raise ConfigError(f"{output} is one file, but there are several inputs; give a folder to -o")
    if suffix and target is not None:
        path = appended(target, mark + suffix)
    else:
        path = (target or source.parent) / (stem + mark + ending)
    if path.resolve() == source.resolve():
        raise ConfigError(f"{path} is the input itself and would be overwritten; choose another name")
    return path


def _parse_output(output: str | None, suffixes: Collection[str]) -> tuple[Path | None, str]:
    """Return the output as (stem of the file, its suffix) or (folder, "")."""
    if output is None:
        return None, ""
    path = Path(output)
    if path.is_dir() or output.endswith(("/", os.sep)):
        return path, ""
    name, suffix = split_suffix(path.name, suffixes)
    if suffix:
        return path.with_name(name), suffix
    if path.suffix:
        advice = _advice(path.suffix, [*suffixes])
        raise UnsupportedFormat(
            f"-o {output}: {path.suffix} is no format that is written here; {advice}; "
            f"for a folder of that name write {output}/"
        )
    return path, ""


def _parse_overlay(overlay: str | None) -> tuple[Path | None, bool]:
    """Return where overlays go and whether that is the stem of one video."""
    if overlay is None:
        return None, False
    path = Path(overlay)
    if path.suffix.lower() == OVERLAY_SUFFIX and not path.is_dir():
        return path.with_suffix(""), True
    if path.suffix and not path.is_dir() and not overlay.endswith(("/", os.sep)):
        raise UnsupportedFormat(f"--overlay {overlay}: overlays are written as {OVERLAY_SUFFIX} videos")
    return path, False


def _distinct_names(clips: Sequence[Path], *, is_flat: bool) -> list[str]:
    """Return a name for each clip's results such that no two clips share one in the same folder.

    A name is the clip's stem; clips that would collide add their container (`walk_mov`), and if that is not
    enough, the folder they are in (`monday_walk`), and then a number. Names depend on the call alone, so that
    a second run finds the results of the first.
    """

    def place(clip: Path) -> str:
        return "" if is_flat else str(clip.parent.resolve())

    candidates = [
        [clip.stem, clip.stem + clip.suffix.replace(".", "_"), f"{clip.resolve().parent.name}_{clip.stem}"]
        for clip in clips
    ]
    names = [options[0] for options in candidates]
    for level in range(1, 3):
        # Case is ignored: two files that differ in case alone are one on Windows and macOS.
        counts = Counter((place(clip), name.lower()) for clip, name in zip(clips, names, strict=True))
        names = [
            options[level] if counts[place(clip), name.lower()] > 1 else name
            for clip, name, options in zip(clips, names, candidates, strict=True)
        ]
    taken: set[tuple[str, str]] = set()
    numbered = []
    for clip, name in zip(clips, names, strict=True):
        free, number = name, 1
        while (place(clip), free.lower()) in taken:
            number += 1
            free = f"{name}_{number}"
        taken.add((place(clip), free.lower()))
        numbered.append(free)
    return numbered


def _refuse_input(job: Job) -> None:
    clip = job.clip.resolve()
    for path in [*job.results(0).values(), job.report(0)]:
        if path.resolve() == clip or (path.exists() and job.clip.exists() and path.samefile(job.clip)):
            raise ConfigError(f"{path} is the input itself and would be overwritten; choose another name")


def _advice(wrong: str, known: Iterable[str]) -> str:
    """Return "did you mean X?" where something is close, and what there is otherwise."""
    choices = list(known)
    close = difflib.get_close_matches(wrong, choices, n=1)
    listed = ", ".join(sorted(choices))
    return f"did you mean {close[0]!r}? There are {listed}" if close else f"there are {listed}"
