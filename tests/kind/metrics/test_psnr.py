import math

import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import peak_signal_noise_ratio

from kind.metrics.mae import mae
from kind.metrics.psnr import batch_psnr, psnr

_SIZES = [(11, 11), (13, 17), (1, 1), (40, 61)]


def _images(size, seed=0):
    generator = np.random.default_rng(seed)
    return generator.random((2, *size, 3), np.float32)


@pytest.mark.parametrize("size", _SIZES)
def test_psnr_equals_scikit_image_on_random_images(size):
    output, target = _images(size)
    assert abs(psnr(output, target) - peak_signal_noise_ratio(target, output, data_range=1)) < 1e-6


@pytest.mark.parametrize("levels", [(0.0, 1.0), (0.25, 0.75), (0.5, 0.50001)])
def test_psnr_equals_scikit_image_on_constant_images(levels):
    output, target = (np.full((12, 15, 3), level, np.float64) for level in levels)
    assert abs(psnr(output, target) - peak_signal_noise_ratio(target, output, data_range=1)) < 1e-6


def test_psnr_of_a_worked_case():
    assert psnr(np.zeros((4, 4, 3)), np.full((4, 4, 3), 0.1)) == pytest.approx(20.0, abs=1e-12)
    assert mae(np.zeros((4, 4, 3)), np.full((4, 4, 3), 0.1)) == pytest.approx(0.1, abs=1e-12)


def test_identical_images_have_infinite_psnr_and_no_error():
    image = _images((9, 7))[0]
    assert psnr(image, image) == math.inf
    assert batch_psnr(image[None], image[None])[0] == math.inf
    assert mae(image, image) == 0


@pytest.mark.parametrize("size", _SIZES)
def test_graph_eager_dataset_and_numpy_agree(size):
    output, target = _images(size, 3)
    expected = psnr(output, target)
    eager = batch_psnr(output[None], target[None])
    graph = tf.function(batch_psnr)(tf.constant(output[None]), tf.constant(target[None]))
    dataset = tf.data.Dataset.from_tensors((output[None], target[None])).map(batch_psnr)
    for value in (eager, graph, next(iter(dataset))):
        np.testing.assert_allclose(value, [expected], rtol=1e-6)


def test_batch_psnr_is_per_image():
    outputs, targets = np.stack([_images((8, 9), 1), _images((8, 9), 2)], axis=1)
    expected = [psnr(*pair) for pair in zip(outputs, targets)]
    np.testing.assert_allclose(batch_psnr(outputs, targets), expected, rtol=1e-6)


def test_mae_equals_numpy():
    output, target = _images((14, 5))
    assert mae(output, target) == pytest.approx(np.abs(output.astype(float) - target).mean(), abs=1e-12)


@pytest.mark.parametrize("metric", [psnr, mae])
@pytest.mark.parametrize(
    ("output", "target", "words"),
    [
        (np.zeros((4, 4, 3)), np.zeros((4, 5, 3)), "one size"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 3)), "uint8"),
        (np.full((4, 4, 3), np.nan), np.zeros((4, 4, 3)), "finite"),
        (np.zeros((0, 4, 3)), np.zeros((0, 4, 3)), "shape"),
        (np.zeros((1, 4, 4, 3)), np.zeros((1, 4, 4, 3)), "shape"),
    ],
)
def test_wrong_arrays_are_errors_that_say_so(metric, output, target, words):
    with pytest.raises(ValueError, match=words):
        metric(output, target)
