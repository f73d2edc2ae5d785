"""Which images the networks were not trained on."""

import json

import pytest

from kind.errors import UserError
from kind.evaluation.held_out import RecordedSplit, held_out_images, recorded_split


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
    assert recorded_split(run("decom", 7)) == RecordedSplit(7)
    assert recorded_split(tmp_path / "decom" / "last.keras") == RecordedSplit(7)
    assert recorded_split(tmp_path / "decom" / "other.keras") is None  # not of this run
    (tmp_path / "training.json").write_text(json.dumps({"decom": {"validation_every": 4}, "lite": {}}))
    assert recorded_split(tmp_path / "decom.keras") == RecordedSplit(4, is_vague=True)
    assert recorded_split(tmp_path / "lite.keras") is None
    assert recorded_split(tmp_path / "restoration.keras") is None
    assert recorded_split(tmp_path / "none" / "decom.keras") is None


@pytest.mark.parametrize("text", ["{", "[1]", '{"validation_every": 1}', '{"validation_every": "10"}'])
def test_a_broken_record_is_named(run, text):
    file = run("decom", 7)
    file.with_name("config.json").write_text(text)
    with pytest.raises(UserError, match="decom/config.json: .*expect"):
        recorded_split(file)


@pytest.mark.parametrize("broken", [{"held_out": "image"}, {"trained_whole": "a"}, {"trained_whole": [1]}])
def test_a_broken_packed_record_is_named(tmp_path, broken):
    record = {"lite": {"validation_every": 10, "held_out": "scene", **broken}}
    (tmp_path / "training.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=f"training.json: {next(iter(broken))} expects"):
        recorded_split(tmp_path / "lite.keras")


def test_the_rule_says_where_it_comes_from(run, tmp_path):
    rule = "one pair in 10"
    fact = f"{rule}, by sorted name, the default of training; no weights record another rule"
    assert held_out_images({}, 10) == (10, 1, rule, fact, [])
    networks = {"a": run("a", 5), "b": run("b", 5)}
    found = held_out_images(networks, 10)
    assert found == (5, 1, "one pair in 5", "one pair in 5, by sorted name, as the weights record", [])
    given = held_out_images(networks, 10, given=5)
    fact = "one pair in 5, by sorted name, as --validation-every says"
    assert given == (5, 1, "one pair in 5", fact, [])
    (note,) = held_out_images(networks, 10, given=3).notes
    assert (
        note.startswith("--validation-every 3 is not how the weights were trained")
        and "b one pair in 5" in note
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
    assert "different splits (a one image in 4, b one image in 6)" in note and "one image in 12" in note


def test_a_mixture_holds_out_scenes_and_of_some_parts_nothing(run):
    mixed, pairs = run("mixed", 5), run("pairs", 4)
    parts = ["lol=a:0.2", "rest=b:c:0.1:all", "d:all"]  # the last is a folder alone
    config = {"stage": "lite", "validation_every": 5, "mixture": parts}
    mixed.with_name("config.json").write_text(json.dumps(config))
    # 5 was recorded by versions that held out one scene in 10 all the same.
    assert recorded_split(mixed) == RecordedSplit(10, by_scene=True, whole=("rest",))
    found = held_out_images({"mixed": mixed}, 10)
    assert (found.every, found.scenes, found.rule) == (1, 10, "one scene in 10")
    assert found.fact == "one scene in 10, by sorted name, as the weights record; nothing of rest"
    (note,) = found.notes
    assert note.startswith("training held nothing out of rest (in mixed); ")
    found = held_out_images({"mixed": mixed, "pairs": pairs}, 10)
    assert (found.every, found.scenes, found.rule) == (4, 10, "one pair in 4 and one scene in 10")
    assert "(mixed one scene in 10, pairs one pair in 4)" in found.notes[0]
    found = held_out_images({"mixed": mixed}, 10, given=3)
    assert (found.every, found.scenes) == (1, 3) and "they record mixed one scene in 10" in found.notes[0]


@pytest.mark.parametrize(
    "text, whole", [("dark=a:0.1:all:deep", ("dark",)), ("dark=a:0.1:deep", ()), ("dark=b:all:0.1", ())]
)
def test_a_part_with_a_preset_is_trained_whole_too(run, text, whole):
    mixed = run("mixed", 10)
    mixed.with_name("config.json").write_text(json.dumps({"stage": "lite", "mixture": ["lol=a:0.2", text]}))
    assert recorded_split(mixed) == RecordedSplit(10, by_scene=True, whole=whole)


def test_an_earlier_packed_record_is_told(tmp_path):
    (tmp_path / "training.json").write_text('{"lite": {"validation_every": 10}}')
    networks = {"lite": tmp_path / "lite.keras"}
    (note,) = held_out_images(networks, 10).notes
    assert note.startswith("an earlier version recorded the split of lite, ")
    assert not held_out_images(networks, 10, unit="image").notes  # no mixtures there


def test_the_networks_of_a_joint_run_have_its_split(run, tmp_path):
    run("joint", 4).with_name("config.json").write_text(json.dumps({"stage": "joint", "validation_every": 4}))
    assert recorded_split(tmp_path / "joint/restoration.keras") == RecordedSplit(4)


@pytest.mark.parametrize("stage", ["detection", "adapt"])
def test_the_detector_of_a_joint_or_adapted_run_has_its_split(stage, run, tmp_path):
    run("run", 6).with_name("config.json").write_text(json.dumps({"stage": stage, "validation_every": 6}))
    assert recorded_split(tmp_path / "run/detector.keras").every == 6
