"""Losses of the difference at each pixel, d = output - target. The square alone is in `kind.losses.mse`."""

from __future__ import annotations

import math

import tensorflow as tf

from kind.losses.mse import mse
from kind.losses.reduction import averaged

SMALLEST_ERROR = 1e-4
"""Added to squared errors whose logarithm is taken: 40 dB."""


def l1(output: tf.Tensor, target: tf.Tensor, *, per_image: bool = False) -> tf.Tensor:
    """Mean |d|: less drawn to a few large errors than the square, so edges stay sharper.

    Source: Zhao et al., "Loss Functions for Image Restoration with Neural Networks", IEEE TCI 2017.

    Args:
        output: float32 [N, H, W, C].
        target: the same shape.
        per_image: average over each image instead of the batch.

    Returns:
        float32 scalar, or [N]; from 0, which identical images give.
    """
    return averaged(tf.abs(output - target), per_image)


def smooth_l1(
    output: tf.Tensor, target: tf.Tensor, *, beta: float = 0.1, per_image: bool = False
) -> tf.Tensor:
    """Mean of d² / 2β where |d| < β, and |d| - β/2 elsewhere: L1 without its kink at 0.

    Source: Girshick, "Fast R-CNN", ICCV 2015, equation 3 (there β is 1).

    Args:
        output: float32 [N, H, W, C].
        target: the same shape.
        beta: where the parabola ends, above 0.
        per_image: average over each image instead of the batch.

    Returns:
        float32 scalar, or [N]; from 0, which identical images give.
    """
    size = tf.abs(output - target)
    return averaged(tf.where(size < beta, tf.square(size) / (2.0 * beta), size - 0.5 * beta), per_image)


def huber(output: tf.Tensor, target: tf.Tensor, *, delta: float = 0.1, per_image: bool = False) -> tf.Tensor:
    """Mean of d² / 2 where |d| ≤ δ, and δ·(|d| - δ/2) elsewhere: δ times smooth L1.

    Source: Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 1964.

    Args:
        output: float32 [N, H, W, C].
        target: the same shape.
        delta: where the parabola ends, above 0.
        per_image: average over each image instead of the batch.

    Returns:
        float32 scalar, or [N]; from 0, which identical images give.
    """
    return delta * smooth_l1(output, target, beta=delta, per_image=per_image)


def charbonnier(
    output: tf.Tensor, target: tf.Tensor, *, epsilon: float = 1e-3, per_image: bool = False
) -> tf.Tensor:
    """Mean √(d² + ε²): L1 that is smooth everywhere.

    Source: Charbonnier et al., "Two Deterministic Half-Quadratic Regularization Algorithms for Computed
    Imaging", ICIP 1994; for restoration, Lai et al., LapSRN, CVPR 2017.

    Args:
        output: float32 [N, H, W, C].
        target: the same shape.
        epsilon: ε, above 0.
        per_image: average over each image instead of the batch.

    Returns:
        float32 scalar, or [N]; from ε, which identical images give.
    """
    return averaged(tf.sqrt(tf.square(output - target) + epsilon**2), per_image)


def log_squared_error(
    output: tf.Tensor, target: tf.Tensor, *, epsilon: float = SMALLEST_ERROR, per_image: bool = False
) -> tf.Tensor:
    """ln(MSE of each image + ε): `log_mse` without its unit, a term of stages of our own.

    Args:
        output: float32 [N, H, W, C] in [0, 1].
        target: the same shape.
        epsilon: ε, above 0.
        per_image: keep the loss of each image instead of averaging over the batch.

    Returns:
        float32 scalar, or [N]; from ln ε = -9.2, which identical images give.
    """
    return averaged(tf.math.log(mse(output, target, per_image=True) + epsilon), per_image)


def log_mse(
    output: tf.Tensor, target: tf.Tensor, *, epsilon: float = SMALLEST_ERROR, per_image: bool = False
) -> tf.Tensor:
    """10·log₁₀(MSE of each image + ε): the negative PSNR, so that good images still teach.

    Source: the definition of PSNR; as a loss, Chen et al., "Simple Baselines for Image Restoration", ECCV
    2022. Paper: ε is 1e-8. Here: 1e-4, so that an image above 40 dB gains little more.

    Args:
        output: float32 [N, H, W, C] in [0, 1].
        target: the same shape.
        epsilon: ε, above 0.
        per_image: keep the loss of each image instead of averaging over the batch.

    Returns:
        float32 scalar, or [N]; decibels from 10·log₁₀ ε = -40, which identical images give.
    """
    logarithms = log_squared_error(output, target, epsilon=epsilon, per_image=True)
    return averaged(logarithms * (10.0 / math.log(10.0)), per_image)
