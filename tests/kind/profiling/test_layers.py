"""Where time goes, by layer: the profiler's events read, and the longest of them."""

import time
from collections import Counter

import pytest
import tensorflow as tf

from kind.profiling.layers import ALL, OTHERS, _add, largest, layers_of, seconds_by_layer
from kind.profiling.operations import Operation


def test_only_kernels_are_counted():
    found = Counter()
    for event in (
        "net/conv/BiasAdd:_MklNativeFusedConv2D",
        "net/conv/other:_FusedConv2D",
        "EagerLocalExecute: __inference_enhance_7968",
        "ExecutorState::Process",
        "cond:StatelessIf",
        "sum:AddV2",
    ):
        _add(event, 1.0, found)
    assert found == {("net/conv", "FusedConv2D"): 2.0, ("sum", "AddV2"): 1.0}


def test_the_largest_come_first_and_the_rest_together():
    seconds = {("b", "Mul"): 2.0, ("a", "FusedConv2D"): 5.0, ("c", "Add"): 1.0, ("d", "Add"): 2.0}
    first, second, rest = largest(seconds, {"a": 10, "b": 3}, 2)
    assert first == ("a", "FusedConv2D", 5.0, 0.5, 10)
    assert second == ("b", "Mul", 2.0, 0.2, None)
    assert rest == (OTHERS, "", 3.0, 0.3, None)
    assert OTHERS not in {layer.name for layer in largest(seconds, {}, 4)}


def test_tensorflows_profiler_names_our_layers():
    @tf.function
    def net(values):
        with tf.name_scope("heavy"):
            return tf.matmul(values, values)

    values = tf.ones((64, 64))
    net(values)
    started = time.perf_counter()
    found = layers_of(
        lambda: seconds_by_layer(lambda: net(values).numpy()), [Operation("heavy", "MatMul", 2 * 64**3, 0)], 1
    )
    product = next(layer for layer in found if layer.name == "heavy")
    assert product.type == "MatMul" and product.flops == 2 * 64**3
    assert 0 < product.seconds < time.perf_counter() - started
    assert sum(layer.share for layer in found if layer.name == ALL) == pytest.approx(1)
