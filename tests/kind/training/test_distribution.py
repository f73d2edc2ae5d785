import json
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from kind.errors import UserError
from kind.training.distribution import (
    ChiefsWord,
    choose_strategy,
    is_chief,
    rejoining,
)


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)


def test_one_accelerator_needs_no_distribution():
    strategy = choose_strategy("auto")
    assert strategy is tf.distribute.get_strategy() and strategy.num_replicas_in_sync == 1
    assert is_chief(strategy) and ChiefsWord(strategy)(0.3) == 0.3


def test_a_cluster_of_one_is_no_cluster(monkeypatch):
    config = {"cluster": {"worker": ["localhost:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert choose_strategy("auto") is tf.distribute.get_strategy()


def test_mirrored_is_chief_and_goes_by_its_own_word():
    strategy = choose_strategy("mirrored")
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    assert is_chief(strategy) and ChiefsWord(strategy)(1.0) == 1.0


def test_several_machines_need_tf_config():
    with pytest.raises(UserError, match="--strategy multiworker expects TF_CONFIG"):
        choose_strategy("multiworker")
    with pytest.raises(
        UserError, match="--strategy expects one of auto, mirrored, multiworker; received tpu"
    ):
        choose_strategy("tpu")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_a_tf_config_that_cannot_be_used_is_one_line(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="^TF_CONFIG: not a cluster of workers"):
        choose_strategy("auto")


@pytest.mark.parametrize("error", [tf.errors.UnavailableError, tf.errors.DeadlineExceededError])
def test_only_a_cluster_is_rejoined(monkeypatch, capsys, error):
    commands = []
    monkeypatch.setattr("os.execv", lambda *command: commands.append(command))
    monkeypatch.setattr("sys.argv", ["train_stage.py", "decom"])
    with pytest.raises(error), rejoining(tf.distribute.get_strategy()):
        raise error(None, None, "gone")
    assert not commands
    with rejoining(object.__new__(tf.distribute.MultiWorkerMirroredStrategy)):
        raise error(None, None, "gone")
    assert commands == [(sys.executable, [sys.executable, "train_stage.py", "decom"])]
    assert "lost a worker" in capsys.readouterr().err


REPLICAS = """
import sys

import kind
import numpy as np
import tensorflow as tf

sys.path.insert(0, sys.argv[1])
from conftest import TinyConfig, TinyStage, batches, tiny_net

processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    stage = TinyStage(tiny_net(), TinyConfig(average_decay=0.6))
    stage.set_up(1)
expected = stage.net.get_weights()
stream = iter(strategy.experimental_distribute_dataset(batches(batch=4)))
step = tf.function(lambda sample: strategy.run(stage.train_step, [sample]))
for number in range(1, 9):
    step(next(stream))
    decay, live = min(0.6, (1 + number) / (10 + number)), stage.net.get_weights()
    expected = [decay * then + (1 - decay) * now for then, now in zip(expected, live)]
first, second = stage.net.get_layer("norm").moving_mean.values
assert not np.array_equal(first, second)
with stage.kept_weights():
    for now, then in zip(stage.net.get_weights(), expected):
        np.testing.assert_allclose(now, then, rtol=1e-5, atol=1e-6)
for now, then in zip(stage.net.get_weights(), live):
    np.testing.assert_array_equal(now, then)
"""


@pytest.mark.slow
def test_the_statistics_of_two_replicas_are_averaged_together():
    """In a process of its own: logical devices are made before TensorFlow starts."""
    command = [sys.executable, "-c", REPLICAS, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
