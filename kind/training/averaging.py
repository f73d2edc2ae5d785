"""A moving average of a network's weights, which often does better than the weights themselves.

The moving statistics of batch normalisations are averaged too, as YOLOv5 and timm do: the statistics of now
belong to the weights of now, not to their average.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import tensorflow as tf


class WeightAverage:
    """Exponential moving average of variables, of decay min(d, (1 + n) / (10 + n)): quicker at the start.

    Attributes:
        averages: one variable for each weight, in their order.
        averaged_statistics: the same for the statistics.
    """

    def __init__(
        self,
        weights: Sequence[tf.Variable],
        decay: float,
        steps: tf.Variable,
        statistics: Sequence[tf.Variable] = (),
    ) -> None:
        """Starts from the variables' values as they are.

        Args:
            weights: to average.
            decay: d, in (0, 1).
            steps: n, the number of finished optimizer steps.
            statistics: to average as well, see `kind.training.layer_names.statistics`.
        """
        self._variables, self._statistics = [*weights, *statistics], list(statistics)
        self._average = tf.train.ExponentialMovingAverage(decay, num_updates=steps)
        self._average.apply(self._variables)  # makes the averages, equal to the variables
        self.averages = list(map(self._average.average, weights))
        self.averaged_statistics = list(map(self._average.average, statistics))

    def restart_statistics(self) -> None:
        """Makes the averages of the statistics their present values: of those before, nothing is known."""
        for variable, average in zip(self._statistics, self.averaged_statistics):
            average.assign(variable)

    def update(self) -> None:
        """Takes the present values in; after each optimizer step, also in a replica."""
        self._average.apply(self._variables)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Gives the variables their averages for the length of a `with` block.

        Replicas, whose statistics differ, go on with the mean of theirs, as after a checkpoint.
        """
        kept = [variable.numpy() for variable in self._variables]
        for variable in self._variables:
            variable.assign(self._average.average(variable))
        try:
            yield
        finally:
            for variable, value in zip(self._variables, kept):
                variable.assign(value)
