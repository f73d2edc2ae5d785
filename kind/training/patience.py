"""What follows when validation gets no better: a lower learning rate, and the end of training.

Both are functions of the recorded validations alone, so a resumed run decides as an undisturbed one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tensorflow import keras

from kind.training.run_folder import RunFolder


def since_best(values: Sequence[float], higher_is_better: bool) -> int:
    """How many of the last validations were no better than the best one before; 0 of none.

    Args:
        values: the monitored figure of each validation, in order; NaN is never better.
        higher_is_better: of the figure.
    """
    count = 0
    for is_better in _improvements(values, higher_is_better):
        count = 0 if is_better else count + 1
    return count


def decays(values: Sequence[float], higher_is_better: bool, patience: int) -> int:
    """How often a plateau of `patience` validations has been reached; each one starts counting anew.

    Args:
        values: see `since_best`.
        higher_is_better: of the figure.
        patience: validations in a row without a better one.
    """
    count = waited = 0
    for is_better in _improvements(values, higher_is_better):
        waited = 0 if is_better else waited + 1
        if waited == patience:
            count, waited = count + 1, 0
    return count


def _improvements(values: Sequence[float], higher_is_better: bool) -> Iterator[bool]:
    """For each validation, whether it was better than all before; the first one is, and NaN never."""
    best = None
    for value in values:
        is_better = value == value and (best is None or (value > best if higher_is_better else value < best))
        best = value if is_better else best
        yield is_better


def monitored(records: Sequence[Mapping[str, Any]], monitor: str) -> list[float]:
    """The monitored figure of each epoch that was validated."""
    return [record[monitor] for record in records if monitor in record]


def has_stopped(folder: RunFolder, stage: Any) -> bool:
    """Whether a run's history says that it ends here; see `early_stop` of the config."""
    patience = stage.config.early_stop
    values = monitored(folder.read_metrics(), stage.monitor)
    return bool(patience) and since_best(values, stage.higher_is_better) >= patience


class Patience(keras.callbacks.Callback):
    """Lowers the learning rate and ends the training, from the history in the run folder.

    It comes after `Record`, which writes the history.
    """

    def __init__(self, folder: RunFolder, agreed: Callable[[float], float] = float) -> None:
        """Names where the history is.

        Args:
            folder: of the run.
            agreed: makes a number the same in all processes.
        """
        super().__init__()
        self._folder = folder
        self._agreed = agreed
        self._told = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Sets the learning rate that the history of a resumed run asks for."""
        self._decay()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the history after each validation."""
        stage = self.model
        if stage.monitor not in (logs or {}):
            return
        self._decay()
        if stage.config.early_stop and self._agreed(float(has_stopped(self._folder, stage))):
            stage.stop_training = True
            print(
                f"epoch {epoch + 1}: stopped early, {stage.config.early_stop} validations brought no better "
                f"{stage.monitor}",
                file=sys.stderr,
            )

    def _decay(self) -> None:
        stage, config = self.model, self.model.config
        if config.schedule != "plateau":
            return
        values = monitored(self._folder.read_metrics(), stage.monitor)
        count = int(self._agreed(float(decays(values, stage.higher_is_better, config.plateau))))
        for schedule in stage.schedules():
            schedule.decay.assign(config.step_factor**count)
        if count != self._told:
            print(f"learning rate multiplied by {config.step_factor**count:.4g} so far", file=sys.stderr)
        self._told = count


class Thaw(keras.callbacks.Callback):
    """Trains the frozen layers from an epoch on; see `freeze_epochs` of the config."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks whether the time has come."""
        if self.model.grouped_optimizer.waiting and epoch >= self.model.config.freeze_epochs:
            self.model.thaw()
