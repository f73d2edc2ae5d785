"""The files of an annotated data set: images with their headers, and files of annotations by name."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from kind.errors import UserError
from kind.images.header import Header, read_header
from kind.images.photo import READABLE_SUFFIXES, photo_size


def images_below(folder: Path) -> list[Path]:
    """All images in a folder and its folders, hidden files left out, sorted.

    Links that lead nowhere are among them: whoever reads them says so.

    Raises:
        UserError: when there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of images")
    found = sorted(
        path
        for path in files_below(folder, with_broken_links=True)
        if path.suffix.lower() in READABLE_SUFFIXES and not path.name.startswith(".")
    )
    if not found:
        raise UserError(f"{folder}: holds no images ({' '.join(READABLE_SUFFIXES)})")
    return found


def files_below(folder: Path, with_broken_links: bool = False) -> Iterator[Path]:
    """Every file in a folder and its folders, those behind links too, each folder once.

    Args:
        folder: to look in.
        with_broken_links: also links that lead nowhere.

    Raises:
        UserError: when one of them cannot be listed.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise UserError(f"{error.filename}: cannot be listed ({error.strerror}): check the permissions")

    seen = set()
    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link to a folder above would be walked for ever
            folders.clear()
            continue
        seen.add(real)
        paths = (Path(place, name) for name in names)
        yield from (path for path in paths if path.is_file() or (with_broken_links and not path.exists()))


class FileIndex:
    """Files of annotations by their path below a folder, whatever the case and form of its letters.

    Attributes:
        paths: all files.
    """

    def __init__(self, folder: Path, suffix: str) -> None:
        """Looks for files with a suffix, in small or capital letters, in a folder and its folders."""
        self._folder = folder
        self.paths = sorted(path for path in files_below(folder) if path.suffix.lower() == suffix)
        self._exact = set(self.paths)
        self._folded: dict[str, list[Path]] = defaultdict(list)
        for path in self.paths:
            self._folded[self._simple(path)].append(path)

    def find(self, wanted: Path) -> Path | None:
        """The file of that path; else the only one that differs from it in capital letters alone."""
        if wanted in self._exact:
            return wanted
        alike = self._folded.get(self._simple(wanted), [])
        return alike[0] if len(alike) == 1 else None

    def _simple(self, path: Path) -> str:
        name = unicodedata.normalize("NFC", path.relative_to(self._folder).as_posix())  # macOS splits letters
        return name.casefold()


def is_name_inside(name: object) -> bool:
    """Whether a name that a file of annotations states leads to a place inside the folder it is put to."""
    return isinstance(name, str) and not (
        PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts
    )


def read_headers(images: Sequence[Path]) -> dict[Path, Header | UserError]:
    """Size and orientation of each image, or what makes it unreadable."""

    def header(path: Path) -> Header | UserError:
        try:
            return read_header(path)
        except (UserError, OSError):
            pass
        try:
            height, width = photo_size(path)  # names the file and what is wrong with it
        except UserError as error:
            return error
        return Header(width, height, orientation=1)

    with ThreadPoolExecutor() as pool:
        return dict(zip(images, pool.map(header, images)))


def readable_headers(images: Sequence[Path], problems: list[str]) -> dict[Path, Header]:
    """As `read_headers`; images that cannot be read become problems and are left out."""
    headers = read_headers(images)
    problems.extend(str(error) for error in headers.values() if isinstance(error, UserError))
    return {path: header for path, header in headers.items() if not isinstance(header, UserError)}
