"""The natural scene statistics of NIQE."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import correlate1d
from scipy.special import gamma

from kind.metrics.image_arrays import checked_image
from kind.ops.colour import BT601

BLOCK = 96
FEATURES = 36
_WINDOW_RADIUS = 3
_WINDOW_SIGMA = 7 / 6
_ROUNDING = 1e-9
_SHAPES = np.arange(0.2, 10.0005, 0.001)
_SHAPE_RATIOS = gamma(2 / _SHAPES) ** 2 / (gamma(1 / _SHAPES) * gamma(3 / _SHAPES))  # grows with the shape
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (-1, 1))


def block_features(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The natural scene statistics of every block.

    Args:
        image: float [H, W, 3] RGB, or [H, W] gray, in [0, 1]; what is left beyond whole blocks at the
            bottom and on the right is cut off.

    Returns:
        features, float64 [blocks, 36], NaN in the rows of blocks without spread; and sharpness, float64
        [blocks], the mean local deviation at full size, which chooses the blocks of a pristine model.

    Raises:
        ValueError: when the image is smaller than one block, or see `checked_image`.
    """
    luma = _luma(checked_image("NIQE", image))
    rows, columns = luma.shape[0] // BLOCK, luma.shape[1] // BLOCK
    if rows * columns == 0:
        raise ValueError(
            f"NIQE expects at least {BLOCK}x{BLOCK} pixels; received {luma.shape[0]}x{luma.shape[1]}"
        )
    luma = luma[: rows * BLOCK, : columns * BLOCK]
    features = []
    for side in (BLOCK, BLOCK // 2):
        mean, deviation = _local_statistics(luma)
        coefficients = (luma - mean) / (deviation + 1)
        coefficients[np.abs(coefficients) < _ROUNDING] = 0  # else flat areas count as positive or negative
        features.append(_scale_features(_blocks(coefficients, side)))
        if side == BLOCK:
            sharpness = _blocks(deviation, side).mean(axis=(1, 2))
            luma = halved(luma)
    return np.concatenate(features, axis=1), sharpness


def halved(image: np.ndarray) -> np.ndarray:
    """Half the size by antialiased bicubic interpolation, as MATLAB's `imresize(image, 0.5)`.

    Eight taps of the stretched cubic kernel (a = -0.5), the border mirrored.

    Args:
        image: float64 [H, W], both sides even.

    Returns:
        float64 [H/2, W/2].
    """
    distance = np.abs(np.arange(8) - 3.5) / 2
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    taps = np.where(distance <= 1, near, far)
    taps /= taps.sum()
    for _ in range(2):  # rows, then columns
        height = image.shape[0]
        padded = np.pad(image, ((3, 3), (0, 0)), mode="symmetric")
        image = sum(tap * padded[start : start + height - 1 : 2] for start, tap in enumerate(taps)).T
    return image


def _luma(image: np.ndarray) -> np.ndarray:
    """BT.601 luma in whole levels of 0 to 255, as MATLAB's `rgb2gray` of an 8-bit image."""
    if image.ndim == 3:
        image = image @ (np.array(BT601) / sum(BT601))
    return np.rint(np.clip(image, 0, 1) * 255)


def _local_statistics(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation under a 7×7 Gaussian window of σ 7/6, the border repeated: two of [H, W]."""
    window = np.exp(-0.5 * (np.arange(-_WINDOW_RADIUS, _WINDOW_RADIUS + 1) / _WINDOW_SIGMA) ** 2)
    window /= window.sum()

    def smooth(values):
        return correlate1d(correlate1d(values, window, 0, mode="nearest"), window, 1, mode="nearest")

    mean = smooth(image)
    return mean, np.sqrt(np.abs(smooth(image * image) - mean * mean))


def _blocks(image: np.ndarray, side: int) -> np.ndarray:
    """[H, W] → [H/side · W/side, side, side], row by row."""
    rows, columns = image.shape[0] // side, image.shape[1] // side
    return image.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)


def _scale_features(blocks: np.ndarray) -> np.ndarray:
    """18 features a block: the fit of the coefficients, and of their products with four neighbours."""
    shape, left, right = _asymmetric_fit(blocks)
    features = [shape, (left + right) / 2]
    for shift in _NEIGHBOURS:
        shape, left, right = _asymmetric_fit(blocks * np.roll(blocks, shift, axis=(1, 2)))
        mean = (right - left) * gamma(2 / shape) / gamma(1 / shape)
        features += [shape, mean, left, right]
    return np.stack(features, axis=1)


def _asymmetric_fit(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Asymmetric generalised Gaussian by moment matching: shape γ, scales β_l and β_r, each [blocks]."""
    values = blocks.reshape(len(blocks), -1)
    squares = values**2
    with np.errstate(invalid="ignore", divide="ignore"):  # a side without values gives NaN, on purpose
        left = np.sqrt(np.where(values < 0, squares, 0).sum(axis=1) / (values < 0).sum(axis=1))
        right = np.sqrt(np.where(values > 0, squares, 0).sum(axis=1) / (values > 0).sum(axis=1))
        skew = left / right
        ratio = np.abs(values).mean(axis=1) ** 2 / squares.mean(axis=1)
        ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    above = np.clip(np.searchsorted(_SHAPE_RATIOS, ratio), 1, len(_SHAPES) - 1)
    nearer_below = ratio - _SHAPE_RATIOS[above - 1] <= _SHAPE_RATIOS[above] - ratio
    shape = _SHAPES[above - nearer_below]
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * scale, right * scale
