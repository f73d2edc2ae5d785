import math

import numpy as np
import pytest
from scipy.stats import bootstrap, norm

from kind.reports.bootstrap import bootstrap_interval


def test_agrees_with_scipy():
    values = np.random.default_rng(4).gamma(2, 3, 40)
    expected = bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, random_state=1)
    lower, upper = bootstrap_interval(values)
    spread = values.std() / math.sqrt(values.size)
    assert abs(lower - expected.confidence_interval.low) < 0.06 * spread
    assert abs(upper - expected.confidence_interval.high) < 0.06 * spread


def test_agrees_with_the_normal_approximation_on_many_images():
    values = np.random.default_rng(0).normal(20, 2, 400)
    error = norm.ppf(0.975) * values.std() / math.sqrt(values.size)
    np.testing.assert_allclose(
        bootstrap_interval(values), (values.mean() - error, values.mean() + error), atol=0.02
    )


def test_covers_the_true_mean_about_as_often_as_it_says():
    generator = np.random.default_rng(2)
    intervals = [bootstrap_interval(generator.normal(0, 1, 30), resamples=500) for _ in range(300)]
    covered = np.mean([lower <= 0 <= upper for lower, upper in intervals])
    assert 0.88 < covered < 0.99


def test_intervals_that_were_published_come_out_again():
    """The draws are NumPy's, image by image, and the ends the nearest ranks, whatever SciPy's version."""
    values = np.random.default_rng(5).normal(20, 3, 24)
    draws = np.random.default_rng(0).integers(0, 24, (10_000, 24))
    means = np.sort([values[draw].mean() for draw in draws])
    np.testing.assert_allclose(bootstrap_interval(values), (means[250], means[9749]), rtol=1e-12)


def test_the_seed_decides():
    values = [1.0, 2.0, 4.0, 8.0]
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(values, seed=1, resamples=99) != bootstrap_interval(
        values, seed=2, resamples=99
    )


def test_equal_figures_have_no_width():
    assert bootstrap_interval([3.0, 3.0, 3.0]) == (3.0, 3.0)


def test_infinite_psnr_gives_an_infinite_end():
    lower, upper = bootstrap_interval([20.0] * 30 + [math.inf])
    assert lower == 20 and upper == math.inf


@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan]])
def test_too_little_to_resample_is_an_error(values):
    with pytest.raises(ValueError, match="two or more"):
        bootstrap_interval(values)


def test_a_level_outside_is_an_error():
    with pytest.raises(ValueError, match="between 0 and 1"):
        bootstrap_interval([1.0, 2.0], level=95)
