"""Structural similarity (Wang et al., IEEE TIP 2004), differentiable."""

from __future__ import annotations

import tensorflow as tf

from kind.ops.gaussian import filter_separably, gaussian_window

WINDOW = 11
_SIGMA = 1.5
_C1 = 0.01**2
_C2 = 0.03**2


def ssim(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """SSIM of images of range [0, 1], per channel and then averaged.

    An 11×11 Gaussian window of σ 1.5, placed only where it fits (VALID), population covariance,
    C1 = 0.01², C2 = 0.03²: KinD's loss, and scikit-image's `structural_similarity` with
    `gaussian_weights=True, sigma=1.5, use_sample_covariance=False`.

    Args:
        first: float32 [N, H, W, C] in [0, 1], with H and W at least 11.
        second: the same shape.

    Returns:
        float32 [N], 1 for identical images.

    Raises:
        ValueError: when a statically known side is shorter than the window.
        tf.errors.InvalidArgumentError: when a side known only in the graph is.
    """
    luminance, structure = ssim_maps(first, second)
    return tf.reduce_mean(luminance * structure, axis=[1, 2, 3])


def ssim_maps(first: tf.Tensor, second: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The two factors of SSIM at each place of the window; arguments and errors as of `ssim`.

    Returns:
        Luminance, and contrast times structure: float32 [N, H - 10, W - 10, C] both.
    """
    for side in (first.shape[1], first.shape[2]):
        if side is not None and side < WINDOW:
            raise ValueError(
                f"SSIM expects images of at least {WINDOW}x{WINDOW}, received {first.shape[1:3]}: "
                "its window does not fit"
            )
    with tf.control_dependencies(
        [
            tf.debugging.assert_greater_equal(
                tf.shape(first)[1:3], WINDOW, message=f"SSIM expects at least {WINDOW}x{WINDOW} pixels"
            )
        ]
    ):
        stacked = tf.concat([first, second, first * first, second * second, first * second], axis=0)
    filtered = filter_separably(stacked, gaussian_window(WINDOW // 2, _SIGMA))
    mean_first, mean_second, square_first, square_second, product = tf.split(filtered, 5)
    variance_first = square_first - mean_first**2
    variance_second = square_second - mean_second**2
    covariance = product - mean_first * mean_second
    luminance = (2 * mean_first * mean_second + _C1) / (mean_first**2 + mean_second**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_first + variance_second + _C2)
    return luminance, structure
