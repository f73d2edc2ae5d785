import numpy as np
import pytest
from PIL import Image

from kind.data.pairs import find_pairs, split_pairs
from kind.data.photographs import Part, training_pairs
from kind.data.splits import choose_split, display_names
from kind.errors import UserError


@pytest.fixture
def write_pairs(tmp_path):
    """(folder, names) → pairs of one pixel each below the test's folder."""

    def write(folder, names):
        for side in ("low", "high"):
            (tmp_path / folder / side).mkdir(parents=True, exist_ok=True)
            for name in names:
                Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(tmp_path / folder / side / f"{name}.png")
        return tmp_path / folder

    return write


def names(split):
    return [pair.name for pair in split.pairs]


def test_a_plain_folder_is_all_and_its_validation_is_that_of_training(write_pairs):
    folder = write_pairs("plain", [f"{number:02d}" for number in range(21)])
    everything = choose_split(folder)
    assert (everything.name, len(everything.pairs), everything.total, everything.trained) == (
        "all",
        21,
        21,
        18,
    )
    training, validation = split_pairs(find_pairs(folder))
    chosen = choose_split(folder, "validation")
    assert chosen.pairs == validation and names(chosen) == ["00", "10", "20"]
    assert (chosen.total, chosen.trained) == (21, 0)
    chosen = choose_split(folder, "training")
    assert chosen.pairs == training and chosen.trained == 18


def test_after_a_mixture_validation_is_the_scenes_that_it_held_out(write_pairs):
    folder = write_pairs("stacks", [f"{scene:02d}_{number}" for scene in range(21) for number in range(3)])
    training, validation = training_pairs(Part("stacks", folder, 1.0))
    assert {pair.name[:2] for pair in validation} == {"00", "10", "20"} and len(validation) == 9
    chosen = choose_split(folder, "validation", 1, 10)
    assert chosen.pairs == validation and chosen.trained == 0
    assert choose_split(folder, "training", 1, 10).pairs == training
    # Beside a network that held out one pair in 4: what both held out.
    both = choose_split(folder, "validation", 4, 10)
    assert names(both) == ["00_0", "10_2", "20_0"] and both.trained == 0


def test_lol_is_its_test_set_unless_said_otherwise(write_pairs, tmp_path):
    write_pairs("our485", ["a", "b", "c"])
    write_pairs("eval15", ["a", "d"])
    chosen = choose_split(tmp_path)
    assert (chosen.name, names(chosen), chosen.total, chosen.trained) == ("test", ["a", "d"], 2, 0)
    assert names(choose_split(tmp_path, "training")) == ["b", "c"]
    assert names(choose_split(tmp_path, "validation")) == ["a"]
    everything = choose_split(tmp_path, "all")
    assert names(everything) == ["a", "b", "c", "a", "d"] and everything.trained == 2


def test_a_test_set_alone_has_nothing_to_train_on(write_pairs, tmp_path):
    write_pairs("eval15", ["a"])
    assert names(choose_split(tmp_path, "all")) == ["a"]
    with pytest.raises(UserError, match="the training split is empty"):
        choose_split(tmp_path, "training")


def test_one_pair_is_all_validation(write_pairs):
    folder = write_pairs("plain", ["only"])
    assert names(choose_split(folder, "validation")) == ["only"]
    with pytest.raises(UserError, match="the training split is empty"):
        choose_split(folder, "training")


def test_a_plain_folder_has_no_test_split(write_pairs):
    with pytest.raises(UserError, match="has no eval15/ or Test/ and so no test split"):
        choose_split(write_pairs("plain", ["a"]), "test")


def test_names_that_occur_twice_say_their_part(write_pairs, tmp_path):
    write_pairs("our485", ["a", "b"])
    write_pairs("eval15", ["a"])
    assert display_names(choose_split(tmp_path, "all").pairs) == ["our485/a", "b", "eval15/a"]
    assert display_names(choose_split(tmp_path, "training").pairs) == ["b"]
