"""`evaluate.py detect` from flags to files, in one process."""

import csv
import json
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import evaluate
from kind.constants import DARKENING_PRESETS
from kind.data.darkening import PRESETS
from kind.detection import predictor
from kind.images.photo import read_photo

SPOTS = {"1.png": [(16, 24)], "2.png": [(8, 8), (40, 32)], "3.png": [], "4.png": [(24, 8)], "5.png": [(0, 0)]}


@pytest.fixture(autouse=True)
def detectors(painted_detector, monkeypatch):
    """`--detector anything` gives the stand-in."""
    monkeypatch.setattr(predictor, "load_detector", lambda path: painted_detector)


@pytest.fixture
def data(tmp_path):
    """Five dark images of 64×64 in YOLO's form; only stretched their spots are bright enough to be found.

    The second has a spot that is not annotated, the fourth an object that cannot be seen.
    """
    for name, spots in SPOTS.items():
        pixels = np.zeros((64, 64, 3), np.uint8)
        for x, y in spots:
            pixels[y : y + 8, x : x + 8] = 60
        path = tmp_path / "data/images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        annotated = [(12, 20)] * (name == "1.png") + [(4, 4)] * (name == "2.png")
        annotated += [(20, 4), (40, 40)] * (name == "4.png")
        lines = [f"1 {(x + 8) / 64} {(y + 8) / 64} 0.25 0.25" for x, y in annotated]
        if name == "5.png":  # the image's corner cuts the box
            lines = ["1 0.09375 0.09375 0.1875 0.1875"]
        label = tmp_path / "data/labels" / f"{path.stem}.txt"
        label.parent.mkdir(exist_ok=True)
        label.write_text("\n".join(lines))
    (tmp_path / "data/labels/classes.txt").write_text("Dot\nSpot\n")
    return tmp_path / "data"


@pytest.fixture
def run(tmp_path, capsys):
    """(words after `detect`) → exit code, stdout, stderr."""

    def run(*words):
        code = evaluate.main(
            ["detect", *map(str, words), "--out", str(tmp_path / "out"), "--image-size", "64"]
        )
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return run


def summary(tmp_path):
    return json.loads((tmp_path / "out/summary.json").read_text(encoding="utf-8"))


def test_inputs_are_compared_on_the_same_images(run, data, tmp_path):
    files = ("--latex", tmp_path / "table.tex", "--csv", tmp_path / "table.csv")
    code, printed, errors = run(
        "--data", data, "--detector", "net=x.keras", "--inputs", "raw,stretched", *files
    )
    assert code == 0 and "5 of 5 images" in errors
    content = summary(tmp_path)
    raw, stretched = content["table"]
    assert (raw["detector"], raw["input"], stretched["input"]) == ("net", "raw", "stretched")
    assert content["images"] == 5 and content["objects"] == 5
    assert raw["figures"]["map"] == 0 and raw["differences"] == {}
    # Five predictions of one score, in the order of images; the third is wrong, one object is never found:
    # precision 1 up to recall 0.4, then 0.8 up to 0.8. COCO's 101 recalls: 41 times 1 and 40 times 0.8.
    expected = (41 + 40 * 0.8) / 101
    assert stretched["figures"]["map_50"] == pytest.approx(expected)
    assert stretched["figures"]["small"] == pytest.approx(expected)
    assert stretched["figures"]["large"] is None and stretched["figures"]["voc_50"] == pytest.approx(0.72)
    assert stretched["by_class"]["Spot"]["map_50"] == pytest.approx(expected)
    assert stretched["by_class"]["Dot"] == {"objects": 0, "map": None, "map_50": None}
    difference = stretched["differences"]["map_50"]
    assert difference["value"] == pytest.approx(expected)
    assert difference["interval"] is None and "no 95 % intervals: 5 images" in printed
    latex = (tmp_path / "table.tex").read_text(encoding="utf-8")
    assert latex.startswith(r"\begin{tabular}{llrrrr") and "net & stretched & 0.723 & --" in latex
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        assert [float(line["map_50"]) for line in csv.DictReader(file)] == [0, pytest.approx(expected)]
    for words in ("Better than net, raw by", "data: 5 of 5 images, 5 objects, 2 classes", "+0.723"):
        assert words in printed


def test_image_by_image_and_on_the_page(run, data, tmp_path):
    run("--data", data, "--detector", "net=x.keras", "--inputs", "stretched")
    with (tmp_path / "out/per_image.csv").open(newline="", encoding="utf-8") as file:
        lines = {line["image"]: line for line in csv.DictReader(file)}
    counts = {
        name: [int(line[key]) for key in ("correct", "wrong", "missed")] for name, line in lines.items()
    }
    assert counts == {
        "1.png": [1, 0, 0], "2.png": [1, 1, 0], "3.png": [0, 0, 0], "4.png": [1, 0, 1], "5.png": [1, 0, 0]
    }  # fmt: skip
    assert lines["3.png"]["f1"] == "" and float(lines["4.png"]["f1"]) == pytest.approx(2 / 3)
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    images = Images(page).found
    plots = ["precision-recall", "f1-confidence", "confusion-1"]
    assert images[:3] == [f"pictures/plot-{name}.png" for name in plots]
    assert len(images[3:]) == 3 * 2  # worst, median, best: photograph and what was found
    for title in ("worst by F1", "median by F1", "best by F1: 1.png (1.00; 1 correct, 0 wrong, 0 missed)"):
        assert title in page
    assert all((tmp_path / "out" / image).is_file() for image in images)
    best = read_photo(tmp_path / "out" / images[-1]).pixels
    assert best[20, 20, 1] > best[20, 20, 0] + 0.2  # green


class Images(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.found.append(dict(attributes)["src"])


def test_a_stopped_run_goes_on_and_nothing_is_mixed(run, data, tmp_path, monkeypatch):
    command = ("--data", data, "--detector", "net=x.keras", "--inputs", "raw,stretched")
    whole, calls = predictor.Predictor.__call__, []

    def interrupt(self, image):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return whole(self, image)

    monkeypatch.setattr(predictor.Predictor, "__call__", interrupt)
    assert run(*command)[0] == 130
    code, _, errors = run(*command)
    assert code == 0 and "2 kept from before" in errors and len(calls) == 6 + 10 - 5
    first = summary(tmp_path)
    assert "5 kept from before" in run(*command)[2] and len(calls) == 11
    assert summary(tmp_path) == first
    run(*command, "--darken", "dusk")
    run(*command, "--darken", "dusk", "--seed", "1")
    assert len(calls) == 31
    Image.new("RGB", (64, 64), (9, 0, 0)).save(data / "images/1.png")
    run(*command)
    assert len(calls) == 33
    run(*command, "--fresh")
    assert len(calls) == 43


def test_splits_and_darkening(run, data, tmp_path, monkeypatch):
    seen = []
    whole = predictor.Predictor.__call__
    monkeypatch.setattr(
        predictor.Predictor,
        "__call__",
        lambda self, image: seen.append(np.array(image)) or whole(self, image),
    )
    command = ("--data", data, "--detector", "x.keras", "--inputs", "raw")
    _, printed, _ = run(*command, "--split", "validation", "--darken", "moderate", "--seed", "3")
    assert "data, split validation: 2 of 5 images" in printed
    assert "Made dark: preset moderate, seed 3, in 8 bits" in printed
    evaluate_dark, alone = seen[1], tmp_path / "twins"
    from kind.cli.main import main

    main(["darken", str(data / "images"), "--out", str(alone), "--seed", "3"])
    np.testing.assert_allclose(evaluate_dark, read_photo(alone / "5.png").pixels, atol=1e-6)


def test_validation_is_what_the_detectors_training_held_out(run, data, tmp_path):
    for name, every in (("two", 2), ("three", 3)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "best.keras").write_text("")
        (tmp_path / name / "config.json").write_text(json.dumps({"validation_every": every}))
    command = ("--data", data, "--inputs", "stretched", "--split", "validation")
    _, printed, _ = run(*command, "--detector", tmp_path / "two")
    assert "split validation: 3 of 5 images" in printed and "NOTE" not in printed
    assert "Held out of training: one image in 2, by sorted name, as the weights record" in printed
    with (tmp_path / "out/per_image.csv").open(newline="", encoding="utf-8") as file:
        assert [line["image"] for line in csv.DictReader(file)] == ["1.png", "3.png", "5.png"]
    _, printed, _ = run(*command, "--detector", tmp_path / "two", "--detector", tmp_path / "three")
    assert "split validation: 1 of 5 images" in printed
    assert (
        "NOTE: the weights were trained with different splits (two one image in 2, three one image in 3)"
        in printed
    )


def test_the_old_name_of_the_image_size_still_works(data, tmp_path, capsys):
    words = ["detect", "--data", str(data), "--detector", "x.keras", "--inputs", "raw", "--size", "64"]
    assert evaluate.main([*words, "--out", str(tmp_path / "out")]) == 0
    captured = capsys.readouterr()
    assert "longer side 64" in captured.out and "--size is deprecated; use --image-size" in captured.err


def test_the_networks_make_the_other_inputs(run, data, tmp_path, bright_networks):
    _, printed, _ = run(
        "--data", data, "--detector", "x.keras", "--inputs", "relit,reflectance", "--weights", bright_networks
    )
    relit, reflectance = summary(tmp_path)["table"]
    # R̂ = S and L̂ = α·mean(S): both are bright where the stretched image is.
    assert reflectance["figures"]["map_50"] == relit["figures"]["map_50"] == pytest.approx(73 / 101)
    assert "Networks: decom " in printed and "α = 5 (relit)" in printed


def test_a_damaged_image_is_left_out_for_all(run, data, tmp_path):
    path = data / "images/1.png"
    path.write_bytes(path.read_bytes()[:-30])
    code, printed, errors = run("--data", data, "--detector", "x.keras", "--inputs", "raw,stretched")
    assert code == 1 and f"left out: {path}: damaged" in errors and "NOTE: left out: 1.png" in printed
    assert summary(tmp_path)["images"] == 4 and summary(tmp_path)["left_out"][0]["image"] == "1.png"


def test_other_forms_of_annotations(run, data, tmp_path):
    content = {
        "images": [{"id": 1, "file_name": "1.png", "width": 64, "height": 64}],
        "categories": [{"id": 4, "name": "spot"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 4, "bbox": [12, 20, 16, 16]}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(content))
    command = ("--detector", "x.keras", "--inputs", "stretched")
    code, _, _ = run("--data", data, "--coco", tmp_path / "coco.json", *command)
    (line,) = summary(tmp_path)["table"]
    assert code == 0 and line["figures"]["map"] == 1 and line["intervals"]["map"] is None
    code, _, errors = run("--data", data, "--dark-face", *command)
    assert code == 2 and "data/image: no such folder of images" in errors
    code, _, errors = run("--data", data, "--exdark", "--classes", "cat", *command)
    assert code == 2 and "--classes is for YOLO's and VOC's" in errors


def test_several_views_and_means_over_old_and_new_classes(run, data, tmp_path):
    words = ("--data", data, "--detector", "x.keras", "--inputs", "stretched", "--fresh")
    code, printed, _ = run(*words, "--multi-scale", "--flip", "--old-classes", "Dot")
    assert code == 0
    assert "searched at 0.75, 1, 1.5 times the size; searched mirrored, too" in printed
    assert "Means over old and new classes:" in printed and "mAP50 new" in printed
    (line,) = summary(tmp_path)["table"]
    assert line["old_classes"] == {"map": None, "map_50": None}
    assert line["new_classes"] == {key: line["figures"][key] for key in ("map", "map_50")}
    assert "Means over old and new classes" in (tmp_path / "out/report.html").read_text(encoding="utf-8")
    code, _, errors = run(*words, "--old-classes", "Cat")
    assert code == 2 and "--old-classes: the data set has no class 'Cat'" in errors
    code, _, errors = run(*words, "--only-classes", "Cat")
    assert code == 2 and "--only-classes: the data set has no class 'Cat'; it has Dot, Spot" in errors


def test_the_tables_go_into_a_document(run, data, tmp_path):
    document = tmp_path / "detection.md"
    document.write_text("# D\n<!-- detection begin -->\n<!-- detection end -->\nend\n")
    run("--data", data, "--detector", "x.keras", "--inputs", "raw,stretched", "--markdown", document)
    text = document.read_text(encoding="utf-8")
    assert "| x | stretched | " in text and "Better than x, raw by" in text and text.endswith("\nend\n")


MISTAKES = {
    "no data": ("--data none --detector x", "none/images: no such folder of images"),
    "broken annotations": ("--data data --classes dot --detector x", "unknown class 1"),
    "no class in common": ("--data data --classes cat cow --detector x", "x: knows none of the data set's"),
    "twice the same": ("--data data --detector a/x --detector b/x", "two detectors are called 'x'"),
    "no weights": ("--data data --detector x --weights none", "none: no such folder of weights"),
    "seed": ("--data data --detector x --seed -1", "--seed expects a number from 0"),
    "size": ("--data data --detector x --image-size 50", "image size expects a multiple of 32"),
    "confidence": ("--data data --detector x --drawn-confidence 2", "--drawn-confidence expects"),
    "no document": ("--data data --detector x --markdown none.md", "none.md: expected a Markdown document"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_line_and_exit_2(data, tmp_path, monkeypatch, capsys, mistake):
    monkeypatch.chdir(tmp_path)
    words, expected = MISTAKES[mistake]
    inputs = [] if "--weights" in words else ["--inputs", "raw"]
    code = evaluate.main(["detect", "--out", "out", *inputs, *words.split()])
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert captured.err.startswith("evaluate.py: ") and captured.err.count("\n") == 1
    assert expected in captured.err and not (tmp_path / "out/report.html").exists()


@pytest.mark.parametrize("kinds", ["bright", "raw,raw", ""])
def test_inputs_are_kinds_each_once(kinds, capsys):
    with pytest.raises(SystemExit) as stop:
        evaluate.main(["detect", "--data", "d", "--out", "o", "--inputs", kinds])
    assert stop.value.code == 2 and "expects some of reflectance,relit" in capsys.readouterr().err


def test_the_presets_are_those_of_the_data():
    assert set(DARKENING_PRESETS) == set(PRESETS)


def test_boxes_of_another_program_are_scored_like_our_own(run, data, tmp_path):
    table = tmp_path / "theirs.csv"
    lines = ["image,class,score,left,top,right,bottom", "1.png,spot,0.9,12,20,28,36"]
    lines += ["4.png,spot,0.8,20,4,36,20", "5.png,spot,0.7,30,30,40,40"]
    table.write_text("\n".join(lines))
    code, printed, _ = run("--data", data, "--found", table)
    assert code == 0 and "3 boxes in 3 images, from theirs.csv" in printed
    (line,) = summary(tmp_path)["table"]
    assert (line["detector"], line["input"]) == ("theirs", "recorded")
    # Two of five objects in the first two places: precision 1 up to recall 0.4.
    assert line["figures"]["map_50"] == pytest.approx(41 / 101)
    code, _, errors = run("--data", data, "--found", tmp_path / "none.csv")
    assert code == 2 and "none.csv: cannot be read" in errors


def test_a_folder_without_boxes_is_refused_and_empty_files_count(run, data, tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    code, printed, errors = run("--data", data, "--found", folder)
    assert (code, printed, errors.count("\n")) == (2, "", 1)
    assert "theirs: no text file is named like an image" in errors
    (folder / "1.txt").write_text("")
    code, printed, _ = run("--data", data, "--found", folder)
    assert code == 0 and "0 boxes in 0 images, from theirs" in printed
