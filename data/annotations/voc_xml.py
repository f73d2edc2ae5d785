"""Pascal VOC: an XML file for each image, boxes in pixels counted from 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from kind.data.annotations.annotated import Annotations, Reading, Row, images_below, sizes_of
from kind.data.annotations.class_names import PASCAL_VOC
from kind.data.annotations.text_files import numbers
from kind.errors import UserError

_LARGEST_FILE = 1 << 22
_DEEPEST = 16
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc_xml(
    images: str | Path,
    annotations: str | Path,
    class_names: Sequence[str] = PASCAL_VOC,
    *,
    repair: bool = False,
) -> Annotations:
    """Reads Pascal VOC's files: `Annotations/NAME.xml` for `JPEGImages/NAME.jpg`.

    VOC's first pixel is 1, and a box includes its last pixel: xmin 1, xmax 500 is all of an image 500 pixels
    wide, here 0 to 500. What the XML says about the image's name and size is not used, since copies and
    conversions tend to leave it wrong; the image itself is asked.

    Args:
        images: folder of images.
        annotations: folder of XML files; an image without one is not part of the data set (VOC's folder
            of images serves several tasks).
        class_names: of the data set.
        repair: cut or leave out what is broken, and name it in `problems`, instead of refusing.

    Returns:
        The data set.

    Raises:
        UserError: when folders are missing, or an annotation is broken, by file and line. XML that
            declares a document type, which is what entity attacks are made of, is refused.
    """
    images, annotations = Path(images), Path(annotations)
    by_stem = {path.relative_to(images).with_suffix(""): path for path in images_below(images)}
    if not annotations.is_dir():
        raise UserError(f"{annotations}: no such folder of annotations")
    reading = Reading(class_names)
    files = {}
    for file in sorted(annotations.rglob("*.xml")):
        image = by_stem.get(file.relative_to(annotations).with_suffix(""))
        if image is None:
            reading.problems.append(f"{file}: no image of that name in {images}")
        else:
            files[image] = file
    for image, size in sizes_of(list(files), reading.problems).items():
        reading.add(image, size, _rows(files[image], reading.problems))
    return reading.finish(repair)


class _Element(NamedTuple):
    name: str
    line: int
    children: list
    text: list


def _rows(path: Path, problems: list[str]) -> Iterator[Row]:
    try:
        root = _parsed(path)
    except (OSError, ValueError, expat.ExpatError) as error:
        problems.append(f"{path}: not a Pascal VOC file: {error}")
        return
    for item in root.children:
        if item.name == "object":
            where = f"{path}, line {item.line}"
            corners = numbers([_text(_child(item, "bndbox"), corner) for corner in _CORNERS])
            if corners is None:
                problems.append(f"{where}: expected a bndbox with {', '.join(_CORNERS)}")
                continue
            left, top, right, bottom = corners
            difficult = _text(item, "difficult") not in ("", "0")
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
