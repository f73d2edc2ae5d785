"""Files that are either wholly there or not there at all, and folders for one process at a time."""

import contextlib
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Optional, Union

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

#: Names of temporary files; before they told the process they lacked its number.
_TEMPORARY = re.compile(r"\..+\.(?:(\d+)-)?[a-z0-9_]{8}(?:\.\w+)?")
_OLD = 3600.0  # seconds
_LONGEST_NAME, _RANDOM = 255, 8  # bytes of a file's name, and of those that `tempfile` adds

#: What TensorFlow's errors say of a place that takes no more; Python's have a number for it.
DISK_FULL = re.compile("No space left|File too large|quota exceeded", re.IGNORECASE)


@contextlib.contextmanager
def atomic_write(path: Union[str, Path]) -> Iterator[Path]:
    """Yields a temporary name beside `path`, which takes its place when the block ends without an error.

    The temporary name keeps the suffix, because image and model writers choose their format by it.
    A file that is there already hands its mode down. When the block raises, the temporary file is removed and
    whatever stood at `path` stays as it was.

    Args:
        path: the file to write; its folder is made when it is missing.

    Yields:
        The name to write to, in the same folder.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = _mode_of(path)
    handle, name = tempfile.mkstemp(prefix=_prefix(path), suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def lock(opened: int) -> bool:
    """Keeps other processes from locking the same file or folder, until it is closed or the process ends.

    Args:
        opened: its descriptor.

    Returns:
        False where the system or the file system has no locks: there nobody is kept out.

    Raises:
        BlockingIOError: another process has locked it.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def fitted_name(stem: str, ending: str) -> str:
    """A file's name; a stem too long for it is cut, and keeps apart from others by a digest.

    Args:
        stem: what the name begins with, such as the stem of another file.
        ending: what it ends with, suffix included.

    Returns:
        At most 255 bytes.
    """
    room = _LONGEST_NAME - len(os.fsencode(ending))
    whole = os.fsencode(stem)
    if len(whole) <= room:
        return f"{stem}{ending}"
    digest = hashlib.sha256(whole).hexdigest()[:_RANDOM]
    return whole[: room - _RANDOM - 1].decode(sys.getfilesystemencoding(), "ignore") + f"-{digest}{ending}"


def _mode_of(path: Path) -> int:
    """The mode of a file that is there, else what the process's mask leaves of a new one's."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0o666 & ~_umask()


def _prefix(path: Path) -> str:
    """How a temporary name begins: it tells `remove_leftovers` whose it is, and fits beside the rest."""
    owner = f".{os.getpid()}-"
    room = _LONGEST_NAME - len(os.fsencode(f".{owner}{path.suffix}")) - _RANDOM
    stem = os.fsencode(path.stem)[:room].decode(sys.getfilesystemencoding(), "ignore")
    return f".{stem or '_'}{owner}"


def remove_leftovers(
    folder: Union[str, Path], *, locked: bool = False, folders_of: Optional[str] = None
) -> None:
    """Removes temporary files of `atomic_write` that a process left when it was killed.

    Args:
        folder: the folder itself, not those in it.
        locked: nobody else writes to the folder, so every temporary file is a leftover; otherwise only those
            that are an hour old and whose process is gone (it may be one of another machine).
        folders_of: also remove temporary folders whose names begin like that, such as ".export.".
    """
    for path in Path(folder).glob(".*"):
        found = _TEMPORARY.fullmatch(path.name)
        try:
            if not found or not (locked or _is_abandoned(path, found[1])):
                continue
            if path.is_file():
                path.unlink()
            elif folders_of and path.name.startswith(folders_of) and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
        except OSError:  # what cannot be removed stays: it is in nobody's way
            continue


def _is_abandoned(path: Path, process: Optional[str]) -> bool:
    if process is None or time.time() - path.stat().st_mtime < _OLD:
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # of another user
        return False
    return False


def _umask() -> int:
    """The process's file mode mask (POSIX can only read it by setting it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
