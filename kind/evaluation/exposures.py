"""Figures of photographs whose right exposure is known: what an enhancer does to good and to dark ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from skimage.color import deltaE_ciede2000, rgb2lab

from kind.metrics.fidelity import blown_share, border_error, chroma_ratio, hue_shift
from kind.metrics.psnr import psnr
from kind.metrics.ssim import ssim
from kind.ops.light import linear_to_srgb, srgb_to_linear

AUTO_MEAN = 0.42
"""Mean of sRGB values that `auto_exposure` aims at."""

_SEARCH_STEPS = 24
_MOST_STOPS = 10.0
_BEST_PSNR = 60.0  # dB, of identical images
_UNSEEN_PSNR = 40.0  # dB, from which on an error is hardly seen

Enhance = Callable[[np.ndarray], np.ndarray]

Case = tuple[str, np.ndarray, np.ndarray]
"""(group, image, truth); images are float32 [H, W, 3], sRGB in [0, 1]."""


class ExposureFigures(NamedTuple):
    """Figures of one output against the truth.

    Attributes:
        psnr: in dB, RGB in [0, 1]; infinite for identical images.
        psnr_mean: the same after the output was scaled to the truth's RGB mean (GT-mean).
        ssim: see `kind.metrics.ssim`.
        delta_e: mean CIEDE2000 difference.
        blown: share of pixels with a channel of at least 254 of 255 where the truth has none above 250.
        chroma: mean CIELAB chroma of the output as a part of the truth's.
        hue: mean difference in CIELAB hue of pixels that are colourful in both, in degrees.
        border: mean absolute error in the outer 8 pixels as a part of the rest's.
    """

    psnr: float
    psnr_mean: float
    ssim: float
    delta_e: float
    blown: float
    chroma: float
    hue: float
    border: float


GroupFigures = NamedTuple(
    "GroupFigures",
    [*((name, float) for name in ExposureFigures._fields), ("psnr_lowest", float), ("worse", int)],
)
"""Figures of one method over the images of a group: means of `ExposureFigures` (of chroma the median;
infinite PSNR counts as 60 dB), the PSNR of the worst image, and how many images have a lower PSNR than the
input itself, and below 40 dB."""


def exposure_figures(output: np.ndarray, truth: np.ndarray) -> ExposureFigures:
    """Compares an output with the photograph as it should be.

    Args:
        output: float32 [H, W, 3], sRGB in [0, 1].
        truth: the same shape.

    Returns:
        The figures; NaN where one is not defined (hue of grey images, borders of small ones).
    """
    scaled = np.clip(output * (truth.mean() / max(float(output.mean()), 1e-6)), 0, 1)
    return ExposureFigures(
        psnr=psnr(output, truth),
        psnr_mean=psnr(scaled.astype(np.float32), truth),
        ssim=ssim(output, truth),
        delta_e=float(deltaE_ciede2000(rgb2lab(output), rgb2lab(truth)).mean()),
        blown=blown_share(output, truth),
        chroma=chroma_ratio(output, truth),
        hue=hue_shift(output, truth),
        border=border_error(output, truth),
    )


def auto_exposure(image: np.ndarray, mean: float = AUTO_MEAN) -> np.ndarray:
    """One gain in linear light under which the image has a mean: what an enhancer has to beat.

    Args:
        image: float32 [H, W, 3], sRGB in [0, 1].
        mean: wanted mean of sRGB values after clipping.

    Returns:
        float32, the same shape; a black image stays black.
    """
    light = srgb_to_linear(tf.constant(image))
    low, high = -_MOST_STOPS, _MOST_STOPS
    for _ in range(_SEARCH_STEPS):
        middle = (low + high) / 2
        if np.mean(_shown(light, middle)) < mean:
            low = middle
        else:
            high = middle
    return _shown(light, low).numpy()


def _shown(light: tf.Tensor, stops: float) -> tf.Tensor:
    return linear_to_srgb(tf.minimum(light * 2**stops, 1.0))


def score(
    cases: Iterable[Case],
    methods: dict[str, Enhance],
    progress: Callable[[int], None] | None = None,
) -> dict[str, dict[str, GroupFigures]]:
    """Scores methods on images with truth.

    Args:
        cases: in any order.
        methods: by name, from an image to an image of its shape; outputs are rounded to 8 bits first.
        progress: called with the number of cases that are done.

    Returns:
        For each group, for each method, the figures over its images.
    """
    found: dict[str, dict[str, list[ExposureFigures]]] = {}
    alone: dict[str, list[float]] = {}
    for done, (group, image, truth) in enumerate(cases, start=1):
        alone.setdefault(group, []).append(psnr(_in_levels(image), truth))
        for name, enhance in methods.items():
            figures = exposure_figures(_in_levels(enhance(image)), truth)
            found.setdefault(group, {}).setdefault(name, []).append(figures)
        if progress:
            progress(done)
    return {
        group: {name: _over(rows, alone[group]) for name, rows in by_method.items()}
        for group, by_method in found.items()
    }


def _in_levels(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.float32) / 255


def _over(rows: list[ExposureFigures], alone: list[float]) -> GroupFigures:
    """Figures of a group, with the PSNR that its images have themselves."""
    found = {}
    for name, column in zip(ExposureFigures._fields, np.array(rows, np.float64).T):
        if name.startswith("psnr"):
            column = np.minimum(column, _BEST_PSNR)
        defined = column[~np.isnan(column)]
        # The ratio of a nearly grey photograph may be anything: one must not decide the mean.
        middle = np.median if name == "chroma" else np.mean
        found[name] = float(middle(defined)) if defined.size else math.nan
    worse = sum(row.psnr < min(own, _UNSEEN_PSNR) for row, own in zip(rows, alone))
    lowest = min(*(row.psnr for row in rows), _BEST_PSNR)
    return GroupFigures(**found, psnr_lowest=lowest, worse=worse)
