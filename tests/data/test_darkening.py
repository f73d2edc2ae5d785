"""Dark twins against a NumPy transcription of the published steps, and what they must survive."""

import numpy as np
import pytest
import skimage.data
import tensorflow as tf
from scipy import stats

from kind.data.darkening import (
    CAMERA_TO_RGB,
    PRESETS,
    RGB_TO_CAMERA,
    Darkness,
    Parameters,
    darken,
    darken_with_parameters,
    developed,
    draw_parameters,
)

# CIE XYZ → camera of the Olympus E-M10 and linear sRGB → CIE XYZ, typed in a second time.
OLYMPUS = np.array([[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]])
SRGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def transcription(image, p, noise, rounding):
    """Pixel after pixel in float64, in the words of the published steps."""
    ccm = RGB_TO_CAMERA[p["camera"]].astype(float)
    gains = np.array([1 / p["red_gain"], 1.0, 1 / p["blue_gain"]]) * p["gain"]
    dark = np.empty(image.shape)
    for place in np.ndindex(image.shape[:2]):
        tone = 0.5 - np.sin(np.arcsin(1.0 - 2.0 * image[place].astype(float)) / 3.0)
        camera = (ccm @ np.maximum(tone, 1e-8) ** p["gamma"]) * gains * p["light"]
        deviation = np.sqrt(np.maximum(camera * p["shot_noise"] + p["read_noise"], 1e-8))
        camera = camera + noise[place] * deviation + rounding[place] / p["levels"]
        back = np.linalg.inv(ccm) @ (camera * np.array([p["red_gain"], 1.0, p["blue_gain"]]))
        dark[place] = np.clip(np.maximum(back, 1e-8) ** (1 / p["gamma"]), 0, 1)
    return dark


@pytest.mark.parametrize("camera", range(4))
def test_equals_the_transcription(camera):
    generator = np.random.default_rng(camera)
    image = skimage.data.astronaut()[200:212, 180:191].astype(np.float32) / 255
    image[0, :3] = [[0, 0, 0], [1, 1, 1], [1, 0, 0]]
    values = {
        "gamma": 2.7, "camera": camera, "gain": 0.8, "red_gain": 2.1, "blue_gain": 1.7,
        "light": 0.06, "shot_noise": 3e-4, "read_noise": 1e-6, "levels": 4095.0,
    }  # fmt: skip
    noise = generator.normal(size=image.shape).astype(np.float32)
    rounding = generator.uniform(-0.5, 0.5, image.shape).astype(np.float32)
    types = {"camera": tf.int32}
    drawn = Parameters(
        **{key: tf.constant(value, types.get(key, tf.float32)) for key, value in values.items()}
    )
    dark = developed(tf.constant(image), drawn, noise, rounding)
    # Near black the curve of 1/γ is steep: a float32 rounding of the sensor's value shows as 1e-4.
    np.testing.assert_allclose(dark, transcription(image, values, noise, rounding), atol=3e-4)


def test_the_camera_matrices_keep_gray_and_are_those_of_the_paper():
    np.testing.assert_allclose(RGB_TO_CAMERA.sum(axis=-1), 1, atol=1e-6)
    np.testing.assert_allclose(
        RGB_TO_CAMERA @ CAMERA_TO_RGB, np.broadcast_to(np.eye(3), (4, 3, 3)), atol=1e-5
    )
    product = OLYMPUS @ SRGB
    np.testing.assert_allclose(RGB_TO_CAMERA[0], product / product.sum(axis=1, keepdims=True), atol=1e-6)


@pytest.fixture(scope="module")
def draws():
    """2,000 draws of the default preset."""
    seeds = tf.stack([tf.zeros(2000, tf.int32), tf.range(2000)], axis=1)
    drawn = tf.vectorized_map(lambda seed: draw_parameters(seed, PRESETS["moderate"]), seeds)
    return {key: values.numpy() for key, values in drawn._asdict().items()}


def test_parameters_have_the_published_distributions(draws):
    def follows(values, distribution):
        return stats.kstest(values, distribution.cdf).pvalue > 1e-3

    assert follows(draws["gamma"], stats.uniform(2, 1.5))
    assert follows(draws["gain"], stats.norm(0.8, 0.1))
    assert follows(draws["red_gain"], stats.uniform(1.9, 0.5))
    assert follows(draws["blue_gain"], stats.uniform(1.5, 0.4))
    assert follows(draws["light"], stats.truncnorm((0.01 - 0.1) / 0.08, 0.0, 0.1, 0.08))
    assert follows(np.log(draws["shot_noise"]), stats.uniform(np.log(1e-4), np.log(10)))
    read = np.log(draws["read_noise"]) - 2.18 * np.log(draws["shot_noise"]) - 1.2
    assert follows(read, stats.norm(0, 0.26))
    for key, values in (("camera", range(4)), ("levels", (4095, 16383, 65535))):
        counts = [np.sum(draws[key] == value) for value in values]
        assert sum(counts) == 2000 and min(counts) > 0.8 * 2000 / len(counts)


def test_parameters_do_not_follow_one_another(draws):
    table = np.corrcoef(
        [draws[key] for key in ("gamma", "gain", "red_gain", "blue_gain", "light", "shot_noise")]
    )
    assert np.abs(table - np.eye(6)).max() < 0.1


def test_presets():
    assert Darkness() == PRESETS["moderate"]
    assert PRESETS["moderate"].shot_noise == (1e-4, 1e-3) and PRESETS["published"].shot_noise == (1e-4, 0.012)
    image = tf.constant(skimage.data.astronaut()[:256, :256] / np.float32(255))
    seeds = [tf.constant([7, number]) for number in range(6)]
    means = {
        name: np.mean([darken(image, seed, preset).numpy().mean() for seed in seeds])
        for name, preset in PRESETS.items()
    }
    assert means["dusk"] > 1.3 * means["moderate"] and means["moderate"] < 0.4 * image.numpy().mean()

    def grain(preset):
        flat = tf.fill([64, 64, 3], 0.5)
        return np.mean([darken(flat, seed, preset).numpy().std() for seed in seeds])

    assert grain(PRESETS["clear"]) < 0.5 * grain(PRESETS["moderate"])
    assert grain(PRESETS["dusk"]) < grain(PRESETS["moderate"]) < grain(PRESETS["published"])


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5, 1e-30])
@pytest.mark.parametrize("size", [(1, 1), (17, 5)])
def test_finite_and_in_range_on_flat_images(value, size):
    for name, preset in PRESETS.items():
        dark = darken(tf.fill([*size, 3], value), tf.constant([3, 4]), preset).numpy()
        assert np.isfinite(dark).all() and dark.min() >= 0 and dark.max() <= 1, name


def test_the_seed_decides_eagerly_and_inside_tf_data():
    image = tf.constant(skimage.data.coffee()[100:140, 200:250] / np.float32(255))
    seeds = tf.constant([[0, 0], [0, 1], [1, 0]])
    eager = [darken(image, seed).numpy() for seed in seeds]
    assert np.array_equal(eager[0], darken(image, seeds[0]).numpy())
    for one in range(3):
        assert not np.array_equal(eager[one], eager[one - 1])
    data = tf.data.Dataset.from_tensor_slices(seeds).map(
        lambda seed: darken(image, seed), num_parallel_calls=2
    )
    assert data.element_spec.shape == (40, 50, 3)
    for inside, outside in zip(data, eager):
        np.testing.assert_allclose(inside, outside, atol=1e-4)  # graphs may order float operations otherwise
    assert np.array_equal(*(np.stack(list(data.as_numpy_iterator())) for _ in range(2)))


def test_what_was_drawn_is_what_was_used():
    image = tf.constant(skimage.data.coffee()[100:110, 200:210] / np.float32(255))
    dark, drawn = darken_with_parameters(image, tf.constant([5, 6]), PRESETS["moderate"])
    still = drawn._replace(light=tf.constant(1.0), shot_noise=tf.constant(0.0), read_noise=tf.constant(0.0))
    zeros = tf.zeros_like(image)
    # Without loss of light and noise only the tone curve and the gain are left: brighter than the twin.
    assert developed(image, still, zeros, zeros).numpy().mean() > 2 * dark.numpy().mean()
    assert np.array_equal(dark, darken(image, tf.constant([5, 6])))
