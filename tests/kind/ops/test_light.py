"""Exposure in linear light, against the standard's formulas in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from kind.ops.light import (
    KNEE,
    expose,
    expose_trainably,
    light_ratio,
    linear_to_srgb,
    matching_stops,
    soft_shoulder,
    srgb_to_linear,
)


def test_the_transfer_function_is_the_standards_and_its_own_inverse():
    levels = np.arange(256, dtype=np.float64) / 255
    light = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(srgb_to_linear(tf.constant(levels, tf.float32)), light, atol=1e-6)
    back = linear_to_srgb(srgb_to_linear(tf.constant(levels, tf.float32)))
    np.testing.assert_allclose(back, levels, atol=1e-6)


@pytest.mark.parametrize("function", [srgb_to_linear, linear_to_srgb, lambda x: expose(x, 3.0 * x)])
def test_gradients_are_finite_at_the_ends(function):
    values = tf.constant([[[[0.0, 1e-8, 1.0]]]])
    with tf.GradientTape() as tape:
        tape.watch(values)
        total = tf.reduce_sum(function(values))
    assert np.isfinite(tape.gradient(total, values)).all()


def test_the_gradient_by_hand_is_that_of_small_differences():
    image = tf.constant(np.linspace(0.001, 0.95, 48, dtype=np.float32).reshape(1, 4, 4, 3))
    for stops in (0.3, 1.0, 3.0):
        planes = tf.fill([1, 4, 4, 3], stops)
        with tf.GradientTape() as tape:
            tape.watch(planes)
            shown = expose_trainably(image, planes)
        np.testing.assert_array_equal(shown, expose(image, planes))
        slope = (expose(image, planes + 0.01) - expose(image, planes - 0.01)) / 0.02
        linear = srgb_to_linear(image).numpy() * 2**stops
        below = linear < KNEE - 0.02  # above, small differences move the shoulder's end as well
        gradient = tape.gradient(shown, planes)
        np.testing.assert_allclose(gradient[below], slope[below], rtol=0.02, atol=2e-3)
        assert np.isfinite(gradient).all() and (gradient.numpy() >= 0).all()


@pytest.mark.parametrize("stops", [0.0, 0.5, 2.0, 8.0])
def test_black_stays_black_and_white_stays_white(stops):
    image = tf.constant([[[[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]]])
    np.testing.assert_allclose(expose(image, stops), image, atol=1e-5)


def test_no_stops_change_nothing_and_fewer_darken_by_that_much():
    image = tf.random.stateless_uniform([1, 5, 7, 3], [0, 1])
    np.testing.assert_allclose(expose(image, 0.0), image, atol=1e-5)
    darker = srgb_to_linear(expose(image, -2.0)).numpy()
    np.testing.assert_allclose(darker, srgb_to_linear(image).numpy() / 4, atol=1e-5)


def test_the_shoulder_is_smooth_and_rising():
    light = np.linspace(0, 4, 4001, dtype=np.float32)
    shown = soft_shoulder(tf.constant(light), tf.constant(4.0)).numpy()
    np.testing.assert_array_equal(shown[light <= KNEE], light[light <= KNEE])
    slopes = np.diff(shown) / np.diff(light)
    assert (slopes > 0).all() and np.abs(np.diff(slopes)).max() < 0.02
    assert shown[-1] == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (9, 30)])
def test_matching_stops_are_those_that_were_taken_away(size):
    bright = np.random.default_rng(0).uniform(0.2, 0.5, (3, 1, 1, 3)).astype(np.float32) * np.ones((*size, 3))
    bright = tf.constant(bright, tf.float32)
    stops = tf.constant([0.0, 1.5, 6.0])
    dark = expose(bright, -stops[:, tf.newaxis, tf.newaxis, tf.newaxis])
    np.testing.assert_allclose(matching_stops(dark, bright), stops, atol=2e-3)
    assert not matching_stops(bright, dark).numpy().any()  # nothing is made darker
    assert np.all(matching_stops(tf.zeros_like(bright), bright) > 9.99)


def test_the_ratio_of_lights_is_that_of_the_largest_channel():
    bright = tf.constant([[[[0.8, 0.2, 0.1], [0.0, 0.0, 0.0]]]])
    ratio = light_ratio(bright * 0.25, bright, tf.constant(-2.0))[0, 0, :, 0]
    np.testing.assert_allclose(ratio, [0.25, 0.25], rtol=1e-3)
    assert np.max(light_ratio(bright, bright * 0.5, tf.constant(0.0))) == 1.0


def test_the_toe_joins_the_curve_and_black_is_exactly_black():
    near = np.linspace(0.0, 0.05, 1003, dtype=np.float32)  # no multiple of what a processor does at once
    light = srgb_to_linear(near).numpy()
    exact = np.where(near <= 0.04045, near / 12.92, ((near.astype(np.float64) + 0.055) / 1.055) ** 2.4)
    assert light[0] == 0 and linear_to_srgb(light).numpy()[0] == 0
    np.testing.assert_allclose(light, exact, rtol=2e-6)
    np.testing.assert_allclose(linear_to_srgb(light), near, rtol=2e-5)
    assert (np.diff(light) > 0).all() and (np.diff(linear_to_srgb(light).numpy()) > 0).all()


@pytest.mark.parametrize("stops", [0.0, 1.0, 5.0])
def test_hues_are_kept_where_it_is_asked_for(stops):
    colours = np.float32(
        [[1.0, 0.6, 0.1], [0.1, 0.4, 0.9], [0.5, 0.5, 0.5], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    )
    image = tf.constant(colours[np.newaxis, np.newaxis])
    plain, kept = (expose(image, tf.constant(stops), keeps_hue=wanted) for wanted in (False, True))
    before, after = (srgb_to_linear(each).numpy()[0, 0, :2] for each in (image, kept))
    proportions = before / before.max(axis=1, keepdims=True)
    np.testing.assert_allclose(after / after.max(axis=1, keepdims=True), proportions, atol=1e-4)
    np.testing.assert_allclose(tf.reduce_max(kept, axis=-1), tf.reduce_max(plain, axis=-1), atol=1e-5)
    np.testing.assert_allclose(kept[0, 0, 2:], plain[0, 0, 2:], atol=1e-5)  # of gray
