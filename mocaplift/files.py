"""Files that are whole or not there: everything is written beside its place and moved in when complete."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mocaplift.errors import OutputError

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another place with -o",
    errno.EDQUOT: "your disk quota is used up; free some space or choose another place with -o",
    errno.EACCES: "you may not write there; choose another place with -o",
    errno.EPERM: "you may not write there; choose another place with -o",
    errno.EROFS: "that disk is read-only; choose another place with -o",
    errno.ENOTDIR: "a part of its path is a file, not a folder; choose another place with -o",
    errno.EISDIR: "there is a folder of that name; choose another name with -o",
    errno.ENAMETOOLONG: "its name is too long; choose a shorter one with -o",
}


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder, which takes the place of `path` if the block ends well.

    Missing folders are made. If the block fails or is interrupted, the temporary file is removed and what
    was at `path` stays. The temporary name ends in the same suffix: encoders choose their format by it.

    Raises:
        OutputError: the file cannot be written; the message says why.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise OutputError(f"cannot write {path}: {_REASONS[errno.EISDIR]}")
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".partial-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        temporary.chmod(0o666 & ~_umask())
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {reason(error)}") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is either whole or, after any failure, as it was before.

    Raises:
        OutputError: the file cannot be written; the message says why.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def check_folder(folder: Path) -> None:
    """Raise before long work if nothing can be written into a folder, which need not exist yet.

    Raises:
        OutputError: no file can be made there; the message says why.
    """
    nearest = next((each for each in (folder, *folder.absolute().parents) if each.exists()), folder)
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {reason(error)}") from error


def reason(error: OSError) -> str:
    """Return why a file could not be written, and what to do, as the second half of a sentence."""
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


def _umask() -> int:
    """Return the process's mask of permissions: temporary files are private, finished ones must not be."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
