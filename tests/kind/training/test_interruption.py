"""Signals while training: what is finished is saved, and the run goes on to the same end."""

import os
import signal

import pytest
from tensorflow import keras

from kind.training.interruption import Interruption, Terminated
from kind.training.loop import train
from kind.training.manifest import checkpoint_epochs
from kind.training.run_folder import RunFolder

ERRORS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


@pytest.mark.parametrize("number, error", ERRORS.items())
def test_a_signal_ends_the_block_at_once_when_all_is_saved(number, error):
    before = signal.getsignal(number)
    with pytest.raises(error) as caught, Interruption().caught():
        os.kill(os.getpid(), number)
    assert caught.type is error and signal.getsignal(number) is before


def test_an_ignored_interrupt_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption().caught():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_second_signal_does_not_wait():
    interruption = Interruption()
    interruption.unsaved = True
    interruption.end_if_asked()
    interruption.handle(signal.SIGTERM)
    assert interruption.asked
    with pytest.raises(KeyboardInterrupt):
        interruption.handle(signal.SIGINT)
    with pytest.raises(Terminated):
        interruption.end_if_asked()


@pytest.fixture(autouse=True)
def in_the_foreground():
    """Jobs in the background ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def run(tiny, path, interruption=None):
    config = tiny.config(epochs=4, validate_epochs=4)
    make_stage = lambda: tiny.stage(tiny.net(), config)  # noqa: E731
    train(make_stage, tiny.datasets(), RunFolder(path), interruption=interruption)


@pytest.fixture(autouse=True)
def without_curves(monkeypatch):
    monkeypatch.setattr("kind.training.callbacks.draw_curves", lambda records, path: None)


@pytest.fixture
def ended(tiny, tmp_path, monkeypatch):
    """(signal, error) → the folder of a run that got the signal in its second epoch.

    Only the last epoch is validated, so without the signal no other would be saved.
    """

    def run_until(number, error):
        on_epoch_begin = keras.callbacks.TensorBoard.on_epoch_begin

        def begin(self, epoch, logs=None):
            on_epoch_begin(self, epoch, logs)
            if epoch == 1:
                os.kill(os.getpid(), number)

        interruption = Interruption()
        with monkeypatch.context() as context:
            context.setattr(keras.callbacks.TensorBoard, "on_epoch_begin", begin)
            with pytest.raises(error), interruption.caught():
                run(tiny, tmp_path / "ended", interruption)
        return tmp_path / "ended"

    return run_until


def test_a_signal_between_backups_saves_the_epoch_first(ended):
    assert max(checkpoint_epochs(ended(signal.SIGTERM, Terminated) / "backup")) == 2


@pytest.mark.slow
@pytest.mark.parametrize("number, error", ERRORS.items())
def test_a_run_that_got_a_signal_ends_like_one_that_did_not(tiny, tmp_path, ended, number, error):
    folder = ended(number, error)
    run(tiny, folder)
    run(tiny, tmp_path / "whole")
    ours, its = tiny.contents(folder), tiny.contents(tmp_path / "whole")
    assert {name for name in {*ours, *its} if ours.get(name) != its.get(name)} == set()
