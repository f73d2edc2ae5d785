"""Data sets with one text file of boxes an image; what their readers share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from kind.data.annotations.annotated import Annotations, Reading, Row, images_below, sizes_of
from kind.errors import UserError

_LARGEST_FILE = 1 << 24

ParseFile = Callable[[Path, tuple[int, int], list[str]], Iterator[Row]]


def read_text_files(
    images: Path,
    labels: Path,
    class_names: Sequence[str],
    *,
    label_name: Callable[[Path], Path],
    parse: ParseFile,
    required: bool,
    repair: bool,
) -> Annotations:
    """Reads a folder of images and a folder of text files in the same arrangement.

    Args:
        images: folder of images, searched with its folders.
        labels: folder of text files.
        class_names: of the data set.
        label_name: the image's path below `images` → the text file's path below `labels`.
        parse: text file, image size and list of problems → its objects.
        required: whether an image without a text file, or a text file without an image, is a problem;
            otherwise the image has no boxes and the text file is passed over.
        repair: see `Reading.finish`.

    Returns:
        The data set.

    Raises:
        UserError: when a folder is missing, and see `Reading.finish`.
    """
    images, labels = Path(images), Path(labels)
    found = images_below(images)
    if not labels.is_dir():
        raise UserError(f"{labels}: no such folder of annotations")
    reading = Reading(class_names)
    files = {path: labels / label_name(path.relative_to(images)) for path in found}
    alone = sorted({path for path in labels.rglob("*.txt") if path.is_file()} - set(files.values()))
    named = reading.problems if required else reading.passed_over
    named += [f"{path}: no image of that name in {images}" for path in alone if not _is_list(path)]
    for path, size in sizes_of(found, reading.problems).items():
        if files[path].is_file():
            reading.add(path, size, parse(files[path], size, reading.problems))
        elif required:
            reading.problems.append(f"{files[path]}: missing; expected the annotations of {path}")
        else:
            reading.add(path, size, ())
    return reading.finish(repair)


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


def _is_list(path: Path) -> bool:
    """Whether a text file is one that data sets put beside the labels, with their classes' names."""
    return path.name in ("classes.txt", "README.txt", "LICENSE.txt")
