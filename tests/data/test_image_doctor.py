"""What the doctor finds in folders of photographs and of annotated images."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from kind.data.annotations.chosen_layout import find_layout
from kind.data.annotations.layouts import read_yolo_folder
from kind.data.image_doctor import equal_neighbours, examine_images
from kind.errors import UserError

CAT = data.chelsea()[:160, :200]


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def found(examination):
    return {
        one.kind: [path.relative_to(examination.folder).as_posix() for path in one.files]
        for one in examination.findings
    }


def test_sound_photographs_have_no_findings(tmp_path):
    write(tmp_path / "a.png", CAT)
    write(tmp_path / "b.jpg", data.coffee()[:200, :300])
    examination = examine_images(tmp_path)
    assert examination.findings == [] and examination.content == "2 photographs"


def test_everything_odd_in_a_folder_is_named(tmp_path):
    write(tmp_path / "a.png", CAT)
    write(tmp_path / "b.png", CAT)
    write(tmp_path / "bright.jpg", np.uint8(np.minimum(CAT * 1.2, 255)))
    write(tmp_path / "small.png", data.rocket()[100:220, 200:340])
    write(tmp_path / "one" / "grey.png", np.full((130, 130, 3), 90, np.uint8))
    page = np.full((200, 200, 3), 255, np.uint8)
    page[40:60, 20:150] = (20, 60, 200)
    write(tmp_path / "page.png", page)
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "more.zip").write_bytes(b"PK")
    (tmp_path / "film.mp4").write_bytes(b"0")
    (tmp_path / "nothing").mkdir()
    assert found(examine_images(tmp_path)) == {
        "unreadable": ["torn.png"],
        "archive": ["more.zip"],
        "empty folder": ["nothing"],
        "passed over": ["film.mp4"],
        "too small": ["small.png"],
        "constant": ["one/grey.png"],
        "not a photograph": ["page.png"],
        "duplicate": ["a.png", "b.png"],
        "near-duplicate": ["bright.jpg", "a.png"],
    }


def test_dark_photographs_are_photographs():
    night = np.float32(CAT // 32) / 255  # few levels, as at night
    assert equal_neighbours(night) == 0
    assert equal_neighbours(np.float32(CAT) / 255) < 0.3
    assert equal_neighbours(np.ones((1, 1, 3), np.float32)) == 0


def test_a_folder_without_photographs_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no")
    with pytest.raises(UserError, match="holds no photographs"):
        examine_images(tmp_path)


@pytest.fixture
def annotated(tmp_path):
    """Two images in YOLO's form, one of whose boxes is broken."""
    for number, pixels in enumerate((CAT, data.coffee()[:200, :300])):
        write(tmp_path / "images" / f"{number}.png", pixels)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "0.txt").write_text("0 0.5 0.5 0.2 0.2\n0 0.5 0.5 1.9 0.2\n")
    (tmp_path / "labels" / "classes.txt").write_text("cat\n")
    return tmp_path


def test_annotations_are_named_as_training_names_them(annotated):
    assert find_layout(annotated) == "yolo"
    (finding,) = examine_images(annotated, read_yolo_folder(annotated, repair=True)).findings
    assert finding.kind == "annotation" and finding.files == ()
    with pytest.raises(UserError) as refused:
        read_yolo_folder(annotated)
    assert finding.detail in str(refused.value) and "0.txt, line 2" in finding.detail


def test_a_set_without_objects_is_named(annotated):
    (annotated / "labels" / "0.txt").write_text("")
    kinds = found(examine_images(annotated, read_yolo_folder(annotated, repair=True)))
    assert "no objects" in kinds


def test_layouts_are_told_by_their_folders(tmp_path):
    assert find_layout(tmp_path) is None
    for name, layout in (("JPEGImages", None), ("Annotations", "voc")):
        (tmp_path / name).mkdir()
        assert find_layout(tmp_path) == layout
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "data.yaml").write_text("names: [a]")
    assert find_layout(tmp_path / "sub") == find_layout(tmp_path / "sub" / "data.yaml") == "yolo"
