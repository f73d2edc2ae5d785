import math

import numpy as np
import pytest
import tensorflow as tf

from kind.training.averaging import WeightAverage
from kind.training.config import TrainingConfig
from kind.training.optimizers import EpochSchedule, GroupedOptimizer

RATE = 0.01


def rates(steps_per_epoch, count, factor=1.0, **settings):
    schedule = EpochSchedule(TrainingConfig(learning_rate=RATE, **settings), steps_per_epoch, factor)
    eager = [float(schedule(tf.constant(step, tf.int64))) for step in range(count)]
    graph = tf.function(schedule, input_signature=[tf.TensorSpec([], tf.int64)])
    assert [float(graph(tf.constant(step, tf.int64))) for step in range(count)] == pytest.approx(
        eager, rel=1e-5
    )
    return eager


def test_constant():
    assert rates(3, 10) == pytest.approx([RATE] * 10)
    assert rates(3, 10, factor=0.5) == pytest.approx([RATE / 2] * 10)


def test_step_changes_after_the_named_epochs():
    found = rates(2, 12, schedule="step", step_epochs=(2, 4), step_factor=0.1)
    assert found == pytest.approx([RATE] * 4 + [RATE / 10] * 4 + [RATE / 100] * 4)


def test_cosine_with_warm_up():
    found = rates(4, 44, schedule="cosine", warmup_epochs=1, epochs=11)
    warm_up = [RATE * (step + 1) / 4 for step in range(4)]
    cosine = [RATE * (1 + math.cos(math.pi * (step - 4) / 40)) / 2 for step in range(4, 44)]
    assert found == pytest.approx(warm_up + cosine, rel=1e-4)
    again = rates(4, 96, schedule="cosine", warmup_epochs=1, epochs=21, schedule_epochs=11)
    assert again[:44] == found and again[44:84] == pytest.approx(cosine, rel=1e-4)
    assert rates(4, 48, schedule="cosine", epochs=11)[44:] == pytest.approx([0.0] * 4, abs=1e-9)


def descended(config, gradients, factor=1.0):
    """A kernel and a bias, both starting at 1, after steps along given gradients."""
    kernel, bias = (tf.Variable(1.0, name=name) for name in ("kernel", "bias"))
    optimizer = GroupedOptimizer(config, 1, {factor: [kernel, bias]})
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient), tf.constant(gradient)])
    assert int(optimizer.steps) == len(gradients)
    return float(kernel), float(bias)


def adam(gradients, rate, decay=0.0):
    """Adam (Kingma and Ba, algorithm 1), with decoupled weight decay (Loshchilov and Hutter)."""
    value, first, second = 1.0, 0.0, 0.0
    for step, gradient in enumerate(gradients, start=1):
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        value -= rate * decay * value
        value -= rate * (first / (1 - 0.9**step)) / (math.sqrt(second / (1 - 0.999**step)) + 1e-7)
    return value


def rectified_adam(gradients, rate, decay=0.0, lookahead=False):
    """Rectified Adam (Liu et al., algorithm 2; a threshold of 5) and lookahead (Zhang et al., k 6, α ½)."""
    value, slow, first, second, limit = 1.0, 1.0, 0.0, 0.0, 2 / (1 - 0.999) - 1
    for step, gradient in enumerate(gradients, start=1):
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        corrected, length = first / (1 - 0.9**step), limit - 2 * step * 0.999**step / (1 - 0.999**step)
        update = corrected
        if length >= 5:
            rectified = (length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)
            update = math.sqrt(rectified) * corrected / (math.sqrt(second / (1 - 0.999**step)) + 1e-7)
        value -= rate * (update + decay * value)
        if lookahead and step % 6 == 0:
            slow = value = slow + 0.5 * (value - slow)
    return value


GRADIENTS = [0.5, -0.2, 0.3, 0.4, 0.1, 0.6, -0.3, 0.2, 0.5, 0.1, 0.2, 0.3, 0.4]


def test_adam_equals_its_formula():
    config = TrainingConfig(learning_rate=RATE)
    assert descended(config, GRADIENTS) == pytest.approx([adam(GRADIENTS, RATE)] * 2, rel=1e-5)


def test_a_groups_factor_multiplies_the_rate():
    config = TrainingConfig(learning_rate=RATE)
    assert descended(config, GRADIENTS, 0.1) == pytest.approx([adam(GRADIENTS, RATE / 10)] * 2, rel=1e-5)


def test_adamw_decays_kernels_and_leaves_biases():
    config = TrainingConfig(learning_rate=RATE, optimizer="adamw", weight_decay=0.5)
    expected = [adam(GRADIENTS, RATE, decay=0.5), adam(GRADIENTS, RATE)]
    assert descended(config, GRADIENTS) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("lookahead", [False, True])
def test_rectified_adam_equals_its_formula(lookahead):
    config = TrainingConfig(learning_rate=RATE, optimizer="radam", weight_decay=0.5, lookahead=lookahead)
    expected = rectified_adam(GRADIENTS, RATE, 0.5, lookahead)
    assert descended(config, GRADIENTS) == pytest.approx([expected] * 2, rel=1e-5)


def test_groups_are_stepped_together():
    config = TrainingConfig(learning_rate=RATE)
    first, second = tf.Variable(1.0), tf.Variable(1.0)
    optimizer = GroupedOptimizer(config, 1, {1.0: [first], 0.5: [second]})
    for gradient in GRADIENTS:
        optimizer.apply([tf.constant(gradient), tf.constant(-gradient)])
    assert optimizer.weights_in_order == [first, second]
    assert float(first) == pytest.approx(adam(GRADIENTS, RATE), rel=1e-5)
    assert float(second) == pytest.approx(adam([-g for g in GRADIENTS], RATE / 2), rel=1e-5)


def test_the_average_follows_its_formula_and_swaps_in_and_out():
    weights, steps = tf.Variable([1.0, 2.0]), tf.Variable(0, dtype=tf.int64)
    average = WeightAverage([weights], 0.6, steps)
    expected = np.array([1.0, 2.0])
    update = tf.function(average.update)
    for step in range(1, 9):
        weights.assign_add([1.0, -1.0])
        steps.assign(step)
        update()
        decay = min(0.6, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weights.numpy()
    live = weights.numpy()
    with average.in_place():
        np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert np.array_equal(weights, live)
    with pytest.raises(KeyError), average.in_place():
        raise KeyError
    assert np.array_equal(weights, live)
