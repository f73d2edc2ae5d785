"""The loop that trains any stage, from wherever it was left."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from kind.errors import UserError
from kind.training.callbacks import Progress, Record
from kind.training.optimisers import make_optimiser
from kind.training.run_folder import Backup, RunFolder
from kind.training.stage import Stage


def train(
    stage: Stage,
    folder: RunFolder,
    *,
    batches_from: Callable[[int], tf.data.Dataset],
    steps: int,
    validation: tf.data.Dataset,
    previews: Sequence[dict[str, tf.Tensor]],
    names_of_batch: Callable[[int, int], list[str]],
) -> None:
    """Trains until the config's last epoch, and leaves the run folder complete.

    Args:
        stage: not compiled yet.
        folder: opened for this run.
        batches_from: makes the endless training stream as it is from an epoch on.
        steps: batches an epoch.
        validation: every validation sample once.
        previews: batches of one whole sample, for `samples/`.
        names_of_batch: the sample names at (epoch, step), for the message about a bad batch.

    Raises:
        UserError: when a loss term or a gradient is not finite; the run folder keeps the last good state.
    """
    config = stage.config
    stage.compile(optimizer=make_optimiser(config, steps))
    backup = Backup(folder, stage)
    first_epoch = backup.restore()
    folder.forget_after(first_epoch)
    if first_epoch >= config.epochs:
        return
    try:
        stage.fit(
            batches_from(first_epoch),
            epochs=config.epochs,
            initial_epoch=first_epoch,
            steps_per_epoch=steps,
            validation_data=validation,
            validation_freq=_validation_epochs(config.epochs, config.validate_epochs),
            verbose=0,
            callbacks=[
                Progress(first_epoch, config.batch),
                Record(folder, backup, previews),
                tf.keras.callbacks.TensorBoard(str(folder.path), write_graph=False, profile_batch=0),
            ],
        )
    except tf.errors.InvalidArgumentError as error:
        what = next((line for line in error.message.splitlines() if "Tensor had" in line), None)
        if what is None:
            raise
        epoch, step = divmod(int(stage.optimizer.iterations), steps)
        raise UserError(
            f"stopped at epoch {epoch + 1}, step {step + 1}: {what.strip()}; the batch was "
            f"{', '.join(names_of_batch(epoch, step))}. The folder keeps the state before it: look at these "
            "images, or start anew with a lower --learning-rate or with --clip-norm 1"
        ) from error


def _validation_epochs(epochs: int, every: int) -> list[int]:
    """After each so many epochs, and always after the last."""
    return sorted({*range(every, epochs + 1, every), epochs})
