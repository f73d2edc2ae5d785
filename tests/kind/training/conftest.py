"""A stage small enough to be trained many times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.training.config import TrainingConfig, option
from kind.training.loop import Datasets
from kind.training.stage import Stage

STEPS = 3


@dataclass(frozen=True)
class TinyConfig(TrainingConfig):
    epochs: int = option(4, "")
    batch: int = option(2, "")
    learning_rate: float = option(0.05, "")
    validate_epochs: int = option(2, "")


def tiny_net(seed: int = 0) -> keras.Model:
    """Two 1×1 convolutions and a batch normalisation."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((None, None, 3), name="image")
    values = keras.layers.Conv2D(4, 1, name="encode")(image)
    values = keras.layers.BatchNormalization(name="norm")(values)
    values = keras.layers.Conv2D(3, 1, name="decode")(values)
    return keras.Model(
        image, keras.layers.Activation("sigmoid", dtype="float32", name="bright")(values), name="tiny"
    )


class TinyStage(Stage):
    """Brightens: low → high."""

    loss_names = ("loss", "squared", "absolute")

    def losses(self, sample, training):
        error = self.net(sample["low"], training=training) - sample["high"]
        terms = {"squared": tf.reduce_mean(error**2), "absolute": tf.reduce_mean(tf.abs(error))}
        return {"loss": tf.add_n(list(terms.values())), **terms}

    def visualisations(self, sample):
        return [sample["low"], self.net(sample["low"], training=False), sample["high"]]


def batches(epoch: int = 0, processes: int = 1, process: int = 0, batch: int = 2) -> tf.data.Dataset:
    """Random images, keyed by their number."""
    share = batch // processes

    def sample(number):
        global_number = number // share * batch + process * share + number % share
        low = tf.random.stateless_uniform([5, 6, 3], tf.stack([tf.constant(1, tf.int64), global_number]))
        return {"low": low / 2, "high": low}

    return tf.data.Dataset.range(epoch * STEPS * share, tf.int64.max).map(sample).batch(share)


def tiny_feed(**replaced) -> Datasets:
    validation = batches(epoch=1000).unbatch().batch(1).take(2)
    parts = {
        "batches": batches,
        "steps": STEPS,
        "validation": validation,
        "previews": list(validation),
        "images_of": lambda epoch, step: [f"epoch{epoch}_step{step}.png"],
    }
    return Datasets(**{**parts, **replaced})


def contents(folder):
    """What two runs of the same settings have to agree on, bit by bit."""
    from kind.nn.saving import load_net

    newest = tf.train.latest_checkpoint(str(folder / "backup"))
    reader = tf.train.load_checkpoint(newest)
    state = {
        name: np.asarray(reader.get_tensor(name))
        for name in sorted(reader.get_variable_to_shape_map())
        if name != "_CHECKPOINTABLE_OBJECT_GRAPH" and "save_counter" not in name
    }
    values = {name: (value.dtype, value.shape, value.tobytes()) for name, value in state.items()}
    for file in ("best.keras", "last.keras"):
        values[file] = [weights.tobytes() for weights in load_net(folder / file).get_weights()]
    values["metrics"] = (folder / "metrics.jsonl").read_bytes()
    return values


@pytest.fixture
def tiny():
    """What the tests build their runs from."""

    class Tiny:
        config, net, stage, datasets = TinyConfig, staticmethod(tiny_net), TinyStage, staticmethod(tiny_feed)
        stream, contents = staticmethod(batches), staticmethod(contents)
        steps = STEPS

    return Tiny
