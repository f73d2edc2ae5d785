"""COCO: one JSON file with `images`, `annotations` (`bbox`: left, top, width, height) and `categories`."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Union

from kind.data.annotations.annotated import Annotations
from kind.data.annotations.image_files import is_name_inside, read_headers
from kind.data.annotations.orientation import Frame
from kind.data.annotations.reading import Reading, Row
from kind.data.annotations.text_files import flag_of
from kind.errors import UserError
from kind.images.header import Header

_LARGEST_FILE = 1 << 31
_LONGEST_NUMBER = 18
_LONGEST_SHOWN = 500  # letters of a name
_LONGEST_TEXT = 640  # digits, which Python always reads

Id = Union[int, str]


def read_coco_json(
    file: str | Path, images: str | Path, *, repair: bool = False, boxes_on: str | None = None
) -> Annotations:
    """Reads a COCO file of instances.

    Categories become classes in the order of their ids, which leave numbers out; categories of one name
    become one class, and are named in `problems`. Ids may be whole numbers or text; "7" is the same as 7.

    Args:
        file: such as `instances_train2017.json`.
        images: folder that the file's names of images are in.
        repair: cut or leave out what is broken, and name it in `problems`, instead of refusing.
        boxes_on: see `voc_xml.read_voc_xml`.

    Returns:
        The data set; an image with no annotations is part of it.

    Raises:
        UserError: when the file is missing or not COCO's, an annotation is broken (all are named by id), or
            the file states another size than an image has.
    """
    file, images = Path(file), Path(images)
    content = _content(file)
    if not images.is_dir():
        raise UserError(f"{images}: no such folder of images")
    names, labels = _classes(_by_id(content, "categories", file))
    reading = Reading(names, boxes_on)
    _note_merged(reading, file, labels)
    listed = _by_id(content, "images", file)
    rows: dict[Id, list[Row]] = {number: [] for number in listed}
    for position, annotation in enumerate(content["annotations"]):
        where = f"{file}, annotation {_name_of(annotation, position)}"
        row = _row(where, annotation, labels, reading)
        number = coco_id(annotation.get("image_id")) if isinstance(annotation, dict) else None
        if isinstance(row, str):
            reading.problems.append(f"{where}: {row}")
        elif number not in rows:
            reading.problems.append(f"{where}: unknown image {ascii(annotation.get('image_id'))}")
        else:
            rows[number].append(row)
    _add_images(reading, images, file, listed, rows)
    reading.found = (
        f"{len(listed)} images and {len(content['annotations'])} annotations in {file}, "
        f"{sum(map(len, rows.values()))} of them of these images"
    )
    return reading.finish(repair)


def _add_images(
    reading: Reading, folder: Path, file: Path, listed: dict[Id, dict], rows: dict[Id, list[Row]]
) -> None:
    """Adds every image that is there; the size that is stated tells which way up its boxes are."""
    paths: dict[Id, Path] = {}
    numbers: dict[Path, Id] = {}
    for number, image in listed.items():
        path = _path(folder, image, file, number, reading)
        if path in numbers:
            reading.problems.append(f"{file}, image {number}: the same file as image {numbers[path]}: {path}")
        elif path:
            paths[number], numbers[path] = path, number
    headers = read_headers(list(numbers))
    for number, path in paths.items():
        header, stated = headers[path], _size(listed[number])
        if isinstance(header, Header):
            frame = reading.frame(path, header, stated) if rows[number] else Frame(header.upright_size)
            if frame:
                reading.add(path, frame.size, rows[number], frame.orientation)
        elif stated:  # whoever reads the pixels will say what is wrong with them
            reading.add(path, stated, rows[number])
        else:
            reading.problems.append(str(header))


def _content(file: Path) -> dict:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise UserError(f"{file}: larger than {_LARGEST_FILE >> 30} GiB: not a file of annotations")
        content = _parsed(file.read_bytes())
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); expected a COCO file (.json)") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: not a JSON file: {error}") from error
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise UserError(f"{file}: not a COCO file of instances: it has no list of {key}")
    return content


def _parsed(data: bytes) -> object:
    try:
        return json.loads(data)
    except json.JSONDecodeError:
        raise
    except ValueError:  # a number of more digits than Python reads, which its entry is named for
        return json.loads(data, parse_int=lambda text: (int if len(text) < _LONGEST_TEXT else float)(text))


def _by_id(content: dict, key: str, file: Path) -> dict[Id, dict]:
    """The entries of a list by id."""
    entries = {}
    for entry in content[key]:
        given = entry.get("id") if isinstance(entry, dict) else None
        number = coco_id(given)
        if number is None or number in entries:
            raise UserError(f"{file}: in {key}, an entry without an id of its own: {ascii(given)[:100]}")
        entries[number] = entry
    return entries


def coco_id(value: object) -> Id | None:
    """An id: a whole number however it is written, or other text; None when it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _LONGEST_NUMBER:
        return int(value)
    return value if isinstance(value, (int, str)) else None


def _classes(categories: dict[Id, dict]) -> tuple[list[str], dict[Id, int]]:
    """The class names in the order of the ids, numbers first, and the class of each category."""
    names: dict[str, int] = {}
    labels = {}
    for number in sorted(categories, key=lambda number: (isinstance(number, str), number)):
        labels[number] = names.setdefault(str(categories[number].get("name", number)), len(names))
    return list(names), labels


def _note_merged(reading: Reading, file: Path, labels: dict[Id, int]) -> None:
    for number, name in enumerate(reading.class_names):
        alike = [str(category) for category, label in labels.items() if label == number]
        if len(alike) > 1:
            reading.note(
                f"{file}, categories {', '.join(alike)}", f"one class, since all are called {name!r}"
            )


def _name_of(annotation: object, position: int) -> str:
    number = coco_id(annotation.get("id")) if isinstance(annotation, dict) else None
    return str(number)[:100] if number is not None else f"number {position + 1} in the list"


def _row(where: str, annotation: object, labels: dict[Id, int], reading: Reading) -> Row | str:
    """An annotation's object, or what is wrong with it."""
    if not isinstance(annotation, dict):
        return "is not an object"
    box = annotation.get("bbox")
    sides = [*map(_number, box)] if isinstance(box, list) else []
    if len(sides) != 4 or None in sides:
        return "expected a bbox of left, top, width and height"
    category = coco_id(annotation.get("category_id"))
    if category not in labels:
        return f"unknown class {ascii(annotation.get('category_id'))[:100]}"
    left, top, width, height = sides
    return Row(
        where,
        labels[category],
        (left, top, left + width, top + height),
        crowd=flag_of(annotation.get("iscrowd"), "iscrowd", where, reading),
        area=_area(annotation.get("area"), where, reading),
    )


def _path(images: Path, image: dict, file: Path, number: Id, reading: Reading) -> Path | None:
    """The image's file, when it is there."""
    name = image.get("file_name")
    if not is_name_inside(name):
        reading.problems.append(f"{file}, image {number}: expected a file_name inside the folder of images")
        return None
    if not os.path.isfile(images / name):  # False for names that no file can have
        reading.problems.append(
            f"{str(images / name)[:_LONGEST_SHOWN]}: no such image; {file} names it (image {number})"
        )
        return None
    return images / name


def _size(image: dict) -> tuple[int, int] | None:
    """Height and width that the file states; None when it states none that could be."""
    height, width = coco_id(image.get("height")), coco_id(image.get("width"))
    sound = all(isinstance(side, int) and side > 0 for side in (height, width))
    return (height, width) if sound else None


def _area(value: object, where: str, reading: Reading) -> float | None:
    """An area; None, for the box's own, when it is none that could be."""
    area = _number(value)
    if value is None or (area is not None and 0 <= area < math.inf):
        return area
    told = f"{area:g}" if area is not None else ascii(value)[:40]
    reading.note(where, f"its area is {told}, which is none: that of its box is used")
    return None


def _number(value: object) -> float | None:
    """A JSON number, infinite when it is too large; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
