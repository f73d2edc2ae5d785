"""How sure a mean over images is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 10_000
_DRAWN_AT_ONCE = 4_000_000  # bounds the memory for sets of thousands of images


def bootstrap_interval(
    values: Sequence[float], *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over images (Efron, 1979).

    Images are drawn with replacement, as many as there are, `resamples` times; the interval holds the
    middle `level` of the means. It speaks of other images of the same kind, not of another training run,
    and is too narrow for a handful of images.

    Args:
        values: one figure per image, at least two; infinities are allowed.
        level: part of the resampled means inside, in (0, 1).
        resamples: how many means are drawn.
        seed: of the draws; the same seed and values give the same interval.

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
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    step = max(_DRAWN_AT_ONCE // figures.size, 1)
    for start in range(0, resamples, step):
        part = means[start : start + step]
        part[:] = figures[generator.integers(0, figures.size, (part.size, figures.size))].mean(axis=1)
    means.sort()
    tail = (1 - level) / 2
    ends = np.rint(np.array([tail, 1 - tail]) * (resamples - 1)).astype(int)
    return float(means[ends[0]]), float(means[ends[1]])
