"""Change detection learns, and a resumed training sees the pairs that it would have seen."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from skimage import data

from kind.detection.change.architecture import Architecture
from kind.detection.change.batches import MadePairs, made_batches, training_batches
from kind.detection.change.config import ChangeConfig
from kind.detection.change.model import change_net
from kind.detection.change.sources import find_photographs, make_material
from kind.detection.change.stage import ChangeStage

SIZE, STEPS, PAIRS = 64, 60, 6


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    photographs = (data.astronaut, data.chelsea, data.coffee, data.rocket)
    for number in range(16):
        image = photographs[number % 4]()
        image = image[:: 1 + number // 8, :: 1 + number // 8][number:, :: -1 if number % 8 > 3 else 1]
        Image.fromarray(np.ascontiguousarray(image)).save(folder / f"{number:02}.png")
    found = find_photographs([folder], "training")
    return MadePairs(make_material(*found, Path(folder / "cache")), SIZE, steps=STEPS)


@pytest.mark.slow
def test_a_few_pairs_are_learnt_by_heart(pairs):
    tf.keras.utils.set_random_seed(0)
    few = made_batches(pairs, PAIRS, 1).unbatch().batch(PAIRS)
    fixed = next(iter(few))
    config = ChangeConfig(
        input="raw",
        batch=PAIRS,
        epochs=2,
        steps=STEPS,
        learning_rate=3e-3,
        warmup_epochs=0,
        schedule="constant",
        average_decay=0.0,
    )
    stage = ChangeStage(change_net(Architecture(widths=(12, 24, 32))), config)
    stage.set_up(STEPS)
    again = tf.data.Dataset.from_tensors(fixed).repeat()
    losses = stage.fit(again, steps_per_epoch=STEPS, epochs=2, verbose=0).history["loss"]
    values = [stage.validation_values(fixed)]
    figures = stage.validation_metrics(values)
    print(losses, figures)
    assert losses[1] < 0.7 * losses[0]
    assert figures["f1"] > 0.6 and stage.complaints(values) == []


@pytest.mark.slow
def test_the_stream_of_pairs_can_be_entered_anywhere(pairs):
    settings = {"batch": 2, "seed": 0, "darken": "mixed"}
    two = MadePairs(pairs.material, SIZE, steps=2)
    whole = list(training_batches(two, **settings).take(4))
    later = next(iter(training_batches(two, first_epoch=1, **settings)))
    for name, values in later.items():
        np.testing.assert_array_equal(values, whole[2][name])
    assert np.abs(whole[0]["before"] - whole[2]["before"]).max() > 0.1
