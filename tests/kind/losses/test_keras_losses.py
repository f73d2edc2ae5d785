"""The Keras losses equal the functions, and work where Keras expects a loss."""

import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import structural_similarity
from tensorflow import keras

import kind
from kind.losses.gradient_difference import gradient_difference
from kind.losses.mse import mse
from kind.losses.ssim_loss import ssim_loss

CASES = {
    "SSIMLoss": (kind.losses.SSIMLoss(), ssim_loss, 3),
    "MSELoss": (kind.losses.MSELoss(), mse, 3),
    "GradientDifferenceLoss": (kind.losses.GradientDifferenceLoss(), gradient_difference, 1),
    "signed": (
        kind.losses.GradientDifferenceLoss(signed=True, per_image=True),
        lambda output, target: gradient_difference(output, target, signed=True, per_image=True),
        1,
    ),
}


def images(channels, seed):
    return np.random.default_rng(seed).random((3, 17, 12, channels), dtype=np.float32)


@pytest.mark.parametrize("name", CASES)
def test_the_class_equals_the_function_and_identical_images_give_zero(name):
    loss, function, channels = CASES[name]
    target, output = images(channels, 0), images(channels, 1)
    assert float(loss(target, output)) == pytest.approx(float(function(output, target)), rel=1e-6)
    assert float(loss(target, output)) > 0.01
    assert float(loss(target, target)) == pytest.approx(0, abs=1e-6)


def test_sample_weights_weigh_images():
    target, output = images(3, 0), images(3, 1)
    each = [
        1
        - structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=2
        )
        for a, b in zip(target.astype(np.float64), output.astype(np.float64))
    ]
    # scikit-image averages all pixels but a border as wide as the window's radius, as VALID does
    weights = np.float32([0, 1, 2])
    expected = np.dot(each, weights) / 3
    assert float(kind.losses.SSIMLoss()(target, output, weights)) == pytest.approx(expected, abs=2e-5)
    squares = ((target.astype(np.float64) - output) ** 2).mean(axis=(1, 2, 3))
    expected = np.dot(squares, weights) / 3
    assert float(kind.losses.MSELoss()(target, output, weights)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_a_model_trains_with_it_and_is_saved_with_it(name, tmp_path):
    loss, function, channels = CASES[name]
    target = images(channels, 0).astype(np.float64)  # Keras casts what a data set has
    model = keras.Sequential(
        [keras.layers.Conv2D(channels, 3, padding="same", input_shape=(17, 12, channels))]
    )
    model.compile(keras.optimizers.SGD(0.01), loss=loss)
    before = model.evaluate(images(channels, 1), target, verbose=0)
    expected = function(model(images(channels, 1)), tf.constant(target, tf.float32))
    assert before == pytest.approx(float(expected), rel=1e-5)
    model.fit(images(channels, 1), target, epochs=3, verbose=0)
    after = model.evaluate(images(channels, 1), target, verbose=0)
    assert after < before
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(images(channels, 1), target, verbose=0) == pytest.approx(after, rel=1e-5)
