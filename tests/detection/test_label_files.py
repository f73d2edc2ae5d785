"""Boxes in the forms of other programs, and read back as another program's."""

import contextlib
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from pycocotools.coco import COCO

from kind.data.annotations.annotated import AnnotatedImage
from kind.detection.evaluation.found_files import read_found
from kind.detection.label_files import FORMATS, write_labels
from kind.detection.results import Searched, write_results
from kind.errors import UserError
from kind.metrics.boxes import Predictions

NAMES = ("cat", "dining table")
FOUND = Predictions(np.array([[1, 2, 31, 12], [0, 0, 9.5, 9.25]]), np.array([0.9, 0.25]), np.array([1, 0]))
NOTHING = Predictions(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
SEARCHED = [Searched(Path("a/one.png"), (80, 100), FOUND), Searched(Path("two.jpg"), (5, 7), NOTHING)]


def annotated(path, size):
    nothing = np.zeros(0)
    return AnnotatedImage(Path(path), size, np.zeros((0, 4)), nothing, nothing, nothing, nothing)


IMAGES = [annotated("data/images/one.png", (80, 100)), annotated("data/images/two.jpg", (5, 7))]


@pytest.mark.parametrize("form", [*FORMATS, "results", "table"])
def test_what_is_written_is_read_back(form, tmp_path):
    if form in ("results", "table"):
        paths = write_results(tmp_path, SEARCHED, NAMES)
        path = paths[0] if form == "results" else paths[2]
    else:
        (path,) = write_labels(tmp_path, form, SEARCHED, NAMES)
    if form == "voc":  # annotations, which no tool takes for predictions
        with pytest.raises(UserError, match="voc: Pascal VOC's files .* --labels coco, yolo or text"):
            read_found(path, IMAGES, NAMES)
        return
    boxes = read_found(path, IMAGES, NAMES)
    assert boxes.class_names == ("cat", "dining table")
    (place,) = boxes.by_image
    found = boxes.by_image[place]
    assert place == IMAGES[0].path and found.classes.tolist() == [1, 0]
    np.testing.assert_allclose(found.boxes, FOUND.boxes, atol=1e-3)
    np.testing.assert_allclose(found.scores, FOUND.scores, atol=1e-4)


def test_coco_reads_its_file(tmp_path):
    (path,) = write_labels(tmp_path, "coco", SEARCHED, NAMES)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
    first, second = truth.loadAnns(truth.getAnnIds(imgIds=[1]))
    assert first["bbox"] == [1, 2, 30, 10] and first["area"] == 300 and first["score"] == 0.9
    assert truth.loadCats(second["category_id"])[0]["name"] == "cat"


def test_vocs_file_counts_pixels_from_one(tmp_path):
    (folder,) = write_labels(tmp_path, "voc", SEARCHED, NAMES)
    assert sorted(path.name for path in folder.iterdir()) == ["one.xml", "two.xml"]
    root = ElementTree.parse(folder / "one.xml").getroot()
    assert [root.findtext(f"size/{side}") for side in ("width", "height", "depth")] == ["100", "80", "3"]
    item = root.find("object")
    assert item.findtext("name") == "dining table"
    corners = [float(item.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")]
    assert corners == [2, 3, 31, 12]


def test_text_files_have_the_columns_that_tools_expect(tmp_path):
    (folder,) = write_labels(tmp_path, "text", SEARCHED, NAMES)
    assert (folder / "one.txt").read_text().splitlines()[0] == "dining_table 0.90000 1.00 2.00 31.00 12.00"
    assert (folder / "two.txt").read_text() == ""
    (folder,) = write_labels(tmp_path, "yolo", SEARCHED, NAMES)
    assert (folder / "classes.txt").read_text().splitlines() == list(NAMES)
    assert (folder / "one.txt").read_text().splitlines()[0].split() == [
        "1",
        "0.160000",
        "0.087500",
        "0.300000",
        "0.125000",
        "0.900000",
    ]


def test_photographs_of_one_stem_get_files_of_their_own(tmp_path):
    same = [SEARCHED[0]._replace(path=Path(name)) for name in ("x/a.png", "x/a.jpg", "y/a.jpg", "b.png")]
    (folder,) = write_labels(tmp_path, "text", same, NAMES)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["a.jpg.2.txt", "a.jpg.3.txt", "a.png.txt", "b.txt"]


def test_folders_tell_photographs_of_one_name_apart(tmp_path):
    (tmp_path / "found.csv").write_text(
        "image,class,score,left,top,right,bottom\n/data/images/a/1.jpg,cat,0.5,1,2,3,4\nelsewhere/b/1.jpg,cat,0.5,5,6,7,8\n"
    )
    images = [annotated(f"/data/images/{folder}/1.jpg", (50, 50)) for folder in "ab"]
    boxes = read_found(tmp_path / "found.csv", images, NAMES).by_image
    assert {path.parent.name: found.boxes.tolist() for path, found in boxes.items()} == {
        "a": [[1, 2, 3, 4]], "b": [[5, 6, 7, 8]],
    }  # fmt: skip


def test_cocos_own_numbers_need_no_explanation(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps([{"image_id": 9, "category_id": 90, "bbox": [1, 2, 3, 4], "score": 0.5}]))
    boxes = read_found(path, [annotated("000000000009.jpg", (50, 50))], ["toothbrush"])
    assert boxes.class_names == ("toothbrush",)
    assert boxes.by_image[Path("000000000009.jpg")].boxes.tolist() == [[1, 2, 4, 6]]


COLUMNS = "image,class,score,left,top,right,bottom"
SCORED = '[{{"image_id": 9, "category_id": 1, "score": {}, "bbox": [0, 0, 1, 1]}}]'
LARGE = json.dumps([{"image_id": 1, "category_id": 1, "score": 1, "bbox": [10**400, 0, 1, 1]}])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "[", "not a file of boxes: JSONDecodeError"),
        ("a.json", '[{"image_id": 1}]', "KeyError: 'bbox'"),
        ("a.json", "3", "TypeError"),
        ("a.json", LARGE, "OverflowError: int too large"),
        ("a.csv", f'{COLUMNS}\n"x\ny",cat,1,0,0,1,1\n', "x\\ny: no image of that name"),
        (
            "a.csv",
            "image,class\nx,y\n",
            "with image,class,score,left,top,right,bottom; score is missing in 'image,class'",
        ),
        ("a.csv", "image;class;score;left\nx;y\n", "image is missing in 'image;class;score;left'"),
        ("a.csv", f"{COLUMNS}\none.png,cat\n", "line 2: expected 7 columns"),
        ("a.csv", f"{COLUMNS}\none.png,cat,1,9,0,1,1\n", "one.png is inverted"),
        (
            "d/one.txt",
            "0 0.5 0.5 0.1 0.1 0.5 0.5\n",
            "expected six columns, or a polygon and a score; found 7",
        ),
        (
            "a.csv",
            "image,class,score,left,top,right,bottom\nx.png,cat,1,0,0,1,1\n",
            "x.png: no image of",
        ),
        ("a.csv", "image,class,score,left,top,right,bottom\none.png,cat,nan,0,0,1,1\n", "is not a number"),
        ("a.txt", "", "expected a .json or .csv file, or a folder"),
        ("d/one.txt", "cat 0.5 1 2\n", "one.txt, line 1: expected six columns, found 4"),
        ("d/one.txt", "7 0.5 0.5 0.1 0.1 0.5\n", "there is no class 7"),
        (
            "d/one.txt",
            "0 0.5 0.5 1.5 0.1 0.5\n",
            "one.txt, line 1: expected YOLO's class number, centre, size",
        ),
        (
            "d/one.txt",
            "0 0.1 0.2 0.3 1.4 1.0\n",
            "all from 0 to 1 in every file",
        ),  # no corners in pixels either
        ("d/one.txt", "0 7 1 2 30 40\n", "one.txt, line 1: expected YOLO's class number, centre, size"),
        ("d/one.txt", "0 0.5 9 2 3 40\n", "received 0.5 9 2 3 40"),
        ("d/one.txt", "0 0.5 nan 2 3 40\n", "received 0.5 nan 2 3 40"),
        ("d/one.txt", "0 0.5 x 2 3 40\n", "one.txt, line 1: could not convert string to float"),
        (
            "d/one.txt",
            "0 0.5 0.5 0.1 0.1 0.5\ncat 0.5 1 2 3 4\n",
            "one.txt, line 1 is in YOLO's form and one.txt, line 2 is not: expected one form in all files",
        ),
        (
            "d/one.txt",
            "cat 97 1 2 30 40\n",
            "a box of one has the score 97; expected scores from 0 to 1: divide",
        ),
        ("a.csv", f"{COLUMNS}\none.png,cat,-0.1,0,0,1,1\n", "a box of one.png has the score -0.1; expected"),
        (
            "a.json",
            SCORED.format("1.5"),
            "a box of 000000000009 has the score 1.5; expected scores from 0 to 1",
        ),
        ("d/three.txt", "0 0.5 0.5 0.1 0.1 0.5\n", "three.txt: no image of that name"),
    ],
)
def test_what_is_wrong_is_one_line(name, content, message, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    with pytest.raises(UserError) as caught:
        read_found(path.parent if "/" in name else path, IMAGES, NAMES)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [None, "classes.txt", "three.txt", "one.csv"])
def test_a_folder_without_any_images_text_file_is_refused(name, tmp_path):
    if name:
        (tmp_path / name).write_text("cat\n" if name == "classes.txt" else "")
    with pytest.raises(UserError, match="no text file is named like an image of the data set") as caught:
        read_found(tmp_path, IMAGES, NAMES)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_an_empty_file_says_that_nothing_was_found(tmp_path):
    (tmp_path / "two.txt").write_text("")
    assert read_found(tmp_path, IMAGES, NAMES) == ((), {})


def test_classes_may_be_called_by_numbers(tmp_path):
    names = ("0", "1")
    write_labels(tmp_path, "text", SEARCHED, names)
    boxes = read_found(tmp_path / "text", IMAGES, names)
    found = boxes.by_image[IMAGES[0].path]
    assert boxes.class_names == names and found.classes.tolist() == [1, 0]
    np.testing.assert_allclose(found.boxes, FOUND.boxes, atol=1e-2)
    np.testing.assert_allclose(found.scores, FOUND.scores, atol=1e-4)
    # A name beside them is no other form; beside a list of names, numbers are YOLO's only.
    (tmp_path / "text/two.txt").write_text("cat 0.5 1 2 3 4\n")
    assert read_found(tmp_path / "text", IMAGES, names).class_names == ("0", "1", "cat")
    (tmp_path / "text/two.txt").write_text("")
    (tmp_path / "text/classes.txt").write_text("cat\ndog\n")
    with pytest.raises(UserError, match="one.txt, line 1: expected YOLO's class number"):
        read_found(tmp_path / "text", IMAGES, names)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="none.csv: cannot be read"):
        read_found(tmp_path / "none.csv", IMAGES, NAMES)


def test_a_spreadsheets_mark_and_capitals_are_no_obstacle(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text("\ufeffimage,class,score,left,top,right,bottom\none.png,cat,1,0,0,1,1\n")
    assert read_found(path, IMAGES, NAMES).class_names == ("cat",)
    (tmp_path / "d").mkdir()
    (tmp_path / "d/one.TXT").write_text("1 .1 .2 .3 .2 .3 .6 .9\n")  # a polygon and its score
    (tmp_path / "d/Classes.txt").write_text("tree\r\ndog\r\n")
    found = read_found(tmp_path / "d", IMAGES, NAMES)
    (boxes,) = found.by_image.values()
    height, width = IMAGES[0].size
    assert found.class_names == ("dog",)
    assert boxes.boxes[0] == pytest.approx([0.1 * width, 0.2 * height, 0.3 * width, 0.6 * height])
    assert boxes.scores.tolist() == pytest.approx([0.9])


def test_numbers_of_images_and_classes_may_be_text(tmp_path):
    path = tmp_path / "boxes.json"
    box = {"image_id": "1", "category_id": "3", "bbox": [1, 2, 3, 4], "score": 0.5}
    described = {"images": [{"id": 1, "file_name": "one.png"}], "categories": [{"id": 3, "name": "cat"}]}
    path.write_text("\ufeff" + json.dumps({**described, "annotations": [box]}))
    assert read_found(path, IMAGES, NAMES).class_names == ("cat",)
    path.write_text(json.dumps({**described, "annotations": [{**box, "image_id": "x"}]}))
    with pytest.raises(UserError, match="box 1 in the list: unknown image 'x'"):
        read_found(path, IMAGES, NAMES)
