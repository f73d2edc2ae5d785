"""Bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 10_000

FEWEST_IMAGES = 10
"""With fewer there is no interval: they say too little of others, and a bootstrap would look surer."""

_DRAWN_AT_ONCE = 4_000_000  # bounds the memory for sets of thousands of images


def bootstrap_interval(
    values: Sequence[float], *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over images (Efron, 1979), drawn by `scipy.stats.bootstrap`.

    Images are drawn with replacement, as many as there are, `resamples` times; the interval contains the
    middle `level` of the means, see `percentile_interval`. It describes other images of the same kind, not
    another training run, and is too narrow for a handful of images.

    Args:
        values: one figure per image, at least two; infinities are allowed. Equal values give an interval of
            width 0.
        level: part of the resampled means inside, in (0, 1).
        resamples: how many means are drawn.
        seed: random seed; the same seed and values give the same interval.

    Returns:
        Lower and upper end.

    Raises:
        ValueError: on fewer than two values, NaN, or a level outside (0, 1).
    """
    figures = np.asarray(values, np.float64)
    if figures.ndim != 1 or figures.size < 2 or np.isnan(figures).any():
        raise ValueError(f"a bootstrap interval expects two or more figures without NaN; received {values!r}")
    if not 0 < level < 1:
        raise ValueError(f"level expects a number between 0 and 1; received {level}")

    from scipy.stats import bootstrap  # takes half a second to import

    with np.errstate(invalid="ignore"):  # SciPy interpolates between means, which infinite ones do not bear
        drawn = bootstrap(
            (figures,),
            np.mean,
            n_resamples=resamples,
            batch=max(_DRAWN_AT_ONCE // figures.size, 1),
            vectorized=True,
            method="percentile",
            random_state=np.random.default_rng(seed),
        )
    return percentile_interval(drawn.bootstrap_distribution, level)


def interval_note(images: int, meaning: str) -> str:
    """What stands below a table: what its intervals are, or why there are none over so few images."""
    if images >= FEWEST_IMAGES:
        return f"95 %: {meaning}"
    return f"no 95 % intervals: {images} images, and fewer than {FEWEST_IMAGES} say too little of others"


def percentile_interval(samples: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The interval that contains the middle `level` of bootstrap samples, NaN left out.

    The ends are samples themselves, the nearest in rank to (1 - level) / 2 and (1 + level) / 2, so that
    infinite samples give infinite ends, where interpolation would give NaN.

    Args:
        samples: float [R], with at least one number.
        level: in (0, 1).

    Returns:
        Lower and upper end.

    Raises:
        ValueError: on a level outside (0, 1), or nothing but NaN.
    """
    samples = np.sort(samples[~np.isnan(samples)])
    if not 0 < level < 1 or not len(samples):
        raise ValueError(
            f"an interval expects samples and a level in (0, 1); received {len(samples)}, {level}"
        )
    tail = (1 - level) / 2
    ends = np.rint(np.array([tail, 1 - tail]) * (len(samples) - 1)).astype(int)
    return float(samples[ends[0]]), float(samples[ends[1]])
