"""Data sets by their folders."""

import json

import pytest

from kind.data.annotations.class_names import COCO
from kind.data.annotations.layouts import (
    read_coco_folder,
    read_dark_face_folder,
    read_exdark_folder,
    read_voc_folder,
    read_yolo_folder,
    split_images,
)
from kind.errors import UserError


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_yolo_takes_its_classes_from_flag_file_or_coco(photo, tmp_path):
    photo(tmp_path / "images/1.png")
    write(tmp_path / "labels/1.txt", "1 0.5 0.5 1 1")
    assert read_yolo_folder(tmp_path).class_names == COCO
    write(tmp_path / "classes.txt", "cat\ndog\n")
    assert read_yolo_folder(tmp_path).class_names == ("cat", "dog")
    write(tmp_path / "labels/classes.txt", "\ufefftea pot\n\ncup\n")
    assert read_yolo_folder(tmp_path).class_names == ("tea pot", "cup")
    assert read_yolo_folder(tmp_path, ["a", "b", "c"]).class_names == ("a", "b", "c")
    (tmp_path / "labels/classes.txt").write_bytes(b"\xff")
    with pytest.raises(
        UserError, match="labels/classes.txt: expected a text file with one class name a line"
    ):
        read_yolo_folder(tmp_path)


@pytest.mark.parametrize("folder", ["images", "."])
def test_coco_finds_its_images(folder, photo, tmp_path):
    photo(tmp_path / folder / "1.png")
    box = {"id": 1, "image_id": 5, "category_id": 9, "bbox": [1, 2, 3, 4]}
    content = {
        "images": [{"id": 5, "file_name": "1.png"}],
        "categories": [{"id": 9, "name": "cat"}],
        "annotations": [box],
    }
    write(tmp_path / "instances.json", json.dumps(content))
    found = read_coco_folder(tmp_path, tmp_path / "instances.json")
    assert found.images[0].boxes.tolist() == [[1, 2, 4, 6]] and found.class_names == ("cat",)


def test_voc_exdark_and_dark_face_have_their_own_folders(photo, tmp_path):
    photo(tmp_path / "JPEGImages/1.png")
    corners = "<xmin>2</xmin><ymin>3</ymin><xmax>9</xmax><ymax>8</ymax>"
    write(
        tmp_path / "Annotations/1.xml",
        f"<annotation><object><name>tree</name><bndbox>{corners}</bndbox></object></annotation>",
    )
    assert read_voc_folder(tmp_path, ["tree"]).images[0].boxes.tolist() == [[1, 2, 9, 8]]
    with pytest.raises(UserError, match="unknown class 'tree'"):
        read_voc_folder(tmp_path)
    photo(tmp_path / "ExDark/Cat/1.jpg")
    write(tmp_path / "ExDark_Anno/Cat/1.jpg.txt", "Cat 1 2 3 4 0 0 0 0 0 0 0")
    assert read_exdark_folder(tmp_path).images[0].boxes.tolist() == [[1, 2, 4, 6]]
    photo(tmp_path / "image/1.png")
    write(tmp_path / "label/1.txt", "1\n1 2 30 40\n")
    assert read_dark_face_folder(tmp_path).images[0].boxes.tolist() == [[1, 2, 30, 40]]


def test_every_fourth_image_is_held_out():
    training, validation = split_images(list(range(128)))
    assert validation == list(range(0, 128, 4)) and len(training) == 96
    assert sorted(training + validation) == list(range(128))
    with pytest.raises(UserError, match="too few: every 4th is held out"):
        split_images([0])
