"""CIConv2d against the published code, transcribed to NumPy with filters in two dimensions."""

import math

import numpy as np
import pytest
import tensorflow as tf
from numpy.lib.stride_tricks import sliding_window_view
from tensorflow import keras

from kind.errors import UserError
from kind.nn.colour_invariant import CIConv2d
from kind.nn.saving import load_net, save_net
from kind.ops.colour_invariants import INVARIANTS, as_detector_input, invariant_edges

EPS = 1e-5
IMAGE = np.random.default_rng(4).random((2, 9, 13, 3), np.float32)


def basis(scale):
    """The Gaussian and its two derivatives, [3, K, K], K depending on the scale."""
    std = 2.0**scale
    size = math.ceil(3 * std + 0.5)
    x, y = np.meshgrid(np.arange(-size, size + 1.0), np.arange(-size, size + 1.0), indexing="ij")
    g = np.exp(-((x / std) ** 2) / 2) * np.exp(-((y / std) ** 2) / 2)
    dx, dy = (-p / (std**3 * 2 * math.pi) * g for p in (x, y))
    return np.stack([g / g.sum(), dx / np.abs(dx).sum(), dy / np.abs(dy).sum()])


def transcription(images, invariant, scale, mode="constant"):
    gcm = np.array([[0.06, 0.63, 0.27], [0.3, 0.04, -0.35], [0.34, -0.6, 0.17]])
    filters = basis(scale)
    r = filters.shape[-1] // 2
    planes = np.einsum("kc,nhwc->nkhw", gcm, images.astype(np.float64))
    planes = np.pad(planes, ((0, 0), (0, 0), (r, r), (r, r)), mode=mode)
    windows = sliding_window_view(planes, filters.shape[1:], (2, 3))
    out = np.einsum("nkhwij,fij->kfnhw", windows, filters)
    (E, Ex, Ey), (El, Elx, Ely), (Ell, Ellx, Elly) = out
    if invariant == "E":
        found = Ex**2 + Ey**2
    elif invariant == "W":
        found = sum((part / (E + EPS)) ** 2 for part in (Ex, Ey, Elx, Ely, Ellx, Elly))
    elif invariant == "C":
        parts = [(Elx, El, Ex), (Ely, El, Ey), (Ellx, Ell, Ex), (Elly, Ell, Ey)]
        found = sum(((a * E - b * c) / (E**2 + EPS)) ** 2 for a, b, c in parts)
    elif invariant == "N":
        found = sum(((a * E - El * c) / (E**2 + EPS)) ** 2 for a, c in ((Elx, Ex), (Ely, Ey)))
        for a, b, c in ((Ellx, Elx, Ex), (Elly, Ely, Ey)):
            found += ((a * E**2 - Ell * c * E - 2 * b * El * E + 2 * El**2 * c) / (E**3 + EPS)) ** 2
    else:
        found = sum(((Ell * a - El * b) / (El**2 + Ell**2 + EPS)) ** 2 for a, b in ((Elx, Ellx), (Ely, Elly)))
    found = np.log(found + EPS)
    centred = found - found.mean((1, 2), keepdims=True)
    return (centred / np.sqrt(found.var((1, 2), keepdims=True) + EPS))[..., None]


@pytest.mark.parametrize("invariant", INVARIANTS)
@pytest.mark.parametrize("scale", [-2.5, -0.7, 0.0, 2.5])
def test_it_is_the_published_layer(invariant, scale):
    found = CIConv2d(invariant, scale)(IMAGE)
    np.testing.assert_allclose(found, transcription(IMAGE, invariant, scale), atol=2e-4)


def test_the_border_may_be_repeated():
    found = CIConv2d("W", 0.5, repeat_border=True)(IMAGE)
    np.testing.assert_allclose(found, transcription(IMAGE, "W", 0.5, "edge"), atol=2e-4)


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_it_is_never_nan_and_neither_are_its_gradients(invariant):
    black_and_white = np.zeros((1, 9, 7, 3), np.float32)
    black_and_white[:, 4:] = 1
    images = [0 * black_and_white, 0 * black_and_white + 1, black_and_white, 1e-8 * black_and_white]
    images = tf.constant(np.concatenate([*images, -black_and_white, 1e3 * black_and_white]))
    for scale in (-2.5, 2.5):
        scale = tf.Variable(scale)
        with tf.GradientTape() as tape:
            tape.watch(images)
            edges = invariant_edges(images, invariant, scale, repeat_border=True)
            total = tf.reduce_sum(edges**3)
        assert all(np.isfinite(one).all() for one in (edges, *tape.gradient(total, [images, scale])))
        np.testing.assert_allclose(edges[:2], 0, atol=2e-3)


def test_w_does_not_see_a_dimmer_light():
    edges, dimmer = (invariant_edges(IMAGE * light, "W", 1.0, repeat_border=True) for light in (1.0, 0.1))
    np.testing.assert_allclose(edges, dimmer, atol=0.02)


def test_the_scale_is_learned_and_stays_within_its_range():
    layer = CIConv2d("W", 2.4)
    optimizer = keras.optimizers.SGD(100.0)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(IMAGE) * IMAGE[..., :1])
    (gradient,) = tape.gradient(total, layer.trainable_variables)
    assert gradient.numpy() != 0
    optimizer.apply_gradients([(-abs(gradient), layer.scale)])
    np.testing.assert_allclose(layer.scale, [2.5])
    layer.scale.assign([7.0])
    np.testing.assert_allclose(layer(IMAGE), CIConv2d("W", 2.5)(IMAGE))


def test_it_is_saved_and_loaded_with_its_scale(tmp_path):
    image = keras.Input((None, None, 3))
    net = keras.Model(image, keras.layers.Conv2D(2, 1)(CIConv2d("N", 0.3, repeat_border=True)(image)))
    net.layers[1].scale.assign([1.1])
    save_net(net, tmp_path / "net.keras")
    loaded = load_net(tmp_path / "net.keras")
    np.testing.assert_array_equal(loaded(IMAGE), net(IMAGE))
    assert loaded.layers[1].get_config() == net.layers[1].get_config()


def test_files_and_callers_choose_among_what_is_written_here(tmp_path):
    with pytest.raises(ValueError, match="expects one of E, W, C, N, H; received 'Q'"):
        CIConv2d("Q")
    with pytest.raises(ValueError, match="scale expects -2.5 to 2.5, received 3"):
        CIConv2d("W", 3)
    layer = CIConv2d("W")
    image = keras.Input((None, None, 3))
    net = keras.Model(image, layer(image))
    layer.invariant = "os"
    save_net(net, tmp_path / "net.keras")
    with pytest.raises(UserError, match="'os' as invariant of 'CIConv2d'"):
        load_net(tmp_path / "net.keras")


def test_as_an_image_it_is_grey_where_nothing_is():
    shown = as_detector_input(tf.constant([0.0, 4.0, -4.0, 100.0, -100.0], shape=[1, 1, 5, 1]))
    np.testing.assert_allclose(shown[0, 0], np.repeat([[0.5], [1], [0], [1], [0]], 3, axis=1))
