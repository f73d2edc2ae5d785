import json
import math

import pytest

from kind.data.annotations.coco_json import read_coco_json
from kind.errors import UserError


@pytest.fixture
def read(photo, tmp_path):
    """(changes of the content) → the data set."""
    photo(tmp_path / "images/b.png")
    photo(tmp_path / "images/a.png", 50, 40)

    def read(change=lambda content: None, repair=False):
        content = {
            "images": [
                {"id": 7, "file_name": "b.png", "width": 100, "height": 80},
                {"id": 3, "file_name": "a.png"},
            ],
            "categories": [{"id": 90, "name": "dog"}, {"id": 1, "name": "cat"}],
            "annotations": [
                {
                    "id": 1,
                    "image_id": 7,
                    "category_id": 90,
                    "bbox": [10, 20, 30, 40],
                    "area": 900.5,
                    "iscrowd": 0,
                },
                {"id": 2, "image_id": 7, "category_id": 1, "bbox": [0, 0, 100, 80], "iscrowd": 1},
            ],
        }
        changed = change(content)
        file = tmp_path / "instances.json"
        file.write_text(json.dumps(content if changed is None else changed))
        return read_coco_json(file, tmp_path / "images", repair=repair)

    return read


def test_a_sound_file(read):
    found = read()
    assert found.class_names == ("cat", "dog")  # in the order of the ids
    first, second = found.images
    assert (first.path.name, first.size, len(first.boxes)) == ("a.png", (40, 50), 0)
    assert second.boxes.tolist() == [[10, 20, 40, 60], [0, 0, 100, 80]]
    assert second.classes.tolist() == [1, 0] and second.crowd.tolist() == [False, True]
    assert second.areas.tolist() == [900.5, 8000]


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (("annotations", 0, "category_id"), 2, "annotation 1: unknown class 2"),
        (("annotations", 0, "category_id"), [1], "annotation 1: unknown class [1]"),
        (("annotations", 0, "image_id"), 8, "annotation 1: unknown image 8"),
        (("annotations", 0, "image_id"), {}, "annotation 1: unknown image {}"),
        (("annotations", 0, "bbox"), [1, 2, 3], "annotation 1: expected a bbox"),
        (("annotations", 0, "bbox"), [1, 2, "3", 4], "annotation 1: expected a bbox"),
        (("annotations", 0, "bbox"), [1, 2, 0, 4], "annotation 1: box 1 2 1 6 has no area"),
        (("annotations", 0, "bbox"), [1, 2, -5, 4], "annotation 1: box 1 2 -4 6 is inverted"),
        (("annotations", 0), 5, "annotation number 1 in the list: is not an object"),
        (("images", 0, "file_name"), "c.png", "images/c.png: no such image"),
        (("images", 0, "file_name"), "../a.png", "image 7: expected a file_name inside the folder"),
        (("images", 0, "file_name"), "/etc/passwd", "image 7: expected a file_name inside the folder"),
    ],
)
def test_broken_annotations_are_named(read, place, value, reason):
    def change(content):
        *path, last = place
        for key in path:
            content = content[key]
        content[last] = value

    with pytest.raises(UserError) as caught:
        read(change)
    assert reason in str(caught.value) and "\n" not in str(caught.value)
    repaired = read(change, repair=True)
    assert len(repaired.problems) == 1 and reason in repaired.problems[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: [], "no list of images"),
        (lambda content: content.pop("categories") and None, "no list of categories"),
        (
            lambda content: content["images"].append({"id": 7}),
            "in images, an entry without an id of its own: 7",
        ),
        (lambda content: content["categories"].append("x"), "in categories, an entry without an id"),
    ],
)
def test_other_files_are_refused(read, change, reason):
    with pytest.raises(UserError, match=reason):
        read(change, repair=True)


def test_missing_and_unreadable_files(read, tmp_path):
    read()
    with pytest.raises(UserError, match="cannot be read"):
        read_coco_json(tmp_path / "none.json", tmp_path)
    with pytest.raises(UserError, match="no such folder of images"):
        read_coco_json(tmp_path / "instances.json", tmp_path / "none")
    (tmp_path / "instances.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="not a JSON file"):
        read_coco_json(tmp_path / "instances.json", tmp_path)


def test_ids_may_be_text_or_written_as_decimals(read):
    def change(content):
        content["images"][0]["id"] = "7"
        content["annotations"][0]["category_id"] = "90"
        content["annotations"][1]["image_id"] = 7.0
        content["categories"].append({"id": "last", "name": "bird"})

    found = read(change)
    assert found.class_names == ("cat", "dog", "bird") and found.problems == ()
    assert found.images[1].classes.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("value", "crowd"), [("0", False), ("1", True), (0, False), (1, True), (None, False), (True, True)]
)
def test_iscrowd_may_be_text(read, value, crowd):
    found = read(lambda content: content["annotations"][0].update(iscrowd=value))
    assert found.images[1].crowd.tolist() == [crowd, True] and found.problems == ()


def test_iscrowd_that_is_no_number_is_named(read):
    found = read(lambda content: content["annotations"][0].update(iscrowd="no"))
    assert found.images[1].crowd.tolist() == [False, True]
    assert "annotation 1: iscrowd is 'no', which is no number: it counts as 0" in found.problems[0]


def test_categories_of_one_name_become_one_class(read):
    found = read(lambda content: content["categories"][0].update(name="cat"))
    assert found.class_names == ("cat",) and found.images[1].classes.tolist() == [0, 0]
    assert "categories 1, 90: one class, since all are called 'cat'" in found.problems[0]


def test_an_image_that_is_listed_twice_is_named(read):
    with pytest.raises(UserError, match="image 3: the same file as image 7"):
        read(lambda content: content["images"][1].update(file_name="b.png"))


@pytest.mark.parametrize("name", ["\0.png", "x" * 5000, ""])
def test_file_names_that_no_file_can_have_are_named(read, name):
    with pytest.raises(UserError, match="no such image"):
        read(lambda content: content["images"][0].update(file_name=name))


def test_sides_too_large_for_a_float_are_named(read):
    with pytest.raises(UserError, match="is not finite"):
        read(lambda content: content["annotations"][0].update(bbox=[0, 0, 10**400, 5]))


@pytest.mark.parametrize("area", [-5, math.inf, math.nan, "large", None])
def test_areas_that_cannot_be_are_the_boxes_own(read, area):
    found = read(lambda content: content["annotations"][0].update(area=area))
    assert found.images[1].areas.tolist() == [1200, 8000]
    named = [line for line in found.problems if "instances.json, annotation 1: its area is" in line]
    assert len(named) == len(found.problems) == (area is not None)


def test_numbers_of_more_digits_than_python_reads_are_named(read, tmp_path):
    read()
    file = tmp_path / "instances.json"
    file.write_text(file.read_text().replace("[10, 20,", f"[{'9' * 5000}, 20,"))
    with pytest.raises(UserError, match="annotation 1: box inf .* is not finite"):
        read_coco_json(file, tmp_path / "images")


def test_a_long_name_is_not_all_of_the_message(read):
    with pytest.raises(UserError, match=r"x: no such image; .*instances.json names it \(image 7\)") as error:
        read(lambda content: content["images"][0].update(file_name="x" * 5000))
    assert len(str(error.value)) < 1000


def test_images_behind_a_broken_link_are_named(read, tmp_path):
    read()
    (tmp_path / "images/a.png").unlink()
    (tmp_path / "images/a.png").symlink_to("nowhere.png")
    with pytest.raises(UserError, match="a.png: no such image"):
        read()
