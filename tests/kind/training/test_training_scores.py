"""A fixed part of the training set is scored beside the validation set."""

import json

import tensorflow as tf

from kind.data.mixture import validation_samples
from kind.training.loop import train
from kind.training.run_folder import RunFolder


def test_scores_of_training_images_stand_beside_those_of_validation(tiny, tmp_path):
    class Scored(tiny.stage):
        def image_metrics(self, sample):
            return {"psnr": tf.reduce_mean(sample["high"])}

    part = tiny.stream(epoch=2000).unbatch().batch(1).take(2)
    feed = tiny.datasets(training_part=part)
    train(lambda: Scored(tiny.net(), tiny.config(epochs=2)), feed, RunFolder(tmp_path))
    first, second = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    assert not any(name.startswith("train_") for name in first)
    assert {name for name in second if name.startswith("train_")} == {
        "train_psnr"
    }  # losses are logged already
    expected = sum(float(tf.reduce_mean(sample["high"])) for sample in part) / 2
    assert abs(second["train_psnr"] - expected) < 1e-6 and second["train_psnr"] != second["val_psnr"]


def test_the_training_part_of_a_mixture_is_spaced_evenly():
    class Source:
        def __init__(self, count):
            self._count = count

        def __len__(self):
            return self._count

        def reader(self, memory=0):
            return lambda index: {
                side: tf.fill([2, 2, 3], tf.cast(index, tf.uint16)) for side in ("low", "high")
            }

    class Part:
        name, twins = "a", ""
        training, validation, thumbnails = Source(21), Source(3), Source(21)

    chosen = [
        round(float(sample["low"][0, 0, 0, 0]) * 65535)
        for sample in validation_samples([Part], training=3)[0]
    ]
    assert chosen == [0, 10, 20]
    assert len(list(validation_samples([Part])[0])) == 3
