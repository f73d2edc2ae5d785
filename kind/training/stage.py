"""A network with its losses: what a stage says about itself so that one driver can train them all."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras

from kind.training.config import TrainingConfig


class Stage(keras.Model):
    """Wraps a network for training; only `net` is saved, exported and served.

    A subclass names its terms and scores and says how to compute them. The driver owns data, loop and
    run folder.

    Attributes:
        net: the network.
        config: the run's settings.
    """

    #: Names that `losses` returns; "loss", the total, is first.
    terms: tuple[str, ...] = ("loss",)
    #: Names that `scores` returns, on validation samples only.
    score_names: tuple[str, ...] = ()
    #: What makes a net the best so far, and whether more of it is better.
    monitor: str = "val_loss"
    higher_is_better: bool = False

    def __init__(self, net: keras.Model, config: TrainingConfig) -> None:
        """Wraps a network.

        Args:
            net: any functional model.
            config: the stage's settings.
        """
        super().__init__(name=f"{net.name}_stage")
        self.net = net
        self.config = config
        self._means = {name: keras.metrics.Mean(name=name) for name in (*self.terms, *self.score_names)}

    def losses(self, sample: dict[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        """Loss terms of a batch, float32 scalars by name, among them the total "loss"."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its losses are")

    def scores(self, sample: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Figures of merit of a whole validation image, float32 scalars by name."""
        return {}

    def pictures(self, sample: dict[str, tf.Tensor]) -> list[tf.Tensor]:
        """What to show of a sample, left to right: float32 [N, H, W, 1 or 3] in [0, 1]."""
        raise NotImplementedError(f"{type(self).__name__} does not say what to show")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means, which Keras resets at the start of each epoch and validation."""
        return list(self._means.values())

    def train_step(self, sample: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One optimiser step. A non-finite term or gradient raises before any weight changes."""
        with tf.GradientTape() as tape:
            terms = self.losses(sample, training=True)
            terms = {
                name: tf.debugging.check_numerics(term, f"loss term {name}") for name, term in terms.items()
            }
            # Gradients are summed over replicas, each of which sees its share of the batch.
            loss = terms["loss"] / tf.distribute.get_strategy().num_replicas_in_sync
        variables = self.net.trainable_variables
        gradients = tape.gradient(loss, variables)
        with tf.control_dependencies(
            [tf.debugging.check_numerics(tf.linalg.global_norm(gradients), "gradient of the loss")]
        ):
            gradients = [tf.identity(gradient) for gradient in gradients]
        self.optimizer.apply_gradients(zip(gradients, variables))
        return self._tracked(terms)

    def test_step(self, sample: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Losses and scores of one validation batch."""
        return self._tracked({**self.losses(sample, training=False), **self.scores(sample)})

    def _tracked(self, values: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        for name, value in values.items():
            self._means[name].update_state(value)
        return {name: self._means[name].result() for name in values}
