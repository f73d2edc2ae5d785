"""Learning-rate schedules, and one optimizer for each group of weights with a rate of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf
from tensorflow import keras

from kind.training.config import StageConfig


class EpochSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate by epoch: linear warm-up, then constant, stepwise, cosine, or by plateaus.

    With w warm-up epochs of n steps each, E epochs and the step's epoch e = step / n, the rate is
    learning_rate · min(1, (step + 1) / (w·n)) times 1 (constant), step_factor once for each of
    step_epochs that has passed (step), ½(1 + cos(π·clip((e - w) / (E - w), 0, 1))) (cosine), or what
    `decay` holds (plateau). learning_rate is the config's `scaled_learning_rate`. With schedule_epochs S, a
    cosine has S for E and starts again after S epochs, and after each S - w from then on (SGDR, Loshchilov
    and Hutter, ICLR 2017).

    Attributes:
        decay: set from outside, see `kind.training.patience`; None of other schedules.
    """

    def __init__(
        self, config: StageConfig, steps_per_epoch: int, factor: float = 1.0, earlier: int = 0
    ) -> None:
        """Keeps the numbers that the schedule is made of.

        Args:
            config: of the run.
            steps_per_epoch: optimizer steps an epoch.
            factor: multiplies every rate.
            earlier: steps of the run before the first one of this optimizer.
        """
        self.earlier = earlier
        self.config = config
        self.steps_per_epoch = steps_per_epoch
        self.factor = factor
        self.decay = tf.Variable(1.0, trainable=False) if config.schedule == "plateau" else None

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """The rate at an optimizer step, float32 scalar."""
        config = self.config
        step = tf.cast(step + self.earlier, tf.float32)
        epoch = step / self.steps_per_epoch
        rate = tf.constant(config.scaled_learning_rate * self.factor, tf.float32)
        if config.schedule == "step":
            passed = tf.reduce_sum([tf.cast(epoch >= start, tf.float32) for start in config.step_epochs])
            rate *= config.step_factor**passed
        elif config.schedule == "cosine":
            length = max(1, (config.schedule_epochs or config.epochs) - config.warmup_epochs)
            passed = tf.maximum((epoch - config.warmup_epochs) / length, 0.0)
            passed = passed - tf.floor(passed) if config.schedule_epochs else tf.minimum(passed, 1.0)
            rate *= 0.5 * (1.0 + tf.cos(math.pi * passed))
        elif self.decay is not None:
            rate *= self.decay
        if config.warmup_epochs:
            rate *= tf.minimum(1.0, (step + 1.0) / (config.warmup_epochs * self.steps_per_epoch))
        return rate

    def get_config(self) -> dict:
        """What `__init__` takes."""
        return {
            "config": self.config,
            "steps_per_epoch": self.steps_per_epoch,
            "factor": self.factor,
            "earlier": self.earlier,
        }


class GroupedOptimizer:
    """One optimizer for each group of weights, stepped together.

    Attributes:
        optimizers: of the groups that are trained and of those that wait, in this order.
        schedules: their learning-rate schedules.
        waiting: how many groups, the last ones, are not stepped yet.
    """

    waiting = 0

    def __init__(
        self,
        config: StageConfig,
        steps_per_epoch: int,
        groups: dict[float, list[tf.Variable]],
        late: dict[float, list[tf.Variable]] | None = None,
    ) -> None:
        """Makes the optimizers.

        Args:
            config: of the run.
            steps_per_epoch: optimizer steps an epoch.
            groups: variables by the factor of their learning rate, see `layer_names.rate_groups`.
            late: the same of variables that are stepped after the config's `freeze_epochs`.
        """
        late = late or {}
        self.waiting = len(late)
        self.variable_groups = tuple(map(tuple, (*groups.values(), *late.values())))
        first_step = config.freeze_epochs * steps_per_epoch
        self.schedules = [EpochSchedule(config, steps_per_epoch, factor) for factor in groups]
        self.schedules += [EpochSchedule(config, steps_per_epoch, factor, first_step) for factor in late]
        self.optimizers = [_make(config, schedule) for schedule in self.schedules]
        for optimizer, variables in zip(self.optimizers, self.variable_groups):
            # All state is made now: a checkpoint restores into it. Addons has Keras's older interface.
            build = getattr(optimizer, "build", None) or optimizer._create_all_weights
            build(list(variables))

    @property
    def steps(self) -> tf.Variable:
        """Number of finished steps, int64."""
        return self.optimizers[0].iterations

    @property
    def parts(self) -> list[list[tf.Variable]]:
        """`weights_in_order`, cut where another objective begins: see `Stage.objectives`."""
        return [self.weights_in_order]

    @property
    def weights_in_order(self) -> list[tf.Variable]:
        """All weights that are stepped now; `apply` takes their gradients in this order."""
        stepped = len(self.variable_groups) - self.waiting
        return [variable for group in self.variable_groups[:stepped] for variable in group]

    @property
    def all_weights(self) -> list[tf.Variable]:
        """These, and the weights that wait."""
        return [variable for group in self.variable_groups for variable in group]

    def apply(self, gradients: Sequence[tf.Tensor]) -> None:
        """Makes one step.

        Args:
            gradients: in the order of `weights_in_order`, summed over all replicas.
        """
        gradients = iter(gradients)
        stepped = len(self.variable_groups) - self.waiting
        for optimizer, variables in zip(self.optimizers[:stepped], self.variable_groups):
            pairs = [(next(gradients), variable) for variable in variables]
            optimizer.apply_gradients(pairs, experimental_aggregate_gradients=False)


class PairedOptimizer:
    """Two optimizers that are stepped together, each for an objective of its own; weights may be in both.

    Attributes as of `GroupedOptimizer`.
    """

    def __init__(self, first: GroupedOptimizer, second: GroupedOptimizer) -> None:
        """Joins the optimizers: in each step, the first goes first."""
        self._both = (first, second)
        self.optimizers = [*first.optimizers, *second.optimizers]
        self.schedules = [*first.schedules, *second.schedules]

    @property
    def waiting(self) -> int:
        """How many groups are not stepped yet."""
        return sum(optimizer.waiting for optimizer in self._both)

    @waiting.setter
    def waiting(self, count: int) -> None:
        if count:
            raise ValueError(f"waiting expects 0: all groups are stepped from now on; received {count}")
        for optimizer in self._both:
            optimizer.waiting = 0

    @property
    def steps(self) -> tf.Variable:
        """Number of finished steps, int64."""
        return self._both[-1].steps

    @property
    def parts(self) -> list[list[tf.Variable]]:
        """The weights of each optimizer that are stepped now."""
        return [optimizer.weights_in_order for optimizer in self._both]

    @property
    def weights_in_order(self) -> list[tf.Variable]:
        """Those of the first, then those of the second; `apply` takes their gradients in this order."""
        return [variable for part in self.parts for variable in part]

    @property
    def all_weights(self) -> list[tf.Variable]:
        """Each weight once, and the weights that wait."""
        every = [variable for optimizer in self._both for variable in optimizer.all_weights]
        return list({variable.ref(): variable for variable in every}.values())

    def apply(self, gradients: Sequence[tf.Tensor]) -> None:
        """Makes one step; see `GroupedOptimizer`."""
        count = len(self.parts[0])
        self._both[0].apply(gradients[:count])
        self._both[1].apply(gradients[count:])


def _make(config: StageConfig, schedule: EpochSchedule) -> keras.optimizers.Optimizer:
    """Adam (β 0.9, 0.999) or one of its relatives."""
    if config.optimizer == "adam":
        return keras.optimizers.Adam(schedule)
    if config.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return optimizer
    from kind.training.addons import rectified_adam

    return rectified_adam(schedule, weight_decay=config.weight_decay, lookahead=config.lookahead)
