"""Folders of numbered model versions, in which a version is wholly there or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kind.errors import UserError
from kind.files import remove_leftovers

_STAGED = ".export."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def check_model_folder(folder: Path) -> None:
    """Refuses a folder that servers could not take a model's name from, with a UserError."""
    name = folder.resolve().name
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{folder}: its name becomes the model's and may have letters, digits, '_', '.' and '-' only; "
            f"received {name!r}"
        )
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; give --out a folder")


@contextlib.contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """Yields a new folder inside the model's folder that no server takes for a version.

    It is removed when the block ends, unless `publish` has made it a version.

    Args:
        folder: of the model; made when it is missing.

    Raises:
        OSError: when it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder, folders_of=_STAGED)
    temporary = Path(tempfile.mkdtemp(prefix=f"{_STAGED}{os.getpid()}-", dir=folder))
    try:
        os.chmod(temporary, folder.stat().st_mode & 0o777)  # mkdtemp's own mode hides it from a server's user
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def publish(temporary: Path, folder: Path) -> Path:
    """Renames a staged folder to the next version of a model, in one step.

    Args:
        temporary: see `staging`.
        folder: of the model.

    Returns:
        The version's folder, whose name is an integer one higher than the highest so far, or 1.
    """
    number = max((int(path.name) for path in folder.iterdir() if path.name.isdecimal()), default=0)
    while True:
        number += 1
        version = folder / str(number)
        try:
            os.rename(temporary, version)
        except OSError:
            if not version.exists():
                raise
        else:
            return version
