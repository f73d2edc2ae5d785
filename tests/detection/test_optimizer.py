"""The detector's optimizer against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from kind.detection.config import DetectionConfig
from kind.detection.optimizer import DetectionOptimizer, LateSchedule
from kind.training.optimizers import EpochSchedule


def variables():
    values = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    names = ("early/kernel", "early/bias", "late/kernel", "late/gamma")
    return [tf.Variable(value, name=name) for name, value in zip(names, values)]


def config(**changes):
    return DetectionConfig(**{"epochs": 4, "warmup_epochs": 1, "learning_rate": 0.1, **changes})


def test_sgd_is_nesterovs_with_decay_of_kernels_in_the_gradient():
    settings, weights = config(weight_decay=0.01), variables()
    optimizer = DetectionOptimizer(settings, 5, {1.0: weights}, (), 0)
    expected = [weight.numpy().astype(float) for weight in weights]
    momenta = [np.zeros(3) for _ in weights]
    gradients = np.random.default_rng(1).normal(size=(8, 4, 3)).astype(np.float32)
    schedule = EpochSchedule(settings, 5)
    for step, of_step in enumerate(gradients):
        optimizer.apply([tf.constant(gradient) for gradient in of_step])
        rate = float(schedule(tf.constant(step)))
        for number, gradient in enumerate(of_step.astype(float)):
            if "kernel" in weights[number].name:
                gradient = gradient + 0.01 * expected[number]
            momenta[number] = 0.937 * momenta[number] - rate * gradient
            expected[number] = expected[number] + 0.937 * momenta[number] - rate * gradient
    for weight, value in zip(weights, expected):
        np.testing.assert_allclose(weight, value, rtol=1e-4, atol=1e-6)
    assert int(optimizer.steps) == 8


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_late_weights_stand_still_until_their_step(name):
    weights = variables()
    optimizer = DetectionOptimizer(config(optimizer=name), 5, {1.0: weights}, weights[2:], 3)
    start = [weight.numpy() for weight in weights]
    moved = []
    for _ in range(5):
        optimizer.apply([tf.ones_like(weight) for weight in optimizer.weights_in_order])
        moved.append([not np.array_equal(weight, value) for weight, value in zip(weights, start)])
    assert moved[0] == moved[2] == [True, True, False, False]
    assert moved[3] == [True] * 4


def test_rates_and_late_weights_go_together():
    weights = variables()
    groups = {1.0: weights[:1], 0.5: weights[1:]}
    optimizer = DetectionOptimizer(config(), 5, groups, weights[2:], 2)
    assert [[weight.name for weight in group] for group in optimizer.variable_groups] == [
        ["early/kernel:0"],
        ["early/bias:0"],
        ["late/kernel:0", "late/gamma:0"],
    ]


def test_the_late_schedule_is_the_usual_one_from_its_step_on():
    usual, late = EpochSchedule(config(), 5, 0.5), LateSchedule(config(), 5, 0.5, 3)
    rates = [[float(schedule(tf.constant(step))) for step in range(20)] for schedule in (usual, late)]
    assert rates[1] == [0.0] * 3 + rates[0][3:] and min(rates[0]) > 0
    assert late.get_config()["first_step"] == 3


@pytest.mark.parametrize("gradient_before", [0.0, 3.0])
def test_adam_of_weights_that_waited_begins_like_a_new_one(gradient_before):
    def stepped(first_step, steps):
        """How far a weight has moved at each step after the first, in units of the rate."""
        weights = [tf.Variable(0.0, name="bias"), tf.Variable(0.0, name="bias")]
        settings = config(optimizer="adamw", warmup_epochs=0, schedule="constant", weight_decay=0.0)
        optimizer = DetectionOptimizer(settings, 5, {1.0: weights}, weights[1:], first_step)
        moved = []
        for step in range(first_step + steps):
            gradient = 1.0 if step >= first_step else gradient_before
            before = float(weights[1])
            optimizer.apply([tf.constant(1.0), tf.constant(gradient)])
            moved.append(float(weights[1]) - before)
        return moved

    late = stepped(300, 20)
    assert late[:300] == [0.0] * 300
    np.testing.assert_allclose(late[300:], stepped(0, 20), rtol=1e-3)
