"""Boxes that were drawn on the pixels as stored, of photographs that are turned by their EXIF orientation."""

import json

import numpy as np
import pytest
from PIL import Image

from kind.data.annotations.coco_json import read_coco_json
from kind.data.annotations.orientation import Frame, turned_upright
from kind.data.annotations.voc_xml import read_voc_xml
from kind.data.annotations.yolo_text import read_yolo_text
from kind.errors import UserError
from kind.images.photo import read_photo

WIDTH, HEIGHT = 60, 40  # as stored
BOX = (10, 4, 30, 16)
ORIENTATION = 0x0112


@pytest.fixture
def turned(tmp_path):
    """(orientation) → writes images/a.png, stored 60×40, a white box on black, and returns its folder."""

    def write(orientation=6, name="a.png"):
        pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        pixels[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 255
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "images" / name, exif=exif)
        return tmp_path / "images"

    return write


def white(path):
    """The box of the white pixels as the network sees them."""
    rows, columns = np.nonzero(read_photo(path).pixels[..., 0] > 0.5)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def coco(folder, width=WIDTH, height=HEIGHT, box=BOX):
    left, top, right, bottom = box
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": width, "height": height}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [left, top, right - left, bottom - top]}
        ],
    }
    file = folder.parent / "instances.json"
    file.write_text(json.dumps(content))
    return file


def voc(folder, width=WIDTH, height=HEIGHT):
    names = ("xmin", "ymin", "xmax", "ymax")
    corners = "".join(
        f"<{name}>{value + (n < 2)}</{name}>" for n, (name, value) in enumerate(zip(names, BOX))
    )
    labels = folder.parent / "labels"
    labels.mkdir(exist_ok=True)
    (labels / "a.xml").write_text(
        f"<annotation><size><width>{width}</width><height>{height}</height></size>"
        f"<object><name>cat</name><bndbox>{corners}</bndbox></object></annotation>"
    )
    return labels


def yolo(folder):
    left, top, right, bottom = BOX
    labels = folder.parent / "labels"
    labels.mkdir(exist_ok=True)
    x, y = (left + right) / 2 / WIDTH, (top + bottom) / 2 / HEIGHT
    (labels / "a.txt").write_text(f"0 {x} {y} {(right - left) / WIDTH} {(bottom - top) / HEIGHT}\n")
    return labels


def read(form, folder, boxes_on=None):
    if form == "coco":
        return read_coco_json(coco(folder), folder, boxes_on=boxes_on)
    if form == "voc":
        return read_voc_xml(folder, voc(folder), ["cat"], boxes_on=boxes_on)
    return read_yolo_text(folder, yolo(folder), ["cat"], boxes_on=boxes_on)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["coco", "voc", "yolo"])
def test_boxes_on_stored_pixels_are_turned_with_the_image(turned, form, orientation):
    folder = turned(orientation)
    image = read(form, folder, "stored").images[0]
    assert image.boxes[0].round(3).tolist() == white(folder / "a.png")
    assert image.size == read_photo(folder / "a.png").pixels.shape[:2]


@pytest.mark.parametrize("form", ["coco", "voc"])
def test_stated_sizes_of_the_stored_pixels_are_refused_until_somebody_says_what_they_mean(turned, form):
    folder = turned()
    with pytest.raises(UserError) as caught:
        read(form, folder)
    for words in ("a.png (60x40 stored, 40x60 upright)", "--annotations stored", "--annotations upright"):
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    upright = read(form, folder, "upright").images[0]
    assert upright.boxes.tolist() == [list(BOX)] and upright.size == (WIDTH, HEIGHT)


def test_sizes_of_the_upright_image_speak_for_themselves(turned):
    folder = turned()
    found = read_coco_json(coco(folder, HEIGHT, WIDTH), folder)
    assert found.problems == () and found.images[0].boxes.tolist() == [list(BOX)]
    with pytest.raises(UserError, match="is 40x60, but its annotations are for 40x60|annotations are for"):
        read_coco_json(coco(folder, HEIGHT, WIDTH), folder, boxes_on="stored")


@pytest.mark.parametrize("boxes_on", [None, "stored", "upright"])
def test_a_size_that_is_neither_is_refused_in_coco_and_noted_in_voc(turned, boxes_on):
    folder = turned(1)
    with pytest.raises(UserError, match="a.png: is 60x40, but its annotations are for 600x400"):
        read_coco_json(coco(folder, 600, 400), folder, boxes_on=boxes_on)
    found = read_voc_xml(folder, voc(folder, 600, 400), ["cat"], boxes_on=boxes_on)
    assert found.images[0].boxes.tolist() == [list(BOX)]
    assert len(found.problems) == 1 and "state another size" in found.problems[0]
    assert read_voc_xml(folder, voc(folder, 0, 0), ["cat"], boxes_on=boxes_on).problems == ()


def test_turned_images_of_annotations_without_a_size_are_named_once(turned):
    turned(3)
    folder = turned(8, "b.png")
    labels = yolo(folder)
    (labels / "b.txt").write_bytes((labels / "a.txt").read_bytes())
    (line,) = read_yolo_text(folder, labels, ["cat"]).problems
    assert line.startswith(f"{folder / 'a.png'}: turned by its EXIF orientation")
    assert line.endswith("--annotations stored (and 1 more alike)")
    assert read_yolo_text(folder, labels, ["cat"], boxes_on="upright").problems == ()


def test_a_wrong_word_is_refused(turned):
    with pytest.raises(UserError, match="expects stored or upright, received 'sideways'"):
        read("yolo", turned(), "sideways")


def test_turning_keeps_the_order_of_sides():
    boxes = np.array([[1, 2, 5, 9]], np.float32)
    for orientation in range(1, 9):
        left, top, right, bottom = turned_upright(boxes, Frame((20, 30), orientation))[0]
        assert left < right and top < bottom
    assert turned_upright(boxes, Frame((20, 30), 6)).tolist() == [[11, 1, 18, 5]]
