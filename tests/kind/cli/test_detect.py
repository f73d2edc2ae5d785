"""`detect` as a user meets it."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from kind.cli.main import main
from kind.detection import predictor
from kind.images.photo import read_photo


@pytest.fixture(autouse=True)
def ships(painted_detector, monkeypatch):
    """The stand-in ships."""
    monkeypatch.setattr(predictor, "load_detector", lambda path: painted_detector)


@pytest.fixture
def photographs(tmp_path):
    """Three photographs of 64×64: a spot at 16, 24; two spots, gray; none."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, spots, mode in (
        ("1.png", [(16, 24)], "RGB"),
        ("2.jpg", [(8, 8), (40, 32)], "L"),
        ("3.png", [], "RGB"),
    ):
        pixels = np.zeros((64, 64, 3), np.uint8)
        for x, y in spots:
            pixels[y : y + 8, x : x + 8] = 230
        Image.fromarray(pixels).convert(mode).save(folder / name, quality=100)
    return folder


@pytest.fixture
def run(tmp_path):
    """(more words) → the exit code of `detect` on the raw photographs at size 64."""

    def run(*words, out="out"):
        settings = ["--out", str(tmp_path / out), "--input", "raw", "--image-size", "64"]
        return main(["detect", *settings, *map(str, words)])

    return run


def boxes_in(folder):
    with (folder / "detections.csv").open(newline="") as file:
        return [
            (line["image"].rsplit("/", 1)[-1], line["class"], line["left"], line["top"])
            for line in csv.DictReader(file)
        ]


def test_boxes_are_drawn_written_and_counted(run, photographs, tmp_path, capsys):
    assert run(photographs) == 0
    out = tmp_path / "out"
    names = ["1.png", "2.jpg", "3.png", "detections.csv", "detections.json", "images.json"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert boxes_in(out)[0] == ("1.png", "spot", "12.0", "20.0")
    assert sorted(boxes_in(out)[1:]) == [("2.jpg", "spot", "36.0", "28.0"), ("2.jpg", "spot", "4.0", "4.0")]
    results = json.loads((out / "detections.json").read_text())
    assert [entry["image_id"] for entry in results] == [1, 2, 2] and results[0]["bbox"] == [12, 20, 16, 16]
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert lines[0].split() == "photograph size boxes seconds written to".split()
    assert [line.split()[2] for line in lines[1:4]] == ["1", "2", "0"] and lines[4].startswith("3 boxes: ")
    drawn = read_photo(out / "1.png").pixels
    assert np.ptp(drawn[20, 12:28], axis=-1).min() > 0.3  # the upper edge is coloured …
    assert np.ptp(read_photo(out / "2.jpg").pixels, axis=-1).max() > 0.3  # … on a gray photograph, too
    assert not read_photo(out / "3.png").pixels.any()


def test_thresholds_decide(run, photographs, tmp_path):
    assert run(photographs, "--confidence", "0.95") == 0
    assert boxes_in(tmp_path / "out") == []
    assert run(photographs, "--max-detections", "1", out="one") == 0
    assert [entry[0] for entry in boxes_in(tmp_path / "one")] == ["1.png", "2.jpg"]


def test_the_detector_sees_what_input_says(run, photographs, tmp_path, bright_networks):
    dark = Image.open(photographs / "1.png").point(lambda value: value // 4)
    dark.save(tmp_path / "dark.png")
    assert run(tmp_path / "dark.png") == 0 and boxes_in(tmp_path / "out") == []
    assert run(tmp_path / "dark.png", "--input", "stretched", out="stretched") == 0
    assert boxes_in(tmp_path / "stretched") == [("dark.png", "spot", "12.0", "20.0")]
    assert read_photo(tmp_path / "stretched/dark.png").pixels.max() == 1
    weights = ("--weights", bright_networks)
    assert run(tmp_path / "dark.png", "--input", "reflectance", *weights, out="reflectance") == 0
    assert boxes_in(tmp_path / "reflectance") == boxes_in(tmp_path / "stretched")
    assert run(tmp_path / "dark.png", "--input", "relit", "--alpha", "0.4", *weights, out="relit") == 0
    assert boxes_in(tmp_path / "relit") == []  # 0.4 · mean(S) · S is too dark


def test_sheets_show_the_photograph_beside_what_was_found(run, photographs, tmp_path):
    assert run(photographs / "1.png", "--sheets") == 0
    sheet = read_photo(tmp_path / "out/1_sheet.png").pixels
    assert sheet.shape[0] > 64 and sheet.shape[1] > 2 * 64


def test_boxes_are_written_for_other_programs_too(run, photographs, tmp_path, capsys):
    assert run(photographs, "--labels", "coco", "yolo", "voc", "text") == 0
    out = tmp_path / "out"
    assert json.loads((out / "coco.json").read_text())["annotations"][0]["bbox"] == [12, 20, 16, 16]
    for folder, suffix in (("yolo", "txt"), ("voc", "xml"), ("text", "txt")):
        assert {f"{number}.{suffix}" for number in "123"} <= {path.name for path in (out / folder).iterdir()}
    assert str(out / "text") in capsys.readouterr().out


@pytest.mark.parametrize("form, place", [("coco", "coco.json"), ("yolo", "yolo/1.txt"), ("voc", "voc/1.xml")])
def test_labels_that_are_there_stay(run, photographs, tmp_path, capsys, form, place):
    mine = tmp_path / "out" / place
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert run(photographs, "--labels", form) == 2
    assert mine.read_text() == "mine" and "there already" in capsys.readouterr().err


def test_one_photograph_goes_into_one_file(run, photographs, tmp_path):
    assert run(photographs / "1.png", out="drawn.webp") == 0
    assert read_photo(tmp_path / "drawn.webp").pixels.shape == (64, 64, 3)
    assert boxes_in(tmp_path) == [("1.png", "spot", "12.0", "20.0")]


def test_a_bad_file_does_not_stop_the_rest(run, photographs, tmp_path, capsys):
    (photographs / "0.png").write_text("hello")
    assert run(photographs) == 1
    errors = capsys.readouterr().err.splitlines()
    assert "0.png: not an image of a known format" in errors[0]
    assert errors[1] == "kind: 1 of 4 photographs failed"
    assert [entry[0] for entry in boxes_in(tmp_path / "out")] == ["1.png", "2.jpg", "2.jpg"]
    for name in ("1.png", "2.jpg", "3.png"):
        (photographs / name).unlink()
    assert run(photographs, out="none") == 2 and not (tmp_path / "none/detections.json").exists()


def test_an_interruption_keeps_what_was_found(run, photographs, tmp_path, monkeypatch):
    whole = predictor.Predictor.__call__
    calls = []

    def interrupt(self, image):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(self, image)

    monkeypatch.setattr(predictor.Predictor, "__call__", interrupt)
    assert run(photographs) == 130
    assert len(boxes_in(tmp_path / "out")) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--image-size", "65"], "image size expects a multiple of 32, received 65"),
        (["--confidence", "-1"], "--confidence expects"),
        (["--alpha", "nan"], "--alpha expects"),
        (["--input", "stretched", "--alpha", "4"], "--alpha is for --input relit, not stretched"),
        (["--quality", "0"], "--quality expects"),
        (["--input", "relit", "--weights", "none"], "none: no such folder of weights"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(run, photographs, tmp_path, capsys, words, message):
    assert run(photographs, *words) == 2
    output = capsys.readouterr()
    assert output.out == "" and len(output.err.splitlines()) == 1 and message in output.err
    assert list((tmp_path / "out").glob("*")) == []  # a mistake on the command line does not even make it


def test_without_a_detector_there_is_one_line(run, photographs, monkeypatch, tmp_path, capsys):
    monkeypatch.undo()
    monkeypatch.setattr(predictor, "SHIPPED_DETECTOR", tmp_path / "none.keras")
    assert run(photographs) == 2
    assert "no detector ships with this installation: give --detector FILE" in capsys.readouterr().err


def test_a_wrong_network_is_named_before_the_detector_is_built(
    run, photographs, monkeypatch, tmp_path, capsys
):
    (tmp_path / "lite.keras").write_bytes(b"no zip")
    monkeypatch.setattr(predictor, "load_detector", lambda path: pytest.fail("it was built"))
    assert run(photographs, "--input", "reflectance", "--weights", tmp_path) == 2
    assert "lite.keras: not a .keras file" in capsys.readouterr().err
