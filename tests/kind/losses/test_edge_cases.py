"""Losses on images that make denominators vanish, and what losses must ignore."""

import numpy as np
import pytest
import tensorflow as tf

from kind.decom.loss import Decomposition, decomposition_loss
from kind.decom.model import decomposition_net
from kind.illumination.loss import adjustment_loss
from kind.illumination.stage import downward, upward
from kind.losses.gradient_difference import gradient_difference
from kind.losses.illumination_smoothness import illumination_smoothness
from kind.losses.mutual_consistency import mutual_consistency
from kind.losses.ssim_loss import ssim_loss
from kind.restoration.loss import restoration_loss, restoration_target

CONSTANTS = {"black": 0.0, "grey": 0.5, "white": 1.0}


def plane(value, channels=3, batch=2):
    return tf.fill([batch, 16, 16, channels], tf.constant(value, tf.float32))


def assert_finite(terms, gradients):
    for name, term in terms.items():
        assert np.isfinite(term), name
    assert gradients and all(np.isfinite(gradient).all() for gradient in gradients if gradient is not None)
    assert any(gradient is not None for gradient in gradients)


@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("low", CONSTANTS)
@pytest.mark.parametrize("high", CONSTANTS)
def test_decomposition_loss_and_gradient_are_finite_on_constant_images(low, high, per_image):
    net = decomposition_net()
    images = plane(CONSTANTS[low]), plane(CONSTANTS[high])
    with tf.GradientTape() as tape:
        parts = [Decomposition(*net(image, training=True)) for image in images]
        terms = decomposition_loss(*images, *parts, per_image=per_image)
    assert_finite(terms, tape.gradient(terms["loss"], net.trainable_variables))


@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("target", CONSTANTS)
@pytest.mark.parametrize("output", CONSTANTS)
def test_other_losses_and_gradients_are_finite_on_constant_images(output, target, per_image):
    values, wanted = tf.Variable(plane(CONSTANTS[output])), plane(CONSTANTS[target])
    with tf.GradientTape() as tape:
        terms = restoration_loss(values, restoration_target(wanted), per_image=per_image)
    assert_finite(terms, [tape.gradient(terms["loss"], values)])
    values, wanted = tf.Variable(plane(CONSTANTS[output], 1)), plane(CONSTANTS[target], 1)
    for signed in (False, True):
        with tf.GradientTape() as tape:
            terms = adjustment_loss(values, wanted, signed=signed, per_image=per_image)
        assert_finite(terms, [tape.gradient(terms["loss"], values)])


@pytest.mark.parametrize("make", [upward, downward])
def test_ratios_are_finite_on_black_illumination(make):
    dark = tf.zeros([8, 8, 1])
    sample = make({"illumination_low": dark, "illumination_high": dark})
    assert all(np.isfinite(value).all() for value in sample.values())


def test_identical_images_give_zero():
    image = tf.random.stateless_uniform([2, 20, 24, 3], [1, 2])
    grey = image[..., :1]
    assert abs(float(ssim_loss(image, image))) < 1e-6
    assert float(gradient_difference(grey, grey)) == 0
    assert {name: round(float(term), 6) for name, term in restoration_loss(image, image).items()} == {
        "loss": 0,
        "mse": 0,
        "ssim_loss": 0,
        "gradient": 0,
    }


def test_per_image_losses_of_a_batch_are_the_mean_of_those_of_its_images():
    """And the published ones are not, which is why the other form is offered."""
    image = tf.random.stateless_uniform([2, 16, 16, 3], [3, 4]) * tf.reshape([1.0, 0.1], [2, 1, 1, 1])
    first, second = image[..., :1], tf.sqrt(image[..., 1:2])
    for loss, arguments in (
        (gradient_difference, (first, second)),
        (mutual_consistency, (first, second)),
        (illumination_smoothness, (first, image)),
    ):
        alone = [
            float(loss(*(part[number : number + 1] for part in arguments), per_image=True))
            for number in (0, 1)
        ]
        np.testing.assert_allclose(loss(*arguments, per_image=True), np.mean(alone), rtol=1e-5)
        assert abs(float(loss(*arguments)) / np.mean(alone) - 1) > 1e-3


def test_losses_are_the_same_inside_tf_data():
    image = tf.random.stateless_uniform([2, 16, 16, 3], [5, 6])
    other = tf.random.stateless_uniform([2, 16, 16, 3], [7, 8])
    eager = restoration_loss(image, other)
    mapped = next(iter(tf.data.Dataset.from_tensors((image, other)).map(restoration_loss)))
    for name, term in eager.items():
        np.testing.assert_allclose(mapped[name], term, atol=1e-6)
