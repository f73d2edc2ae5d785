"""Data sets with one text file of boxes an image; what their readers share."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from kind.data.annotations.annotated import Annotations
from kind.data.annotations.image_files import FileIndex, images_below, readable_headers
from kind.data.annotations.reading import Reading, Row
from kind.errors import UserError

NO_FILE = "{}: is a folder, or a link that leads nowhere; expected a file of annotations"

_LARGEST_FILE = 1 << 24

ParseFile = Callable[[Path, tuple[int, int], Reading], Iterator[Row]]


def read_text_files(
    images: Path,
    labels: Path,
    class_names: Sequence[str],
    *,
    label_name: Callable[[Path], Path],
    parse: ParseFile,
    required: bool,
    repair: bool,
    boxes_on: str | None = None,
) -> Annotations:
    """Reads a folder of images and a folder of text files in the same arrangement.

    Args:
        images: folder of images, searched with its folders.
        labels: folder of text files.
        class_names: of the data set.
        label_name: the image's path below `images` → the text file's path below `labels`. Where there is no
            such file, the only one counts that differs from it in capital letters alone.
        parse: text file, size of the pixels that its boxes are counted on, and what was found so far → its
            objects.
        required: whether an image without a text file, or a text file without an image, is a problem;
            otherwise the image has no boxes and the text file is passed over.
        repair: see `Reading.finish`.
        boxes_on: see `orientation.fit_frame`.

    Returns:
        The data set.

    Raises:
        UserError: when a folder is missing, and see `Reading.finish`.
    """
    images, labels = Path(images), Path(labels)
    expected = {path: labels / label_name(path.relative_to(images)) for path in images_below(images)}
    if not labels.is_dir():
        raise UserError(f"{labels}: no such folder of annotations")
    reading = Reading(class_names, boxes_on)
    add_text_files(reading, expected, [labels], parse, required=required, images=str(images))
    return reading.finish(repair)


def add_text_files(
    reading: Reading,
    expected: Mapping[Path, Path],
    folders: Sequence[Path],
    parse: ParseFile,
    *,
    required: bool,
    images: str,
) -> None:
    """Reads the text files of images; see `read_text_files`.

    Args:
        reading: takes what is found.
        expected: for each image its text file, in one of `folders`.
        folders: of text files; none lies in another.
        parse: see `read_text_files`.
        required: likewise.
        images: where the images are, for messages.
    """
    indices = {folder: FileIndex(folder, ".txt") for folder in folders}
    files = {path: _find(label, indices) for path, label in expected.items()}
    used: dict[Path, Path] = {}
    for path, file in files.items():
        if file in used:
            reading.note(str(path), f"has the same annotations as {used[file]}: they share {file.name}")
        elif file:
            used[file] = path
    texts = [path for index in indices.values() for path in index.paths if not _is_list(path)]
    alone = [path for path in texts if path not in used]
    named = reading.problems if required else reading.passed_over
    named += [f"{path}: no image of that name in {images}" for path in alone]
    reading.found = (
        f"{len(expected)} images in {images} and {len(texts)} text files in "
        f"{', '.join(map(str, folders))}, {len(used)} of them named like an image"
    )
    for path, header in readable_headers(list(expected), reading.problems).items():
        if not files[path]:
            if os.path.lexists(expected[path]):  # a link that leads nowhere would pass for "no objects"
                reading.problems.append(NO_FILE.format(expected[path]))
            elif required:
                reading.problems.append(f"{expected[path]}: missing; expected the annotations of {path}")
            else:
                reading.add(path, header.upright_size, ())
        elif frame := reading.frame(path, header):
            reading.add(path, frame.size, parse(files[path], frame.size, reading), frame.orientation)


def numbered_lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yields "FILE, line N" and the words of each line that has any.

    Raises:
        UserError: when the file cannot be read, is larger than any annotations, or is not text.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise UserError(f"{path}: larger than {_LARGEST_FILE >> 20} MiB: not a file of annotations")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file in UTF-8") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield f"{path}, line {number}", line.split()


def numbers(words: Sequence[str]) -> tuple[float, ...] | None:
    """Words → numbers, None when one of them is none."""
    try:
        return tuple(float(word) for word in words)
    except ValueError:
        return None


def flag_of(value: object, name: str, where: str, reading: Reading) -> bool:
    """Whether a flag of an object is set: only a number other than 0 sets it.

    Args:
        value: a number, or text from a file; missing or empty counts as 0.
        name: of the flag, for messages.
        where: the object's place, for messages.
        reading: anything else than a number counts as 0 and is noted here.

    Returns:
        Whether it is set.
    """
    if value is None or value == "":
        return False
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if math.isfinite(number):
        return number != 0
    reading.note(where, f"{name} is {ascii(value)[:40]}, which is no number: it counts as 0")
    return False


def _find(label: Path, indices: Mapping[Path, FileIndex]) -> Path | None:
    folder = next(folder for folder in indices if folder in label.parents)
    return indices[folder].find(label)


def _is_list(path: Path) -> bool:
    """Whether a text file is one that data sets put beside the labels, with their classes' names."""
    return path.name.lower() in ("classes.txt", "readme.txt", "license.txt")
