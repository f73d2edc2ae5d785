"""YOLO text: a line `class x y width height` for each object, relative to the image's size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from kind.data.annotations.annotated import Annotations, Row
from kind.data.annotations.class_names import COCO
from kind.data.annotations.text_files import numbered_lines, numbers, read_text_files


def read_yolo_text(
    images: str | Path, labels: str | Path, class_names: Sequence[str] = COCO, *, repair: bool = False
) -> Annotations:
    """Reads YOLO's text files, as in COCO128: `labels/NAME.txt` for `images/NAME.jpg`.

    x and y are the box's centre. An image without a text file has no boxes, and a text file without an image
    is passed over and named in `problems`: COCO128 has both.

    Args:
        images: folder of images, searched with its folders.
        labels: folder of text files in the same arrangement.
        class_names: in the order of the class numbers.
        repair: cut or leave out what is broken, and name it in `problems`, instead of refusing.

    Returns:
        The data set.

    Raises:
        UserError: when folders are missing, or an annotation is broken: all are named with file and line.
    """
    return read_text_files(
        images,
        labels,
        class_names,
        label_name=lambda path: path.with_suffix(".txt"),
        parse=_rows,
        required=False,
        repair=repair,
    )


def _rows(path: Path, size: tuple[int, int], problems: list[str]) -> Iterator[Row]:
    height, width = size
    for where, words in numbered_lines(path):
        values = numbers(words)
        if values is None or len(values) != 5 or not values[0].is_integer():
            problems.append(f"{where}: expected a class number, centre x, y, width and height")
            continue
        label, x, y, across, down = values
        box = (
            (x - across / 2) * width,
            (y - down / 2) * height,
            (x + across / 2) * width,
            (y + down / 2) * height,
        )
        yield Row(where, int(label), box)
