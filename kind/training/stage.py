"""A network with its losses: what a stage says about itself so that one driver can train them all."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.losses import catalogue
from kind.training import adversary
from kind.training.added_losses import AddedLosses, Comparison
from kind.training.averaging import WeightAverage
from kind.training.config import StageConfig
from kind.training.layer_names import freeze, rate_groups, statistics
from kind.training.optimizers import EpochSchedule, GroupedOptimizer

#: What the error of a training step says before all loss terms, when one of them is not finite.
NOT_FINITE = "loss terms"

#: Name in `Stage.state` of what checkpoints of earlier versions lack.
AVERAGED_STATISTICS = "averaged_statistics"


class _Kept:
    """Hides a layer from Keras, which would count it twice as an attribute of the stage."""

    def __init__(self, layer: keras.layers.Layer) -> None:
        self.layer = layer


class Stage(keras.Model):
    """Wraps a network for training; only `net` is saved, exported and served.

    A subclass names its terms and scores and says how to compute them. The driver owns data, loop and
    run folder.

    Attributes:
        net: the network.
        config: the run's settings.
    """

    #: What makes a net the best so far, and whether more of it is better.
    monitor: str = "val_loss"
    higher_is_better: bool = False
    #: What added losses may take: kinds of inputs (see `kind.losses.catalogue`) by the name of the result.
    compared: Mapping[str, frozenset[str]] = {}
    #: Of the results that are compared.
    channels: int = 3
    #: Names of what `visualisations` shows.
    shown: tuple[str, ...] = ()

    def __init__(self, net: keras.Model, config: StageConfig) -> None:
        """Wraps a network.

        Args:
            net: any functional model.
            config: the stage's settings.
        """
        super().__init__(name=f"{net.name}_stage")
        self.net = net
        self.config = config
        self._has_adversary = bool(getattr(config, "adversarial_weight", 0))
        self._adversary: adversary.Adversary | None = None
        self._added: AddedLosses | None = None
        self._frozen: tuple[_Kept, ...] = ()
        names = [*self.loss_names, *(adversary.TERMS if self._has_adversary else ())]
        self._means = {name: keras.metrics.Mean(name=name) for name in names}

    def add_losses(self, added: AddedLosses) -> None:
        """Extends and reweighs the objective, before `set_up`."""
        self._added = added
        self._means.update({name: keras.metrics.Mean(name=name) for name in added.names})

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Names that `losses` returns; "loss", the total, is first."""
        return ("loss", *self.term_weights(self.config))

    @classmethod
    def term_weights(cls, config: StageConfig) -> dict[str, float]:
        """Weight in the total of each term that `built_in_losses` gives, by name."""
        return {}

    def built_in_losses(
        self, sample: dict[str, tf.Tensor], training: bool
    ) -> tuple[dict[str, tf.Tensor], Mapping[str, Comparison]]:
        """Own terms of a batch with their total "loss", and its results, named as in `compared`."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its losses are")

    def losses(self, sample: dict[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        """Loss terms of a batch, float32 scalars by name, among them the total "loss".

        Where there is a discriminator, it makes its step here, while training.
        """
        terms, comparisons = self.built_in_losses(sample, training)
        if self._added:
            terms = self._added.total(terms, self.term_weights(self.config), comparisons, self.net)
        if self._adversary:
            (comparison,) = comparisons.values()
            terms = self._adversary.join(terms, *comparison[catalogue.PAIR], training=training)
        return terms

    def objectives(self, terms: dict[str, tf.Tensor]) -> list[tf.Tensor]:
        """What is minimised: the total, or a loss for each part of the optimizer's weights."""
        return [terms["loss"]]

    def image_metrics(self, sample: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Figures of merit of a whole validation image, float32 scalars by name."""
        return {}

    def visualisations(self, sample: dict[str, tf.Tensor]) -> list[tf.Tensor]:
        """What to show of a sample, left to right: float32 [N, H, W, 1 or 3] in [0, 1]."""
        raise NotImplementedError(f"{type(self).__name__} does not say what to show")

    def parts(self, net: keras.Model) -> dict[str, keras.Model]:
        """Networks inside a saved `net` that are kept as files of their own too, by the file's stem."""
        return {}

    def set_up(self, steps_per_epoch: int) -> None:
        """Makes everything that training needs besides the network, in the strategy's scope.

        Args:
            steps_per_epoch: optimizer steps an epoch.

        Raises:
            UserError: when `freeze` or `learning_rate_multipliers` of the config do not fit the network.
        """
        config = self.config
        self.freeze()
        groups = rate_groups(self.net, config.learning_rate_multipliers)
        self.grouped_optimizer = self.make_optimizer(steps_per_epoch, groups)
        if self._has_adversary:
            self._adversary = adversary.Adversary(config, self.channels, steps_per_epoch)
        self.average = None
        if config.average_decay:
            learnt, steps = self.grouped_optimizer.all_weights, self.grouped_optimizer.steps
            self.average = WeightAverage(learnt, config.average_decay, steps, statistics(self.net, learnt))
        # All steps of up to 32 run in one call into TensorFlow, without Python between them.
        self.compile(self.grouped_optimizer.optimizers[0], steps_per_execution=min(steps_per_epoch, 32))

    def make_optimizer(
        self, steps_per_epoch: int, groups: dict[float, list[tf.Variable]]
    ) -> GroupedOptimizer:
        """Makes what steps the weights, from their groups by the factor of the learning rate."""
        return GroupedOptimizer(self.config, steps_per_epoch, groups, self._late_groups(groups))

    def freeze(self) -> None:
        """Takes the config's layers out of training; once more changes nothing.

        Raises:
            UserError: when `freeze` of the config does not fit the network.
        """
        self._frozen += tuple(map(_Kept, freeze(self.net, self.config.freeze)))

    def thaw(self) -> None:
        """Trains the frozen layers from now on; a step that was traced before is traced anew."""
        for kept in self._frozen:
            kept.layer.trainable = True
        self.grouped_optimizer.waiting = 0
        self.train_function = None
        self.make_train_function()

    def schedules(self) -> list[EpochSchedule]:
        """Learning-rate schedules of all optimizers, a discriminator's too."""
        own = self.grouped_optimizer.schedules
        return [*own, self._adversary.schedule] if self._adversary else list(own)

    def complaints(self, values: Sequence[dict[str, tf.Tensor]]) -> list[str]:
        """What is plainly wrong with the network, by `validation_values` of the whole validation set."""
        return []

    def _late_groups(self, groups: dict[float, list[tf.Variable]]) -> dict[float, list[tf.Variable]]:
        """The weights of frozen layers that will be trained, by the factor of the learning rate."""
        if not (self.config.freeze_epochs and self.config.freezes_by_name):
            return {}
        early = {variable.ref() for variables in groups.values() for variable in variables}
        for kept in self._frozen:
            kept.layer.trainable = True
        every = rate_groups(self.net, self.config.learning_rate_multipliers)
        for kept in self._frozen:
            kept.layer.trainable = False
        late = {factor: [v for v in variables if v.ref() not in early] for factor, variables in every.items()}
        return {factor: variables for factor, variables in late.items() if variables}

    def state(self) -> dict[str, tf.Variable | keras.Model | list]:
        """All that changes while training, by name: what a backup keeps."""
        average = self.average
        state = {
            "net": self.net,
            "optimizers": self.grouped_optimizer.optimizers,
            "averages": average.averages if average else [],
            AVERAGED_STATISTICS: average.averaged_statistics if average else [],
        }
        if self._adversary:
            state.update(discriminator=self._adversary.net, its_optimizer=self._adversary.optimizer)
        return state

    def kept_weights(self) -> contextlib.AbstractContextManager[None]:
        """For the length of a `with` block, `net` has the weights that are validated and saved."""
        return self.average.in_place() if self.average else contextlib.nullcontext()

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means, which Keras resets at the start of each epoch."""
        return list(self._means.values())

    @tf.autograph.experimental.do_not_convert  # see `as_graph`; Keras asks for it where it makes the graph
    def train_step(self, sample: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One optimizer step. A term or gradient that is not finite raises before the network changes."""
        replica = tf.distribute.get_replica_context()
        parts = self.grouped_optimizer.parts
        with tf.GradientTape(persistent=len(parts) > 1) as tape:
            terms = self.losses(sample, training=True)
            shares = [loss / replica.num_replicas_in_sync for loss in self.objectives(terms)]
        # Zero where a term of weight 0 leaves nothing to learn.
        zero = tf.UnconnectedGradients.ZERO
        gradients = [one for part in zip(shares, parts) for one in tape.gradient(*part, None, zero)]
        # Reduced first and looked at afterwards: so all replicas see the same and stop at the same step.
        gradients = replica.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        terms = replica.all_reduce(tf.distribute.ReduceOp.MEAN, terms)
        terms, gradients = self._checked(terms, gradients)
        with tf.control_dependencies(
            gradients
        ):  # nothing moves, not even the step's number, before the checks
            self.grouped_optimizer.apply(gradients)
        if self.average:
            self.average.update()
        for name, term in terms.items():
            self._means[name].update_state(term)
        return {name: mean.result() for name, mean in self._means.items()}

    def validation_values(self, sample: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Losses and scores of one validation batch, float32 scalars by name."""
        return {**self.losses(sample, training=False), **self.image_metrics(sample)}

    def validation_metrics(self, values: Sequence[dict[str, tf.Tensor]]) -> dict[str, float]:
        """Figures of the whole validation set by name: the means of `validation_values` of its batches."""
        return {name: float(np.mean([float(value[name]) for value in values])) for name in values[0]}

    def _checked(self, terms, gradients):
        """Finite terms, and finite gradients with their global norm clipped if the config says so."""
        norm = tf.linalg.global_norm(gradients)
        finite = tf.reduce_all(tf.math.is_finite(tf.stack(list(terms.values()))))
        named = [part for name, term in terms.items() for part in (name, term)]
        with tf.control_dependencies([norm]):
            check = tf.debugging.Assert(finite, [NOT_FINITE, *named])
        with tf.control_dependencies([check] if check is not None else []):  # None where it runs eagerly
            norm = tf.debugging.check_numerics(norm, "gradient of the loss")
        with tf.control_dependencies([norm]):
            if self.config.clip_norm:
                gradients, _ = tf.clip_by_global_norm(gradients, self.config.clip_norm, use_norm=norm)
            return terms, [tf.identity(gradient) for gradient in gradients]
