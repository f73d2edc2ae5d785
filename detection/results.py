"""Writes predictions as files for other programs: COCO's JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kind.metrics.boxes import Predictions
from kind.reports.writing import write_csv, write_json

RESULTS_FILE, IMAGES_FILE, TABLE_FILE = "detections.json", "images.json", "detections.csv"

_FIRST_CATEGORY = 1
_PIXEL_DIGITS, _SCORE_DIGITS = 2, 5  # what COCO recommends: files stay small


class Searched(NamedTuple):
    """One image: its file, its size (height, width) in pixels, and what was found, best first."""

    path: Path
    size: tuple[int, int]
    found: Predictions


def write_results(folder: Path, searched: Sequence[Searched], class_names: Sequence[str]) -> list[Path]:
    """Writes the three files, each wholly or not at all.

    `detections.json` is COCO's form of results: a list of `image_id`, `category_id`, `bbox` (left, top,
    width, height in pixels) and `score`. `images.json` says which images and categories the numbers mean, in
    COCO's form of a data set without annotations: `COCO("images.json").loadRes("detections.json")` works.
    `detections.csv` has a line for each box, with names, for everything else.

    Args:
        folder: where they go.
        searched: the images, numbered from 1 in this order.
        class_names: by class number; class c is category c + 1, because COCO's numbers begin at 1.

    Returns:
        The files.

    Raises:
        UserError: when one cannot be written.
    """
    files = [folder / name for name in (RESULTS_FILE, IMAGES_FILE, TABLE_FILE)]
    records = [record for number, entry in _numbered(searched) for record in _records(number, entry)]
    for path, content in zip(files, (records, _data_set(searched, class_names))):
        write_json(path, content, indent=None, ascii_only=True)
    head = ["image", "class", "score", "left", "top", "right", "bottom"]
    write_csv(files[2], head, (line for entry in searched for line in _lines(entry, class_names)))
    return files


def _numbered(searched: Sequence[Searched]) -> enumerate:
    return enumerate(searched, start=1)


def _records(number: int, entry: Searched) -> list[dict[str, Any]]:
    """One image's boxes as COCO has them."""
    return [
        {
            "image_id": number,
            "category_id": int(label) + _FIRST_CATEGORY,
            "bbox": [
                round(float(side), _PIXEL_DIGITS) for side in (*box[:2], box[2] - box[0], box[3] - box[1])
            ],
            "score": round(float(score), _SCORE_DIGITS),
        }
        for box, score, label in zip(*entry.found)
    ]


def _lines(entry: Searched, class_names: Sequence[str]) -> Iterator[list[Any]]:
    """One image's boxes as lines of the table."""
    for box, score, label in zip(*entry.found):
        corners = [round(float(corner), _PIXEL_DIGITS) for corner in box]
        yield [str(entry.path), class_names[label], round(float(score), _SCORE_DIGITS), *corners]


def _data_set(searched: Sequence[Searched], class_names: Sequence[str]) -> dict[str, list]:
    return {
        "info": {},
        "images": [
            {"id": number, "file_name": str(entry.path), "width": entry.size[1], "height": entry.size[0]}
            for number, entry in _numbered(searched)
        ],
        "categories": [
            {"id": number, "name": name} for number, name in enumerate(class_names, start=_FIRST_CATEGORY)
        ],
        "annotations": [],
    }
