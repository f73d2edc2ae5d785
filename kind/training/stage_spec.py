"""The TensorFlow part of a stage on image pairs: network, losses and how samples are prepared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import tensorflow as tf
from tensorflow import keras

from kind.training.stage import Stage

Sample = dict[str, tf.Tensor]
Prepare = Callable[[Sample, tf.Tensor], Sample]


@dataclass(frozen=True)
class StageSpec:
    """How one stage is built and fed; the table in `kind.cli.stages` says which stages there are.

    Attributes:
        stage: wraps the network with its losses.
        make_net: builds the network from the config, with the weights that it has without `--init-from`;
            when `fine_tunes`, from the config and trainable copies of the given networks.
        needs_decom: it learns from decomposed pairs, not from images.
        prepare: last step for a cropped training sample, from it and a seed, int32 [2].
        prepare_validation: the same for a whole validation sample.
        networks: builder of each architecture that the stage trains, by the name of the network.
        fine_tunes: its network is made of the networks that it is given.
        whole: it learns from whole photographs, averaged down to squares of `--patch` pixels, not from crops;
            its data are always a mixture.
        mixture: its data are always a mixture, also when they are one folder of pairs.
        exposed: of a mixture it gets dark images that have been brought to the brightness of the bright ones.
    """

    stage: type[Stage]
    make_net: Callable[..., keras.Model]
    needs_decom: bool = True
    prepare: Prepare | None = None
    prepare_validation: Prepare | None = None
    networks: Mapping[str, Callable[[], keras.Model]] = field(default_factory=dict)
    fine_tunes: bool = False
    whole: bool = False
    mixture: bool = False
    exposed: bool = False
