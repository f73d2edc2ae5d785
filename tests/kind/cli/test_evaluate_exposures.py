import argparse
import csv
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from kind.cli.evaluate import main
from kind.cli.evaluate_exposures import _split_notes
from kind.cli.named_path import NamedPath
from kind.cli.scored_networks import files_of
from kind.data.exposure_cases import case_count, cases_of, chosen_images
from kind.data.pairs import Pair
from kind.data.samples import write_pairs
from kind.enhancing.enhancer import Enhancer
from kind.errors import UserError
from kind.evaluation.exposure_tables import figures_table
from kind.evaluation.exposures import score
from kind.images.photo import read_photo, write_photo


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Sixteen small photographs, of which three are for tests and one is for validation."""
    folder = tmp_path_factory.mktemp("photographs")
    pixels = np.random.default_rng(0).random((6, 8, 3)).repeat(6, 0).repeat(6, 1).astype(np.float32)
    for number in range(16):
        write_photo(folder / f"{number:02}.png", np.roll(pixels, number, axis=0))
    return folder


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("pairs"), tile=64)


def test_the_splits_are_those_of_training(photographs):
    names = {
        split: [one.name for one in chosen_images(photographs, split)] for split in ("test", "validation")
    }
    assert names == {"test": ["00", "05", "10"], "validation": ["13"]}
    assert len(chosen_images(photographs, "all")) == 16


def test_a_split_without_images_is_refused(photographs, pairs, tmp_path):
    shutil.copy(photographs / "01.png", tmp_path)
    with pytest.raises(UserError, match="split validation of 1 photographs is empty"):
        chosen_images(tmp_path, "validation")
    with pytest.raises(UserError, match="pairs have no test split"):
        chosen_images(pairs, "test")


def test_cases_are_the_same_for_the_same_seed_and_hold_the_truth(photographs):
    images = chosen_images(photographs, "validation")
    once, again, other = (list(cases_of(images, "photographs", seed)) for seed in (3, 3, 4))
    assert len(once) == case_count(images) == 5
    truth = read_photo(photographs / "13.png").pixels
    for (group, dark, right), (_, same, _), (_, different, _) in zip(once, again, other):
        np.testing.assert_array_equal(right, truth)
        np.testing.assert_array_equal(dark, same)
        assert (dark.mean() < truth.mean() - 0.02) == (group != "identity")
        if "noise" in group:
            assert not np.array_equal(dark, different)


def test_pairs_are_cases_as_they_are(pairs):
    images = chosen_images(pairs, "all")
    assert isinstance(images[0], Pair)
    cases = list(cases_of(images, "night", 0))
    assert len(cases) == len(images) == case_count(images) and {group for group, _, _ in cases} == {"night"}
    np.testing.assert_array_equal(cases[0][1], read_photo(images[0].low).pixels)


def test_the_table_shows_each_case_and_method_once(photographs):
    cases = list(cases_of(chosen_images(photographs, "validation"), "x", 0))
    table = figures_table(score(cases, {"input": lambda image: image, "black": np.zeros_like}))
    assert [line[:2] for line in table.lines[:3]] == [
        ["identity", "input"],
        ["", "black"],
        ["-1 stop", "input"],
    ]
    assert table.lines[0][2] == "60.00" and float(table.lines[1][2]) < 12


def test_the_command_scores_networks_and_baselines(photographs, tmp_path, capsys):
    arguments = ["exposures", "--data", str(photographs), "--split", "validation", "--variant", "lite"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    lines = list(
        csv.DictReader((tmp_path / "out" / "exposures.csv").read_text(encoding="utf-8").splitlines())
    )
    assert len(lines) == 5 * 5 and {line["method"] for line in lines} >= {"auto-exposure", "shipped weights"}
    shown = capsys.readouterr().out
    assert (
        "Data: photographs" in shown
        and "split validation: 1 images" in shown
        and "shipped weights: lite " in shown
    )


def test_networks_that_held_out_other_images_are_told(tmp_path):
    enhancers = {"a": SimpleNamespace(originals={"lite": None}, digests=lambda: {"lite": ""})}
    flags = argparse.Namespace(split="validation", weights=[NamedPath("a", tmp_path)], variant=["lite"])
    (tmp_path / "lite.keras").touch()

    def notes(record):
        (tmp_path / "training.json").write_text(json.dumps({"lite": {"validation_every": 10, **record}}))
        return _split_notes(flags, enhancers)

    assert notes({"held_out": "scene"}) == []
    (note,) = notes({"held_out": "scene", "trained_whole": ["rest"]})
    assert note.startswith("training held nothing out of rest (in a: lite)")
    (note,) = notes({"held_out": "sample"})
    assert "training held out one pair in 10" in note and note.endswith("some may have been trained on")
    flags.split = "all"
    (note,) = notes({"held_out": "sample"})
    assert "may have seen most of these images" in note
    flags.split = "test"
    assert notes({"held_out": "sample"}) == []


def test_an_exposure_head_that_held_out_nothing_is_told(tmp_path):
    networks = dict.fromkeys(("decom", "restoration", "illumination"))
    records = {name: {"validation_every": 10, "held_out": "scene"} for name in networks}
    records["exposure"] = {**records["decom"], "trained_whole": ["night"]}
    (tmp_path / "training.json").write_text(json.dumps(records))
    for name in records:
        (tmp_path / f"{name}.keras").touch()
    flags = argparse.Namespace(split="validation", weights=[NamedPath("a", tmp_path)], variant=["kind"])
    with_head = SimpleNamespace(originals=networks, digests=lambda: dict.fromkeys(records, ""))
    (note,) = _split_notes(flags, {"a": with_head})
    assert note.startswith("training held nothing out of night (in a: exposure)")
    without = SimpleNamespace(originals=networks, digests=lambda: dict.fromkeys(networks, ""))
    assert _split_notes(flags, {"a": without}) == []


def test_the_head_that_ships_is_among_the_files_of_its_enhancer():
    files = files_of(Enhancer.load(variant="kind"), None)
    assert [path.name for path in files.values()] == [
        "decom.keras",
        "restoration.keras",
        "illumination.keras",
        "exposure.keras",
    ]
