"""The three ways in which the field compares an enhanced image with its target; never to be mixed."""

from __future__ import annotations

import numpy as np

from kind.constants import BT601
from kind.metrics.image_arrays import checked_pair

RAW = "raw"
GT_MEAN = "GT-mean"
GT_RATIO = "GT-ratio"

DEFINITIONS = {
    RAW: "the output as it is, in 8 bits; the target plays no part",
    GT_MEAN: (
        "gray mean, as in LLFlow: clip(output × mean(gray(target)) / mean(gray(output)), 0, 1), gray = "
        "BT.601 luma; knows the target's brightness"
    ),
    GT_RATIO: (
        "KinD's: α = mean(L_high / (L_low + 1e-4)) over both decompositions, then plain R̂·L̂; of kind with "
        "an exposure head, the light under which the dark image is as bright as the target; of guided "
        "networks, the target's mean luma; knows the target's illumination or brightness"
    ),
}

_SMALLEST_ILLUMINATION = 1e-4


def match_mean(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The output with the target's mean brightness: what the GT-mean protocol scores.

    clip(Y · mean(gray(T)) / mean(gray(Y)), 0, 1) with BT.601 luma, the definition of LLFlow's evaluation
    (Wang et al., AAAI 2022). Others in use match the RGB mean, each channel's mean, or weigh the two
    images' agreement; their figures differ.

    Args:
        output: float [H, W, 3], RGB in [0, 1].
        target: the same shape.

    Returns:
        float64, the same shape, in [0, 1]; a black output stays black.

    Raises:
        ValueError: when the shapes differ or are not RGB, or see `checked_image`.
    """
    output, target = checked_pair("GT-mean", output, target)
    if output.shape[2:] != (3,):
        raise ValueError(f"GT-mean expects RGB images [H, W, 3]; received {list(output.shape)}")
    brightness = np.mean(output @ np.array(BT601))
    if brightness <= 0:
        return output
    scale = np.mean(target @ np.array(BT601)) / brightness
    return np.clip(output * scale, 0, 1)


def target_ratio(illumination_low: np.ndarray, illumination_high: np.ndarray) -> float:
    """α of the GT-ratio protocol, mean(L_high / (L_low + 1e-4)): KinD's `evaluate_LOL`.

    Args:
        illumination_low: L of the dark image, float [H, W, 1] in [0, 1].
        illumination_high: L of the target, the same shape.

    Returns:
        How much brighter the target is lit, on average over pixels.

    Raises:
        ValueError: when the shapes differ, or see `checked_image`.
    """
    low, high = checked_pair("GT-ratio", illumination_low, illumination_high)
    return float(np.mean(high / (low + _SMALLEST_ILLUMINATION)))
