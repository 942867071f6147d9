"""Which videos a call means, and which of them show one take: the same moment through several cameras."""

import glob
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

# Containers that cameras, phones and editors write. Only used to look into folders: a file that is named is
# opened whatever its suffix.
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"}
    | {".mts", ".m2ts", ".wmv", ".flv", ".3gp", ".ogv", ".mxf"}
)
# What we draw ourselves is no video to capture when its folder is looked into.
OVERLAY_ENDING = ".overlay.mp4"
# What stands between the words of a file's name.
_WORDS = re.compile(r"([_\-. ]+)")
# What all names of a take may share without telling which take it is.
_SAY_CAMERA = frozenset({"", "cam", "camera", "view"})


@dataclass(frozen=True)
class Take:
    """Videos of one moment: a single clip, or one clip for each camera.

    `name` is what its results are called, `folder` where its videos lie. `views` tell the cameras apart in the
    names of files. `calibration` is where the cameras are described, None for a single unknown camera.
    """

    clips: tuple[Path, ...]
    name: str
    folder: Path
    views: tuple[str, ...]
    calibration: Path | None = None

    @property
    def label(self) -> str:
        """The video, or what the videos of several cameras are together: their folder, or a name in it."""
        if len(self.clips) == 1:
            return str(self.clips[0])
        return str(self.folder if self.folder.resolve().name == self.name else self.folder / self.name)

    @property
    def title(self) -> str:
        """The take in one line, as a person at the terminal reads it."""
        several = f": {', '.join(clip.name for clip in self.clips)}" if len(self.clips) > 1 else ""
        return self.label + several

    @property
    def short(self) -> str:
        """The take in a word or two, for a table."""
        return self.clips[0].name if len(self.clips) == 1 else self.name

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Every file that the call names for it, none of which may be overwritten."""
        return self.clips if self.calibration is None else (*self.clips, self.calibration)


def single(clip: Path, calibration: Path | None = None) -> Take:
    """Return the take of one clip."""
    return Take((clip,), clip.stem, clip.parent, (clip.stem,), calibration)


def find_clips(arguments: Iterable[str]) -> list[Path]:
    """Return the clips that the arguments mean: files, folders (their videos, sorted), or patterns (`*.mp4`).

    A clip that is named twice comes once. Something that does not exist, or a folder without videos, is
    returned as it is: opening it fails later, alone, with its own message.
    """
    return _without_repeats(path for argument in arguments for path in _expand(argument))


def find_takes(arguments: Sequence[str], calibration: Path | None = None) -> list[Take]:
    """Return the takes that the arguments mean.

    Without a calibration every clip is one. With it, all clips that are named or match a pattern are one take,
    and so are the videos of every folder that is named; a folder without videos stands for its sub-folders. A
    file of the calibration's name in the folder of a take comes before the one given: cameras may have been moved
    between two takes.
    """
    if calibration is None:
        return [single(clip) for clip in find_clips(arguments)]
    loose = [each for each in arguments if not Path(each).is_dir()]
    takes = [take_of(find_clips(loose), calibration)] if loose else []
    folders = [Path(each) for each in arguments if Path(each).is_dir()]
    for folder in _without_repeats(place for each in folders for place in _folders_of_takes(each)):
        own = folder / calibration.name
        clips = _videos_in(folder) or [folder]
        name = folder.resolve().name or "take"
        takes.append(Take(tuple(clips), name, folder, _views(clips), own if own.exists() else calibration))
    return takes


def take_of(clips: Sequence[Path], calibration: Path) -> Take:
    """Return the take of clips that were named one by one: its name is what theirs share, word by word."""
    if len(clips) == 1:
        return single(clips[0], calibration)
    try:
        folder = Path(os.path.commonpath([clip.parent for clip in clips]))
    except ValueError:  # other drives on Windows, or some paths from the root and some not
        folder = clips[0].parent
    words = [_WORDS.split(clip.stem) for clip in clips]
    front, back = _shared(words)
    begins = "".join(words[0][: 2 * front - 1]) if front else ""
    ends = "".join(words[0][1 - 2 * back :]) if back else ""
    shared = "_".join(part for part in (begins, ends) if part)
    name = shared if shared.lower() not in _SAY_CAMERA else folder.resolve().name or "take"
    return Take(tuple(clips), name, folder, _views(clips), calibration)


def _views(clips: Sequence[Path]) -> tuple[str, ...]:
    """Return a name for each camera: what differs in the clips' names, or else their folders', or numbers."""
    words = [_WORDS.split(clip.stem) for clip in clips]
    front, back = _shared(words)
    choices = [
        ["".join(each[2 * front : len(each) - 2 * back]) for each in words],
        [clip.stem for clip in clips],
        [clip.resolve().parent.name for clip in clips],
        [f"view{number}" for number in range(1, len(clips) + 1)],
    ]
    # Case is ignored: two files that differ in case alone are one on Windows and macOS.
    return next(
        tuple(names) for names in choices if all(names) and len({*map(str.lower, names)}) == len(clips)
    )


def _shared(words: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Return how many words all names begin with, and how many of the others they all end with.

    Words stand at even places, what separates them at odd ones.
    """
    fewest = min((len(each) + 1) // 2 for each in words)
    front = 0
    while front < fewest and len({each[2 * front] for each in words}) == 1:
        front += 1
    back = 0
    while front + back < fewest and len({each[-1 - 2 * back] for each in words}) == 1:
        back += 1
    return front, back


def _expand(argument: str) -> list[Path]:
    path = Path(argument)
    if path.is_dir():
        return _videos_in(path) or [path]
    if not path.exists() and glob.has_magic(argument):
        return sorted(map(Path, glob.glob(argument, recursive=True)), key=_natural) or [path]
    return [path]


def _videos_in(folder: Path) -> list[Path]:
    """Return the videos that lie in a folder, in the order that people count in; not hidden ones, not overlays."""
    videos = [
        each
        for each in folder.iterdir()
        if each.suffix.lower() in VIDEO_SUFFIXES
        and each.is_file()
        and not each.name.startswith(".")
        and not each.name.lower().endswith(OVERLAY_ENDING)
    ]
    return sorted(videos, key=_natural)


def _folders_of_takes(folder: Path) -> list[Path]:
    """Return the folder itself if it holds videos, or else its sub-folders that do; itself if nothing does."""
    if _videos_in(folder):
        return [folder]
    inner = [each for each in folder.iterdir() if each.is_dir() and not each.name.startswith(".")]
    return [each for each in sorted(inner, key=_natural) if _videos_in(each)] or [folder]


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts `cam2` before `cam10`."""
    parts = re.findall(r"\d+|\D+", str(path).lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], str(path)


def _without_repeats(paths: Iterable[Path]) -> list[Path]:
    found: dict[str, Path] = {}
    for path in paths:
        found.setdefault(os.path.abspath(path), path)
    return list(found.values())
