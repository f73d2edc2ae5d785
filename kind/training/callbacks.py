"""What happens at the end of an epoch: validation, records, networks, pictures, checkpoint."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.images.contact_sheet import contact_sheet
from kind.images.photo import write_photo
from kind.nn.graphs import as_graph
from kind.nn.saving import save_net
from kind.training.checkpoint import TrainingCheckpoint
from kind.training.curves import draw_curves
from kind.training.interruption import Interruption
from kind.training.precision import Float32Copy
from kind.training.run_folder import RunFolder

_SECONDS_BETWEEN_CHECKPOINTS = 30.0
_IDLE_TO_DRAWING = 19
_FLAT = 1 / 255  # what is less cannot be seen

PHOTOGRAPH = "dark input"
"""Key and caption of a preview's photograph as its file has it; training stretches it."""


class Validate(keras.callbacks.Callback):
    """Adds the figures of the whole validation set to the epoch's, after the epochs it is told.

    Every process looks at all images by itself: they differ in size, so they cannot share a batch, and
    there is nothing to agree on afterwards.
    """

    def __init__(
        self, samples: tf.data.Dataset, epochs: set[int], training: tf.data.Dataset | None = None
    ) -> None:
        """Names what to validate on and when.

        Args:
            samples: batches of one whole image.
            epochs: numbers from 1.
            training: some of the training images likewise: a score that is better on them than on the
                validation images is how over-fitting shows.
        """
        super().__init__()
        self._samples = samples
        self._epochs = epochs
        self._training = training

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Makes one graph for all sizes."""
        signature = [self._samples.element_spec]
        self._values = as_graph(self.model.validation_values, signature)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds "val_…" and "train_…" entries to `logs`, which the callbacks after this one see."""
        if epoch + 1 not in self._epochs:
            return
        with self.model.kept_weights():
            values = [self._values(sample) for sample in self._samples]
            trained = [self._values(sample) for sample in self._training or ()]
        logs.update({f"val_{name}": figure for name, figure in self.model.validation_metrics(values).items()})
        if trained:  # losses of training batches are logged already
            scores = self.model.validation_metrics(trained)
            losses = {metric.name for metric in self.model.metrics}
            logs.update({f"train_{name}": one for name, one in scores.items() if name not in losses})
        warn(epoch + 1, self.model.complaints(values))


class Record(keras.callbacks.Callback):
    """Keeps the run folder up to date; a checkpoint is written last, when all else of the epoch is there."""

    def __init__(
        self,
        folder: RunFolder,
        checkpoint: TrainingCheckpoint,
        previews: Sequence[dict[str, tf.Tensor]],
        agreed: Callable[[float], float] = float,
        interruption: Interruption | None = None,
    ) -> None:
        """Names where to write and what to show.

        Args:
            folder: of the run.
            checkpoint: of the stage that is trained.
            previews: batches of one whole image, shown in `samples/` at each validation.
            agreed: makes a number the same in all processes, which have to save together.
            interruption: is told what is unsaved, and ends the training after an epoch.
        """
        super().__init__()
        self._folder = folder
        self._checkpoint = checkpoint
        self._previews = previews
        self._agreed = agreed
        self._interruption = interruption or Interruption()
        self._saved = time.monotonic()
        self._draw_after = 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Opens TensorBoard's file for pictures."""
        self._copy = Float32Copy(self.model.net)
        self._board = tf.summary.create_file_writer(str(self._folder.path / "validation"))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes metrics, and with a validation the nets, pictures and curves."""
        stage, number = self.model, epoch + 1
        self._interruption.unsaved = True
        logs = {name: float(value) for name, value in (logs or {}).items()}
        self._folder.append_metrics({"epoch": number, **logs})
        if stage.monitor in logs:
            best = self._folder.best(stage.monitor, stage.higher_is_better)
            is_best = best is not None and best[0] == number
            with stage.kept_weights():
                self._save_nets(bool(self._agreed(float(is_best))))
                self._show(number)
        if stage.monitor in logs or time.monotonic() > self._draw_after:
            self._draw()
        late = time.monotonic() - self._saved > _SECONDS_BETWEEN_CHECKPOINTS
        if self._agreed(float(late or self._interruption.asked or stage.monitor in logs)):
            self._checkpoint.save(number)
            self._saved = time.monotonic()
            self._interruption.unsaved = False
        self._interruption.end_if_asked()

    def _save_nets(self, is_best: bool) -> None:
        net = self._copy.of(self.model.net)
        save_net(net, self._folder.last_file)
        if is_best:
            save_net(net, self._folder.best_file)
            for name, part in self.model.parts(net).items():
                save_net(part, self._folder.path / f"{name}.keras")

    def _draw(self) -> None:
        """Draws the curves; where epochs are short, not each time: it may take a twentieth of the time."""
        started = time.monotonic()
        draw_curves(self._folder.read_metrics(), self._folder.curves_file)
        self._draw_after = time.monotonic() + _IDLE_TO_DRAWING * (time.monotonic() - started)

    def _show(self, epoch: int) -> None:
        shown = [self.model.visualisations(sample) for sample in self._previews]
        warn(epoch, flat_pictures(shown, self.model.shown))
        grid = sample_sheet(self._previews, shown, self.model.shown)
        write_photo(self._folder.samples / f"epoch_{epoch:05d}.png", grid)
        with self._board.as_default():
            tf.summary.image("samples", grid[np.newaxis], step=epoch - 1)  # epochs from 0, as its curves have


def warn(epoch: int, complaints: Sequence[str]) -> None:
    """Prints what is plainly wrong after an epoch."""
    for complaint in complaints:
        print(f"epoch {epoch}: WARNING: {complaint}", file=sys.stderr, flush=True)


def flat_pictures(shown: Sequence[Sequence[tf.Tensor]], names: Sequence[str]) -> list[str]:
    """Names what is constant, black or white in every preview.

    Args:
        shown: of each preview its pictures, see `Stage.visualisations`.
        names: of the pictures; one without a name is called by its number.

    Returns:
        One sentence for each.
    """
    found = []
    for number, pictures in enumerate(zip(*shown)):
        name = names[number] if number < len(names) else f"picture {number + 1} of samples/"
        values = [np.asarray(picture, np.float32) for picture in pictures]
        lowest, highest = min(map(np.min, values)), max(map(np.max, values))
        if highest < _FLAT:
            found.append(f"{name} is black in all previews")
        elif lowest > 1 - _FLAT:
            found.append(f"{name} is white in all previews")
        elif all(np.ptp(value) < _FLAT for value in values):
            found.append(f"{name} is one constant value in each preview")
    return found


def sample_sheet(
    previews: Sequence[Mapping[str, tf.Tensor]], shown: Sequence[Sequence[tf.Tensor]], names: Sequence[str]
) -> np.ndarray:
    """A row of captioned pictures for each preview; first the photograph itself, where it is known.

    Args:
        previews: batches of one image; `PHOTOGRAPH` is float32 [1, H, W, 3] in [0, 1].
        shown: of each preview its pictures, float32 [1, H, W, 1 or 3].
        names: of the pictures.

    Returns:
        float32 [H', W', 3] in [0, 1]; what is not a number is black.
    """
    # A picture is no reason to stop, the guarded losses are.
    rows = [
        [np.nan_to_num(np.asarray(each[0], np.float32), posinf=1.0, neginf=0.0) for each in row]
        for row in shown
    ]
    titles = [*names, *[""] * len(rows[0])][: len(rows[0])]
    if all(PHOTOGRAPH in preview for preview in previews):
        rows = [[np.asarray(preview[PHOTOGRAPH][0]), *row] for preview, row in zip(previews, rows)]
        titles = [PHOTOGRAPH, *titles]
    return contact_sheet(rows, titles)
