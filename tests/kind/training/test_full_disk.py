"""A disk that is full while a run is written: one line with the place, and the run goes on later."""

import errno
import os

import pytest
import tensorflow as tf

from kind.errors import UserError
from kind.training.loop import train
from kind.training.manifest import checkpoint_epochs
from kind.training.run_folder import RunFolder, describe

DATA = {"training": {"a": "1"}, "validation": {}}


@pytest.fixture(autouse=True)
def without_curves(monkeypatch):
    monkeypatch.setattr("kind.training.callbacks.draw_curves", lambda records, path: None)


def run(tiny, path):
    config = tiny.config(epochs=2, validate_epochs=1)
    folder = RunFolder(path)
    with folder.opened(describe("tiny", config, monitor="val_loss", higher_is_better=False), DATA):
        train(lambda: tiny.stage(tiny.net(), config), tiny.datasets(), folder)


def full(code=errno.ENOSPC):
    return OSError(code, os.strerror(code))


def failing(function, count, error):
    """The function, but that the call with this number fails."""
    calls = []

    def call(*arguments, **settings):
        calls.append(1)
        if len(calls) == count:
            raise error
        return function(*arguments, **settings)

    return call


TENSORFLOWS = tf.errors.ResourceExhaustedError(None, None, "ckpt-1.data: No space left on device\nat …")
PLACES = [
    (tf.train.Checkpoint, "write", 2, TENSORFLOWS),
    (RunFolder, "append_metrics", 2, full()),
    *((os, "replace", count, full(errno.EDQUOT)) for count in range(1, 18)),
]


def stopped(tiny, path, monkeypatch, owner, name, count, error):
    """A run into a full disk; what it leaves is whole."""
    with monkeypatch.context() as context:
        context.setattr(owner, name, failing(getattr(owner, name), count, error))
        with pytest.raises(UserError) as caught:
            run(tiny, path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message and "cannot be written" in message
    assert "make room, and run the same command again" in message or "give --run another folder" in message
    assert {found.name for found in path.rglob(".*")} <= {".lock"} and not list(path.rglob("*_temp*"))


@pytest.mark.parametrize("owner, name, count, error", PLACES[:1])
def test_a_full_disk_is_one_line(tiny, tmp_path, monkeypatch, owner, name, count, error):
    stopped(tiny, tmp_path / "run", monkeypatch, owner, name, count, error)
    assert max(checkpoint_epochs(tmp_path / "run" / "backup")) == 0


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Where the whole run is, once it is made."""
    return tmp_path_factory.mktemp("runs") / "whole"


@pytest.mark.slow
@pytest.mark.parametrize("owner, name, count, error", PLACES)
def test_a_run_goes_on_once_there_is_space(tiny, made, tmp_path, monkeypatch, owner, name, count, error):
    stopped(tiny, tmp_path / "run", monkeypatch, owner, name, count, error)
    run(tiny, tmp_path / "run")
    if not made.exists():
        run(tiny, made)
    ours, its = tiny.contents(tmp_path / "run"), tiny.contents(made)
    assert {name for name in {*ours, *its} if ours.get(name) != its.get(name)} == set()
