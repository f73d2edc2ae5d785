import numpy as np
import pytest
import tensorflow as tf
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity

from kind.metrics.ssim import ssim, ssim_gray
from kind.ops.ssim import ssim as batch_ssim

_SIZES = [(11, 11), (11, 30), (13, 17), (40, 61)]


def _reference(output, target, **options):
    return structural_similarity(
        target.astype(np.float64),
        output.astype(np.float64),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
        **options,
    )


def _images(size, seed=0):
    return np.random.default_rng(seed).random((2, *size, 3), np.float32)


@pytest.mark.parametrize("size", _SIZES)
def test_ssim_equals_scikit_image_on_random_images(size):
    output, target = _images(size)
    assert abs(ssim(output, target) - _reference(output, target, channel_axis=2)) < 1e-4


@pytest.mark.parametrize("size", _SIZES)
def test_ssim_equals_scikit_image_on_similar_images(size):
    target = _images(size)[0]
    output = np.clip(0.9 * target + 0.02, 0, 1)
    assert abs(ssim(output, target) - _reference(output, target, channel_axis=2)) < 1e-4


@pytest.mark.parametrize("levels", [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.3, 0.8), (0.999, 0.998)])
def test_ssim_equals_scikit_image_on_constant_images(levels):
    output, target = (np.full((16, 19, 3), level, np.float32) for level in levels)
    assert abs(ssim(output, target) - _reference(output, target, channel_axis=2)) < 1e-4


def test_ssim_equals_scikit_image_on_a_smooth_bright_image():
    ramp = np.linspace(0.9, 1, 64, dtype=np.float32)
    target = np.broadcast_to(ramp[:, None, None], (64, 50, 3))
    assert abs(ssim(target**2, target) - _reference(target**2, target, channel_axis=2)) < 1e-4


@pytest.mark.parametrize("size", _SIZES)
def test_ssim_gray_equals_scikit_image_on_the_luma(size):
    output, target = _images(size)
    luma = np.array([0.299, 0.587, 0.114])
    assert abs(ssim_gray(output, target) - _reference(output @ luma, target @ luma)) < 1e-4


def test_gray_and_colour_are_different_numbers():
    output, target = _images((30, 30))
    assert abs(ssim(output, target) - ssim_gray(output, target)) > 1e-3
    # BT.709, which other tools use, is a third one: the weights are part of the definition.
    assert abs(ssim_gray(output, target) - _reference(rgb2gray(output), rgb2gray(target))) > 1e-4


def test_identical_images_score_one():
    image = _images((21, 12))[0]
    assert ssim(image, image) == pytest.approx(1, abs=1e-6)
    assert ssim_gray(image, image) == pytest.approx(1, abs=1e-6)
    assert ssim(image[..., 0], image[..., 0]) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("size", _SIZES)
def test_graph_eager_dataset_and_numpy_agree(size):
    output, target = _images(size, 5)
    expected = ssim(output, target)
    eager = batch_ssim(output[None], target[None])
    signature = [tf.TensorSpec([None, None, None, 3])] * 2
    graph = tf.function(batch_ssim, input_signature=signature)(output[None], target[None])
    dataset = tf.data.Dataset.from_tensors((output[None], target[None])).map(batch_ssim)
    for value in (eager, graph, next(iter(dataset))):
        np.testing.assert_allclose(value, [expected], atol=1e-6)


@pytest.mark.parametrize("size", [(10, 40), (40, 10), (1, 1)])
@pytest.mark.parametrize("metric", [ssim, ssim_gray])
def test_smaller_than_the_window_is_an_error_and_not_a_number(metric, size):
    output, target = _images(size)
    with pytest.raises(ValueError, match="at least 11x11"):
        metric(output, target)


def test_gray_ssim_wants_colour():
    with pytest.raises(ValueError, match="RGB"):
        ssim_gray(np.zeros((20, 20)), np.zeros((20, 20)))
