"""A disk that is full while a run is written: one line with the place, and the run goes on later."""

import errno
import os

import pytest
import tensorflow as tf

from kind.errors import UserError
from kind.training.loop import train
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
    *[
        pytest.param(os, "replace", count, full(errno.EDQUOT), marks=() if count == 5 else pytest.mark.slow)
        for count in range(1, 22)
    ],
]


@pytest.mark.parametrize("owner, name, count, error", PLACES)
def test_a_full_disk_is_one_line_and_the_run_goes_on(tiny, tmp_path, monkeypatch, owner, name, count, error):
    with monkeypatch.context() as context:
        context.setattr(owner, name, failing(getattr(owner, name), count, error))
        with pytest.raises(UserError) as caught:
            run(tiny, tmp_path / "run")
    assert "\n" not in str(caught.value) and str(tmp_path / "run") in str(caught.value)
    assert "cannot be written" in str(caught.value)
    hidden = {path.name for path in (tmp_path / "run").rglob(".*")}
    assert hidden <= {".lock"} and not list((tmp_path / "run").rglob("*_temp*"))
    run(tiny, tmp_path / "run")
    run(tiny, tmp_path / "whole")
    ours, its = tiny.contents(tmp_path / "run"), tiny.contents(tmp_path / "whole")
    assert {name for name in {*ours, *its} if ours.get(name) != its.get(name)} == set()
