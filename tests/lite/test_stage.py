import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import peak_signal_noise_ratio

from kind.lite.config import LiteConfig
from kind.lite.model import lite_net
from kind.lite.stage import SPEC, LiteStage, darker
from kind.ops.exposure import exposed


class Known(tf.keras.Model):
    """Stands in for the network: reflectance and illumination that the test knows, an exposure of 1."""

    def __init__(self, reflectance, illumination):
        super().__init__(name="known")
        self.parts = tf.constant(reflectance), tf.constant(illumination)

    def call(self, images, training=False):
        return *self.parts, tf.zeros([tf.shape(images)[0], 1])


@pytest.fixture(scope="module")
def scene():
    """Reflectance, illumination and the dark image that they make."""
    generator = np.random.default_rng(0)
    reflectance = generator.uniform(0.1, 0.9, (2, 32, 48, 3)).astype(np.float32)
    illumination = generator.uniform(0.02, 0.1, (2, 32, 48, 1)).astype(np.float32)
    return reflectance, illumination, reflectance * illumination


def lit(illumination, alpha):
    return alpha * illumination / (1 + (alpha - 1) * illumination)


def test_a_scene_in_more_light_costs_nothing_but_the_exposure(scene):
    reflectance, illumination, low = scene
    high = reflectance * lit(illumination, 7.0)
    stage = LiteStage(Known(reflectance, illumination), LiteConfig())
    terms = {
        name: float(value) for name, value in stage.losses({"low": low, "high": high}, training=True).items()
    }
    for name in ("absolute_error", "ssim_loss", "reconstruction"):
        assert terms[name] == pytest.approx(0, abs=2e-5), name
    assert terms["exposure"] == pytest.approx(np.log(7.0), rel=1e-4)
    assert list(terms) == list(stage.loss_names)
    assert terms["log_error"] == pytest.approx(np.log(1e-4), abs=1e-3)  # 40 dB, and no more is asked for
    weighted = 0.2 * terms["exposure"] + 0.03 * terms["log_error"]
    assert terms["loss"] == pytest.approx(weighted, abs=2e-3)


def test_the_darker_image_is_a_gain_and_a_gamma_of_the_same_image():
    low = np.random.default_rng(0).uniform(0.05, 1, (6, 8, 3)).astype(np.float32)
    seen = set()
    for seed in range(20):
        sample = darker({"low": tf.constant(low), "high": tf.ones([6, 8, 3])}, tf.constant([seed, 3]))
        slope, offset = np.polyfit(np.log(low).ravel(), np.log(sample["low"]).ravel(), 1)
        assert 0.85 <= slope <= 1.2 and 0.6 <= np.exp(offset) <= 1
        np.testing.assert_allclose(sample["low"], np.exp(offset) * low**slope, rtol=1e-3)
        np.testing.assert_array_equal(sample["high"], 1)
        seen.add(round(float(slope), 3))
    assert len(seen) > 15


def test_scores_are_psnr_with_and_without_the_bright_images_mean(scene):
    reflectance, illumination, low = scene
    high = np.clip(3 * low + np.random.default_rng(1).normal(0, 0.02, low.shape), 0, 1).astype(np.float32)
    stage = LiteStage(Known(reflectance[:1], illumination[:1]), LiteConfig())
    scores = stage.image_metrics({"low": low[:1], "high": high[:1]})
    dark, bright = low[0].astype(np.float64), high[0].astype(np.float64)
    assert float(scores["psnr_raw"]) == pytest.approx(
        peak_signal_noise_ratio(bright, dark, data_range=1), rel=1e-4
    )
    matched = np.clip(dark * bright.mean() / dark.mean(), 0, 1)
    assert float(scores["psnr"]) == pytest.approx(
        peak_signal_noise_ratio(bright, matched, data_range=1), rel=1e-4
    )


def test_the_network_takes_any_size_and_learns_from_every_term():
    tf.keras.utils.set_random_seed(0)
    net = SPEC.make_net(LiteConfig())
    assert net.count_params() <= 400_000
    for height, width in ((1, 1), (37, 51), (64, 16)):
        low = np.random.default_rng(0).random((2, height, width, 3), np.float32)
        reflectance, illumination, log_alpha = net(low)
        assert reflectance.shape == (2, height, width, 3) and illumination.shape == (2, height, width, 1)
        assert log_alpha.shape == (2, 1)
        relit = (reflectance * exposed(illumination, log_alpha)).numpy()
        assert np.isfinite(relit).all() and (relit >= 0).all() and (relit <= 1).all()
    stage = LiteStage(net, LiteConfig())
    sample = {"low": low[:1], "high": np.sqrt(low[:1])}  # one: signs of several errors may cancel
    with tf.GradientTape() as tape:
        loss = stage.losses(sample, training=True)["loss"]
    for variable, gradient in zip(net.trainable_variables, tape.gradient(loss, net.trainable_variables)):
        assert gradient is not None and np.abs(gradient.numpy()).max() > 0, variable.name


def test_a_black_image_is_finite():
    net, black = lite_net(), np.zeros((1, 24, 24, 3), np.float32)
    stage = LiteStage(net, LiteConfig())
    with tf.GradientTape() as tape:
        terms = stage.losses({"low": black, "high": black}, training=True)
    assert all(np.isfinite(float(value)) for value in terms.values())
    gradients = tape.gradient(terms["loss"], net.trainable_variables)
    assert all(np.isfinite(gradient.numpy()).all() for gradient in gradients)


def test_pictures():
    sample = {key: np.random.default_rng(0).random((1, 20, 28, 3), np.float32) for key in ("low", "high")}
    shapes = [picture.shape for picture in LiteStage(lite_net(), LiteConfig()).visualisations(sample)]
    assert shapes == [(1, 20, 28, channels) for channels in (3, 3, 1, 1, 3, 3)]
