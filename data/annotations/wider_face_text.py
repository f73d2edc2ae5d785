"""WIDER FACE: one text file with an image's name, the number of its faces, and a line for each face."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from kind.data.annotations.annotated import Annotations
from kind.data.annotations.class_names import WIDER_FACE
from kind.data.annotations.image_files import is_name_inside, readable_headers
from kind.data.annotations.reading import Reading, Row
from kind.data.annotations.text_files import numbered_lines, numbers
from kind.images.photo import READABLE_SUFFIXES

_LENGTHS = (4, 10)  # numbers of a face, without and with its attributes
_INVALID = 7  # which of them says that nobody could tell whether it is a face


class _Entry(NamedTuple):
    """What the file says of one image: the place of its name, the name, and the lines below it."""

    where: str
    name: str
    lines: list[tuple[str, list[str]]]


def read_wider_face_text(
    file: str | Path, images: str | Path, *, repair: bool = False, boxes_on: str | None = None
) -> Annotations:
    """Reads WIDER FACE (Yang et al., CVPR 2016), such as `wider_face_train_bbx_gt.txt`.

    A face is `left top width height blur expression illumination invalid occlusion pose`; with `invalid` set
    it is difficult: neither trained on nor missed. The published files have a line of zeros below a number
    of 0 faces, and invalid faces without area; both are passed over.

    Args:
        file: the text file.
        images: folder that the file's names of images are in, such as `WIDER_train/images`.
        repair: cut or leave out what is broken, and name it in `problems`, instead of refusing.
        boxes_on: see `yolo_text.read_yolo_text`.

    Returns:
        The data set, with the class "face"; images that the file does not name are not part of it.

    Raises:
        UserError: when the file is missing, an image is, or an annotation is broken: all are named with their
            lines.
    """
    file, images = Path(file), Path(images)
    reading = Reading(WIDER_FACE, boxes_on)
    listed = list(_entries(file, reading))
    entries: dict[Path, _Entry] = {}
    for entry in listed:
        path = images / entry.name
        if not is_name_inside(entry.name):
            reading.problems.append(f"{entry.where}: expected the name of an image inside {images}")
        elif not os.path.isfile(path):
            reading.problems.append(f"{path}: no such image; {entry.where} names it")
        elif path in entries:
            reading.problems.append(f"{entry.where}: {entry.name} a second time")
        else:
            entries[path] = entry
    faces = sum(len(entry.lines) for entry in entries.values())
    reading.found = f"{len(listed)} images in {file}, {len(entries)} of them in {images}, with {faces} lines"
    for path, header in readable_headers(list(entries), reading.problems).items():
        rows = list(_rows(entries[path], reading))
        if not rows:
            reading.add(path, header.upright_size, ())
        elif frame := reading.frame(path, header):
            reading.add(path, frame.size, rows, frame.orientation)
    return reading.finish(repair)


def _entries(file: Path, reading: Reading) -> Iterator[_Entry]:
    """The file's lines by image: a line that ends like an image's name begins the next."""
    entry = None
    for where, words in numbered_lines(file):
        if PurePosixPath(words[-1]).suffix.lower() in READABLE_SUFFIXES:
            if entry:
                yield entry
            entry = _Entry(where, " ".join(words), [])
        elif entry:
            entry.lines.append((where, words))
        else:
            reading.problems.append(f"{where}: expected the name of an image")
    if entry:
        yield entry


def _rows(entry: _Entry, reading: Reading) -> Iterator[Row]:
    head = numbers(entry.lines[0][1]) if entry.lines else None
    if head is None or len(head) != 1 or not head[0].is_integer():
        reading.problems.append(f"{entry.where}: expected the number of faces in the next line")
        return
    lines = entry.lines[1:]
    if head[0] == 0 and len(lines) == 1 and not any(numbers(lines[0][1]) or (1,)):
        return
    if head[0] != len(lines):
        reading.problems.append(
            f"{entry.where}: says {head[0]:.0f} faces, but has {len(lines)} lines of them"
        )
    for where, words in lines:
        values = numbers(words)
        if values is None or len(values) not in _LENGTHS:
            reading.problems.append(f"{where}: expected left, top, width and height, and no or 6 attributes")
        else:
            yield from _face(where, values, reading)


def _face(where: str, values: Sequence[float], reading: Reading) -> Iterator[Row]:
    left, top, width, height = values[:4]
    invalid = len(values) > _INVALID and values[_INVALID] != 0
    if invalid and (width == 0 or height == 0):
        reading.note(where, "an invalid face without area, which is passed over")
    else:
        yield Row(where, 0, (left, top, left + width, top + height), difficult=invalid)
