"""The exposure head: what it is asked for, and that it can learn it."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.data.decomposing import decomposing
from kind.decom.model import decomposition_net
from kind.illumination.config import ExposureConfig
from kind.illumination.exposure_model import exposure_net
from kind.illumination.exposure_stage import SPEC, ExposureStage, with_missing_light
from kind.nn.interfaces import WrongNetwork, check_interface
from kind.ops.light import MOST_STOPS, expose


def decomposed(stops):
    """A pair of which the dark image has so many stops less light."""
    bright = tf.random.stateless_uniform([1, 32, 32, 3], [2, 3], 0.1, 0.7)
    images = {"high": bright, "low": expose(bright, -stops)}
    parts = {}
    for side, image in images.items():
        light = tf.reduce_max(image[0], axis=-1, keepdims=True)
        parts |= {f"illumination_{side}": light, f"reflectance_{side}": image[0] / light}
    return parts


@pytest.mark.parametrize("stops", [0.0, 1.0, 4.5])
def test_alpha_is_how_many_times_the_light_is_missing(stops):
    sample = with_missing_light(decomposed(stops), tf.constant([0, 0]))
    assert set(sample) == {"reflectance", "illumination", "log_alpha"} and sample["log_alpha"].shape == (1,)
    assert float(sample["log_alpha"][0]) / np.log(2.0) == pytest.approx(stops, rel=0.02, abs=0.01)


def test_nobody_asks_for_less_light_or_for_infinitely_more():
    for stops, found in ((-1.0, 0.0), (30.0, MOST_STOPS)):
        log_alpha = with_missing_light(decomposed(stops), tf.constant([0, 0]))["log_alpha"]
        assert float(log_alpha[0]) / np.log(2.0) == pytest.approx(found, abs=0.01)


def test_it_suggests_one_number_for_each_image():
    head = exposure_net()
    assert head.count_params() < 60_000
    found = head([np.zeros((2, 128, 128, 3), np.float32), np.ones((2, 128, 128, 1), np.float32)])
    assert found.shape == (2, 1) and np.min(found) >= 0
    check_interface(head, "exposure")
    with pytest.raises(WrongNetwork):
        check_interface(head, "restoration")


def test_it_learns_the_missing_light():
    keras.utils.set_random_seed(0)
    stage = ExposureStage(exposure_net(), ExposureConfig(learning_rate=3e-3))
    samples = [with_missing_light(decomposed(stops), tf.constant([0, 0])) for stops in (0.0, 1.0, 2.0, 3.0)]
    batch = {key: tf.stack([sample[key] for sample in samples]) for key in samples[0]}
    stage.set_up(steps_per_epoch=1)
    before = float(stage.losses(batch, True)["stops"])
    stage.fit(tf.data.Dataset.from_tensors(batch).repeat(40), steps_per_epoch=40, verbose=0)
    assert float(stage.losses(batch, True)["stops"]) < 0.4 * before


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
    assert small["reflectance"].shape == (16, 16, 3) and small["log_alpha"].shape == (1,)


def test_the_dark_image_can_be_brought_to_its_light_first():
    net = decomposition_net()
    bright = tf.random.stateless_uniform([24, 32, 3], [1, 1], 0.2, 0.6)
    images = {"low": expose(bright[tf.newaxis], -2.0)[0], "high": bright}
    taken = decomposing(net, exposed=True)(images, tf.constant([0, 0]))
    np.testing.assert_allclose(taken["reflectance_low"], taken["reflectance_high"], atol=0.01)
    np.testing.assert_allclose(taken["illumination_low"], taken["illumination_high"], atol=0.01)
