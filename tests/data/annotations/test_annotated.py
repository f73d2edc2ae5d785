"""The internal form, whatever the format: what is sound, cut, or broken and named."""

from pathlib import Path

import numpy as np
import pytest

from kind.data.annotations.annotated import describe_classes, require_objects
from kind.data.annotations.reading import Reading, Row
from kind.errors import UserError
from kind.metrics.average_precision import average_precision
from kind.metrics.boxes import Predictions

SIZE = (80, 100)


def read(*rows, repair=True):
    reading = Reading(["cat", "dog"])
    reading.add(Path("a.png"), SIZE, [Row(f"file, line {n}", *row) for n, row in enumerate(rows, start=1)])
    return reading.finish(repair)


def test_sound_boxes_stay_as_they_are():
    found = read(("cat", (0, 0, 100, 80)), (1, (10.5, 20.25, 11, 21)))
    image = found.images[0]
    assert image.boxes.tolist() == [[0, 0, 100, 80], [10.5, 20.25, 11, 21]]
    assert image.boxes.dtype == np.float32 and image.classes.dtype == np.int32
    assert image.classes.tolist() == [0, 1] and image.areas.tolist() == [8000, 0.375]
    assert found.problems == () and found.class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((2, (0, 0, 9, 9)), "file, line 1: unknown class 2"),
        ((-1, (0, 0, 9, 9)), "file, line 1: unknown class -1"),
        (("cow", (0, 0, 9, 9)), "file, line 1: unknown class 'cow'"),
        (("cat", (9, 0, 0, 9)), "file, line 1: box 9 0 0 9 is inverted"),
        (("cat", (0, 9, 9, 0)), "file, line 1: box 0 9 9 0 is inverted"),
        (("cat", (5, 0, 5, 9)), "file, line 1: box 5 0 5 9 has no area"),
        (("cat", (0, 0, float("nan"), 9)), "file, line 1: box 0 0 nan 9 is not finite"),
        (("cat", (100, 0, 100.5, 9)), "file, line 1: box 100 0 100.5 9 reaches outside the image of 100x80"),
        (("cat", (200, 0, 210, 9)), "file, line 1: box 200 0 210 9 reaches outside the image of 100x80"),
    ],
)
def test_broken_boxes_are_named_and_left_out(row, reason):
    found = read(row, ("dog", (1, 2, 3, 4)))
    assert found.problems == (reason,)
    assert found.images[0].boxes.tolist() == [[1, 2, 3, 4]] and found.images[0].classes.tolist() == [1]
    with pytest.raises(UserError) as caught:
        read(row, repair=False)
    assert str(caught.value).startswith(f"broken annotations: {reason}: mend them")


def test_boxes_over_the_border_are_cut_and_named_from_one_pixel_on():
    found = read(("cat", (-0.9, 0, 50, 81)), ("cat", (50, -3, 130, 40)))
    assert found.images[0].boxes.tolist() == [[0, 0, 50, 80], [50, 0, 100, 40]]
    assert found.problems == ("file, line 2: box 50 -3 130 40 reaches outside the image of 100x80",)


def test_only_the_first_problems_are_listed():
    with pytest.raises(UserError) as caught:
        read(*[("cow", (0, 0, 1, 1))] * 8, repair=False)
    assert str(caught.value).count("unknown class") == 5 and "; and 3 more: mend" in str(caught.value)


def test_images_without_boxes_stay_in_and_are_sorted():
    reading = Reading(["cat"])
    for name in ("b.png", "a.png"):
        reading.add(Path(name), SIZE, [])
    found = reading.finish(repair=False)
    assert [image.path.name for image in found.images] == ["a.png", "b.png"]
    assert found.images[0].boxes.shape == (0, 4) and found.images[0].classes.shape == (0,)
    with pytest.raises(UserError, match="no image that can be used"):
        Reading(["cat"]).finish(repair=True)


def test_samples_leave_crowds_and_difficult_objects_out(photo, tmp_path):
    reading = Reading(["cat"])
    rows = [
        Row("1", 0, (0, 0, 10, 10)),
        Row("2", 0, (20, 20, 40, 40), crowd=True),
        Row("3", 0, (50, 50, 60, 60), difficult=True, area=50.0),
    ]
    reading.add(photo(tmp_path / "a.png"), SIZE, rows)
    image = reading.finish(repair=False).images[0]
    sample = image.sample()
    assert sample["image"].shape == (80, 100, 3) and sample["image"].dtype == np.float32
    assert sample["boxes"].tolist() == [[0, 0, 10, 10]] and sample["classes"].tolist() == [0]
    assert image.areas.tolist() == [100, 400, 50]
    found = Predictions(image.boxes, [0.9, 0.8, 0.7], [0, 0, 0])
    assert average_precision([image.objects()], [found], 1).mean == 1


def test_class_names_given_twice_are_refused():
    with pytest.raises(UserError, match="'cat' is given twice, as class 0 and as class 2"):
        Reading(["cat", "dog", "cat"])


def test_an_object_that_is_there_twice_is_named_and_stays():
    found = read(("cat", (0, 0, 9, 9)), (0, (0, 0, 9, 9)), ("dog", (0, 0, 9, 9)))
    assert len(found.images[0].boxes) == 3
    assert found.problems == ("file, line 2: the same class and box as an object before; both count",)


def test_a_set_without_an_object_that_counts_says_what_was_found():
    reading = Reading(["cat"])
    reading.add(Path("a.png"), SIZE, [Row("1", 0, (0, 0, 9, 9), difficult=True)])
    reading.add(Path("b.png"), SIZE, [Row("2", 0, (0, 0, 9, 9), crowd=True), Row("3", 0, (1, 1, 9, 9))])
    reading.passed_over.append("c.txt: no image of that name in x")
    reading.found = "2 images in x and 3 text files in y, 2 of them named like an image"
    found = reading.finish(repair=False)
    require_objects(found.images, "the training images", found)
    with pytest.raises(UserError) as caught:
        require_objects(found.images[:1], "the validation images", found)
    assert str(caught.value) == (
        "no object that counts in the validation images: 1 images with 1 objects (1 difficult do not count); "
        "the whole data set has 3 objects (1 difficult and 1 crowd do not count); found 2 images in x and 3 "
        "text files in y, 2 of them named like an image; c.txt: no image of that name in x"
    )
    assert describe_classes(found) == "1 class (the annotations): cat"


def test_names_from_files_stay_on_one_line():
    reading = Reading(["cat\n\x1b[2J", "dog"])
    reading.add(Path("a\nb.png"), SIZE, [])
    reading.problems.append("a\nb.png: broken")
    assert describe_classes(reading.finish(repair=True)) == "2 classes (the annotations): cat\\n\\x1b[2J, dog"
    with pytest.raises(UserError) as caught:
        reading.finish(repair=False)
    assert "a\\nb.png: broken" in str(caught.value) and "\n" not in str(caught.value)
