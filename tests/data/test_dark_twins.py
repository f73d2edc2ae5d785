"""Dark twins: exact where they are exact, in range, and a function of the seed alone."""

import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from kind.data.dark_twins import MEASURED, PRESETS, TRAINING_SHARES, Twin, any_twin, jpeg, light_field, twin


@pytest.fixture(scope="module")
def photograph():
    return tf.constant(skimage.data.astronaut()[:96, 100:228] / np.float32(255))


def linear(image):
    image = np.asarray(image, np.float64)
    return np.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055) ** 2.4)


def test_shares_name_presets_and_add_up():
    assert set(TRAINING_SHARES) <= set(PRESETS)
    assert sum(TRAINING_SHARES.values()) == pytest.approx(1.0)


def test_identity_changes_nothing(photograph):
    np.testing.assert_allclose(
        twin(photograph, tf.constant([0, 0]), MEASURED["identity"]), photograph, atol=1e-6
    )


@pytest.mark.parametrize("name, stops", [("-1 stop", 1), ("-2 stops", 2)])
def test_stops_are_factors_of_two_in_linear_light(photograph, name, stops):
    dark = twin(photograph, tf.constant([0, 0]), MEASURED[name])
    np.testing.assert_allclose(dark * 255, np.rint(dark * 255), atol=1e-4)
    bright = np.asarray(photograph) > 0.2
    ratio = linear(photograph)[bright] / linear(dark)[bright]
    assert np.median(ratio) == pytest.approx(2**stops, rel=0.03)


def test_noise_has_the_variance_that_is_said():
    flat = tf.fill([128, 128, 3], 0.7)
    kind = Twin(stops=(2, 2), clean=0, shot_noise=(4e-4, 4e-4), coarse=0.0, jpeg=0.0)
    stray = np.std([linear(twin(flat, tf.constant([0, n]), kind)) for n in range(4)])
    light = linear(0.7) / 4
    read = np.exp(2.18 * np.log(4e-4) + 1.2)
    assert stray == pytest.approx(np.sqrt(light * 4e-4 + read), rel=0.15)


def test_backlight_spares_the_bright_side():
    image = np.full((80, 120, 3), 0.15, np.float32)
    image[:, 60:] = 0.95
    field = light_field(tf.constant(image), tf.constant([1, 2]), tf.constant(1.0)).numpy()[..., 0]
    assert field[:, :40].min() > 0.9 and field[:, 80:].max() < 0.1


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_in_range_and_follows_the_seed(photograph, name):
    first, again, other = (twin(photograph, tf.constant([0, n]), PRESETS[name]).numpy() for n in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == photograph.shape and first.min() >= 0 and first.max() <= 1
    assert name == "none" or not np.array_equal(first, other)
    for value in (0.0, 1.0):
        assert np.isfinite(twin(tf.fill([16, 16, 3], value), tf.constant([3, 4]), PRESETS[name])).all()


def test_jpeg_comes_last(photograph):
    kind = Twin(stops=(2, 2), jpeg=1.0, quality=(60, 60))
    plain = twin(photograph, tf.constant([0, 0]), MEASURED["-2 stops"])
    np.testing.assert_allclose(twin(photograph, tf.constant([0, 0]), kind), jpeg(plain, 60), atol=1e-6)


@pytest.mark.slow
def test_any_twin_is_the_same_inside_tf_data(photograph):
    seeds = tf.constant([[5, n] for n in range(6)])
    data = tf.data.Dataset.from_tensor_slices(seeds).map(lambda seed: any_twin(photograph, seed))
    for seed, dark in zip(seeds, data):
        difference = np.abs(dark - any_twin(photograph, seed))
        assert np.mean(difference > 2 / 255) < 0.02  # graphs may round a value to the next level
