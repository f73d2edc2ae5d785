"""Boxes that another program found, read from its files, so that they are scored like our own."""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kind.data.annotations.annotated import AnnotatedImage
from kind.data.annotations.class_names import COCO
from kind.data.annotations.coco_json import coco_id
from kind.data.annotations.yolo_text import relative_box
from kind.errors import UserError
from kind.metrics.boxes import Predictions
from kind.reports.names import distinct_paths

_LARGEST_FILE = 1 << 30
_BROKEN = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
# COCO's category ids leave these numbers out.
_GAPS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
_COCO_IDS = [number for number in range(1, 91) if number not in _GAPS]
_COLUMNS = ("image", "class", "score", "left", "top", "right", "bottom")


class Row(NamedTuple):
    """One box: its image's name, its class's name, its score, its corners in pixels."""

    image: str
    label: str
    score: float
    box: tuple[float, float, float, float]


class FoundBoxes(NamedTuple):
    """What a program found.

    Attributes:
        class_names: that occur, sorted.
        by_image: what was found in each image by its path; an image that is missing has no boxes.
    """

    class_names: tuple[str, ...]
    by_image: dict[Path, Predictions]


def read_found(path: str | Path, images: Sequence[AnnotatedImage], class_names: Sequence[str]) -> FoundBoxes:
    """Reads boxes in any of the forms that `kind detect` writes, or other programs.

    A `.json` file: COCO's list of results, whose numbers `images.json` beside it explains, and without that
    COCO's own (the number in the image's file name, and its 90 category ids); or one COCO file with images,
    categories and annotations with scores. A `.csv` file with the columns image, class, score, left, top,
    right, bottom. A folder with a text file for each image: class name, score and corners in pixels, or
    YOLO's class number, centre, size and score.

    Args:
        path: the file or folder.
        images: of the data set; boxes are matched to them by file name, or its stem.
        class_names: of the data set, for class numbers in text files without `classes.txt`.

    Returns:
        The boxes.

    Raises:
        UserError: when the file is missing, in another form, or names an image that is not there.
    """
    path = Path(path)
    sizes = {image.path.stem: image.size for image in images}
    try:
        if path.is_dir():
            rows = _text_rows(path, sizes, class_names)
        elif path.stat().st_size > _LARGEST_FILE:
            raise ValueError("it is larger than 1 GiB")
        elif path.suffix == ".json":
            rows = _json_rows(path)
        elif path.suffix == ".csv":
            rows = _table_rows(path)
        else:
            raise ValueError("expected a .json or .csv file, or a folder of text files")
        return _sorted_by_image(path, list(rows), images)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UserError as error:
        raise UserError(str(error)) from error
    except (*_BROKEN, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not a file of boxes: {type(error).__name__}: {reason}") from error


def _tails(path: Path) -> list[str]:
    """A path without more and more of its first folders."""
    return ["/".join(path.parts[start:]) for start in range(len(path.parts))]


def _sorted_by_image(path: Path, rows: list[Row], images: Sequence[AnnotatedImage]) -> FoundBoxes:
    places = defaultdict(set)
    for image, name_in_tables in zip(images, distinct_paths([image.path for image in images])):
        for name in (*_tails(image.path), image.path.stem, name_in_tables):
            places[name].add(image.path)
    names = tuple(sorted({row.label for row in rows}))
    numbers = {name: number for number, name in enumerate(names)}
    found: dict[Path, list[Row]] = defaultdict(list)
    for row in rows:
        if not all(map(math.isfinite, (row.score, *row.box))):
            raise UserError(f"{path}: a box of {row.image} has a side or score that is not a number")
        if row.box[2] < row.box[0] or row.box[3] < row.box[1]:
            sides = " ".join(f"{side:g}" for side in row.box)
            raise UserError(f"{path}: a box of {row.image} is inverted: left, top, right, bottom are {sides}")
        names_of_it = (row.image, *_tails(Path(row.image)), Path(row.image).stem)
        known = next((places[name] for name in names_of_it if name in places), None)
        if not known:
            raise UserError(f"{path}: {row.image}: no image of that name in the data set")
        if len(known) > 1:
            raise UserError(f"{path}: {row.image}: {len(known)} images of the data set have this name")
        found[next(iter(known))].append(row)
    by_image = {}
    for place, entries in found.items():
        entries.sort(key=lambda row: -row.score)
        boxes = np.array([row.box for row in entries], np.float32).reshape(-1, 4)
        scores = np.array([row.score for row in entries], np.float32)
        by_image[place] = Predictions(
            boxes, scores, np.array([numbers[row.label] for row in entries], np.int32)
        )
    return FoundBoxes(names, by_image)


def _json_rows(path: Path) -> Iterator[Row]:
    content = _json(path)
    if isinstance(content, dict):
        records, described = content["annotations"], content
    else:
        records, beside = content, path.with_name("images.json")
        described = _json(beside) if beside.is_file() else None
    if described:
        images = {coco_id(item["id"]): str(item["file_name"]) for item in described["images"]}
        labels = {coco_id(item["id"]): str(item["name"]) for item in described["categories"]}
    else:
        images, labels = None, dict(zip(_COCO_IDS, COCO))
    for place, record in enumerate(records, start=1):
        left, top, width, height = map(float, record["bbox"])
        number, category = coco_id(record["image_id"]), coco_id(record["category_id"])
        if images is not None and number not in images:
            raise ValueError(f"box {place} in the list: unknown image {ascii(record['image_id'])[:100]}")
        if category not in labels:
            raise ValueError(f"box {place} in the list: unknown class {ascii(record['category_id'])[:100]}")
        image = images[number] if images is not None else f"{int(number):012d}"
        yield Row(image, labels[category], float(record["score"]), (left, top, left + width, top + height))


def _json(path: Path) -> object:
    return json.loads(path.read_text(encoding="utf-8-sig"))


def _table_rows(path: Path) -> Iterator[Row]:
    with path.open(newline="", encoding="utf-8-sig", errors="backslashreplace") as file:
        table = csv.DictReader(file)
        if missing := [name for name in _COLUMNS if name not in (table.fieldnames or ())]:
            found = ascii(",".join(table.fieldnames or ()))[:100]
            wanted = ",".join(_COLUMNS)
            raise ValueError(f"expected a first line with {wanted}; {missing[0]} is missing in {found}")
        for line in table:
            image, label, *values = (line[name] for name in _COLUMNS)
            if None in (image, label, *values):
                raise ValueError(f"line {table.line_num}: expected {len(_COLUMNS)} columns")
            score, *box = map(float, values)
            yield Row(image, label, score, tuple(box))


def _text_rows(folder: Path, sizes: dict[str, tuple[int, int]], class_names: Sequence[str]) -> Iterator[Row]:
    files = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".txt"}
    if list_of_names := files.pop("classes.txt", None):
        lines = list_of_names.read_text(encoding="utf-8-sig").splitlines()
        class_names = [line.strip() for line in lines]
    for file in sorted(files.values()):
        for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), start=1):
            if words := line.split():
                yield _text_row(file, number, words, sizes, class_names)


def _text_row(
    file: Path, number: int, words: list[str], sizes: dict[str, tuple[int, int]], class_names: Sequence[str]
) -> Row:
    """A class's name, a score and corners in pixels; or its number, a box or polygon by YOLO, and a score."""
    where, image = f"{file.name}, line {number}", file.stem
    first, values = words[0], [*map(float, words[1:])]
    if not first.isdecimal():
        if len(words) != 6:
            raise ValueError(f"{where}: expected six columns, found {len(words)}")
        return Row(image, first.replace("_", " "), values[0], tuple(values[1:]))
    if image not in sizes:
        raise ValueError(f"{file.name}: no image of that name in the data set")
    if int(first) >= len(class_names):
        raise ValueError(f"{where}: there is no class {first}")
    box = relative_box(values[:-1], sizes[image])
    if box is None:
        raise ValueError(f"{where}: expected six columns, or a polygon and a score; found {len(words)}")
    return Row(image, class_names[int(first)], values[-1], box)
