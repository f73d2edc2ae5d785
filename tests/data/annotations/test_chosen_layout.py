"""Every form of annotations on a command line, and some of their classes."""

import argparse
import json

import numpy as np
import pytest

from kind.cli.annotation_options import add_layout_arguments, annotations_of
from kind.data.annotations.annotated import AnnotatedImage, Annotations
from kind.data.annotations.chosen_classes import only_classes
from kind.errors import UserError

VOC = (
    "<annotation><object><name>{}</name><bndbox><xmin>2</xmin><ymin>3</ymin><xmax>9</xmax><ymax>8</ymax>"
    "</bndbox></object></annotation>"
)
TEXTS = {
    "labels/1.txt": "0 0.5 0.5 1 1\n2 0.5 0.5 0.5 0.5\n",
    "coco.json": json.dumps(
        {
            "images": [{"id": 5, "file_name": "1.png"}],
            "categories": [{"id": 1, "name": "person"}, {"id": 9, "name": "cat"}],
            "annotations": [
                {"id": number, "image_id": 5, "category_id": number, "bbox": [1, 2, 3, 4]}
                for number in (1, 9)
            ],
        }
    ),
    "Annotations/1.xml": VOC.format("cat"),
    "ExDark_Anno/1.png.txt": "Cat 1 2 3 4 0 0 0 0 0 0 0\nDog 1 2 3 4 0 0 0 0 0 0 0",
    "label/1.txt": "1\n1 2 30 40\n",
    "wider.txt": "1.png\n1\n1 2 30 40 0 0 0 0 0 0\n",
}


@pytest.fixture
def read(photo, tmp_path):
    """(flags) → the data set, of a folder that has all forms."""
    for folder in ("images", "JPEGImages", "ExDark", "image"):
        photo(tmp_path / folder / "1.png")
    for name, text in TEXTS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    def read(*flags):
        parser = argparse.ArgumentParser()
        parser.add_argument("--data")
        add_layout_arguments(parser)
        flags = [flag.replace("DIR", str(tmp_path)) for flag in flags]
        return annotations_of(parser.parse_args(["--data", str(tmp_path), *flags]))

    return read


def test_every_form_leaves_out_other_classes(read):
    for flags, name, count in (
        ([], "car", 1),
        (["--coco", "DIR/coco.json"], "cat", 1),
        (["--voc"], "dog", 0),
        (["--exdark"], "Dog", 1),
        (["--dark-face"], "face", 1),
        (["--wider-face", "DIR/wider.txt"], "face", 1),
    ):
        found = read(*flags, "--only-classes", name)
        assert found.class_names == (name,), flags
        assert [image.classes.tolist() for image in found.images] == [[0] * count], flags
        assert found.classes_from.startswith("--only-classes, of "), flags
        assert len(read(*flags).class_names) >= 1


def test_class_names_go_with_forms_that_have_none(read):
    assert read("--classes", "a", "b", "c", "--only-classes", "c", "a").class_names == ("c", "a")
    with pytest.raises(UserError, match="--classes is for YOLO's and VOC's annotations"):
        read("--wider-face", "DIR/wider.txt", "--classes", "a")


def test_classes_get_new_numbers_and_everything_else_goes_along():
    classes = np.array([2, 0, 1, 2], np.int32)
    boxes = np.arange(16, dtype=np.float32).reshape(4, 4)
    crowd, difficult = np.array([1, 0, 0, 0], bool), np.array([0, 1, 0, 1], bool)
    image = AnnotatedImage("a.png", (40, 50), boxes, classes, crowd, difficult, boxes[:, 0])
    data = Annotations((image,), ("a", "b", "c"), ("odd",), validation=frozenset(["a.png"]))
    chosen = only_classes(data, ["c", "a"])
    (kept,) = chosen.images
    assert kept.classes.tolist() == [0, 1, 0] and kept.boxes.tolist() == boxes[[0, 1, 3]].tolist()
    assert kept.crowd.tolist() == [True, False, False] and kept.areas.tolist() == [0, 4, 12]
    assert kept.difficult.tolist() == [False, True, True]
    assert chosen.problems == ("odd",) and chosen.validation == data.validation
    with pytest.raises(UserError, match="has no class 'd'; it has a, b, c"):
        only_classes(data, ["d"])
    with pytest.raises(UserError, match="'c' is given twice"):
        only_classes(data, ["c", "a", "c"])
