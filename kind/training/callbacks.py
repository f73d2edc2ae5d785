"""What happens around the epochs of a run: progress, records, pictures, backups."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.image import write_photo
from kind.training.curves import draw_curves
from kind.training.run_folder import Backup, RunFolder

_SECONDS_BETWEEN_BACKUPS = 30.0


class Progress(keras.callbacks.Callback):
    """One line an epoch on stderr: epoch, named losses, images a second, time left."""

    def __init__(self, first_epoch: int, images_per_step: int) -> None:
        """Starts counting at an epoch; the speed is that of this process alone."""
        super().__init__()
        self._first_epoch = first_epoch
        self._images_per_step = images_per_step
        self._interactive = sys.stderr.isatty()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self._started = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the epoch's clock."""
        self._epoch_started = time.monotonic()
        self._validation_seconds = 0.0

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Keeps validation out of the training speed."""
        self._validation_started = time.monotonic()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Keeps validation out of the training speed."""
        self._validation_seconds = time.monotonic() - self._validation_started

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Shows the step where somebody is looking."""
        if self._interactive:
            sys.stderr.write(f"\r  step {batch + 1}/{self.params['steps']} ")
            sys.stderr.flush()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Prints the line."""
        now = time.monotonic()
        epochs = self.params["epochs"]
        seconds = now - self._epoch_started - self._validation_seconds
        speed = self.params["steps"] * self._images_per_step / seconds
        left = (now - self._started) / (epoch + 1 - self._first_epoch) * (epochs - epoch - 1)
        values = "  ".join(f"{name} {value:.4g}" for name, value in (logs or {}).items())
        start = "\r" if self._interactive else ""
        print(
            f"{start}epoch {epoch + 1}/{epochs}  {values}  {speed:.1f} images/s  {duration(left)} left",
            file=sys.stderr,
            flush=True,
        )


class Record(keras.callbacks.Callback):
    """Keeps the run folder up to date; a backup is written last, when all else of the epoch is there."""

    def __init__(self, folder: RunFolder, backup: Backup, previews: Sequence[dict[str, tf.Tensor]]) -> None:
        """Names where to write and what to show.

        Args:
            folder: of the run.
            backup: of the stage that is trained.
            previews: batches of one whole image, shown in `samples/` at each validation.
        """
        super().__init__()
        self._folder = folder
        self._backup = backup
        self._previews = previews
        self._saved = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes metrics, and with a validation the nets, pictures and curves."""
        stage, number = self.model, epoch + 1
        logs = {name: float(value) for name, value in (logs or {}).items()}
        validated = stage.monitor in logs
        is_best = False
        if validated:
            best = self._folder.best_value(stage)
            value = logs[stage.monitor]
            is_best = value > best if stage.higher_is_better else value < best
        self._folder.append_metrics({"epoch": number, **logs})
        if is_best:
            self._folder.save_best(stage)
        last = number == self.params["epochs"]
        if validated or last:
            self._folder.save_last(stage)
            self._draw(number)
        if validated or last or time.monotonic() - self._saved > _SECONDS_BETWEEN_BACKUPS:
            self._backup.save(number)
            self._saved = time.monotonic()

    def _draw(self, epoch: int) -> None:
        draw_curves(self._folder.read_metrics(), self._folder.path / "curves.png")
        rows = [_row(self.model.pictures(sample)) for sample in self._previews]
        width = min(row.shape[1] for row in rows)
        grid = np.concatenate([row[:, :width] for row in rows], axis=0)
        write_photo(self._folder.samples / f"epoch_{epoch:05d}.png", grid)


def _row(pictures: Sequence[tf.Tensor]) -> np.ndarray:
    """Batches of one image → float32 [H, W', 3], side by side."""
    images = [np.asarray(picture[0], np.float32) for picture in pictures]
    return np.concatenate([np.repeat(image, 3 // image.shape[-1], axis=-1) for image in images], axis=1)


def duration(seconds: float) -> str:
    """Seconds → "1h02m", "3m05s" or "12s"."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
