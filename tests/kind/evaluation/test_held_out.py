"""Which images the networks were not trained on."""

import json

import pytest

from kind.errors import UserError
from kind.evaluation.held_out import held_out_images, recorded_split


@pytest.fixture
def run(tmp_path):
    """(name, validation_every) → the network's file in a run folder that records it."""

    def make(name, validation_every):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"stage": name, "validation_every": validation_every}))
        return folder / "best.keras"

    return make


def test_run_folders_and_packed_weights_record_it(run, tmp_path):
    assert recorded_split(run("decom", 7)) == 7
    assert recorded_split(tmp_path / "decom" / "last.keras") == 7
    assert recorded_split(tmp_path / "decom" / "other.keras") is None  # not of this run
    (tmp_path / "training.json").write_text(json.dumps({"decom": {"validation_every": 4}, "lite": {}}))
    assert recorded_split(tmp_path / "decom.keras") == 4
    assert recorded_split(tmp_path / "lite.keras") is None
    assert recorded_split(tmp_path / "restoration.keras") is None
    assert recorded_split(tmp_path / "none" / "decom.keras") is None


@pytest.mark.parametrize("text", ["{", "[1]", '{"validation_every": 1}', '{"validation_every": "10"}'])
def test_a_broken_record_is_named(run, text):
    file = run("decom", 7)
    file.with_name("config.json").write_text(text)
    with pytest.raises(UserError, match="decom/config.json: .*expect"):
        recorded_split(file)


def test_the_rule_says_where_it_comes_from(run, tmp_path):
    assert held_out_images({}, 10) == (
        10, "one pair in 10, by sorted name, the default of training; no weights record another rule", []
    )  # fmt: skip
    networks = {"a": run("a", 5), "b": run("b", 5)}
    found = held_out_images(networks, 10)
    assert found == (5, "one pair in 5, by sorted name, as the weights record", [])
    given = held_out_images(networks, 10, given=5)
    assert given == (5, "one pair in 5, by sorted name, as --validation-every says", [])
    (note,) = held_out_images(networks, 10, given=3).notes
    assert (
        note.startswith("--validation-every 3 is not how the weights were trained") and "b one in 5" in note
    )
    (note,) = held_out_images({**networks, "c": tmp_path / "c.keras"}, 10).notes
    assert note == "no split is recorded for c: these may have seen the images"


def test_of_different_rules_what_all_held_out_is_taken(run):
    found = held_out_images({"a": run("a", 4), "b": run("b", 6)}, 10, unit="image")
    assert found.every == 12
    numbers = range(100)
    every = {number for number in numbers if number % 4 == 0} & {n for n in numbers if n % 6 == 0}
    assert set(numbers[:: found.every]) == every
    (note,) = found.notes
    assert "different splits (a one in 4, b one in 6)" in note and "one image in 12" in note
