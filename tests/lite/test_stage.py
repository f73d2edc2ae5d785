"""Losses and metrics of the light variant's training."""

import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import peak_signal_noise_ratio

from kind.errors import UserError
from kind.lite.config import LiteConfig
from kind.lite.stage import make_stage, pattern_error, true_exposure, whole_sample
from kind.nn.exposure_layers import faded
from kind.ops.light import expose


@pytest.fixture(scope="module")
def stage():
    tf.keras.utils.set_random_seed(0)
    return make_stage(LiteConfig(), ["pairs", "bright -1 stop"])


@pytest.fixture(scope="module")
def sample():
    low = tf.random.stateless_uniform([2, 64, 72, 3], [0, 1]) * 0.5
    return {"low": low, "high": expose(low, 1.5), **whole_sample(low)}


@pytest.mark.parametrize("missing", [-1.0, 0.0, 0.7, 1.8])
def test_the_true_exposure_is_found(missing):
    low = 0.1 + 0.3 * tf.random.stateless_uniform([1, 64, 96, 3], [2, 3])
    given = tf.ones([1, 64, 96, 1])
    rows = tf.linspace(-0.2, 0.2, 64)[tf.newaxis, :, tf.newaxis, tf.newaxis]
    wanted, tint = given + missing + rows, tf.constant([[0.2, 0.0, -0.3]])
    high = expose(low, wanted + faded(wanted) * tint)
    stops, colour = true_exposure(low, given, tf.zeros([1, 3]), high)
    found = expose(low, stops + faded(stops) * colour[:, tf.newaxis, tf.newaxis])
    assert float(tf.reduce_mean(tf.abs(found - high))) < 0.01
    assert float(tf.reduce_max(tf.abs(stops - given))) <= 2.0 and float(tf.reduce_min(stops)) >= 0.0


def test_the_true_exposure_knows_no_detail():
    bright = 0.3 + 0.3 * tf.random.stateless_uniform([1, 64, 64, 3], [2, 3])
    noisy = bright + 0.05 * tf.random.stateless_normal([1, 64, 64, 3], [4, 5])
    stops, _ = true_exposure(noisy, tf.ones([1, 64, 64, 1]), tf.zeros([1, 3]), bright)
    assert float(tf.math.reduce_std(stops)) < 0.1


def test_every_weight_learns(stage, sample):
    with tf.GradientTape() as tape:
        terms = stage.losses(sample, training=True)
    assert tuple(terms) == stage.loss_names
    for variable, gradient in zip(
        stage.net.trainable_variables, tape.gradient(terms["loss"], stage.net.trainable_variables)
    ):
        assert gradient is not None and np.abs(gradient.numpy()).max() > 0, variable.name


def test_the_total_is_the_weighted_sum(stage, sample):
    terms = {name: float(value) for name, value in stage.losses(sample, training=True).items()}
    expected = terms["absolute_error"] + 0.01 * terms["log_error"] + 0.4 * terms["ssim_loss"]
    assert terms["loss"] == pytest.approx(expected + terms["exposure"], rel=1e-4)


def test_the_restoration_hardly_feels_an_error_of_the_exposure(stage, sample):
    brighter = {**sample, "high": expose(sample["high"], 0.3)}
    plain, moved = (stage.losses(one, True) for one in (sample, brighter))
    restoration = abs(float(moved["absolute_error"]) - float(plain["absolute_error"]))
    assert restoration < 0.4 * abs(float(moved["exposure"]) - float(plain["exposure"]))


def test_black_images_have_finite_losses_and_gradients(stage):
    black = tf.zeros([1, 64, 64, 3])
    with tf.GradientTape() as tape:
        terms = stage.losses({"low": black, "high": black, **whole_sample(black)}, training=True)
    gradients = tape.gradient(terms["loss"], stage.net.trainable_variables)
    assert all(np.isfinite(gradient).all() for gradient in gradients if gradient is not None)
    assert all(np.isfinite(float(value)) for value in terms.values())


def test_metrics_are_psnr_with_and_without_the_mean(stage, sample):
    one = {key: sample[key][:1] for key in ("low", "high")}
    metrics = stage.image_metrics({**one, "group": tf.constant([1])})
    output, high = (image[0].numpy().astype(np.float64) for image in (stage.net(one["low"])[0], one["high"]))
    raw = peak_signal_noise_ratio(high, output, data_range=1)
    assert float(metrics["psnr_raw"]) == pytest.approx(raw, rel=1e-4)
    scaled = np.clip(output * high.mean() / output.mean(), 0, 1)
    assert float(metrics["psnr"]) == pytest.approx(
        peak_signal_noise_ratio(high, scaled, data_range=1), rel=1e-4
    )


def test_validation_is_reported_by_group(stage):
    rows = [{"psnr": 30.0, "psnr_raw": 20.0 + n, "ssim": 0.8, "group": float(n // 2)} for n in range(4)]
    figures = stage.validation_metrics(rows)
    assert figures["psnr_raw_pairs"] == pytest.approx(20.5)
    assert figures["psnr_raw_bright_-1_stop"] == pytest.approx(22.5)
    assert figures["score"] == pytest.approx(0.7 * 21.5 + 0.3 * 30)


def test_the_term_on_features_is_zero_for_equal_images_and_reaches_the_network(sample):
    image = tf.keras.Input((None, None, 3))
    levels = [tf.keras.layers.Conv2D(4, 3, name=f"level_{n}")(image) for n in (1, 2)]
    features = tf.keras.Model(image, levels)
    stage = make_stage(LiteConfig(), features=features)
    assert float(stage._feature_error(sample["high"], sample["high"])) == 0
    with tf.GradientTape() as tape:
        error = stage.losses(sample, training=True)["features"]
    gradients = tape.gradient(error, stage.net.trainable_variables)
    assert float(error) > 0 and any(
        np.abs(gradient).max() > 0 for gradient in gradients if gradient is not None
    )


def test_the_exposure_branch_may_be_trained_alone(sample):
    stage = make_stage(LiteConfig(only_exposure=True))
    with tf.GradientTape() as tape:
        terms = stage.losses(sample, training=True)
    gradients = tape.gradient(terms["loss"], stage.net.trainable_variables)
    assert all(gradient is not None for gradient in gradients)
    assert terms["loss"] is terms["exposure"] and float(terms["absolute_error"]) == 0
    learning = {variable.name.split("/")[0] for variable in stage.net.trainable_variables}
    assert "grid_near" in learning and "detail_folded" not in learning


def test_a_feature_weight_needs_whole_strides():
    with pytest.raises(UserError, match="multiple of 32"):
        LiteConfig(feature_weight=0.2, patch=200)


def test_pictures(stage, sample):
    shapes = [picture.shape for picture in stage.visualisations(sample)]
    assert shapes == [(2, 64, 72, channels) for channels in (3, 1, 3, 3, 3)]


def test_the_pattern_term_sees_what_repeats_every_four_pixels_and_nothing_else():
    random = np.random.default_rng(0)
    high = random.random((2, 224, 230, 3)).astype(np.float32)
    cell = random.normal(0, 0.01, (4, 4, 3)).astype(np.float32)
    pattern = np.tile(cell, (56, 58, 1))[:, :230]
    expected = np.abs(cell - cell.mean(axis=(0, 1))).mean()
    np.testing.assert_allclose(pattern_error(high + pattern, high), expected, rtol=1e-4)
    every_five = np.tile(random.normal(0, 0.01, (5, 5, 3)).astype(np.float32), (45, 46, 1))[:224, :230]
    assert pattern_error(high + every_five, high) < 0.1 * expected
    assert pattern_error(high + 0.1, high) < 1e-6
