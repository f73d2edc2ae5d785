"""The opponent of a network in adversarial training: a patch discriminator and its step."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf
from tensorflow import keras

from kind.losses import adversarial
from kind.training.config import AdversarialConfig
from kind.training.optimizers import EpochSchedule

_WIDTHS = (32, 64, 128)
_SLOPE = 0.2  # of the leaky ReLU below 0
_MOMENTUM = 0.5  # Adam's β₁, low because the loss changes with the opponent
_FIRST_ITERATIONS = 10  # of the power method, before the first step


class _Game(NamedTuple):
    """What each side minimises: the network's loss of fake scores, the discriminator's of true and fake."""

    generator: Callable[[tf.Tensor], tf.Tensor]
    discriminator: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


GAMES = {
    "hinge": _Game(adversarial.hinge_generator, adversarial.hinge_discriminator),
    "non-saturating": _Game(adversarial.non_saturating_generator, adversarial.minimax_discriminator),
    "least-squares": _Game(adversarial.least_squares_generator, adversarial.least_squares_discriminator),
    "minimax": _Game(adversarial.minimax_generator, adversarial.minimax_discriminator),
}
"""By the words that `--adversarial` takes."""

TERMS = ("adversarial", "discriminator")
"""What is logged: the network's loss and the discriminator's, both unweighted."""


def patch_discriminator(channels: int = 3) -> keras.Model:
    """Builds a spectrally normalised patch discriminator, which always computes in float32.

    Paper: patches of 70×70 pixels, widths from 64 to 512, batch normalisation (Isola et al., CVPR 2017).
    Here: 46×46, 32 to 128 and spectral normalisation (Miyato et al., ICLR 2018), because crops are small.

    Args:
        channels: of the images.

    Returns:
        A model named "discriminator" from images, float32 [N, H, W, channels] of any size, to scores
        (logits), float32 [N, ⌈H/8⌉, ⌈W/8⌉, 1], one for each patch; higher is more like a true image.
    """
    from kind.training.addons import spectrally_normalised

    def convolution(width: int, stride: int, name: str) -> keras.layers.Layer:
        plain = keras.layers.Conv2D(width, 4, stride, padding="same", dtype="float32", name=f"{name}_plain")
        return spectrally_normalised(plain, name=name)

    image = keras.Input((None, None, channels), name="image")
    values = image
    for number, width in enumerate(_WIDTHS, start=1):
        values = convolution(width, 2, f"halve_{number}")(values)
        values = keras.layers.LeakyReLU(_SLOPE, dtype="float32", name=f"halve_{number}_active")(values)
    return keras.Model(image, convolution(1, 1, "score")(values), name="discriminator")


class Adversary:
    """A discriminator that learns beside a network, in each step before it.

    Attributes:
        net: the discriminator.
        optimizer: of its weights.
        schedule: of its learning rate.
    """

    def __init__(self, config: AdversarialConfig, channels: int, steps_per_epoch: int) -> None:
        """Makes the discriminator, in the strategy's scope.

        Args:
            config: of the run; the discriminator follows its learning-rate schedule.
            channels: of the images.
            steps_per_epoch: optimizer steps an epoch.
        """
        self._weight, self._game = config.adversarial_weight, GAMES[config.adversarial]
        self.net = patch_discriminator(channels)
        self.schedule = EpochSchedule(config, steps_per_epoch)
        self.optimizer = keras.optimizers.Adam(self.schedule, beta_1=_MOMENTUM)
        self.optimizer.build(self.net.trainable_variables)
        for _ in range(_FIRST_ITERATIONS):
            self._normalise()

    def join(
        self, terms: dict[str, tf.Tensor], output: tf.Tensor, target: tf.Tensor, *, training: bool
    ) -> dict[str, tf.Tensor]:
        """Adds the network's adversarial loss to its terms; while training, the discriminator learns first.

        Args:
            terms: of the network, with their total "loss".
            output: images that the network made, float32 [N, H, W, C].
            target: true ones, the same shape.
            training: make one step of the discriminator.

        Returns:
            The terms with `TERMS`; "loss" has the weighted adversarial loss in it, the discriminator's not.
        """
        judged = self._step(output, target) if training else self._judged(output, target)
        fooled = self._game.generator(self.net(output, training=False))
        total = terms["loss"] + self._weight * fooled
        return {**terms, "loss": total, **dict(zip(TERMS, (fooled, judged)))}

    def _judged(self, output: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """The discriminator's loss; both sides go through it together, nothing in it mixes images."""
        both = tf.concat([target, tf.stop_gradient(output)], axis=0)
        return self._game.discriminator(*tf.split(self.net(both, training=False), 2))

    def _step(self, output: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """One step on a replica's share of the batch; returns its loss before the step."""
        replica = tf.distribute.get_replica_context()
        variables = self.net.trainable_variables
        with tf.GradientTape() as tape:
            loss = self._judged(output, target)
            share = loss / replica.num_replicas_in_sync
        gradients = replica.all_reduce(tf.distribute.ReduceOp.SUM, tape.gradient(share, variables))
        self.optimizer.apply_gradients(zip(gradients, variables), skip_gradients_aggregation=True)
        # All replicas' weights are equal, and are written from where all are seen.
        replica.merge_call(lambda strategy: self._normalise())
        return loss

    def _normalise(self) -> None:
        """Divides each kernel by its largest singular value, after one more power iteration."""
        for layer in self.net.layers:
            if hasattr(layer, "normalize_weights"):
                layer.normalize_weights()
