import json
import sys

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
