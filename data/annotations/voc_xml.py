"""Pascal VOC: an XML file for each image, boxes in pixels counted from 1."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from kind.data.annotations.annotated import Annotations
from kind.data.annotations.class_names import PASCAL_VOC
from kind.data.annotations.image_files import FileIndex, images_below, readable_headers
from kind.data.annotations.reading import Reading, Row
from kind.data.annotations.text_files import NO_FILE, flag_of, numbers
from kind.errors import UserError
from kind.images.header import Header

_LARGEST_FILE = 1 << 22
_DEEPEST = 16
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc_xml(
    images: str | Path,
    annotations: str | Path,
    class_names: Sequence[str] = PASCAL_VOC,
    *,
    repair: bool = False,
    boxes_on: str | None = None,
) -> Annotations:
    """Reads Pascal VOC's files: `Annotations/NAME.xml` for `JPEGImages/NAME.jpg`.

    VOC's first pixel is 1, and a box includes its last pixel: xmin 1, xmax 500 is all of an image 500 pixels
    wide, here 0 to 500. What the XML says about the image's name is not used, and its size only tells which
    way up the image was; a size that is another one is noted, since copies and conversions tend to leave it
    wrong.

    Args:
        images: folder of images.
        annotations: folder of XML files; an image without one is not part of the data set (VOC's folder
            of images serves several tasks).
        class_names: of the data set.
        repair: cut or leave out what is broken, and name it in `problems`, instead of refusing.
        boxes_on: "stored" when the boxes are on the pixels as the files store them, "upright" when they
            are on the images as their EXIF orientation turns them; None refuses images whose annotations
            state the size of the stored pixels, when that is not the size of the upright image.

    Returns:
        The data set.

    Raises:
        UserError: when folders are missing, or an annotation is broken, by file and line. XML that
            declares a document type, which is what entity attacks are made of, is refused.
    """
    images, annotations = Path(images), Path(annotations)
    found = images_below(images)
    if not annotations.is_dir():
        raise UserError(f"{annotations}: no such folder of annotations")
    reading, index = Reading(class_names, boxes_on), FileIndex(annotations, ".xml")
    files: dict[Path, Path] = {}
    used: set[Path] = set()
    for image in found:
        expected = (annotations / image.relative_to(images)).with_suffix(".xml")
        file = index.find(expected)
        if file in used:
            reading.problems.append(f"{image}: another image has this name, too; {file} can be of one only")
        elif file:
            files[image] = file
            used.add(file)
        elif os.path.lexists(expected):
            reading.problems.append(NO_FILE.format(expected))
    alone = [file for file in index.paths if file not in used]
    reading.problems += [f"{file}: no image of that name in {images}" for file in alone]
    reading.found = (
        f"{len(found)} images in {images} and {len(index.paths)} XML files in {annotations}, {len(used)} of "
        "them named like an image"
    )
    for image, header in readable_headers(list(files), reading.problems).items():
        _add(image, header, files[image], reading)
    return reading.finish(repair)


class _Element(NamedTuple):
    name: str
    line: int
    children: list
    text: list


_NOTHING = _Element("annotation", 0, [], [])


def _add(image: Path, header: Header, path: Path, reading: Reading) -> None:
    """One image with the objects of its file; one whose file is broken has none."""
    try:
        root = _parsed(path)
    except OSError as error:
        reading.problems.append(f"{path}: cannot be read ({error.strerror})")
        root = _NOTHING
    except (ValueError, LookupError, expat.ExpatError) as error:  # LookupError: of no known encoding
        reading.problems.append(f"{path}: not a Pascal VOC file: {error}")
        root = _NOTHING
    objects = [child for child in root.children if child.name == "object"]
    frame = reading.frame(image, header, _size(root), binding=False) if objects else None
    if frame:
        reading.add(image, frame.size, _rows(path, objects, reading), frame.orientation)
    else:
        reading.add(image, header.upright_size, ())


def _size(root: _Element) -> tuple[int, int] | None:
    """Height and width that the file states; None when it states none that could be."""
    sides = numbers([_text(_child(root, "size"), side) for side in ("height", "width")])
    sound = sides is not None and all(side >= 1 and side.is_integer() for side in sides)
    return (int(sides[0]), int(sides[1])) if sound else None


def _rows(path: Path, objects: list[_Element], reading: Reading) -> Iterator[Row]:
    for item in objects:
        where = f"{path}, line {item.line}"
        corners = numbers([_text(_child(item, "bndbox"), corner) for corner in _CORNERS])
        if corners is None:
            reading.problems.append(f"{where}: expected a bndbox with {', '.join(_CORNERS)}")
            continue
        left, top, right, bottom = corners
        difficult = flag_of(_text(item, "difficult"), "difficult", where, reading)
        yield Row(where, _text(item, "name"), (left - 1, top - 1, right, bottom), difficult=difficult)


def _child(element: _Element | None, name: str) -> _Element | None:
    """The first child of that name (objects may have parts with boxes of their own, which lie deeper)."""
    return next((child for child in element.children if child.name == name), None) if element else None


def _text(element: _Element | None, name: str) -> str:
    found = _child(element, name)
    return "".join(found.text).strip() if found else ""


def _parsed(path: Path) -> _Element:
    """An XML file as a tree; no document type, no entities, nothing deep or large."""
    if path.stat().st_size > _LARGEST_FILE:
        raise ValueError(f"larger than {_LARGEST_FILE >> 20} MiB")
    open_elements = [_Element("", 0, [], [])]
    parser = expat.ParserCreate()

    def begin(name: str, attributes: dict[str, str]) -> None:
        if len(open_elements) > _DEEPEST:
            raise ValueError("its elements lie too deep inside one another")
        element = _Element(name, parser.CurrentLineNumber, [], [])
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def refuse(*_: object) -> None:
        raise ValueError("it declares a document type, which is refused")

    parser.StartElementHandler = begin
    parser.EndElementHandler = lambda name: open_elements.pop()
    parser.CharacterDataHandler = lambda text: open_elements[-1].text.append(text)
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(path.read_bytes(), True)
    root = open_elements[0].children[0]
    if root.name != "annotation":
        raise ValueError(f"expected <annotation>, found <{root.name[:50]}>")
    return root
