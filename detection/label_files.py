"""What was found, in the forms that other programs read: annotations of data sets, and files of mAP tools."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from kind.detection.results import Searched
from kind.files import atomic_write, fitted_name

FORMATS = {
    "coco": "one COCO file with images, categories and annotations, which have scores",
    "yolo": "a text file for each photograph: class number, centre, size (parts of the image), score",
    "voc": "a Pascal VOC file (.xml) for each photograph",
    "text": "a text file for each photograph as public mAP tools read it: class, score and corners in pixels",
}
"""The forms by name, and what each is."""

_FIRST_CATEGORY = 1
_TEXT = {"encoding": "utf-8", "errors": "backslashreplace"}


def write_labels(
    folder: Path, form: str, searched: Sequence[Searched], class_names: Sequence[str]
) -> list[Path]:
    """Writes what was found in one more form, each file wholly or not at all.

    `coco` writes `coco.json`; the others write a folder of their name with a file for each photograph, also
    for those in which nothing was found, named like the photograph; `yolo` adds `classes.txt`. In `text`,
    blanks in class names become underscores, because the tools separate columns by them.

    Args:
        folder: where they go.
        form: of `FORMATS`.
        searched: the images, numbered from 1 in this order.
        class_names: by class number.

    Returns:
        The file, or the folder.

    Raises:
        OSError: when they cannot be written.
        ValueError: on another form.
    """
    if form == "coco":
        _write(folder / place_of(form), json.dumps(_data_set(searched, class_names)) + "\n")
        return [folder / place_of(form)]
    if form not in _WRITERS:
        raise ValueError(f"a form of labels expects one of {', '.join(FORMATS)}; received {form!r}")
    suffix, lines = _WRITERS[form]
    for name, entry in zip(_file_names(searched), searched):
        text = "".join(f"{line}\n" for line in lines(entry, class_names))
        _write(folder / place_of(form) / fitted_name(name, suffix), text)
    if form == "yolo":
        _write(folder / place_of(form) / "classes.txt", "".join(f"{name}\n" for name in class_names))
    return [folder / place_of(form)]


def place_of(form: str) -> str:
    """The name of the file, or of the folder, of one of `FORMATS`."""
    return "coco.json" if form == "coco" else form


def _file_names(searched: Sequence[Searched]) -> list[str]:
    """Stems; whole names, then numbers too, where others would have the same."""
    stems = Counter(entry.path.stem for entry in searched)
    names = [entry.path.stem if stems[entry.path.stem] == 1 else entry.path.name for entry in searched]
    times = Counter(names)
    return [name if times[name] == 1 else f"{name}.{number}" for number, name in enumerate(names, 1)]


def _yolo_lines(entry: Searched, class_names: Sequence[str]) -> Iterator[str]:
    height, width = entry.size
    for box, score, label in zip(*entry.found):
        left, top, right, bottom = map(float, box)
        parts = [(left + right) / 2 / width, (top + bottom) / 2 / height]
        parts += [(right - left) / width, (bottom - top) / height, float(score)]
        yield f"{int(label)} {' '.join(f'{part:.6f}' for part in parts)}"


def _text_lines(entry: Searched, class_names: Sequence[str]) -> Iterator[str]:
    for box, score, label in zip(*entry.found):
        name = "_".join(class_names[label].split())
        yield f"{name} {float(score):.5f} {' '.join(f'{float(side):.2f}' for side in box)}"


def _voc_lines(entry: Searched, class_names: Sequence[str]) -> Iterator[str]:
    """VOC counts pixels from 1, and its right and bottom ones belong to the box."""
    root = ElementTree.Element("annotation")
    _add(root, filename=entry.path.name)
    size = ElementTree.SubElement(root, "size")
    _add(size, width=entry.size[1], height=entry.size[0], depth=3)
    for box, score, label in zip(*entry.found):
        left, top, right, bottom = map(float, box)
        item = ElementTree.SubElement(root, "object")
        _add(item, name=class_names[label], score=f"{float(score):.5f}", truncated=0, difficult=0)
        corners = ElementTree.SubElement(item, "bndbox")
        first, last = {"xmin": left + 1, "ymin": top + 1}, {"xmax": right, "ymax": bottom}
        _add(corners, **{name: f"{value:.2f}" for name, value in {**first, **last}.items()})
    ElementTree.indent(root)
    yield ElementTree.tostring(root, encoding="unicode")


def _add(parent: ElementTree.Element, **children: object) -> None:
    for name, value in children.items():
        ElementTree.SubElement(parent, name).text = str(value)


def _data_set(searched: Sequence[Searched], class_names: Sequence[str]) -> dict[str, list | dict]:
    annotations: list[dict[str, Any]] = []
    for number, entry in enumerate(searched, start=1):
        for box, score, label in zip(*entry.found):
            left, top, right, bottom = (round(float(side), 2) for side in box)
            width, height = round(right - left, 2), round(bottom - top, 2)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(label) + _FIRST_CATEGORY,
                    "bbox": [left, top, width, height],
                    "area": round(width * height, 2),
                    "iscrowd": 0,
                    "score": round(float(score), 5),
                }
            )
    images = [
        {"id": number, "file_name": entry.path.name, "width": entry.size[1], "height": entry.size[0]}
        for number, entry in enumerate(searched, start=1)
    ]
    categories = [{"id": number, "name": name} for number, name in enumerate(class_names, _FIRST_CATEGORY)]
    return {"info": {}, "images": images, "categories": categories, "annotations": annotations}


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(content, **_TEXT)


_WRITERS: dict[str, tuple[str, Callable[[Searched, Sequence[str]], Iterator[str]]]] = {
    "yolo": (".txt", _yolo_lines),
    "voc": (".xml", _voc_lines),
    "text": (".txt", _text_lines),
}
