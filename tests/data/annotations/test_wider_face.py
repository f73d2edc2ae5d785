"""WIDER FACE: one text file for all images."""

import pytest

from kind.data.annotations.layouts import read_wider_face_folder
from kind.data.annotations.wider_face_text import read_wider_face_text
from kind.errors import UserError

TEXT = """0--Parade/a b.jpg
2
10 20 30 40 0 0 0 0 1 0
5 6 7 8 2 0 0 1 2 0
0--Parade/none.jpg
0
0 0 0 0 0 0 0 0 0 0
1--Hand/c.JPG
2
1 2 0 4 2 0 0 1 2 0
3 4 5 6
"""


@pytest.fixture
def data(photo, tmp_path):
    """(text, images by name) → the file, and the folder of images."""

    def write(text, names=("0--Parade/a b.jpg", "0--Parade/none.jpg", "1--Hand/c.JPG")):
        for name in names:
            photo(tmp_path / "images" / name)
        (tmp_path / "faces.txt").write_text(text)
        return tmp_path / "faces.txt", tmp_path / "images"

    return write


def test_faces_invalid_ones_and_images_without_any(data):
    file, images = data(TEXT)
    photos = {image.path.name: image for image in read_wider_face_text(file, images).images}
    assert list(photos) == ["a b.jpg", "none.jpg", "c.JPG"]
    assert photos["a b.jpg"].boxes.tolist() == [[10, 20, 40, 60], [5, 6, 12, 14]]
    assert photos["a b.jpg"].difficult.tolist() == [False, True]
    assert photos["none.jpg"].boxes.shape == (0, 4)
    assert photos["c.JPG"].boxes.tolist() == [[3, 4, 8, 10]]
    found = read_wider_face_folder(images.parent, file)
    assert found.class_names == ("face",) and found.classes_from == "WIDER FACE's own"
    (problem,) = found.problems
    assert "line 10: an invalid face without area, which is passed over" in problem


def test_what_is_broken_is_named_with_its_line(data):
    lines = [
        "x y", "a.jpg", "two", "b.jpg", "2", "1 2 3", "4 5 6 7", "../c.jpg", "0", "missing.jpg", "0",
        "b.jpg", "0", "d.jpg", "3", "1 2 0 4 0 0 0 0 0 0", "1 2 300 4",
    ]  # fmt: skip
    file, images = data("\n".join(lines), ["a.jpg", "b.jpg", "d.jpg"])
    found = read_wider_face_text(file, images, repair=True)
    assert [len(image.boxes) for image in found.images] == [0, 1, 1]
    expected = [
        f"{file}, line 1: expected the name of an image",
        f"{file}, line 8: expected the name of an image inside {images}",
        f"{images}/missing.jpg: no such image; {file}, line 10 names it",
        f"{file}, line 12: b.jpg a second time",
        f"{file}, line 2: expected the number of faces in the next line",
        f"{file}, line 6: expected left, top, width and height, and no or 6 attributes",
        f"{file}, line 14: says 3 faces, but has 2 lines of them",
        f"{file}, line 16: box 1 2 1 6 has no area",
        f"{file}, line 17: box 1 2 301 6 reaches outside the image of 100x80",
    ]
    assert list(found.problems) == expected
    with pytest.raises(UserError, match="broken annotations: .*line 1: expected the name of an image;"):
        read_wider_face_text(file, images)


def test_a_file_that_is_none(data, tmp_path):
    with pytest.raises(UserError, match="none.txt: cannot be read"):
        read_wider_face_text(tmp_path / "none.txt", tmp_path)
    with pytest.raises(UserError, match="holds no image that can be used"):
        read_wider_face_text(*data(""))
