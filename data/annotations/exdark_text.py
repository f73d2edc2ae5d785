"""ExDark: `bbGt` text files, a line `Class left top width height …` for each object, in pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kind.data.annotations.annotated import Annotations
from kind.data.annotations.class_names import EXDARK
from kind.data.annotations.reading import Reading, Row
from kind.data.annotations.text_files import flag_of, numbered_lines, numbers, read_text_files

_WORDS = 12  # class, box, occluded, visible box, ignore, angle


def read_exdark_text(
    images: str | Path, annotations: str | Path, *, repair: bool = False, boxes_on: str | None = None
) -> Annotations:
    """Reads ExDark (Loh and Chan, CVIU 2019).

    `ExDark_Anno/Bicycle/NAME.jpg.txt` belongs to `ExDark/Bicycle/NAME.jpg`. The files are in the bbGt format,
    version 3, of Dollár's Matlab toolbox; a set `ign` makes an object difficult. Coordinates begin at 0.

    Args:
        images: folder of images, searched with its folders.
        annotations: folder of text files in the same arrangement.
        repair: cut or leave out what is broken, and name it in `problems`, instead of refusing.
        boxes_on: see `read_yolo_text`.

    Returns:
        The data set, with the 12 classes of `class_names.EXDARK`.

    Raises:
        UserError: when folders are missing, or an annotation is broken: all are named with file and line.
    """
    return read_text_files(
        images,
        annotations,
        EXDARK,
        label_name=lambda path: path.with_name(f"{path.name}.txt"),
        parse=_rows,
        required=True,
        repair=repair,
        boxes_on=boxes_on,
    )


def _rows(path: Path, size: tuple[int, int], reading: Reading) -> Iterator[Row]:
    for where, words in numbered_lines(path):
        if words[0].startswith("%"):  # the header
            continue
        values = numbers(words[1:])
        if values is None or len(words) != _WORDS:
            reading.problems.append(f"{where}: expected a class and {_WORDS - 1} numbers (bbGt, version 3)")
            continue
        left, top, width, height = values[:4]
        box = (left, top, left + width, top + height)
        yield Row(where, words[0], box, difficult=flag_of(values[9], "ign", where, reading))
