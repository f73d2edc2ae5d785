"""Graphs of functions that have no Python branches on tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf


def as_graph(function: Callable, signature: Sequence[tf.TensorSpec] | None = None) -> Callable:
    """`function` as one graph, made at the first call.

    AutoGraph stays out of it, and out of all layers that it calls: it would translate the source of each,
    which takes longer than making the graph, and finds nothing to translate.

    Args:
        function: takes and returns tensors; branches are `tf.cond`, loops `tf.while_loop` or `tf.map_fn`.
        signature: shapes and types of its arguments; None makes a graph for each combination that comes.

    Returns:
        A `tf.function`.
    """
    return tf.function(tf.autograph.experimental.do_not_convert(function), input_signature=signature)
