"""A moving average of a network's weights, which often does better than the weights themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import tensorflow as tf


class WeightAverage:
    """Exponential moving average of variables, of decay min(d, (1 + n) / (10 + n)): quicker at the start.

    Attributes:
        averages: one variable for each averaged one, in their order.
    """

    def __init__(self, variables: Sequence[tf.Variable], decay: float, steps: tf.Variable) -> None:
        """Starts from the variables' values as they are.

        Args:
            variables: to average.
            decay: d, in (0, 1).
            steps: n, the number of finished optimizer steps.
        """
        self._variables = list(variables)
        self._average = tf.train.ExponentialMovingAverage(decay, num_updates=steps)
        self._average.apply(self._variables)  # makes the averages, equal to the variables
        self.averages = [self._average.average(variable) for variable in self._variables]

    def restart(self) -> None:
        """Forgets the past: the averages become the variables' present values."""
        for variable, average in zip(self._variables, self.averages):
            average.assign(variable)

    def update(self) -> None:
        """Takes the present values in; after each optimizer step, also in a replica."""
        self._average.apply(self._variables)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Gives the variables their averages for the length of a `with` block."""
        kept = [variable.numpy() for variable in self._variables]
        for variable, average in zip(self._variables, self.averages):
            variable.assign(average)
        try:
            yield
        finally:
            for variable, value in zip(self._variables, kept):
                variable.assign(value)
