"""Where the results of each take go. No video is opened here."""

import difflib
import glob
import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mocaplift.errors import ConfigError, UnsupportedFormat
from mocaplift.takes import OVERLAY_ENDING, VIDEO_SUFFIXES, Take, take_of

# What the stages add to a name before `.npz`.
_STAGES = frozenset({".keypoints", ".lifted", ".motion"})
REPORT_SUFFIX = ".report.json"
OVERLAY_SUFFIX = ".mp4"
PAGE_SUFFIX = ".html"


@dataclass(frozen=True)
class Job:
    """One take and where its results go.

    Every result is named `stem` + suffix, or `stem_p3` + suffix where several people are captured and this is
    number 3. `overlay` is the stem of the overlay video, None for none; several cameras have one each, named
    `overlay` + `.cam1.overlay.mp4`. `page` is the stem of the viewer's page, None for none.
    """

    take: Take
    stem: Path
    suffixes: tuple[str, ...]
    overlay: Path | None = None
    is_per_person: bool = False
    page: Path | None = None

    def results(self, person: int) -> dict[str, Path]:
        """Return the motion files to write for a person: export suffix to path."""
        mark = self._mark(person)
        return {suffix: appended(self.stem, mark + suffix) for suffix in self.suffixes}

    def overlays(self, person: int) -> list[Path]:
        """Return the overlay videos to write for a person, one for each clip, or none where none is wanted."""
        if self.overlay is None:
            return []
        mark = self._mark(person)
        return [appended(self.overlay, mark + ending) for ending in self._overlay_endings()]

    def pages(self, person: int) -> list[Path]:
        """Return the viewer's page to write for a person, or none where none is wanted."""
        return [] if self.page is None else [appended(self.page, self._mark(person) + PAGE_SUFFIX)]

    def files(self, person: int) -> list[Path]:
        """Return everything to write for a person but the report."""
        return [*self.results(person).values(), *self.overlays(person), *self.pages(person)]

    def report(self, person: int) -> Path:
        """Return where the report of a person goes."""
        return appended(self.stem, self._mark(person) + REPORT_SUFFIX)

    def reports(self) -> list[Path]:
        """Return the reports that earlier runs left for this job, of everybody in the take."""
        if not self.is_per_person:
            return [path for path in [self.report(0)] if path.is_file()]
        pattern = glob.escape(str(self.stem)) + "_p*" + REPORT_SUFFIX
        return sorted(Path(path) for path in glob.glob(pattern))

    def existing(self) -> list[Path]:
        """Return the results that are on the disk already, whoever made them."""
        if not self.is_per_person:
            return [path for path in self.files(0) if path.exists()]
        named = [(self.stem, suffix) for suffix in self.suffixes]
        if self.overlay is not None:
            named += [(self.overlay, ending) for ending in self._overlay_endings()]
        if self.page is not None:
            named += [(self.page, PAGE_SUFFIX)]
        patterns = [glob.escape(str(stem)) + "_p*" + glob.escape(ending) for stem, ending in named]
        return sorted(Path(path) for pattern in patterns for path in glob.glob(pattern))

    def _mark(self, person: int) -> str:
        return f"_p{person}" if self.is_per_person else ""

    def _overlay_endings(self) -> list[str]:
        if len(self.take.clips) == 1:
            return [OVERLAY_SUFFIX]
        return [f".{view}{OVERLAY_ENDING}" for view in self.take.views]


def appended(stem: Path, ending: str) -> Path:
    """Return the path with text added to its name; unlike `with_suffix` it keeps dots: `take.2` stays."""
    return stem.with_name(stem.name + ending)


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
    takes: Sequence[Take],
    output: str | None,
    formats: Sequence[str],
    suffixes: Collection[str],
    *,
    overlay: str | None = None,
    page: str | None = None,
    is_per_person: bool = False,
    usual: str = "bvh",
) -> list[Job]:
    """Return what to make of each take and where.

    Args:
        takes: what to capture.
        output: a file (its suffix is its format; for one take only), a folder, or None: beside each take's videos.
        formats: names of formats; none means what the output's suffix says, or else `usual`.
        suffixes: the export suffixes there are.
        overlay: a .mp4 file (for one take only) or a folder, for videos with the result drawn in.
        page: an .html file (for one take only) or a folder, for the viewer's pages.
        is_per_person: whether results carry the person's number.
        usual: the format where none is named.

    Raises:
        ConfigError: several takes into one file, or a result would replace a video or the calibration.
        UnsupportedFormat: a format or the output's suffix is unknown.
    """
    chosen = choose_formats(formats, suffixes)
    target, own_suffix = _parse_output(output, suffixes)
    drawn, is_video = _parse_place(overlay, "--overlay", "overlays", OVERLAY_SUFFIX)
    shown, is_page = _parse_place(page, "--viewer", "pages", PAGE_SUFFIX)
    what = "videos" if all(len(take.clips) == 1 for take in takes) else "takes"
    for given, flag, is_one in (
        (output, "-o", own_suffix),
        (overlay, "--overlay", is_video),
        (page, "--viewer", is_page),
    ):
        if is_one and len(takes) > 1:
            raise ConfigError(
                f"{given} is one file, but there are {len(takes)} {what}; give a folder to {flag}"
            )
    chosen = tuple(dict.fromkeys(([own_suffix] if own_suffix else []) + list(chosen)))
    chosen = chosen or choose_formats([usual], suffixes)
    names = _distinct_names(takes, is_flat=any(place is not None for place in (target, drawn, shown)))
    jobs = []
    for take, name in zip(takes, names, strict=True):
        stem = target if own_suffix and target else (target or take.folder) / name
        above = None if drawn is None else _overlay_stem(take, drawn if is_video else drawn / name, is_video)
        leaf = shown if shown is None or is_page else shown / name
        job = Job(take, stem, chosen, above, is_per_person, leaf)
        _refuse_input(job)
        jobs.append(job)
    return jobs


def stage_sources(files: Sequence[str], calibration: Path | None) -> list[tuple[Path, list[Path]]]:
    """Return which files a stage takes together, each set with a path that its result is named by.

    With a calibration all of them are one take, otherwise each is alone.
    """
    paths = [Path(each) for each in files]
    if calibration is None or len(paths) == 1:
        return [(path, [path]) for path in paths]
    take = take_of([path.with_name(_stage_stem(path) + ".npz") for path in paths], calibration)
    return [(take.folder / f"{take.name}.npz", paths)]


def stage_file(
    source: Path,
    output: str | None,
    ending: str,
    *,
    is_only: bool,
    mark: str = "",
    inputs: Sequence[Path] = (),
) -> Path:
    """Return where a stage writes its value: `walk.mp4` and `.keypoints.npz` make `walk.keypoints.npz`.

    `output` is a file (for one source only), a folder, or None: beside the source. What an earlier stage added
    to the name goes. `mark` is put at the end of the stem, as in `walk_p2.keypoints.npz`. `inputs` are files that
    may not be overwritten, beside the source.

    Raises:
        ConfigError: several sources into one file, or the source itself would be replaced.
        UnsupportedFormat: a file that is no .npz.
    """
    target, suffix = _parse_output(output, [".npz"])
    if suffix and not is_only:
        raise ConfigError(f"{output} is one file, but there are several inputs; give a folder to -o")
    if suffix and target is not None:
        path = appended(target, mark + suffix)
    else:
        path = (target or source.parent) / (_stage_stem(source) + mark + ending)
    if path.resolve() in {each.resolve() for each in (source, *inputs)}:
        raise ConfigError(f"{path} is the input itself and would be overwritten; choose another name")
    return path


def _stage_stem(source: Path) -> str:
    """Return a file's name without what stages add to it."""
    name = source.name.removesuffix(".npz")
    last = Path(name).suffix
    return name.removesuffix(last) if last.lower() in _STAGES | VIDEO_SUFFIXES else name


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


def _parse_place(given: str | None, flag: str, kind: str, suffix: str) -> tuple[Path | None, bool]:
    """Return where files of one kind go, and whether that is the stem of a single one."""
    if given is None:
        return None, False
    path = Path(given)
    if path.suffix.lower() == suffix and not path.is_dir():
        return path.with_suffix(""), True
    if path.suffix and not path.is_dir() and not given.endswith(("/", os.sep)):
        raise UnsupportedFormat(f"{flag} {given}: {kind} are written as {suffix} files")
    return path, False


def _overlay_stem(take: Take, stem: Path, is_named: bool) -> Path:
    """Return the stem with "overlay" in it once: what several cameras' endings say, a single one's do not."""
    if len(take.clips) > 1:
        return stem.with_name(stem.name.removesuffix(".overlay") or stem.name)
    return stem if is_named else appended(stem, ".overlay")


def _distinct_names(takes: Sequence[Take], *, is_flat: bool) -> list[str]:
    """Return a name for each take's results such that no two takes share one in the same folder.

    A clip that would collide adds its container (`walk_mov`), and if that is not enough, the folder it is in
    (`monday_walk`), and then a number. Names depend on the call alone, so that a second run finds the results of
    the first.
    """

    def place(take: Take) -> str:
        return "" if is_flat else str(take.folder.resolve())

    candidates = [_names(take) for take in takes]
    names = [options[0] for options in candidates]
    for level in range(1, 3):
        # Case is ignored: two files that differ in case alone are one on Windows and macOS.
        counts = Counter((place(take), name.lower()) for take, name in zip(takes, names, strict=True))
        names = [
            options[level] if counts[place(take), name.lower()] > 1 else name
            for take, name, options in zip(takes, names, candidates, strict=True)
        ]
    taken: set[tuple[str, str]] = set()
    numbered = []
    for take, name in zip(takes, names, strict=True):
        free, number = name, 1
        while (place(take), free.lower()) in taken:
            number += 1
            free = f"{name}_{number}"
        taken.add((place(take), free.lower()))
        numbered.append(free)
    return numbered


def _names(take: Take) -> tuple[str, str, str]:
    """Return what a take's results may be called: its name, one with the container, one with the folder."""
    folder = take.folder.resolve()
    if len(take.clips) > 1:
        above = folder.parent if folder.name == take.name else folder
        return take.name, take.name, f"{above.name}_{take.name}"
    suffix = take.clips[0].suffix.replace(".", "_")
    return take.name, take.name + suffix, f"{folder.name}_{take.name}"


def _refuse_input(job: Job) -> None:
    for path in [*job.files(0), job.report(0)]:
        for given in job.take.inputs:
            is_same = path.exists() and given.exists() and path.samefile(given)
            if is_same or path.resolve() == given.resolve():
                raise ConfigError(f"{path} is the input itself and would be overwritten; choose another name")


def _advice(wrong: str, known: Iterable[str]) -> str:
    """Return "did you mean X?" where something is close, and what there is otherwise."""
    choices = list(known)
    close = difflib.get_close_matches(wrong, choices, n=1)
    listed = ", ".join(sorted(choices))
    return f"did you mean {close[0]!r}? There are {listed}" if close else f"there are {listed}"
