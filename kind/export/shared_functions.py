"""Steps of the pipeline as functions that all signatures call, so that an export holds each of them once.

A graph that is built by calling Python holds a copy of the networks for each signature, for whole images and
for tiles. TensorFlow takes memory for every node of every copy, and time to load it. A function is one copy,
and a call of it is one node; what a caller does not use of its results TensorFlow leaves out when it runs.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Collection

import tensorflow as tf

from kind.enhancing.enhanced import PARTS, Enhanced
from kind.enhancing.enhancer import Enhancer
from kind.export.stacked_weights import StackedWeights
from kind.nn.graphs import as_graph


def with_shared_steps(enhancer: Enhancer, weights: StackedWeights) -> Enhancer:
    """A copy of an enhancer, for `Enhancer.in_graph`, of which every step is one function.

    Args:
        enhancer: any variant.
        weights: of its networks.

    Returns:
        An enhancer with the same networks and results; images are float32 [1, H, W, 3] in its graphs.
    """
    shared = copy.copy(enhancer)
    shared.make = as_graph(weights.used_by(enhancer.make))
    shared.chosen_alpha = as_graph(enhancer.chosen_alpha)
    if type(enhancer).conditioned is not Enhancer.conditioned:
        shared.conditioned = as_graph(weights.used_by(enhancer.conditioned))
    shared.collect_statistics = as_graph(weights.used_by(enhancer.collect_statistics))

    @functools.cache
    def graph_of(parts: tuple[str, ...]) -> Callable:
        return as_graph(lambda images, alpha: Enhancer.in_graph(shared, images, alpha, parts))

    def in_graph(
        images: tf.Tensor, alpha: float | tf.Tensor | None = None, parts: Collection[str] = PARTS
    ) -> Enhanced:
        alpha = tf.constant([float("nan")]) if alpha is None else alpha
        return graph_of(tuple(name for name in PARTS if name in parts))(images, alpha)

    shared.in_graph = in_graph
    return shared
