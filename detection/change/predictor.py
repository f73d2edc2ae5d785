"""Change detection at work: a network read from a file, and run on photographs of any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.detection.change.model import NAME
from kind.detection.change.windows import in_windows
from kind.detection.inputs import DEFAULT_INPUT, INPUTS, detector_input
from kind.enhancing.enhancer import Enhancer
from kind.errors import UserError
from kind.nn.graphs import as_graph
from kind.nn.saving import SHIPPED_WEIGHTS, load_net
from kind.training.run_folder import best_weights, training_record

SHIPPED = SHIPPED_WEIGHTS / "change.keras"

WINDOW = 512
"""Side of the windows that large photographs are looked at in, in pixels."""


def load_change_net(path: str | Path | None = None) -> keras.Model:
    """Reads a network of change detection.

    Args:
        path: a `.keras` file or the run folder of a training; None: the network that ships.

    Returns:
        The network, see `detection.change.model.change_net`.

    Raises:
        UserError: when the file is missing, damaged, or another kind of network.
    """
    if path is None and not SHIPPED.is_file():
        raise UserError("no network of change detection ships with this installation: give --network FILE")
    file = SHIPPED if path is None else best_weights(path)
    net = load_net(file)
    if net.name != NAME or [tensor.shape[-1] for tensor in net.inputs] != [3, 3]:
        raise UserError(f"{file}: holds the network {net.name!r}; expected one of the stage change")
    return net


class ChangePredictor:
    """Finds changes between two photographs of one size.

    Large photographs are looked at in overlapping windows, whose probabilities are averaged with more weight
    in their middles.

    Example:
        >>> find = ChangePredictor(load_change_net(), "reflectance", Enhancer.load())
        >>> find(before, after).shape
        (480, 640)
    """

    def __init__(
        self, net: keras.Model, kind: str, enhancer: Enhancer | None = None, window: int = WINDOW
    ) -> None:
        """Wraps a network.

        Args:
            net: see `load_change_net`.
            kind: what is compared, see `detection.inputs.INPUTS`.
            enhancer: makes it; None will do for kinds that need none.
            window: side of the windows in pixels.
        """
        self.kind, self.enhancer = kind, enhancer
        signature = [tf.TensorSpec([1, None, None, 3])] * 2
        self._find = as_graph(lambda *dates: change_probability(net, *dates, window), signature)

    def __call__(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Looks at one pair.

        Args:
            before: float32 [H, W, 3], sRGB in [0, 1].
            after: the same shape; the same place in the same position.

        Returns:
            Probability of a change, float32 [H, W].

        Raises:
            ValueError: when the shapes differ.
        """
        return self.compare(self.seen(before), self.seen(after))

    def compare(self, *seen: np.ndarray) -> np.ndarray:
        """As a call, of what `seen` makes of both photographs."""
        if seen[0].shape != seen[1].shape:
            raise ValueError(f"two dates expect one shape; received {seen[0].shape} and {seen[1].shape}")
        return self._find(*(date[np.newaxis] for date in seen)).numpy()

    def seen(self, image: np.ndarray) -> np.ndarray:
        """What is compared of a photograph: float32 [H, W, 3] in [0, 1], the same shape."""
        return np.array(detector_input(self.enhancer, image[np.newaxis], self.kind)[0], np.float32)


def change_probability(
    net: keras.Model, before: tf.Tensor, after: tf.Tensor, window: int = WINDOW
) -> tf.Tensor:
    """What a network finds in two dates, inside a graph.

    Args:
        net: see `load_change_net`.
        before: what is compared of the first date, float32 [1, H, W, 3].
        after: of the second, the same shape.
        window: side of the windows in pixels.

    Returns:
        Probability of a change, float32 [H, W].
    """

    def find(*dates: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(tf.nest.flatten(net(list(dates), training=False))[0])

    return in_windows(find, before, after, window)


def input_of(path: str | Path | None) -> str:
    """What a network compares, as its run folder or the `training.json` beside it records it.

    Args:
        path: see `load_change_net`.

    Returns:
        A kind of `detection.inputs.INPUTS`; the default where nothing is recorded.

    Raises:
        UserError: when the record is damaged.
    """
    path = SHIPPED if path is None else path
    recorded = training_record(path).get("input", DEFAULT_INPUT)
    if recorded not in tuple(INPUTS):
        raise UserError(
            f"{path}: its record names the input {recorded!r}; expected one of {', '.join(INPUTS)}"
        )
    return recorded
