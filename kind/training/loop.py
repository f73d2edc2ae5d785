"""The loop that trains any stage, from wherever it was left."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.errors import UserError
from kind.files import DISK_FULL
from kind.images.photo import ImageError
from kind.nn.saving import save_net
from kind.training.callbacks import Record, Validate
from kind.training.checkpoint import Restored, TrainingCheckpoint, put_back
from kind.training.distribution import ChiefsWord, is_chief
from kind.training.interruption import Interruption
from kind.training.layer_names import named_layers
from kind.training.manifest import file_digest
from kind.training.patience import Patience, Thaw, has_stopped
from kind.training.precision import Float32Copy
from kind.training.progress import Progress
from kind.training.run_folder import RunFolder
from kind.training.sessions import Sessions
from kind.training.stage import NOT_FINITE, Stage

_SPELLING = {"nan": "NaN", "-nan": "NaN", "inf": "Inf", "-inf": "-Inf"}


@dataclass(frozen=True)
class Datasets:
    """What a stage is fed.

    Attributes:
        batches: makes the endless training stream of one process from (first epoch, processes, this
            process's number): its share of every batch, cut into one piece for each of its replicas.
        steps: batches an epoch.
        validation: every validation sample once, whole, in batches of one.
        previews: a few of them, for `samples/`.
        images_of: the image files of the batch at (epoch, step), for messages about it.
        training_part: a fixed part of the training samples, whole, in batches of one, which is scored beside
            the validation samples; None scores none.
    """

    batches: Callable[[int, int, int], tf.data.Dataset]
    steps: int
    validation: tf.data.Dataset
    previews: Sequence[dict[str, tf.Tensor]]
    images_of: Callable[[int, int], list[str]]
    training_part: tf.data.Dataset | None = None


MakeStage = Callable[[], Stage]
Building = Callable[[MakeStage], MakeStage]
"""Called with what makes a stage before any image is read; see `kind.training.initial.build_early`."""


class Prepared(NamedTuple):
    """All that a run needs.

    Attributes:
        stage: the class that `make_stage` makes, which says what counts as best.
        make_stage: builds the stage with the weights to start from, in the strategy's scope.
        datasets: what it is fed.
        data: for each part of the data set, a digest of each sample by its name.
        given: what the result depends on besides settings and data, such as the weights of given networks.
    """

    stage: type[Stage]
    make_stage: Callable[[], Stage]
    datasets: Datasets
    data: dict[str, dict[str, str]]
    given: dict[str, Any]


def train(
    make_stage: Callable[[], Stage],
    datasets: Datasets,
    folder: RunFolder,
    *,
    strategy: tf.distribute.Strategy | None = None,
    checkpoints_of: RunFolder | None = None,
    interruption: Interruption | None = None,
    command: str = "",
    remark: str = "",
    trackers: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Trains until the config's last epoch, and leaves the run folder complete.

    Args:
        make_stage: builds the stage with the weights to start from.
        datasets: its data.
        folder: opened for this run; that of a process that is not the chief is thrown away.
        strategy: how replicas share the work; by default there is one.
        checkpoints_of: the chief's run folder, to resume from; by default `folder`.
        interruption: see `kind.training.interruption`.
        command: what the user typed, for the run folder.
        remark: what the user wants to remember of the run.
        trackers: further callbacks of the chief, such as those of `kind.training.trackers`.

    Raises:
        UserError: when a loss term or a gradient is not finite, or something cannot be saved; the run
            folder keeps the last good state.
    """
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        stage = make_stage()
        stage.set_up(datasets.steps)
        checkpoint = TrainingCheckpoint(folder, stage)
    restored = checkpoint.restore(checkpoints_of)
    first_epoch = restored.epoch if restored else 0
    with _saving(folder):
        if restored is None:
            checkpoint.save(0)  # from here on the weights to start from are no longer needed
            folder.forget_after(0)
        elif checkpoints_of in (None, folder):
            _put_back(folder, restored, stage)
            checkpoint.renew_record(restored.epoch)
    if first_epoch >= stage.config.epochs or (first_epoch and has_stopped(checkpoints_of or folder, stage)):
        return
    validated = _validation_epochs(stage.config.epochs, stage.config.validate_epochs)
    callbacks = [
        Validate(datasets.validation, validated, datasets.training_part),
        Record(folder, checkpoint, datasets.previews, ChiefsWord(strategy), interruption),
        Patience(folder, ChiefsWord(strategy)),
        Thaw(),
    ]
    if is_chief(strategy):
        callbacks += [
            Progress(first_epoch, stage.config.batch),
            Sessions(folder, command, remark),
            keras.callbacks.TensorBoard(str(folder.path), write_graph=False, profile_batch=0),
            *trackers,
        ]
        print(what_is_trained(stage), file=sys.stderr)
    batches = strategy.distribute_datasets_from_function(
        lambda context: datasets.batches(first_epoch, context.num_input_pipelines, context.input_pipeline_id)
    )
    with _saving(folder), _explained(stage, datasets):
        stage.fit(
            batches,
            epochs=stage.config.epochs,
            initial_epoch=first_epoch,
            steps_per_epoch=datasets.steps,
            verbose=0,
            callbacks=callbacks,
        )


def what_is_trained(stage: Stage) -> str:
    """The number of weights that are trained and frozen, and a learning rate that was scaled, in one line."""
    stepped = {weights.ref(): weights for weights in stage.grouped_optimizer.weights_in_order}
    trained = sum(int(np.prod(weights.shape)) for weights in stepped.values())
    frozen = sum(layer.count_params() for layer in named_layers(stage.net).values() if not layer.trainable)
    text = f"{stage.net.name}: {trained:,} weights are trained, {frozen:,} are frozen"
    config = stage.config
    if config.freeze_epochs and config.freezes_by_name:
        text += f" (for {config.freeze_epochs} epochs)"
    if config.scale_from_batch:
        text += (
            f"; learning rate {config.learning_rate:g} × √({config.batch} / {config.scale_from_batch}) = "
            f"{config.scaled_learning_rate:.4g}"
        )
    return text


def _put_back(folder: RunFolder, restored: Restored, stage: Stage) -> None:
    """Makes the run folder what it was at the checkpoint, and says where the run goes on."""
    epoch, manifest, passed_over = restored
    if manifest:
        renewed = put_back(folder, manifest)
        notes = [f"{name} put back" for name in renewed] + passed_over
    else:
        folder.forget_after(epoch)
        notes = list(passed_over)
        lost = epoch - len(folder.read_metrics())
        if lost:
            notes.append(f"the figures of {lost} epochs are lost from {folder.metrics_file.name}")
    wanted = manifest.digests.get(folder.last_file.name) if manifest else None
    found = file_digest(folder.last_file)
    if epoch >= stage.config.epochs and (found is None or wanted not in (None, found)):
        with stage.kept_weights():
            save_net(Float32Copy(stage.net).of(stage.net), folder.last_file)
        notes.append(f"{folder.last_file.name} put back")
    if notes or 0 < epoch < stage.config.epochs:
        told = f" ({'; '.join(notes)})" if notes else ""
        print(f"{folder.path}: resuming after epoch {epoch}{told}", file=sys.stderr)


@contextlib.contextmanager
def _saving(folder: RunFolder):
    """Turns a failure to write into one line."""
    try:
        yield
    except OSError as error:
        raise _unwritable(error.filename or folder.path, error.strerror or error) from error
    except ImageError as error:
        reason = error.__context__  # Keras takes `__cause__` away where it shortens tracebacks
        if not isinstance(reason, OSError):
            raise
        raise _unwritable(folder.samples, reason.strerror or reason) from error
    except tf.errors.OpError as error:  # TensorBoard's files are TensorFlow's to write
        if not DISK_FULL.search(error.message):
            raise
        raise _unwritable(folder.path, error.message.splitlines()[0]) from error


def _unwritable(where: str | Path, reason: object) -> UserError:
    return UserError(
        f"{where}: cannot be written: {reason}. What was saved before is intact: make room, and run the same "
        "command again to go on"
    )


@contextlib.contextmanager
def _explained(stage: Stage, datasets: Datasets):
    """Turns a number that is not finite into one line that names it, its step and its images."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        what = _not_finite(error.message)
        if not what:
            raise
        epoch, step = divmod(int(stage.grouped_optimizer.steps.numpy()), datasets.steps)
        raise UserError(
            f"stopped at epoch {epoch + 1}, step {step + 1}: {what}; the batch was "
            f"{', '.join(datasets.images_of(epoch, step))}. The folder keeps the last good state: look at "
            "these images, or start anew with a lower --learning-rate or with --clip-norm 1"
        ) from error


def _not_finite(message: str) -> str | None:
    """What a training step found not to be finite, by TensorFlow's message about it."""
    if gradient := re.search(r"gradient of the loss : Tensor had (\w+)", message):
        return f"gradient of the loss is {gradient[1]}"
    found = re.search(rf"\[{NOT_FINITE}\]((?: \[[^\]]*\])+)", message)
    if not found:
        return None
    parts = [_SPELLING.get(part, part) for part in re.findall(r"\[([^\]]*)\]", found[1])]
    terms = dict(zip(parts[::2], parts[1::2]))
    guilty = [name for name, value in terms.items() if value in _SPELLING.values()]
    # The total is only the sum of the others, unless it alone is not finite.
    name = next((name for name in guilty if name != "loss"), "loss")
    return f"loss term {name} is {terms[name]} ({', '.join(' '.join(term) for term in terms.items())})"


def _validation_epochs(epochs: int, every: int) -> set[int]:
    """After each so many epochs, and always after the last."""
    return {*range(every, epochs + 1, every), epochs}
