"""What other programs read."""

import contextlib
import csv
import io
import json
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO

from kind.detection.results import Searched, write_results
from kind.metrics.boxes import Predictions

SEARCHED = [
    Searched(
        Path("a/one.png"),
        (80, 100),
        Predictions(np.array([[1, 2, 31, 12], [0, 0, 9.5, 9.25]]), np.array([0.9, 0.25]), np.array([1, 0])),
    ),
    Searched(Path("two.png"), (5, 7), Predictions(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))),
]


def test_coco_reads_them(tmp_path):
    files = write_results(tmp_path, SEARCHED, ["cat", "dog"])
    assert [path.name for path in files] == ["detections.json", "images.json", "detections.csv"]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(tmp_path / "images.json"))
        found = truth.loadRes(str(tmp_path / "detections.json"))
    assert [image["file_name"] for image in truth.loadImgs([1, 2])] == ["a/one.png", "two.png"]
    assert [(image["height"], image["width"]) for image in truth.loadImgs([1, 2])] == [(80, 100), (5, 7)]
    first, second = found.loadAnns(found.getAnnIds(imgIds=[1]))
    assert first["bbox"] == [1, 2, 30, 10] and first["score"] == 0.9
    assert truth.loadCats(first["category_id"])[0]["name"] == "dog"
    assert truth.loadCats(second["category_id"])[0]["name"] == "cat"
    assert found.getAnnIds(imgIds=[2]) == []


def test_the_table_has_names(tmp_path):
    write_results(tmp_path, SEARCHED, ["cat", 'the "dog"'])
    with (tmp_path / "detections.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    assert lines == [
        ["image", "class", "score", "left", "top", "right", "bottom"],
        ["a/one.png", 'the "dog"', "0.9", "1.0", "2.0", "31.0", "12.0"],
        ["a/one.png", "cat", "0.25", "0.0", "0.0", "9.5", "9.25"],
    ]


def test_file_names_that_are_no_text_can_be_written(tmp_path):
    odd = Searched(Path("caf\udce9.png"), (5, 7), SEARCHED[0].found)
    write_results(tmp_path, [odd], ["cat", "dog"])
    assert (
        "caf" in json.loads((tmp_path / "images.json").read_text(encoding="utf-8"))["images"][0]["file_name"]
    )
