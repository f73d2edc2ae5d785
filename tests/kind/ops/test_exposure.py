import numpy as np
import pytest

from kind.ops.exposure import exposed, exposure_for


@pytest.fixture(scope="module")
def scene():
    generator = np.random.default_rng(0)
    return generator.random((3, 20, 30, 3), np.float32), generator.random((3, 20, 30, 1), np.float32) * 0.2


def test_exposure_shifts_the_log_odds(scene):
    light = scene[1] + 0.01
    adjusted = exposed(light, np.log([[1.0], [5.0], [0.5]]).astype(np.float32)).numpy().astype(np.float64)
    odds = adjusted / (1 - adjusted) / (light / (1 - light))
    np.testing.assert_allclose(odds[:, 0, 0, 0], [1, 5, 0.5], rtol=1e-4)
    np.testing.assert_allclose(odds, np.broadcast_to(odds[:, :1, :1], odds.shape), rtol=1e-4)


def test_light_and_darkness_stay_what_they_are():
    ends = np.array([0.0, 1.0], np.float32).reshape(1, 1, 2, 1)
    np.testing.assert_allclose(exposed(ends, np.full((1, 1), 4.0, np.float32)), ends)
    assert not exposed(ends, np.full((1, 1), -np.inf, np.float32)).numpy().any()


def test_the_exposure_for_a_mean_gives_that_mean(scene):
    wanted = np.array([0.02, 0.2, 0.4], np.float32)
    log_alpha = exposure_for(*scene, wanted)
    made = (scene[0] * exposed(scene[1], log_alpha)).numpy().mean(axis=(1, 2, 3))
    np.testing.assert_allclose(made, wanted, rtol=1e-4)


def test_a_mean_out_of_reach_gives_the_most_light(scene):
    np.testing.assert_allclose(exposure_for(*scene, np.ones(3, np.float32)), 6.0)
    dark = exposure_for(scene[0], 0 * scene[1], np.full(3, 0.5, np.float32))
    assert np.isfinite(dark).all()
