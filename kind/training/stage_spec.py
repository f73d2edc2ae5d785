"""What a stage's room hands to the training command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf
from tensorflow import keras

from kind.training.config import TrainingConfig
from kind.training.stage import Stage

Sample = dict[str, tf.Tensor]
Prepare = Callable[[Sample, tf.Tensor], Sample]


@dataclass(frozen=True)
class StageSpec:
    """How one stage is built and fed.

    Attributes:
        stage: wraps the network with its losses.
        make_net: builds the network from the config, with the weights that it has without `--fork`.
        needs_decom: it learns from decomposed pairs, not from images.
        prepare: last step for a cropped training sample, from it and a seed, int32 [2].
        prepare_validation: the same for a whole validation sample.
    """

    stage: type[Stage]
    make_net: Callable[[TrainingConfig], keras.Model]
    needs_decom: bool = True
    prepare: Prepare | None = None
    prepare_validation: Prepare | None = None
