"""One line an epoch on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from tensorflow import keras

from kind.training.duration import duration

WIDTH = 100
"""Columns of a line: a narrower one is read without scrolling, and side by side with another window."""


class Progress(keras.callbacks.Callback):
    """Epoch, total loss and what changed, images a second, time left: one short line an epoch."""

    def __init__(self, first_epoch: int, images_per_step: int) -> None:
        """Starts counting at an epoch.

        Args:
            first_epoch: number of epochs that earlier processes have finished.
            images_per_step: of all replicas together.
        """
        super().__init__()
        self._first_epoch = first_epoch
        self._images_per_step = images_per_step
        self._interactive = sys.stderr.isatty()
        self._shown: dict[str, str] = {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self._started = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the epoch's clock."""
        self._epoch_started = self._last_step_ended = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Keeps validation out of the training speed, and shows the step where somebody is looking."""
        self._last_step_ended = time.monotonic()
        if self._interactive:
            sys.stderr.write(f"\r  step {batch + 1}/{self.params['steps']} ")
            sys.stderr.flush()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Prints the line."""
        epochs = self.params["epochs"]
        seconds = self._last_step_ended - self._epoch_started
        speed = self.params["steps"] * self._images_per_step / seconds
        left = (time.monotonic() - self._started) / (epoch + 1 - self._first_epoch) * (epochs - epoch - 1)
        tail = f"  {speed:.1f} images/s  {duration(left)} left"
        logs = {name: f"{value:.4g}" for name, value in (logs or {}).items()}
        line = progress_line(f"epoch {epoch + 1}/{epochs}", logs, self._shown, tail, self.model.monitor)
        self._shown = logs
        start = "\r" if self._interactive else ""
        print(f"{start}{line}", file=sys.stderr, flush=True)


def progress_line(
    head: str, values: Mapping[str, str], before: Mapping[str, str], tail: str, monitor: str = ""
) -> str:
    """An epoch in one line of at most `WIDTH` columns; `metrics.jsonl` has all of its figures.

    Args:
        head: what the line begins with.
        values: the figures as they are shown, the total loss first.
        before: the same of the epoch before.
        tail: what the line ends with.
        monitor: the figure that says which epoch is the best.

    Returns:
        The total, the monitored figure and others of validation, then the loss terms that changed, as many as
        there is room for.
    """
    changed = [name for name in values if values[name] != before.get(name)]
    validated = [name for name in (monitor,) if name in values]
    names = [*list(values)[:1], *validated, *(name for name in changed if name.startswith("val_")), *changed]
    line, room = head, WIDTH - len(tail)
    for name in dict.fromkeys(names):
        shown = f"  {name} {values[name]}"
        if len(line) + len(shown) <= room:
            line += shown
    return line + tail
