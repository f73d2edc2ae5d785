"""The detector's optimizer: momentum as YOLOv8 has it, and weights that start to move later."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
from tensorflow import keras

from kind.training.config import StageConfig
from kind.training.optimizers import EpochSchedule, GroupedOptimizer

MOMENTUM = 0.937
FIRST_MOMENT, SECOND_MOMENT = 0.9, 0.999
"""AdamW's."""


class LateSchedule(EpochSchedule):
    """The rate of `EpochSchedule`, but 0 before an optimizer step.

    Adam divides its moments by how much of them its steps can have filled, 1 - βᵗ. Those of weights that wait
    are filled from their first step on, but Keras counts t from the run's; the difference is put into the
    rate. Without it the first steps would be five times too large.
    """

    def __init__(
        self, config: StageConfig, steps_per_epoch: int, factor: float = 1.0, first_step: int = 0
    ) -> None:
        """Keeps the numbers that the schedule is made of; see `EpochSchedule`."""
        super().__init__(config, steps_per_epoch, factor)
        self.first_step = first_step

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """The rate at an optimizer step, float32 scalar."""
        rate = super().__call__(step)
        if self.first_step and self.config.optimizer != "sgd":
            taken = tf.maximum(tf.cast(step - self.first_step, tf.float32), 0.0) + 1.0
            rate *= _adams_scale(taken) / _adams_scale(tf.cast(step, tf.float32) + 1.0)
        return tf.where(step >= self.first_step, rate, 0.0)

    def get_config(self) -> dict:
        """What `__init__` takes."""
        kept = {name: value for name, value in super().get_config().items() if name != "earlier"}
        return {**kept, "first_step": self.first_step}


def _adams_scale(steps: tf.Tensor) -> tf.Tensor:
    """By what Adam multiplies the rate at a step, from 1 on (Kingma and Ba, ICLR 2015, section 2)."""
    return tf.sqrt(1.0 - SECOND_MOMENT**steps) / (1.0 - FIRST_MOMENT**steps)


class LateAdamW(keras.optimizers.AdamW):
    """AdamW, whose moments stay 0 before an optimizer step."""

    def __init__(self, learning_rate: LateSchedule, decay: float) -> None:
        """Makes the optimizer.

        Args:
            learning_rate: by optimizer step.
            decay: times learning rate and kernel, taken from the kernel.
        """
        super().__init__(learning_rate, decay, FIRST_MOMENT, SECOND_MOMENT)
        self._first_step = learning_rate.first_step

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """One step of one variable."""
        if self._first_step:
            gradient = tf.where(self.iterations >= self._first_step, gradient, tf.zeros_like(gradient))
        super().update_step(gradient, variable)


class NesterovWithDecay(keras.optimizers.SGD):
    """Stochastic gradient descent with Nesterov's momentum, and weight decay of kernels.

    Keras: decay takes a part of the weights beside the momentum. Here: it is part of the gradient, as where
    the published values come from; through the momentum it acts 1 / (1 - 0.937) = 16 times as strongly.
    """

    def __init__(self, learning_rate: keras.optimizers.schedules.LearningRateSchedule, decay: float) -> None:
        """Makes the optimizer.

        Args:
            learning_rate: by optimizer step.
            decay: times the kernel, added to its gradient.
        """
        super().__init__(learning_rate, momentum=MOMENTUM, nesterov=True)
        self._decay = decay

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """One step of one variable."""
        if self._decay and "kernel" in variable.name:
            gradient += self._decay * variable
        super().update_step(gradient, variable)


class DetectionOptimizer(GroupedOptimizer):
    """Steps all weights together, those of the backbone from some step on.

    Until then their rate is 0, which moves no weight and builds up no momentum. All state exists from the
    start, so that a backup fits whatever the epoch.
    """

    def __init__(
        self,
        config: StageConfig,
        steps_per_epoch: int,
        groups: dict[float, list[tf.Variable]],
        late: Sequence[tf.Variable],
        first_step: int,
    ) -> None:
        """Makes the optimizers.

        Args:
            config: of the run.
            steps_per_epoch: optimizer steps an epoch.
            groups: variables by the factor of their learning rate, see `layer_names.rate_groups`.
            late: variables that wait …
            first_step: … for this step.
        """
        late = {variable.ref() for variable in late}
        split: dict[tuple[float, int], list[tf.Variable]] = {}
        for factor, variables in groups.items():
            for variable in variables:
                start = first_step if variable.ref() in late else 0
                split.setdefault((factor, start), []).append(variable)
        self.variable_groups = tuple(tuple(variables) for variables in split.values())
        self.schedules = [LateSchedule(config, steps_per_epoch, factor, start) for factor, start in split]
        self.optimizers = [_make(config, schedule) for schedule in self.schedules]
        for optimizer, variables in zip(self.optimizers, self.variable_groups):
            optimizer.build(list(variables))


def _make(config: StageConfig, schedule: LateSchedule) -> keras.optimizers.Optimizer:
    if config.optimizer == "sgd":
        return NesterovWithDecay(schedule, config.weight_decay)
    optimizer = LateAdamW(schedule, config.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
