"""Files that are either wholly there or not there at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Union


@contextlib.contextmanager
def atomic_write(path: Union[str, Path]) -> Iterator[Path]:
    """Yields a temporary name beside `path`, which takes its place when the block ends without an error.

    The temporary name keeps the suffix, because image and model writers choose their format by it.
    When the block raises, the temporary file is removed and whatever stood at `path` stays as it was.

    Args:
        path: the file to write; its folder is made when it is missing.

    Yields:
        The name to write to, in the same folder.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """The process's file mode mask (POSIX can only read it by setting it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
