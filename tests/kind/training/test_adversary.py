"""Training against a discriminator: its architecture, its step, and that a killed run goes on with it."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.errors import UserError
from kind.lite.config import LiteConfig
from kind.restoration.config import RestorationConfig
from kind.training.added_losses import IMAGE_INPUTS, compared_images
from kind.training.adversary import GAMES, Adversary, patch_discriminator
from kind.training.checkpoint import TrainingCheckpoint
from kind.training.config import AdversarialConfig, option
from kind.training.loop import train
from kind.training.run_changes import differences
from kind.training.run_folder import RunFolder, describe
from kind.training.stage import Stage


@dataclass(frozen=True)
class OpposedConfig(AdversarialConfig):
    patch: int = option(5, "")
    epochs: int = option(4, "")
    batch: int = option(2, "")
    learning_rate: float = option(0.01, "")
    validate_epochs: int = option(2, "")
    adversarial_weight: float = option(0.1, "")


class OpposedStage(Stage):
    """Low → high, against a discriminator."""

    loss_names = ("loss", "squared")
    compared = {"bright": IMAGE_INPUTS}

    def built_in_losses(self, sample, training):
        output = self.net(sample["low"], training=training)
        squared = tf.reduce_mean((output - sample["high"]) ** 2)
        terms = {"loss": squared, "squared": squared}
        return terms, {"bright": compared_images(output, sample["high"])}

    def visualisations(self, sample):
        return [sample["low"], sample["high"]]


def images(seed, count=2):
    return tf.random.stateless_uniform([count, 21, 18, 3], [seed, 0])


def largest_singular_values(net):
    kernels = [weights.numpy() for weights in net.trainable_variables if "kernel" in weights.name]
    return [np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), 2) for kernel in kernels]


def test_scores_are_those_of_patches():
    keras.utils.set_random_seed(0)
    net = patch_discriminator()
    image = images(1, 1)
    assert net(image).shape == (1, 3, 3, 1) and net(image[:, :1, :1]).shape == (1, 1, 1, 1)
    wide = tf.random.stateless_uniform([1, 96, 96, 3], [2, 0])
    with tf.GradientTape() as tape:
        tape.watch(wide)
        score = net(wide, training=False)[0, 6, 6, 0]
    seen = np.abs(tape.gradient(score, wide).numpy()).sum(axis=(0, 3)) > 0
    assert seen.any(axis=0).sum() == 46 == seen.any(axis=1).sum()


def test_each_kernel_keeps_a_largest_singular_value_of_1():
    keras.utils.set_random_seed(0)
    adversary = Adversary(OpposedConfig(learning_rate=1e-4), 3, 3)
    np.testing.assert_allclose(largest_singular_values(adversary.net), 1, atol=0.1)
    for number in range(4):
        adversary.join({"loss": tf.constant(0.0)}, images(number), 0.5 * images(number + 50), training=True)
    np.testing.assert_allclose(largest_singular_values(adversary.net), 1, atol=0.1)


@pytest.mark.parametrize("game", GAMES)
def test_the_discriminator_learns_to_tell_and_the_network_is_told(game):
    keras.utils.set_random_seed(0)
    adversary = Adversary(OpposedConfig(adversarial=game, adversarial_weight=0.5), 3, 3)
    fake, true = 0.3 * images(0), 0.6 + 0.3 * images(1)
    losses = []
    for _ in range(12):
        with tf.GradientTape() as tape:
            tape.watch(fake)
            terms = adversary.join({"loss": tf.constant(2.0)}, fake, true, training=True)
        losses.append(float(terms["discriminator"]))
    assert losses[-1] < 0.8 * losses[0]
    assert float(terms["loss"]) == pytest.approx(2 + 0.5 * float(terms["adversarial"]), rel=1e-6)
    assert np.abs(tape.gradient(terms["loss"], fake)).max() > 0
    before = [weights.numpy() for weights in adversary.net.weights]
    adversary.join(terms, fake, true, training=False)
    for now, then in zip(adversary.net.weights, before):
        np.testing.assert_array_equal(now, then)
    scores = [float(tf.reduce_mean(adversary.net(part, training=False))) for part in (true, fake)]
    assert scores[0] > scores[1]


REPLICAS = """
import sys

import kind
import numpy as np
import tensorflow as tf

sys.path.insert(0, sys.argv[1])
from test_adversary import OpposedConfig, images

from kind.training.adversary import Adversary

processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
fake, true = images(0), images(1)
for devices in (["CPU:0"], ["CPU:0", "CPU:1"]):
    tf.keras.utils.set_random_seed(0)
    strategy = tf.distribute.MirroredStrategy(devices)
    share = len(fake) // len(devices)
    with strategy.scope():
        adversary = Adversary(OpposedConfig(), 3, 3)

    @tf.function
    def step():
        def one():
            place = tf.distribute.get_replica_context().replica_id_in_sync_group * share
            parts = fake[place : place + share], true[place : place + share]
            return adversary.join({"loss": tf.constant(0.0)}, *parts, training=True)["discriminator"]

        return strategy.reduce("MEAN", strategy.run(one), axis=None)

    losses = [float(step()) for _ in range(3)]
    weights = np.concatenate([weights.numpy().ravel() for weights in adversary.net.weights])
    if len(devices) == 1:
        expected = losses, weights
np.testing.assert_allclose(losses, expected[0], rtol=1e-4)
np.testing.assert_allclose(weights, expected[1], atol=2e-4)
"""


@pytest.mark.slow
def test_two_replicas_learn_what_one_learns_from_the_whole_batch():
    """In a process of its own: logical devices are made before TensorFlow starts."""
    command = [sys.executable, "-c", REPLICAS, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Killed(BaseException):
    """Stands for a process that ends without a word."""


@pytest.mark.slow
def test_a_killed_run_goes_on_with_its_discriminator(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("kind.training.callbacks.draw_curves", lambda records, path: None)

    def run(name):
        folder = RunFolder(tmp_path / name)
        train(lambda: OpposedStage(tiny.net(), OpposedConfig()), tiny.datasets(), folder)
        return folder.read_metrics()

    records = run("whole")
    assert {"squared", "adversarial", "discriminator", "val_adversarial"} < set(records[1])
    for record in records:
        assert record["loss"] == pytest.approx(record["squared"] + 0.1 * record["adversarial"], rel=1e-4)
    save = TrainingCheckpoint.save

    def save_and_die(self, epoch):
        save(self, epoch)
        if epoch == 2:
            raise Killed

    monkeypatch.setattr(TrainingCheckpoint, "save", save_and_die)
    with pytest.raises(Killed):
        run("killed")
    monkeypatch.setattr(TrainingCheckpoint, "save", save)
    assert run("killed") == records
    whole, killed = (tiny.contents(tmp_path / name) for name in ("whole", "killed"))
    assert {name for name in whole if whole[name] != killed[name]} == set()
    kept = [name for name in whole if name.startswith("discriminator/")]
    assert any("/sn_u/" in name for name in kept) and any(name.startswith("its_optimizer/") for name in whole)


@pytest.mark.parametrize("config", [LiteConfig, RestorationConfig])
def test_stages_take_it_and_run_folders_record_it(config):
    with pytest.raises(UserError, match="--adversarial-weight expects 0 or more"):
        config(adversarial_weight=-1)
    plain, opposed = describe("x", config()), describe("x", config(adversarial_weight=0.01))
    assert "adversarial_weight" not in plain and "adversarial" not in plain  # as in older run folders
    assert differences(plain, opposed) == ["adversarial_weight was None, now 0.01"]
    with pytest.raises(UserError, match="--only-exposure trains on one term"):
        LiteConfig(only_exposure=True, adversarial_weight=1)
