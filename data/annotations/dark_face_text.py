"""DARK FACE: text files with the number of faces, then a line `left top right bottom` for each, in pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kind.data.annotations.annotated import Annotations
from kind.data.annotations.class_names import DARK_FACE
from kind.data.annotations.reading import Reading, Row
from kind.data.annotations.text_files import numbered_lines, numbers, read_text_files


def read_dark_face_text(
    images: str | Path, labels: str | Path, *, repair: bool = False, boxes_on: str | None = None
) -> Annotations:
    """Reads DARK FACE (Yang et al., IEEE TIP 2020): `label/1.txt` for `image/1.png`.

    Args:
        images: folder of images.
        labels: folder of text files.
        repair: cut or leave out what is broken, and name it in `problems`, instead of refusing.
        boxes_on: see `read_yolo_text`.

    Returns:
        The data set, with the class "face".

    Raises:
        UserError: when folders are missing, or an annotation is broken: all are named with file and line.
    """
    return read_text_files(
        images,
        labels,
        DARK_FACE,
        label_name=lambda path: path.with_suffix(".txt"),
        parse=_rows,
        required=True,
        repair=repair,
        boxes_on=boxes_on,
    )


def _rows(path: Path, size: tuple[int, int], reading: Reading) -> Iterator[Row]:
    lines = list(numbered_lines(path))
    head = numbers(lines[0][1]) if lines else None
    if head is None or len(head) != 1 or not head[0].is_integer():
        reading.problems.append(f"{path}, line 1: expected the number of faces")
        return
    if int(head[0]) != len(lines) - 1:
        reading.problems.append(f"{path}: says {int(head[0])} faces, but has {len(lines) - 1} lines of them")
    for where, words in lines[1:]:
        box = numbers(words)
        if box is None or len(box) != 4:
            reading.problems.append(f"{where}: expected left, top, right and bottom")
        else:
            yield Row(where, 0, box)
