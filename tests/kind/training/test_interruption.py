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


def run(tiny, path, interruption=None, **settings):
    config = tiny.config(epochs=4, validate_epochs=4)
    train(
        lambda: tiny.stage(tiny.net(), config),
        tiny.datasets(**settings),
        RunFolder(path),
        interruption=interruption,
    )


@pytest.mark.parametrize("number, error", ERRORS.items())
def test_a_signal_between_backups_saves_the_epoch_first(tiny, tmp_path, monkeypatch, number, error):
    """Only the last epoch is validated, so without the signal no other would be saved."""
    monkeypatch.setattr("kind.training.callbacks.draw_curves", lambda records, path: None)
    run(tiny, tmp_path / "whole")
    on_epoch_begin = keras.callbacks.TensorBoard.on_epoch_begin

    def signal_in_the_second_epoch(self, epoch, logs=None):
        on_epoch_begin(self, epoch, logs)
        if epoch == 1:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as context:
        context.setattr(keras.callbacks.TensorBoard, "on_epoch_begin", signal_in_the_second_epoch)
        interruption = Interruption()
        with pytest.raises(error), interruption.caught():
            run(tiny, tmp_path / "ended", interruption)
    assert max(checkpoint_epochs(tmp_path / "ended" / "backup")) == 2
    run(tiny, tmp_path / "ended")
    ours, its = tiny.contents(tmp_path / "ended"), tiny.contents(tmp_path / "whole")
    assert {name for name in {*ours, *its} if ours.get(name) != its.get(name)} == set()
