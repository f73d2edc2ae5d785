"""COCO: one JSON file with `images`, `annotations` (`bbox`: left, top, width, height) and `categories`."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from kind.data.annotations.annotated import Annotations, Reading, Row, sizes_of
from kind.errors import UserError

_LARGEST_FILE = 1 << 31


def read_coco_json(file: str | Path, images: str | Path, *, repair: bool = False) -> Annotations:
    """Reads a COCO file of instances.

    Categories become classes in the order of their ids, which leave numbers out. Where the file states an
    image's size it is believed: opening 118,000 images would take minutes.

    Args:
        file: such as `instances_train2017.json`.
        images: folder that the file's names of images are in.
        repair: cut or leave out what is broken, and name it in `problems`, instead of refusing.

    Returns:
        The data set; an image with no annotations is part of it.

    Raises:
        UserError: when the file is missing or not COCO's, or an annotation is broken: all are named by id.
    """
    file, images = Path(file), Path(images)
    content = _content(file)
    if not images.is_dir():
        raise UserError(f"{images}: no such folder of images")
    categories = sorted(_by_id(content, "categories", file).items())
    labels = {number: label for label, (number, _) in enumerate(categories)}
    reading = Reading([str(category.get("name", number)) for number, category in categories])
    listed = _by_id(content, "images", file)
    rows: dict[object, list[Row]] = {number: [] for number in listed}
    for position, annotation in enumerate(content["annotations"]):
        where = f"{file}, annotation {_name_of(annotation, position)}"
        row = _row(where, annotation, labels)
        if isinstance(row, str):
            reading.problems.append(f"{where}: {row}")
        elif not _is_in(rows, annotation.get("image_id")):
            reading.problems.append(f"{where}: unknown image {ascii(annotation.get('image_id'))}")
        else:
            rows[annotation["image_id"]].append(row)
    paths = {number: _path(images, image, file, number, reading) for number, image in listed.items()}
    unsized = [path for number, path in paths.items() if path and not _size(listed[number])]
    sizes = sizes_of(unsized, reading.problems)
    for number, path in paths.items():
        size = _size(listed[number]) or sizes.get(path)
        if path and size:
            reading.add(path, size, rows[number])
    return reading.finish(repair)


def _content(file: Path) -> dict:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise UserError(f"{file}: larger than {_LARGEST_FILE >> 30} GiB: not a file of annotations")
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); expected a COCO file (.json)") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: not a JSON file: {error}") from error
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise UserError(f"{file}: not a COCO file of instances: it has no list of {key}")
    return content


def _by_id(content: dict, key: str, file: Path) -> dict:
    """The entries of a list by id."""
    entries = {}
    for entry in content[key]:
        number = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(number, int) or number in entries:
            raise UserError(f"{file}: in {key}, an entry without an id of its own: {ascii(number)}")
        entries[number] = entry
    return entries


def _name_of(annotation: object, position: int) -> str:
    number = annotation.get("id") if isinstance(annotation, dict) else None
    return str(number) if isinstance(number, int) else f"number {position + 1} in the list"


def _row(where: str, annotation: object, labels: dict[int, int]) -> Row | str:
    """An annotation's object, or what is wrong with it."""
    if not isinstance(annotation, dict):
        return "is not an object"
    box, area = annotation.get("bbox"), annotation.get("area")
    if not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))):
        return "expected a bbox of left, top, width and height"
    if not _is_in(labels, annotation.get("category_id")):
        return f"unknown class {ascii(annotation.get('category_id'))}"
    left, top, width, height = box
    return Row(
        where,
        labels[annotation["category_id"]],
        (left, top, left + width, top + height),
        crowd=bool(annotation.get("iscrowd")),
        area=area if _is_number(area) else None,
    )


def _path(images: Path, image: dict, file: Path, number: int, reading: Reading) -> Path | None:
    """The image's file, when it is there."""
    name = image.get("file_name")
    if not isinstance(name, str) or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        reading.problems.append(f"{file}, image {number}: expected a file_name inside the folder of images")
        return None
    if not (images / name).is_file():
        reading.problems.append(f"{images / name}: no such image; {file} names it (image {number})")
        return None
    return images / name


def _size(image: dict) -> tuple[int, int] | None:
    height, width = image.get("height"), image.get("width")
    sound = all(isinstance(side, int) and side > 0 for side in (height, width))
    return (height, width) if sound else None


def _is_in(table: dict, number: object) -> bool:
    return isinstance(number, int) and number in table


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
