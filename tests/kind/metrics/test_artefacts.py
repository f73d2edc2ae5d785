import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kind.metrics.artefacts import flat_noise, halo_strength


@pytest.fixture
def step():
    """A dark half beside a bright one, [60, 80, 3]."""
    image = np.full((60, 80, 3), 0.1)
    image[:, 40:] = 0.6
    return image


def test_noise_is_measured_where_the_input_is_dark(step):
    noise = np.random.default_rng(0).normal(size=step.shape[:2])[..., np.newaxis]
    is_dark = step[..., :1] < 0.3
    assert flat_noise(step + 0.02 * noise * is_dark, step) == pytest.approx(0.02 * 255, rel=0.15)
    assert flat_noise(step + 0.02 * noise * ~is_dark, step) < 0.5


def test_a_gain_that_follows_the_edge_makes_no_halo(step):
    brighter = np.where(step < 0.3, 3 * step, 1.2 * step)
    assert halo_strength(1.5 * step, step) == pytest.approx(0, abs=0.03)
    assert halo_strength(brighter, step) < 0.06


def test_a_gain_that_is_smooth_across_the_edge_makes_one(step):
    gain = gaussian_filter(np.where(step[..., 0] < 0.3, 3.0, 1.2), 8.0)[..., np.newaxis]
    assert halo_strength(gain * step, step) > 0.3


def test_an_image_without_edges_has_no_halo():
    assert math.isnan(halo_strength(np.full((20, 20, 3), 0.5), np.full((20, 20, 3), 0.1)))


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (5, 5)])
def test_small_images_give_a_figure_or_nan(size):
    image = np.random.default_rng(0).random((*size, 3))
    for metric in (flat_noise, halo_strength):
        assert not np.isinf(metric(image, image))
