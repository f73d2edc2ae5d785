"""One line an epoch on stderr."""

from __future__ import annotations

import sys
import time
from typing import Any

from tensorflow import keras

from kind.training.duration import duration


class Progress(keras.callbacks.Callback):
    """Epoch, named losses, images a second, time left."""

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
        values = "  ".join(f"{name} {value:.4g}" for name, value in (logs or {}).items())
        start = "\r" if self._interactive else ""
        print(
            f"{start}epoch {epoch + 1}/{epochs}  {values}  {speed:.1f} images/s  {duration(left)} left",
            file=sys.stderr,
            flush=True,
        )
