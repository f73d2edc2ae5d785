"""A stage as it is before its first step, built and checked before any image is read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
from tensorflow import keras

from kind.errors import UserError
from kind.training.added_losses import AddedLosses
from kind.training.layer_names import rate_groups, take_weights
from kind.training.stage import Stage


class InitialWeights(NamedTuple):
    """The network of `--init-from`.

    Attributes:
        file: where it was read.
        net: the network.
        partly: whether layers that do not fit keep the weights that they have.
    """

    file: Path
    net: keras.Model
    partly: bool = False

    def give(self, stage: Stage) -> None:
        """Copies the weights to a stage's network, and names on stderr the layers that are left.

        Raises:
            UserError: when they do not fit.
        """
        try:
            left = take_weights(stage.net, self.net, partly=self.partly)
        except UserError as error:
            raise UserError(
                f"{self.file}: holds {self.net.name!r}; expected {stage.net.name!r}: {error}"
            ) from error
        if left:
            print(f"--init-partly: re-initialised: {', '.join(left)}", file=sys.stderr)


def build_early(
    make_stage: Callable[[], Stage],
    strategy: tf.distribute.Strategy,
    initial: InitialWeights | None = None,
    added: AddedLosses | None = None,
) -> Callable[[], Stage]:
    """Builds a stage now, so that what does not fit is refused before data are prepared.

    Args:
        make_stage: builds it with the weights that it has without `--init-from`.
        strategy: in whose scope it is built.
        initial: other weights to start from.
        added: losses and weights that the user adds to its objective.

    Returns:
        A function that returns the stage.

    Raises:
        UserError: when the weights, `freeze` or `learning_rate_multipliers` do not fit the network.
    """
    with strategy.scope():
        stage = make_stage()
        if added:
            stage.add_losses(added)
        if initial:
            initial.give(stage)
        stage.freeze()
        rate_groups(stage.net, stage.config.learning_rate_multipliers)
    return lambda: stage
