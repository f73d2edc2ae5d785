"""YOLO text: a line `class x y width height` for each object, relative to the image's size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kind.data.annotations.annotated import Annotations
from kind.data.annotations.class_names import COCO
from kind.data.annotations.reading import Reading, Row
from kind.data.annotations.text_files import ParseFile, numbered_lines, numbers, read_text_files

_EXPECTED = "expected a class number, then centre x, y, width and height, or x and y of 3 or more points"
_FEWEST = 6  # numbers of a polygon: x and y of three points


def read_yolo_text(
    images: str | Path,
    labels: str | Path,
    class_names: Sequence[str] = COCO,
    *,
    repair: bool = False,
    boxes_on: str | None = None,
) -> Annotations:
    """Reads YOLO's text files, as in COCO128: `labels/NAME.txt` for `images/NAME.jpg`.

    x and y are the box's centre. A line of a segmentation data set, a class and the corners of a polygon, is
    read as the polygon's bounding box. A line that is there twice counts once and is named in `problems`. An
    image without a text file has no boxes, and a text file without an image is passed over and named:
    COCO128 has both.

    Args:
        images: folder of images, searched with its folders.
        labels: folder of text files in the same arrangement.
        class_names: in the order of the class numbers.
        repair: cut or leave out what is broken, and name it in `problems`, instead of refusing.
        boxes_on: "stored" when the boxes are on the pixels as the files store them, "upright" when they
            are on the images as their EXIF orientation turns them; None is "upright", and images that are
            turned are named.

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
        parse=yolo_rows(),
        required=False,
        repair=repair,
        boxes_on=boxes_on,
    )


def yolo_rows(keypoints: int = 0) -> ParseFile:
    """A parser of YOLO's text files.

    Args:
        keypoints: numbers after the box in each line of a data set of poses, which are not used.

    Returns:
        See `text_files.read_text_files`.
    """
    return partial(_rows, keypoints)


def relative_box(values: Sequence[float], size: tuple[int, int]) -> tuple[float, ...] | None:
    """A box from the numbers of a line, class and score left out.

    Args:
        values: centre x, y, width and height, or x and y of at least three points; relative to the image.
        size: height and width of the image.

    Returns:
        Left, top, right, bottom in pixels; None when there are not so many numbers.
    """
    height, width = size
    if len(values) == 4:
        x, y, across, down = values
        left, top, right, bottom = x - across / 2, y - down / 2, x + across / 2, y + down / 2
    elif len(values) >= _FEWEST and len(values) % 2 == 0:
        points = np.reshape(values, (-1, 2))
        left, top, right, bottom = *points.min(axis=0).tolist(), *points.max(axis=0).tolist()
    else:
        return None
    return left * width, top * height, right * width, bottom * height


def _rows(keypoints: int, path: Path, size: tuple[int, int], reading: Reading) -> Iterator[Row]:
    seen = set()
    for where, words in numbered_lines(path):
        values = numbers(words)
        if values and len(values) == 5 + keypoints:
            values = values[:5]
        box = relative_box(values[1:], size) if values else None
        if box is None or not values[0].is_integer():
            reading.problems.append(f"{where}: {_EXPECTED}")
        elif values in seen:
            reading.note(where, "the same line as one before, which counts once")
        else:
            seen.add(values)
            if len(values) > 5:
                reading.note(where, "a polygon, read as its bounding box")
            yield Row(where, int(values[0]), box)
