"""The exposure head: what it is asked for, and that it can learn it."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.data.decomposing import decomposing
from kind.decom.model import decomposition_net
from kind.enhancing.enhancer import Enhancer
from kind.enhancing.fast.network_files import read_network
from kind.errors import UserError
from kind.illumination.config import ExposureConfig
from kind.illumination.exposure_model import exposure_net
from kind.illumination.exposure_stage import SPEC, ExposureStage
from kind.lite.model import lite_net
from kind.nn.exposure_layers import MeanStops, SlicedStops, WholePlace
from kind.nn.forms import SHIPPED_WEIGHTS
from kind.nn.interfaces import WrongNetwork, check_interface
from kind.nn.saving import save_net
from kind.ops.area import area_resized
from kind.ops.light import expose
from kind.training.layer_names import take_weights


def test_it_suggests_a_grid_and_one_number_for_each_image():
    head = exposure_net()
    assert head.count_params() == 98_928
    parts = [np.zeros((2, 128, 128, 3), np.float32), np.ones((2, 128, 128, 1), np.float32)]
    grid, log_alpha = head(parts)
    assert grid.shape == (2, 16, 16, 8) and log_alpha.shape == (2, 1) and np.min(log_alpha) >= 0
    check_interface(head, "exposure")
    with pytest.raises(WrongNetwork):
        check_interface(head, "restoration")


def test_a_head_of_an_earlier_version_is_refused_with_what_to_do(tmp_path):
    reflectance = keras.Input((None, None, 3), name="reflectance")
    illumination = keras.Input((None, None, 1), name="illumination")
    values = keras.layers.Concatenate()([reflectance, illumination])
    values = keras.layers.Conv2D(16, 3, name="conv_1")(values)
    log_alpha = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(values))
    head = keras.Model([reflectance, illumination], log_alpha, name="exposure")
    save_net(head, tmp_path / "exposure.keras")
    for stage in ("decom", "restoration", "illumination"):
        shutil.copy(SHIPPED_WEIGHTS / f"{stage}.keras", tmp_path)
    with pytest.raises(UserError, match=r"exposure\.keras: .*train it anew: kind train exposure$"):
        Enhancer.load(tmp_path, variant="kind")
    with pytest.raises(UserError, match=r"exposure\.keras: .*train it anew: kind train exposure$"):
        read_network(tmp_path / "exposure.keras", "exposure")
    with pytest.raises(UserError, match=r"decom\.keras: .*needs \(3, 3, 9, 16\); train it anew"):
        read_network(tmp_path / "decom.keras", "exposure")
    # A decomposition of another architecture may be right in float32.
    with pytest.raises(UserError, match=r"illumination\.keras: .*needs \(3, 3, 3, 32\); take float32$"):
        read_network(tmp_path / "illumination.keras", "decom")


def test_alpha_is_the_mean_of_the_stops_of_the_product():
    head = exposure_net()
    generator = np.random.default_rng(0)
    parts = [generator.random((1, 128, 128, channels), np.float32) for channels in (3, 1)]
    image = parts[0] * parts[1]
    grid, log_alpha = head(parts)
    stops = SlicedStops()([image, grid, WholePlace()(image)])
    np.testing.assert_allclose(log_alpha, MeanStops()([image, stops]) * np.log(2.0), rtol=1e-4)


def test_the_light_network_can_be_its_beginning():
    head, light = exposure_net(), lite_net()
    assert take_weights(head, light, partly=True) == []
    image = np.random.default_rng(0).random((1, 128, 128, 3), np.float32)
    parts = [image, np.ones((1, 128, 128, 1), np.float32)]
    np.testing.assert_allclose(head(parts)[1], light(image)[2], rtol=1e-4)


def test_it_learns_where_light_is_missing():
    """Shadows at the left, where the truth is three stops brighter; at the right nothing is missing."""
    keras.utils.set_random_seed(0)
    stage = ExposureStage(exposure_net(), ExposureConfig(learning_rate=3e-3))
    bright = tf.random.stateless_uniform([1, 128, 128, 3], [2, 3], 0.1, 0.7)
    missing = np.where(np.arange(128) < 64, 3.0, 0.0).astype(np.float32)[
        np.newaxis, np.newaxis, :, np.newaxis
    ]
    dark = expose(bright, -missing)
    light = tf.reduce_max(dark, axis=-1, keepdims=True)
    batch = {"reflectance": dark / light, "illumination": light, "low": dark, "high": bright}
    stage.set_up(steps_per_epoch=1)
    before = float(stage.losses(batch, True)["absolute_error"])
    stage.fit(tf.data.Dataset.from_tensors(batch).repeat(60), steps_per_epoch=60, verbose=0)
    assert float(stage.losses(batch, True)["absolute_error"]) < 0.4 * before
    stops = stage.visualisations(batch)[2] * 8.0
    assert np.mean(stops[:, :, 8:56]) > np.mean(stops[:, :, 72:120]) + 1.5


def test_samples_of_a_mixture_are_taken_apart_as_they_are_drawn():
    net = decomposition_net()
    images = {
        side: tf.random.stateless_uniform([24, 32, 3], [number, 1])
        for number, side in enumerate(("low", "high"))
    }
    taken = decomposing(net)(images, tf.constant([0, 0]))
    for side, image in images.items():
        for name, part in zip(("reflectance", "illumination"), net(image[tf.newaxis])):
            np.testing.assert_allclose(taken[f"{name}_{side}"], part[0], atol=1e-5)
    small = decomposing(net, 16, SPEC.prepare)(images, tf.constant([0, 0]))
    assert small["reflectance"].shape == small["high"].shape == (16, 16, 3)
    np.testing.assert_allclose(small["low"], area_resized(images["low"][tf.newaxis], 16, 16)[0], atol=1e-6)


def test_the_dark_image_can_be_brought_to_its_light_first():
    net = decomposition_net()
    bright = tf.random.stateless_uniform([24, 32, 3], [1, 1], 0.2, 0.6)
    images = {"low": expose(bright[tf.newaxis], -2.0)[0], "high": bright}
    taken = decomposing(net, exposed=True)(images, tf.constant([0, 0]))
    np.testing.assert_allclose(taken["reflectance_low"], taken["reflectance_high"], atol=0.01)
    np.testing.assert_allclose(taken["illumination_low"], taken["illumination_high"], atol=0.01)
