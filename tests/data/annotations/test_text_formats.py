"""YOLO, ExDark and DARK FACE: one text file an image."""

import pytest

from kind.data.annotations.dark_face_text import read_dark_face_text
from kind.data.annotations.exdark_text import read_exdark_text
from kind.data.annotations.layouts import read_yolo_folder
from kind.data.annotations.yolo_text import read_yolo_text
from kind.errors import UserError


@pytest.fixture
def data(photo, tmp_path):
    """(text files by name, images by name) → the folders of images and of text."""

    def write(labels, images=("1.png",)):
        for name in images:
            photo(tmp_path / "images" / name)
        (tmp_path / "labels").mkdir()
        for name, text in labels.items():
            (tmp_path / "labels" / name).parent.mkdir(exist_ok=True)
            (tmp_path / "labels" / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / "images", tmp_path / "labels"

    return write


def problems(read, folders):
    """The problems, which must be the same lines when they are refused and when they are repaired."""
    found = read(*folders, repair=True).problems
    with pytest.raises(UserError) as caught:
        read(*folders)
    assert all(line in str(caught.value) for line in found[:5])
    return [line.replace(f"{folders[1].parent}/", "") for line in found]


def test_yolo_text(data):
    labels = {"1.txt": "0 0.5 0.5 1 1\n\n 79 0.25 0.5 0.1 0.05 \n", "sub/2.txt": "", "classes.txt": "cat\n"}
    found = read_yolo_text(*data(labels, ["1.png", "sub/2.jpg", "3.png"]))
    assert [image.path.name for image in found.images] == ["1.png", "3.png", "2.jpg"]
    assert found.images[0].boxes.tolist() == [[0, 0, 100, 80], [20, 38, 30, 42]]
    assert found.images[0].classes.tolist() == [0, 79] and found.class_names[79] == "toothbrush"
    assert [len(image.boxes) for image in found.images] == [2, 0, 0] and found.problems == ()


def test_yolo_text_that_is_broken(data):
    lines = [
        "0 0.5 0.5",
        "a 0.5 0.5 1 1",
        "0.5 0.5 0.5 1 1",
        "80 0.5 0.5 1 1",
        "0 0.5 0.5 0 1",
        "0 0.5 0.5 -1 1",
    ]
    expected = "expected a class number, then centre x, y, width and height, or x and y of 3 or more points"
    assert problems(read_yolo_text, data({"1.txt": "\n".join([*lines, "0 0.9 0.5 0.5 1"])})) == [
        f"labels/1.txt, line 1: {expected}",
        f"labels/1.txt, line 2: {expected}",
        f"labels/1.txt, line 3: {expected}",
        "labels/1.txt, line 4: unknown class 80",
        "labels/1.txt, line 5: box 50 0 50 80 has no area",
        "labels/1.txt, line 6: box 100 0 0 80 is inverted",
        "labels/1.txt, line 7: box 65 0 115 80 reaches outside the image of 100x80",
    ]


def test_yolo_text_without_an_image_is_passed_over_and_named(data):
    found = read_yolo_text(*data({"1.txt": "", "2.txt": "0 0.5 0.5 1 1"}))
    assert len(found.images) == 1
    assert len(found.problems) == 1 and "2.txt: no image of that name" in found.problems[0]


def test_coco128_is_read_whole(shared):
    folder = shared / "data/coco128"
    found = read_yolo_text(folder / "images", folder / "labels")
    assert len(found.images) == 128 and len(found.problems) == 2
    assert sum(len(image.boxes) for image in found.images) == 929


def test_exdark_text(data):
    text = "% bbGt version=3\nCat 10 20 30 40 0 0 0 0 0 0 0\nTable 0 0 100 80 1 0 0 0 0 1 0\n"
    found = read_exdark_text(*data({"Cat/1.jpg.txt": text}, ["Cat/1.jpg"]))
    assert found.images[0].boxes.tolist() == [[10, 20, 40, 60], [0, 0, 100, 80]]
    assert found.images[0].classes.tolist() == [5, 11] and len(found.class_names) == 12
    assert found.images[0].difficult.tolist() == [False, True]


def test_exdark_text_that_is_broken(data):
    lines = ["% bbGt version=3", "Cow 1 1 5 5 0 0 0 0 0 0 0", "Cat 1 1 5 5", "Cat 1 1 0 5 0 0 0 0 0 0 0"]
    folders = data({"1.png.txt": "\n".join(lines), "9.png.txt": ""}, ["1.png", "2.png"])
    assert problems(read_exdark_text, folders) == [
        f"labels/9.png.txt: no image of that name in {folders[0]}".replace(f"{folders[0].parent}/", ""),
        "labels/1.png.txt, line 2: unknown class 'Cow'",
        "labels/1.png.txt, line 3: expected a class and 11 numbers (bbGt, version 3)",
        "labels/1.png.txt, line 4: box 1 1 1 6 has no area",
        "labels/2.png.txt: missing; expected the annotations of images/2.png",
    ]


def test_dark_face_text(data):
    folders = data({"1.txt": "2\n1 2 30 40\n50 60 100 80\n", "2.txt": "0\n"}, ["1.png", "2.png"])
    found = read_dark_face_text(*folders)
    assert found.images[0].boxes.tolist() == [[1, 2, 30, 40], [50, 60, 100, 80]]
    assert found.class_names == ("face",) and len(found.images[1].boxes) == 0


def test_dark_face_text_that_is_broken(data):
    labels = {"1.txt": "3\n1 2 30 40\n1 2 30\n", "2.txt": "", "3.txt": "1 2 30 40\n", "4.txt": "1\n30 2 1 40"}
    assert problems(read_dark_face_text, data(labels, [f"{n}.png" for n in range(1, 5)])) == [
        "labels/1.txt: says 3 faces, but has 2 lines of them",
        "labels/1.txt, line 3: expected left, top, right and bottom",
        "labels/2.txt, line 1: expected the number of faces",
        "labels/3.txt, line 1: expected the number of faces",
        "labels/4.txt, line 2: box 30 2 1 40 is inverted",
    ]


def test_files_that_cannot_be_used(data, tmp_path):
    with pytest.raises(UserError, match="no such folder of images"):
        read_yolo_text(tmp_path / "none", tmp_path)
    images, labels = data({"1.txt": b"\xff\xfe0"})
    with pytest.raises(UserError, match="1.txt: not a text file in UTF-8"):
        read_yolo_text(images, labels)
    with pytest.raises(UserError, match="no such folder of annotations"):
        read_yolo_text(images, tmp_path / "none")
    with pytest.raises(UserError, match="holds no images"):
        read_yolo_text(labels, labels)
    (labels / "1.txt").write_text("")
    (images / "2.png").write_bytes(b"broken")
    with pytest.raises(UserError, match="broken annotations: .*2.png: "):
        read_yolo_text(images, labels)
    assert len(read_yolo_text(images, labels, repair=True).images) == 1


def test_a_polygon_is_read_as_its_bounding_box(data):
    lines = ["0 .2 .5 .4 .25 .3 .75", "1 .5 .5 .1 .1", "0 .1 .1 .9 .1 .9 .9 .1 .9", "0 0 0 nan 1 1 1"]
    folders = data({"1.txt": "\n".join(lines)})
    found = read_yolo_text(*folders, repair=True)
    assert found.images[0].boxes.round(3).tolist() == [[20, 20, 40, 60], [45, 36, 55, 44], [10, 8, 90, 72]]
    assert [line.replace(f"{folders[1]}/", "") for line in found.problems] == [
        "1.txt, line 4: box nan 0 nan 80 is not finite",
        "1.txt, line 1: a polygon, read as its bounding box (and 2 more alike)",
    ]
    with pytest.raises(UserError, match="line 4: box nan 0 nan 80 is not finite: mend"):
        read_yolo_text(*folders)


def test_a_line_that_is_there_twice_counts_once(data):
    line = "0 .5 .5 .5 .5\n"
    found = read_yolo_text(*data({"1.txt": line + "1 .5 .5 .5 .5\n" + line + line}))
    assert found.images[0].classes.tolist() == [0, 1]
    (named,) = found.problems
    assert named.endswith("1.txt, line 3: the same line as one before, which counts once (and 1 more alike)")


@pytest.mark.parametrize(
    ("image", "label"),
    [("a.jpg", "a.TXT"), ("A.JPG", "a.txt"), ("a.jpg", "A.txt"), ("caf\u00e9.jpg", "cafe\u0301.txt")],
)
def test_label_files_in_capitals_are_found(data, image, label):
    found = read_yolo_text(*data({label: "0 .5 .5 1 1"}, [image]))
    assert len(found.images[0].boxes) == 1 and found.problems == ()


def test_a_name_that_fits_exactly_comes_first(data):
    found = read_yolo_text(*data({"a.txt": "0 .5 .5 1 1", "A.txt": "1 .5 .5 1 1"}, ["a.jpg"]))
    assert found.images[0].classes.tolist() == [0] and "A.txt: no image of that name" in found.problems[0]


def test_images_that_share_a_label_file_are_named(data):
    found = read_yolo_text(*data({"1.txt": "0 .5 .5 1 1"}, ["1.jpg", "1.png"]))
    assert "1.png: has the same annotations as" in found.problems[0] and len(found.images) == 2


def test_folders_behind_links_are_searched_once(data, tmp_path):
    images, labels = data({"1.txt": "0 .5 .5 1 1"})
    (tmp_path / "set").mkdir()
    (tmp_path / "set/images").symlink_to(images)
    (images / "loop").symlink_to(images)
    (tmp_path / "all").mkdir()
    (tmp_path / "all/part").symlink_to(images)
    assert len(read_yolo_text(tmp_path / "set/images", labels).images) == 1
    assert len(read_yolo_text(tmp_path / "all", labels).images) == 1


def test_exdark_counts_only_a_number_as_ignored(data):
    lines = [f"Cat 10 20 30 40 0 0 0 0 0 {ign} 0" for ign in ("0", "2", "nan")]
    found = read_exdark_text(*data({"Cat/1.jpg.txt": "\n".join(lines)}, ["Cat/1.jpg"]))
    assert found.images[0].difficult.tolist() == [False, True, False] and "ign is nan" in found.problems[0]


def test_labels_behind_a_broken_link_are_not_taken_for_an_image_without_objects(data):
    images, labels = data({"1.txt": "0 0.5 0.5 1 1"}, images=("1.png", "2.png", "3.png"))
    (labels / "2.txt").symlink_to("gone.txt")
    (labels / "3.txt").mkdir()
    named = problems(read_yolo_text, (images, labels))
    assert [line.partition(": ")[0] for line in named] == ["labels/2.txt", "labels/3.txt"]
    assert len(read_yolo_text(images, labels, repair=True).images) == 1


def test_images_behind_a_broken_link_are_named(data):
    images, labels = data({"1.txt": "0 0.5 0.5 1 1"}, ["1.png", "2.png"])
    (images / "2.png").unlink()
    (images / "2.png").symlink_to("nowhere.png")
    (line,) = problems(read_yolo_text, (images, labels))
    assert line == "images/2.png: is a link to a file that is not there: mend or remove it"


def test_class_names_that_cannot_be_read_are_named(data):
    images, labels = data({"1.txt": "0 0.5 0.5 1 1"})
    (labels / "classes.txt").mkdir()
    with pytest.raises(UserError, match=r"classes.txt: cannot be read \(Is a directory\)"):
        read_yolo_folder(images.parent)
