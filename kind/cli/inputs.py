"""What the words of a command line stand for: files, folders, patterns, lists of them, addresses, stdin."""

from __future__ import annotations

import codecs
import contextlib
import glob
import io
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from kind.errors import UserError, listed, one_line
from kind.images.fetching import MOST_BYTES, fetch, is_address, name_of
from kind.images.finding import Found, is_folder, photos_in
from kind.images.header import suffix_of
from kind.images.iso_media import AVIF, HEIC, format_of
from kind.images.photo import PHOTO_SUFFIXES, ImageError
from kind.images.raw import RAW_SUFFIXES, is_raw
from kind.images.zipped import is_zip, photos_in_zip
from kind.video.formats import CLIP_SUFFIXES, HINT, can_read_clips

STDIN = "-"
STDIN_NAME = "standard input"


class Input(NamedTuple):
    """One photograph of a command line.

    Attributes:
        path: the file; of what is no file only its name counts.
        root: the folder that was given, in which it was found; None of what was given itself.
        is_found: whether it was found, in a folder or by a pattern, and not named.
        label: what messages call it when it is no file.
        fetch: gives the bytes of what is no file.
    """

    path: Path
    root: Path | None = None
    is_found: bool = False
    label: str = ""
    fetch: Callable[[], bytes] | None = None

    @property
    def below(self) -> Path:
        """Its folder, seen from `root`."""
        return self.path.parent.relative_to(self.root) if self.root else Path()


def find_inputs(
    words: Sequence[str | Path], *, recursive: bool = False, but: Path | None = None, videos: bool = False
) -> list[Input]:
    """Finds the photographs that the words of a command line stand for.

    What folders hold beside photographs is counted and named on stderr, in one line for each folder.

    Args:
        words: files; folders, which stand for the photographs in them; patterns with `*`, `?`, `[…]` and
            `**`, where no file has that name; ZIP archives, which stand for all photographs in them; http and
            https addresses; "-" for stdin.
        recursive: folders stand for what their folders hold, too.
        but: a folder that is not looked into.
        videos: folders and patterns stand for the videos in them, too.

    Returns:
        At least one, in the order of `words`.

    Raises:
        UserError: nothing was given, something does not exist, or a folder or pattern stands for nothing.
    """
    if not words:
        raise ImageError("no photograph given: name at least one file or folder")
    inputs: list[Input] = []
    also = CLIP_SUFFIXES if videos and can_read_clips() else ()
    for word in words:
        if isinstance(word, str) and word == STDIN:
            if any(earlier.label == STDIN_NAME for earlier in inputs):
                raise UserError(f"{STDIN}: standard input holds one photograph: give it once")
            inputs.append(_from_stdin())
        elif isinstance(word, str) and is_address(word):
            inputs.append(Input(Path(name_of(word)), label=word, fetch=partial(fetch, word)))
        elif _is_pattern(str(word)):
            inputs += _matching(str(word), recursive, but, also)
        elif is_folder(Path(word)):
            inputs += _inside(Path(word), recursive, but, also)
        elif is_zip(Path(word)):
            inputs += _zipped(Path(word))
        else:
            inputs.append(Input(Path(word)))
    return inputs


def listed_in(file: Path) -> list[str]:
    """The words in a list file: a line each; empty lines and those that begin with "#" are left out.

    Raises:
        UserError: the file cannot be read, or is no text.
    """
    try:
        content = _stdin().read() if str(file) == STDIN else file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}): check the name") from error
    if b"\0" in content:
        raise UserError(f"{file}: is no text: --files-from expects a file with a name in each line")
    content = content.removeprefix(codecs.BOM_UTF8)  # of editors on Windows
    lines = (os.fsdecode(line).strip() for line in content.split(b"\n"))  # as the system says names
    words = [line for line in lines if line and not line.startswith("#")]
    if STDIN in words:
        raise UserError(f"{file}: holds the line {STDIN}: standard input is named on the command line only")
    if not words:
        raise UserError(f"{file}: lists no photograph: expects a name in each line")
    return words


def _from_stdin() -> Input:
    data = _stdin().read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ImageError(f"{STDIN_NAME}: is longer than {MOST_BYTES >> 20} MiB: name the file instead")
    return Input(Path(f"stdin{_suffix_of(data)}"), label=STDIN_NAME, fetch=lambda: data)


def _stdin() -> BinaryIO:
    if sys.stdin is None:
        raise UserError(f"{STDIN_NAME}: is closed: name a file instead")
    return sys.stdin.buffer


def _suffix_of(data: bytes) -> str:
    if is_raw(io.BytesIO(data)):
        return RAW_SUFFIXES[0]
    with contextlib.suppress(UserError):  # what reads it is not installed: whoever decodes it says so
        if suffix := {AVIF: ".avif", HEIC: ".heic"}.get(format_of(data[:16])):
            return suffix
    return suffix_of(data)


def _is_pattern(word: str) -> bool:
    try:
        return glob.has_magic(word) and not Path(word).exists() and not Path(word).is_symlink()
    except (OSError, ValueError):  # a name that no file can have: whoever opens it says so
        return False


def _matching(pattern: str, recursive: bool, but: Path | None, also: Sequence[str]) -> list[Input]:
    inputs, passed_over = [], []
    for path in map(Path, sorted(glob.glob(pattern, recursive=True))):
        if os.path.isdir(path):
            if "**" not in pattern:  # which gives the files of its folders itself
                inputs += _inside(path, recursive, but, also)
        elif path.suffix.lower() in (*PHOTO_SUFFIXES, *also):
            inputs.append(Input(path, is_found=True))
        else:
            passed_over.append(path)
    _report(pattern, passed_over)
    if not inputs:
        raise ImageError(f"{pattern}: no photograph has a name like that: check the pattern")
    return inputs


def _inside(folder: Path, recursive: bool, but: Path | None, also: Sequence[str]) -> list[Input]:
    found: Found = photos_in(folder, recursive=recursive, but=but, also=also)
    _report(str(folder), found.passed_over)
    return [Input(path, folder, is_found=True) for path in found.photos]


def _zipped(archive: Path) -> list[Input]:
    """What an archive holds, as if it were a folder of its name without the suffix."""
    photos, passed_over = photos_in_zip(archive)
    _report(str(archive), map(Path, passed_over))
    root = archive.with_suffix("")
    return [
        Input(root / one.place, root, is_found=True, label=f"{archive}/{one.place}", fetch=one.read)
        for one in photos
    ]


def _report(where: str, passed_over: Iterable[Path]) -> None:
    """Says on stderr, in one line, what is not worked on: how many of each kind, and the first names."""
    kinds: dict[str, list[str]] = {}
    for path in passed_over:
        kind = "folder" if os.path.isdir(path) else path.suffix.lower() or "without a suffix"
        kinds.setdefault(kind, []).append(path.name)
    if kinds:
        texts = [f"{len(names)} {kind} ({listed(names, most=2)})" for kind, names in kinds.items()]
        hint = "; --recursive goes into folders" if "folder" in kinds else ""
        hint += "; HEIC needs pip install 'kind[photos]'" if {".heic", ".heif"} & kinds.keys() else ""
        if set(RAW_SUFFIXES) & kinds.keys() and not set(RAW_SUFFIXES) & set(PHOTO_SUFFIXES):
            hint += "; raw files need pip install 'kind[raw]'"
        if set(CLIP_SUFFIXES) & kinds.keys() and not can_read_clips():
            hint += f"; {HINT}"
        print(one_line(f"kind: {where}: passed over {', '.join(texts)}{hint}"), file=sys.stderr, flush=True)
