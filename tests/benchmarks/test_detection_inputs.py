"""The experiment: its rules on made-up figures, and all of it from end to end on a few small scenes."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.detection_bench import Named, Networks, parse_detector, parse_enhancer
from benchmarks.detection_cells import Cell, cell_file, difference, kept, mean_difference, recovered, scored
from benchmarks.detection_inputs import main
from benchmarks.detection_pictures import (
    BRIGHT,
    LIGHTS,
    PLAIN_INPUTS,
    RAW,
    Input,
    Pictures,
    divided,
    inputs_of,
    known_to,
)
from benchmarks.detection_tables import (
    Block,
    Tuned,
    counted_words,
    figures_table,
    judged,
    targets_table,
    tuned_table,
    tuned_targets_table,
)
from benchmarks.fine_tuning import WITH_NEW_TWINS, config_of, trainings
from kind.data.annotations.annotated import AnnotatedImage, Annotations
from kind.data.darkening import PRESETS
from kind.data.drawn_objects import CLASSES
from kind.data.generated_scenes import write_scenes
from kind.data.photographs import Photograph, split_photographs
from kind.decom.model import decomposition_net
from kind.detection.adaptation.config import WEIGHTS
from kind.detection.model import build_detector
from kind.detection.sizes import Proportions
from kind.errors import UserError
from kind.illumination.model import adjustment_net
from kind.images.encoding import write_photo
from kind.images.photo import read_photo
from kind.metrics.boxes import Objects, Predictions
from kind.nn.saving import save_net
from kind.restoration.unet import unet

ROOT = Path(__file__).resolve().parents[2]
DRAWS = np.linspace(-0.01, 0.01, 101)  # of a figure around its value


def annotated(path, classes=(0,)):
    count = len(classes)
    none = np.zeros(count, bool)
    boxes = np.tile(np.array([[1, 1, 9, 9]], np.float32), (count, 1))
    return AnnotatedImage(path, (16, 16), boxes, np.array(classes, np.int32), none, none, boxes[:, 2])


def cell(value, spread=DRAWS):
    drawn = None if spread is None else value + spread
    return Cell({"map_50": value, "map": value / 2}, {"map_50": drawn, "map": drawn})


def block(rows, lights=("bright", "dark-moderate", "dim-little")):
    """A block of mAP50 by row and light."""
    cells = {
        (light, row): cell(value)
        for row, values in rows.items()
        for light, value in zip(lights, values)
        if value
    }
    return Block("photographs", "detector", [LIGHTS[light] for light in lights], list(rows), cells)


def test_help_needs_no_tensorflow():
    code = (
        "import sys; from benchmarks.detection_inputs import main\n"
        "try: main(['--help'])\nexcept SystemExit: print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--test-dark" in done.stdout and done.stdout.strip().endswith("False")


def test_a_document_without_markers_is_refused_before_anything_is_measured(tmp_path, capsys):
    (tmp_path / "page.md").write_text("nothing\n")
    assert main(["--data", "a", "--out", "b", "--document", str(tmp_path / "page.md")]) == 2
    assert "detection_inputs begin" in capsys.readouterr().err


def test_test_photographs_are_those_that_no_training_of_the_shipped_weights_saw():
    images = [annotated(Path(f"{number:03}.jpg")) for number in range(128)]
    division = divided(images[::-1])
    split = split_photographs([Photograph(image.path.stem, image.path) for image in images])
    assert [image.path for image in division.test] == [photograph.path for photograph in split.test]
    assert len(division.test) == 24 and division.test[1] is images[5]
    training = {image.path for image in division.training}
    assert training == {photograph.path for photograph in split.training}
    assert not training & {image.path for image in (*division.test, *division.validation)}


def test_a_subset_of_the_test_photographs_is_fixed_and_evenly_spaced():
    images = [annotated(Path(f"{number:03}.jpg")) for number in range(128)]
    whole, some = divided(images).test, divided(images, 3).test
    assert some == [whole[0], whole[12], whole[23]] and divided(images, 99).test == whole


def test_lights_are_the_presets_and_what_lies_between_them():
    assert LIGHTS["dim-little"].darkness == PRESETS["dusk"]
    assert LIGHTS["dark-moderate"].darkness == PRESETS["moderate"]
    assert LIGHTS["dark-strong"].darkness == PRESETS["published"]
    assert LIGHTS["dim-strong"].darkness == replace(
        PRESETS["published"], light=PRESETS["dusk"].light, light_range=PRESETS["dusk"].light_range
    )
    assert len(LIGHTS) == 7 and BRIGHT.darkness is None


def test_enhancers_and_detectors_are_named(tmp_path):
    (tmp_path / "lite.keras").touch()
    assert parse_enhancer("kind") == Networks("kind", None, "kind")
    assert parse_enhancer(f"after={tmp_path}") == Networks("after", tmp_path, "lite")
    assert parse_enhancer(f"after={tmp_path}:kind") == Networks("after", tmp_path, "kind")
    assert parse_detector("yolox-nano") == Named("yolox-nano", None)
    assert parse_detector("mine=a.keras") == Named("mine", Path("a.keras"))
    for parse, text in ((parse_enhancer, "other"), (parse_detector, "other"), (parse_detector, "=a")):
        with pytest.raises(UserError, match="expects NAME=|expects NAME"):
            parse(text)


def test_objects_that_the_detector_cannot_know_are_not_counted():
    data = Annotations((annotated(Path("a.jpg"), (0, 1)),), ("ambulance", "car"), ())
    known = known_to(data, ("person", "car"), "detector")
    assert known.class_names == ("car",) and known.images[0].classes.tolist() == [0]
    assert known_to(data, ("car", "ambulance"), "detector") is data


class Halves:
    """An enhancer that counts how often it runs."""

    variant, runs = "stub", 0

    def digests(self):
        return {"stub": "1"}

    def __call__(self, images, alpha, fusion, parts):
        type(self).runs += 1
        return SimpleNamespace(**{part: np.asarray(images) / 2 for part in parts})


def test_pictures_are_made_once_and_the_networks_run_once_for_all_inputs(tmp_path, monkeypatch):
    monkeypatch.setattr(Halves, "runs", 0)
    write_photo(tmp_path / "a.png", np.random.default_rng(0).random((16, 16, 3)))
    made_of = [annotated(tmp_path / "a.png")]

    def made(inputs, seed=0):
        enhancers = {"half": Halves}
        return Pictures("set", made_of, LIGHTS["dark-strong"], tmp_path / "cache", enhancers, seed).of(inputs)

    found = made(inputs_of(["half"]))
    assert list(found) == ["raw", "stretched", "CLAHE", "half relit", "half reflectance"] and Halves.runs == 1
    twin = read_photo(found["raw"][0].path).pixels
    assert twin.mean() < read_photo(tmp_path / "a.png").pixels.mean()
    half = read_photo(found["half reflectance"][0].path).pixels
    np.testing.assert_allclose(half, twin / 2, atol=0.51 / 255)
    assert found["raw"][0].boxes is made_of[0].boxes
    found["stretched"][0].path.unlink()
    kept_at = found["CLAHE"][0].path.stat().st_mtime_ns
    assert made(inputs_of(["half"]))["CLAHE"][0].path.stat().st_mtime_ns == kept_at and Halves.runs == 1
    assert found["stretched"][0].path.is_file()
    other = read_photo(made([RAW], seed=1)["raw"][0].path).pixels
    assert abs(other - twin).max() > 0


def test_the_bright_photograph_is_searched_as_it_is(tmp_path):
    write_photo(tmp_path / "a.png", np.random.default_rng(0).random((16, 16, 3)))
    pictures = Pictures("set", [annotated(tmp_path / "a.png")], BRIGHT, tmp_path / "cache", {}, 0)
    found = pictures.of(PLAIN_INPUTS)
    assert found["raw"][0].path == tmp_path / "a.png"
    assert pictures.identity(RAW) != pictures.identity(Input("stretched", "stretched"))


def test_a_figure_is_measured_once(tmp_path):
    made = []

    def measured():
        made.append(1)
        return cell(0.123456789)

    first, again = (kept(tmp_path, "a b", "identity", measured) for _ in range(2))
    assert len(made) == 1 and again.figures == first.figures
    np.testing.assert_array_equal(again.drawn["map"], first.drawn["map"])
    path = cell_file(tmp_path, "a b", "identity")
    assert list(tmp_path.iterdir()) == [path]  # by rename: nothing else is left
    path.write_text(path.read_text()[:40])
    assert kept(tmp_path, "a b", "identity", measured).figures == first.figures and len(made) == 2
    kept(tmp_path, "a b", "other weights", measured)
    assert len(made) == 3


def test_undefined_figures_survive_the_file(tmp_path):
    lonely = Cell({"map_50": None, "map": None}, {"map_50": None, "map": np.array([np.nan, 0.5])})
    for _ in range(2):
        found = kept(tmp_path, "a", "b", lambda: lonely)
        assert found.figures["map"] is None and found.drawn["map_50"] is None
        np.testing.assert_array_equal(found.drawn["map"], lonely.drawn["map"])


def test_perfect_boxes_score_one_and_ten_images_have_samples():
    truth = Objects(np.array([[0, 0, 8, 8.0]]), np.array([0]))
    found = Predictions(truth.boxes, np.array([0.9]), np.array([0]))
    ten = scored([truth] * 10, [found] * 10, 2)
    assert ten.figures == {"map_50": 1.0, "map": 1.0} and ten.drawn["map_50"].tolist() == [1.0] * 1000
    assert scored([truth] * 9, [found] * 9, 2).drawn == {"map_50": None, "map": None}


def test_recovered_is_the_share_of_what_darkness_took():
    raw, bright = cell(0.3), cell(0.5, 0 * DRAWS)
    half = recovered(cell(0.4), raw, bright, "map_50")
    assert half.value == pytest.approx(0.5)
    assert half.interval == pytest.approx((0.1 / 0.2095, 0.1 / 0.1905), rel=1e-2)
    assert recovered(cell(0.2), raw, bright, "map_50").value == pytest.approx(-0.5)
    assert recovered(raw, raw, bright, "map_50").value == 0
    assert recovered(cell(0.4, None), raw, bright, "map_50").interval is None


def test_nothing_is_recovered_where_nothing_was_lost():
    assert recovered(cell(0.4), cell(0.5), cell(0.5), "map_50") is None
    assert recovered(cell(0.4), cell(0.5), cell(0.45), "map_50") is None
    unsure = recovered(cell(0.504), cell(0.5), cell(0.505, -DRAWS), "map_50")
    assert unsure.value == pytest.approx(0.8) and unsure.interval is None


def test_differences_are_paired():
    found = difference(cell(0.4), cell(0.3), "map_50")
    assert found.value == pytest.approx(0.1) and found.interval == pytest.approx((0.1, 0.1))


def test_the_mean_difference_over_seeds_includes_their_spread():
    still = 0 * DRAWS
    found = mean_difference([cell(0.5, still), cell(0.3, still)], [cell(0.3, still)] * 2, "map_50")
    assert found.value == pytest.approx(0.1) and found.interval == pytest.approx((0.0, 0.2))
    with pytest.raises(UserError, match="every seed"):
        mean_difference([cell(0.5)], [], "map_50")


ROWS = {"raw": (0.5, 0.3, 0.48), "good": (0.491, 0.4, 0.476), "bad": (0.48, 0.38, 0.47), "gone": (0, 0, 0)}


def test_targets_are_judged_light_by_light():
    verdicts = {
        (row, light.name): judged(block(ROWS), light, row).reached
        for row in ("good", "bad", "gone")
        for light in block(ROWS).lights
    }
    assert verdicts == {
        **{("good", light): True for light in ("bright", "dark-moderate", "dim-little")},
        **{("bad", light): False for light in ("bright", "dark-moderate", "dim-little")},
        **{("gone", light): None for light in ("bright", "dark-moderate", "dim-little")},
    }


def test_the_table_of_targets_can_come_out_badly():
    table = targets_table([block(ROWS)], ["good", "bad", "gone"])
    assert [line[0] for line in table.lines] == ["minus raw ≥ -0.01", "recovers ≥ 0.5", "minus raw ≥ -0.005"]
    assert [line[5::2] for line in table.lines] == [["yes", "no", "–"]] * 3
    assert table.lines[1][4] == "+0.50 (+0.48 to +0.53)" or table.lines[1][4].startswith("+0.50 (")
    assert counted_words([table]) == "3 of 6 reached"


def test_the_table_of_figures_leaves_out_what_was_not_measured():
    table = figures_table(block(ROWS))
    assert [line[1] for line in table.lines] == ["raw", "good", "bad"] * 3
    assert table.lines[0][:4] == ["bright", "raw", "0.500", "–"]
    assert table.lines[4][2:4] == ["0.400", "+0.100"] and table.lines[4][5] == "+0.50"
    assert table.lines[1][5] == "–"  # nothing is dark there
    assert not figures_table(block({"raw": (0, 0, 0), "good": (0.5, 0.5, 0.5)})).lines


def test_a_share_of_what_darkness_may_not_have_taken_is_not_shown():
    found = block({"raw": (0.505, 0.5, 0.5), "good": (0.505, 0.502, 0.502)})
    assert figures_table(found).lines[3][5] == "+0.40"
    found.cells[BRIGHT.name, "raw"].drawn["map_50"][:] = 0.505 - DRAWS
    assert figures_table(found).lines[3][5] == "–"


def test_fine_tuned_detectors_are_compared_with_the_one_fine_tuned_on_dark():
    cells = {
        "raw": [cell(0.3), cell(0.32)],
        "joint": [cell(0.4), cell(0.42)],
        "stretched": [cell(0.3), cell(0.31)],
    }
    tuned = Tuned("set", "detector", LIGHTS["dark-strong"], cells)
    lines = tuned_table([tuned]).lines
    assert lines[0][3:8] == ["raw", "0.310", "0.300", "0.320", "–"]
    assert lines[1][7:9] == ["+0.100", "+0.100 to +0.100"]
    table = tuned_targets_table([tuned], ["adapted, retinex", "joint", "stretched"])
    assert [(line[4], line[-1]) for line in table.lines] == [("joint", "yes"), ("stretched", "no")]
    with_twins = tuned._replace(cells={**cells, "raw, new twins": [cell(0.41), cell(0.43)]})
    lines = tuned_table([with_twins]).lines
    assert lines[1][7:11] == ["+0.100", "+0.100 to +0.100", "-0.010", "-0.010 to -0.010"]
    assert lines[3][9:11] == ["–", "–"] and len(lines[0]) == len(tuned_table([with_twins]).head)
    table = tuned_targets_table([with_twins], ["joint"])
    assert [line[-1] for line in table.lines] == ["yes", "no"]
    with_bright = {**with_twins.cells, "raw, new twins and bright": [cell(0.4), cell(0.4)]}
    table = tuned_targets_table([tuned._replace(cells=with_bright)], ["joint"])
    assert [line[-2] for line in table.lines][-1] == "+0.010 (+0.000 to +0.020)"


def test_every_fine_tuning_takes_as_many_steps():
    flags = SimpleNamespace(epochs=2, twins=3, darken="published", batch=4, image_size=64, learning_rate=1e-4)
    rows = trainings(["half"])
    assert [row.name for row in rows[-5:]] == [row.name for row in WITH_NEW_TWINS] and len(rows) == 10
    for row in rows:
        config = config_of(flags, row, 7)
        copies = 1 if row.darkens else flags.twins  # of each photograph, in each epoch
        assert config.epochs * copies == 6 and config.seed == 7
        assert (config.darken == "none") != row.darkens and config.validate_epochs == config.epochs
    control = config_of(flags, next(row for row in rows if row.name == "raw, new twins and bright"), 7)
    assert control.dark_weight == control.bright_weight == 1.0
    assert not any(getattr(control, name) for name in WEIGHTS[2:])
    assert [row.name for row in trainings(["half"], ["joint"])] == ["raw", "joint"]
    with pytest.raises(UserError, match="received 'nothing'"):
        trainings(["half"], ["nothing"])


@pytest.mark.slow
def test_it_measures_everything_and_goes_on_where_it_was_left(tmp_path, capsys):
    write_scenes(tmp_path / "scenes", 17, size=64)
    write_scenes(tmp_path / "night", 4, size=64, develop=lambda pixels, index: pixels / 8)
    nets = {"decom": decomposition_net, "restoration": unet, "illumination": adjustment_net}
    for name, make in nets.items():
        save_net(make(), tmp_path / "weights" / f"{name}.keras")
    save_net(build_detector(Proportions((8, 8, 16, 16), (1, 1, 1, 1), 1), CLASSES), tmp_path / "net.keras")
    page = tmp_path / "page.md"
    page.write_text("<!-- detection_inputs begin -->\n<!-- detection_inputs end -->\n")
    words = ["--data", str(tmp_path / "scenes"), "--test-dark", str(tmp_path / "night")]
    words += ["--detector", f"own={tmp_path / 'net.keras'}", "--enhancer", f"three={tmp_path / 'weights'}"]
    words += ["--lights", "bright", "dark-strong", "--out", str(tmp_path / "out"), "--document", str(page)]
    words += ["--image-size", "64", "--epochs", "1", "--batch", "3", "--twins", "1"]
    words += ["--fine-tune", "0", "--tuned-lights", "dark-strong"]
    words += ["--fine-tuned", "three reflectance", "adapted, retinex", "joint"]
    assert main([*words, "--kept-only"]) == 0
    assert "0 of 0 reached" in capsys.readouterr().out and not (tmp_path / "out" / "runs").exists()
    assert main(words) == 0
    first = capsys.readouterr()
    lines = page.read_text().splitlines()
    for name in ("raw", "stretched", "CLAHE", "three relit", "three reflectance"):
        assert sum(line.split(" | ")[1:2] == [name] for line in lines) == 3
    assert sum("| dark, strong noise | adapted, retinex |" in line for line in lines) == 2
    assert "scenes: 4 of 17 photographs" in first.out and "night: 4 of 4 photographs" in first.out
    cells = list((tmp_path / "out" / "cells").iterdir())
    assert len(cells) == 3 * 5 + 4 and all("drawn" in json.loads(path.read_text()) for path in cells)

    assert main(words) == 0
    again = capsys.readouterr()
    assert again.out == first.out and "epoch 1/1" in first.err and "epoch 1/1" not in again.err
