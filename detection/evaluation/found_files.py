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
_ROUNDING = 1e-5
_LARGEST_PART = 2.0  # no part of an image is more, and hardly any data set's boxes end before two pixels
_LIST_OF_NAMES = "classes.txt"
_COLUMNS = ("image", "class", "score", "left", "top", "right", "bottom")


class Row(NamedTuple):
    """One box: its image's name, its class's name, its score, its corners in pixels."""

    image: str
    label: str
    score: float
    box: tuple[float, float, float, float]


class _Line(NamedTuple):
    """One line of a text file: where it is, its image's name, its first word, the numbers after that."""

    where: str
    image: str
    first: str
    values: list[float]


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
    YOLO's class number, centre, size and score. All text files of a folder are of one form. Where every line
    begins with a number, which may be a class's name, it is YOLO's if all values are from 0 to 1, as no
    corners in pixels are.

    Args:
        path: the file or folder.
        images: of the data set; boxes are matched to them by file name, or its stem.
        class_names: of the data set, for class numbers in text files without `classes.txt`.

    Returns:
        The boxes.

    Raises:
        UserError: when the file is missing, in another form, or names an image that is not there; when a
            score is not from 0 to 1; when a folder has no text file for any image (an empty file says that
            nothing was found in its image).
    """
    path = Path(path)
    sizes = {image.path.stem: image.size for image in images}
    places = _places(images)
    try:
        if path.is_dir():
            _check_folder(path, places)
            rows = _text_rows(path, sizes, class_names)
        elif path.stat().st_size > _LARGEST_FILE:
            raise ValueError("it is larger than 1 GiB")
        elif path.suffix == ".json":
            rows = _json_rows(path)
        elif path.suffix == ".csv":
            rows = _table_rows(path)
        else:
            raise ValueError("expected a .json or .csv file, or a folder of text files")
        return _sorted_by_image(path, list(rows), places)
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


def _places(images: Sequence[AnnotatedImage]) -> dict[str, set[Path]]:
    """The images that each name may mean."""
    places = defaultdict(set)
    for image, name_in_tables in zip(images, distinct_paths([image.path for image in images])):
        for name in (*_tails(image.path), image.path.stem, name_in_tables):
            places[name].add(image.path)
    return places


def _called(name: str, places: dict[str, set[Path]]) -> set[Path]:
    """The images that a name, also with folders or a suffix of its own, means."""
    names = (name, *_tails(Path(name)), Path(name).stem)
    return next((places[name] for name in names if name in places), set())


def _text_files(folder: Path) -> dict[str, Path]:
    """The text files of a folder by name in small letters, sorted."""
    return {path.name.lower(): path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".txt"}


def _check_folder(folder: Path, places: dict[str, set[Path]]) -> None:
    """Refuses a folder that would count as nothing found in any image.

    Raises:
        UserError: when it has neither a text file that is named like an image, nor one that names boxes.
    """
    texts = [path for name, path in _text_files(folder).items() if name != _LIST_OF_NAMES]
    if any(_called(path.stem, places) or path.stat().st_size for path in texts):
        return
    if any(path.suffix.lower() == ".xml" for path in folder.iterdir()):
        raise UserError(
            f"{folder}: Pascal VOC's files (.xml) are not read as found boxes; give COCO's, or a folder of "
            "text files: kind detect --labels coco, yolo or text"
        )
    raise UserError(
        f"{folder}: no text file is named like an image of the data set; expected NAME.txt for each image "
        "NAME, an empty one where nothing was found, or else a .json or .csv file"
    )


def _sorted_by_image(path: Path, rows: list[Row], places: dict[str, set[Path]]) -> FoundBoxes:
    names = tuple(sorted({row.label for row in rows}))
    numbers = {name: number for number, name in enumerate(names)}
    found: dict[Path, list[Row]] = defaultdict(list)
    for row in rows:
        if not all(map(math.isfinite, (row.score, *row.box))):
            raise UserError(f"{path}: a box of {row.image} has a side or score that is not a number")
        if not _is_part(row.score):
            raise UserError(
                f"{path}: a box of {row.image} has the score {row.score:g}; expected scores from 0 to 1: "
                "divide percentages by 100"
            )
        if row.box[2] < row.box[0] or row.box[3] < row.box[1]:
            sides = " ".join(f"{side:g}" for side in row.box)
            raise UserError(f"{path}: a box of {row.image} is inverted: left, top, right, bottom are {sides}")
        known = _called(row.image, places)
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
    files = _text_files(folder)
    list_of_names = files.pop(_LIST_OF_NAMES, None)
    if list_of_names:
        lines = list_of_names.read_text(encoding="utf-8-sig").splitlines()
        class_names = [line.strip() for line in lines]
    lines = [line for file in sorted(files.values()) for line in _text_lines(file)]
    if _is_yolo(lines, listed=list_of_names is not None):
        return (_yolo_row(line, sizes, class_names) for line in lines)
    return map(_tool_row, lines)


def _text_lines(file: Path) -> Iterator[_Line]:
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), start=1):
        where = f"{file.name}, line {number}"
        if words := line.split():
            try:
                yield _Line(where, file.stem, words[0], [*map(float, words[1:])])
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from None


def _is_part(value: float) -> bool:
    """Whether a number is from 0 to 1, but for how it was rounded."""
    return -_ROUNDING <= value <= 1 + _ROUNDING


def _is_yolo(lines: Sequence[_Line], *, listed: bool) -> bool:
    """Whether the lines of all files are in YOLO's form; otherwise they are in that of mAP tools.

    Args:
        lines: of all files.
        listed: whether `classes.txt` says what class numbers mean.

    Raises:
        ValueError: when they can be in neither, or are in both.
    """
    numbered = [line for line in lines if line.first.isdecimal()]
    named = next((line for line in lines if not line.first.isdecimal()), None)
    beyond = next((line for line in numbered if not all(map(_is_part, line.values))), None)
    if not numbered:
        return False
    if named and not beyond:
        raise ValueError(
            f"{numbered[0].where} is in YOLO's form and {named.where} is not: expected one form in all files"
        )
    if named or not beyond:
        return not named
    strange = next((line for line in numbered if not _is_of_tools(line)), None)
    in_pixels = any(max(line.values, default=0.0) > _LARGEST_PART for line in numbered)
    if listed or strange or not in_pixels:
        where, _, _, values = strange or beyond
        shown = " ".join(f"{value:g}" for value in values[:7])
        raise ValueError(
            f"{where}: expected YOLO's class number, centre, size and score, all from 0 to 1 in every file, "
            "or without classes.txt a class, a score and left, top, right, bottom in pixels; received "
            f"{shown or 'none'}"
        )
    return False


def _is_of_tools(line: _Line) -> bool:
    """Whether a line can be a class, a score and corners in pixels."""
    if len(line.values) != 5:
        return False
    score, left, top, right, bottom = line.values
    return _is_part(score) and left <= right and top <= bottom


def _tool_row(line: _Line) -> Row:
    """A class's name, a score and corners in pixels."""
    if len(line.values) != 5:
        raise ValueError(f"{line.where}: expected six columns, found {len(line.values) + 1}")
    return Row(line.image, line.first.replace("_", " "), line.values[0], tuple(line.values[1:]))


def _yolo_row(line: _Line, sizes: dict[str, tuple[int, int]], class_names: Sequence[str]) -> Row:
    """A class's number, a box or polygon by YOLO, and a score."""
    if line.image not in sizes:
        raise ValueError(f"{line.image}.txt: no image of that name in the data set")
    if int(line.first) >= len(class_names):
        raise ValueError(f"{line.where}: there is no class {line.first}")
    box = relative_box(line.values[:-1], sizes[line.image])
    if box is None:
        found = len(line.values) + 1
        raise ValueError(f"{line.where}: expected six columns, or a polygon and a score; found {found}")
    return Row(line.image, class_names[int(line.first)], line.values[-1], box)
