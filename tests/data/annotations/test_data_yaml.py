"""The `data.yaml` of YOLO data sets, in the forms that tools write."""

import pytest

from kind.data.annotations.class_names import COCO
from kind.data.annotations.data_yaml import label_file, read_data_yaml
from kind.data.annotations.layouts import read_yolo_folder, split
from kind.errors import UserError


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def data(photo, tmp_path):
    """train/ with two images, valid/ with one, each in images/ with labels/; (text of data.yaml) → folder."""
    for name in ("train/images/1.png", "train/images/2.png", "valid/images/3.png"):
        photo(tmp_path / name)
        write(tmp_path / name.replace("images", "labels").replace("png", "txt"), "1 .5 .5 .5 .5\n")

    def describe(text):
        write(tmp_path / "data.yaml", text)
        return tmp_path

    return describe


def names(images):
    return [image.path.name for image in images]


BOMB = "names: [cat, dog]\na0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
BOMB += "nc: *a11\n"
PLACES = "train: train/images\nval: valid/images\n"


@pytest.mark.parametrize(
    "text",
    [
        f"names: [cat, dog]\n{PLACES}",
        f"names:\n  1: dog\n  0: cat\n{PLACES}",
        f"names:\n- cat\n- dog\nnc: 2\nroboflow: {{a: [1, {{b: 2}}]}}\ntest: nowhere\n{PLACES}",
        "names: [cat, dog]\ntrain: ../train/images\nval: ../valid/images\n",
        "path: .\nnames: [cat, dog]\ntrain: [train/images]\nval: [valid/images]\n",
        "path: ../elsewhere\nnames: [cat, dog]\ntrain: train/images\nval: valid/images\n",
    ],
    ids=["list", "dictionary", "unknown keys", "one folder too high", "lists", "path that is not there"],
)
def test_names_and_paths_are_read(data, text):
    folder = data(text)
    for place in (folder, folder / "data.yaml"):
        found = read_yolo_folder(place)
        training, validation = split(found)
        assert found.class_names == ("cat", "dog") and found.classes_from == str(folder / "data.yaml")
        assert (names(training), names(validation)) == (["1.png", "2.png"], ["3.png"])
        assert found.problems == () and all(image.classes.tolist() == [1] for image in found.images)


def test_lists_of_images_and_labels_beside_images(data, tmp_path, photo):
    folder = data("names: [cat, dog]\ntrain: train.txt\nval: beside\n")
    write(tmp_path / "train.txt", "./train/images/2.png\n\n./train/images/1.png\n")
    photo(tmp_path / "beside/9.png")
    write(tmp_path / "beside/9.txt", "0 .5 .5 1 1\n")
    training, validation = split(read_yolo_folder(folder))
    assert (names(training), names(validation)) == (["1.png", "2.png"], ["9.png"])
    assert validation[0].classes.tolist() == [0]
    write(tmp_path / "train.txt", "./train/images/7.png\n")
    with pytest.raises(UserError, match="7.png', which is no image below"):
        read_yolo_folder(folder)


def test_names_alone_describe_images_and_labels_beside_it(photo, tmp_path):
    photo(tmp_path / "images/1.png")
    write(tmp_path / "labels/1.txt", "1 .5 .5 1 1")
    write(tmp_path / "data.yaml", "names: [no, '007', ~]\n")  # all text: YAML's own rules make False, 7, None
    found = read_yolo_folder(tmp_path)
    assert found.class_names == ("no", "007", "~") and found.validation is None
    assert read_yolo_folder(tmp_path, ["a", "b"]).class_names == ("a", "b")
    write(tmp_path / "data.yaml", "names: [no, '007', ~]\ntrain: /content/drive/train\n")
    (line,) = read_yolo_folder(tmp_path).problems
    assert "train: /content/drive/train: not there" in line
    write(tmp_path / "classes.txt", "cat\n")
    with pytest.raises(UserError, match="name other classes"):
        read_yolo_folder(tmp_path)
    (tmp_path / "data.yaml").unlink()
    assert read_yolo_folder(tmp_path, repair=True).classes_from == str(tmp_path / "classes.txt")
    (tmp_path / "classes.txt").unlink()
    found = read_yolo_folder(tmp_path)
    assert found.class_names == COCO and found.classes_from == "COCO's own, since the data set names none"


def test_validation_images_that_are_the_training_images_are_held_out_by_number(data):
    found = read_yolo_folder(data("names: [cat, dog]\ntrain: train/images\nval: train/images\n"))
    assert found.validation is None and "val names all images of train" in found.problems[0]
    assert names(split(found, 2)[1]) == ["1.png"]
    both = read_yolo_folder(
        data("names: [cat, dog]\ntrain: [train/images, valid/images]\nval: valid/images\n")
    )
    assert [names(part) for part in split(both)] == [["1.png", "2.png"], ["3.png"]]


def test_validation_images_alone_are_all_held_out(data):
    found = read_yolo_folder(data("names: [cat, dog]\nval: train/images\n"))
    assert [names(part) for part in split(found, 2)] == [[], ["1.png", "2.png"]]


def test_keypoints_are_not_taken_for_a_polygon(data, tmp_path):
    folder = data(f"names: [cat, dog]\nkpt_shape: [2, 2]\n{PLACES}")
    write(tmp_path / "train/labels/1.txt", "0 .5 .5 .5 .5 .1 .1 .9 .9\n")
    assert read_yolo_folder(folder).images[0].boxes.tolist() == [[25, 20, 75, 60]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1, 2", "data.yaml: not a YAML file"),
        ("a: !!python/object/apply:os.system [echo]\n", "names no images"),
        ("cat\n", "expected keys and values"),
        ("names: cat\n", "names expects a list"),
        ("names: [cat, [dog]]\n", "names expects a list"),
        ("names: {0: cat, 2: dog}\n", "names expects the class numbers from 0 on"),
        ("names: {a: cat, b: dog}\n", "names expects the class numbers from 0 on"),
        ("names: [cat, dog, cat]\n", "names: 'cat' is given twice, as class 0 and as class 2"),
        ("names: [cat, dog]\nnc: 80\n", "nc is '80', but names has 2 classes"),
        ("names: [cat, dog]\ntrain: {a: b}\n", "train expects a path or a list of paths"),
        ("names: [cat, dog]\ntrain: train/images\nval: nowhere\n", "val: nowhere: no such folder or list"),
        ("names: [cat, dog]\ntrain: data.yaml\n", "which is no image below"),
        ("&a [*a]\n", "not a YAML file"),
        (BOMB, "nc is no number, but names has 2 classes"),
    ],
)
def test_what_cannot_be_used_is_one_line(data, text, reason):
    with pytest.raises(UserError) as caught:
        read_yolo_folder(data(text))
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_are_no_yaml(tmp_path):
    file = tmp_path / "data.yaml"
    for content in (b"\xff\xfe\x00", b"[" * 100_000, b"\0"):
        file.write_bytes(content)
        with pytest.raises(UserError, match="data.yaml: (not a YAML file|expected)"):
            read_data_yaml(file)
    with pytest.raises(UserError, match="larger than 1 MiB"):
        file.write_bytes(b" " * ((1 << 20) + 1))
        read_data_yaml(file)
    with pytest.raises(UserError, match="cannot be read"):
        read_data_yaml(tmp_path / "none.yaml")


def test_labels_are_where_yolo_looks_for_them(tmp_path):
    folder = tmp_path / "images" / "set"
    assert label_file(folder / "images/a/1.png") == folder / "labels/a/1.txt"
    assert label_file(folder / "1.png") == tmp_path / "labels/set/1.txt"
