"""The three networks with an exposure head: what needs no light stays, whatever the networks say."""

import math

import numpy as np
import pytest
import tensorflow as tf

from kind.decom.model import decomposition_net
from kind.enhancing.borders import mirrored, mirrored_part, without_border
from kind.enhancing.enhancer import Enhancer
from kind.enhancing.stops import stops_for
from kind.enhancing.three_networks import KindEnhancer
from kind.illumination.exposure_model import exposure_net
from kind.illumination.model import adjustment_net
from kind.nn.exposure_layers import SlicedStops
from kind.nn.saving import save_net
from kind.ops.light import expose
from kind.restoration.unet import unet


@pytest.fixture(scope="module")
def nets():
    tf.keras.utils.set_random_seed(0)
    return {"decom": decomposition_net(), "restoration": unet(), "illumination": adjustment_net()}


@pytest.fixture(scope="module")
def enhancer(nets):
    return KindEnhancer(**nets, exposure=exposure_net())


@pytest.fixture(scope="module")
def photograph():
    generator = np.random.default_rng(0)
    smooth = tf.image.resize(generator.random((6, 8, 3), np.float32), [48, 64], method="bicubic")
    return np.clip(smooth.numpy() * 0.5, 0.0, 1.0)


class Head:
    """Says of any image that the lumas of the lower bins lack three stops, others none; and an α of 4."""

    def __call__(self, parts, training=False):
        count = tf.shape(parts[0])[0]
        bins = tf.constant([3.0, 3.0, 3.0, 3.0, -9.0, -9.0, -9.0, -9.0])
        grid = tf.tile(tf.reshape(bins, [1, 1, 1, 8]), [count, 16, 16, 1])
        return grid, tf.fill([count, 1], math.log(4.0))


def stops_of(enhancer, photograph, alpha):
    """The map E' that this α asks for."""
    *_, grid, _, size, log_alpha = enhancer.collect_statistics(photograph[np.newaxis])
    place = tf.concat([tf.zeros_like(size), size], axis=1)
    stops = SlicedStops()([photograph[np.newaxis], grid, place])
    return stops_for(tf.constant([alpha]), log_alpha, stops)[0].numpy()


def test_alpha_1_gives_the_photograph_back(enhancer, photograph):
    np.testing.assert_allclose(enhancer(photograph, alpha=1.0).relit, photograph, atol=1e-6)


def test_below_1_the_light_is_taken_away(enhancer, photograph):
    expected = expose(photograph[np.newaxis], -1.0)[0]
    np.testing.assert_allclose(enhancer(photograph, alpha=0.5).relit, expected, atol=1e-5)


def test_white_stays_white_and_the_adjusted_illumination_is_never_below_the_own(enhancer, photograph):
    white = photograph.copy()
    white[10:20, 10:30] = 1.0
    made = enhancer(white, alpha=6.0)
    assert np.min(made.relit[10:20, 10:30]) > 0.999
    stops = stops_of(enhancer, white, 6.0)
    exposed = expose(white[np.newaxis], stops, keeps_hue=True)
    dark = np.max(exposed[0], axis=-1) < 0.85
    own = without_border(enhancer.decom(mirrored(exposed, 16))[1], 16).numpy()[0, ..., 0]
    floor = (1 - np.exp(-((stops[0, ..., 0] / 3.5) ** 2))) * own
    assert (made.adjusted[..., 0] >= floor - 1e-3)[dark].all()


def test_the_parts_make_the_result(enhancer, photograph):
    made = enhancer(photograph, alpha=3.0)
    np.testing.assert_allclose(made.relit, made.restored * made.adjusted, atol=1e-6)
    for part in made[:-1]:
        assert part.shape[:2] == photograph.shape[:2] and np.min(part) >= 0 and np.max(part) <= 1


def test_reflectance_times_illumination_is_the_photograph(enhancer, photograph):
    made = enhancer(photograph, alpha=4.0)
    exposed = expose(photograph[np.newaxis], stops_of(enhancer, photograph, 4.0), keeps_hue=True)
    own = enhancer.decom(exposed)
    error_of_decom = np.abs(own[0] * own[1] - exposed).max()
    assert np.abs(made.reflectance * made.illumination - photograph).max() < error_of_decom + 0.05


def test_alpha_to_a_target_is_how_many_times_the_light(enhancer, photograph):
    dark = expose(photograph[np.newaxis] * 0.8, -3.0).numpy()[0]
    assert enhancer.alpha_to(dark, photograph * np.float32(0.8)) == pytest.approx(8.0, rel=0.05)


def test_alpha_comes_from_the_head_and_a_number_wins(enhancer, photograph):
    batch = np.stack([photograph, photograph * 0.2])
    own = enhancer(batch).alpha
    parts = enhancer.decom(tf.image.resize(batch, [128, 128], method="area"))
    expected = np.exp(enhancer.exposure(parts)[1].numpy()[:, 0])
    np.testing.assert_allclose(own, expected, rtol=1e-3)
    assert enhancer(batch, alpha=tf.constant([2.0, np.nan])).alpha[0] == 2.0


@pytest.mark.parametrize("colour", ([0.03, 0.03, 0.03], [0.04, 0.08, 0.13]))
def test_an_image_of_one_colour_comes_back_with_alpha_1(nets, photograph, colour):
    enhancer = KindEnhancer(**nets)
    enhancer.exposure, enhancer.border = Head(), 16
    plain = np.full((48, 64, 3), colour, np.float32)
    made = enhancer(np.stack([plain, photograph]))
    np.testing.assert_allclose(made.alpha, [1.0, 4.0])
    np.testing.assert_array_equal(made.relit[0], plain)
    assert enhancer.suggested_alpha(plain) == 1.0
    assert enhancer(plain, alpha=3.0).alpha == 3.0
    assert KindEnhancer(**nets)(plain).alpha == 5.0  # as published


def test_light_is_given_as_far_as_there_is_contrast_beyond_noise(nets):
    enhancer = KindEnhancer(**nets)
    enhancer.exposure, enhancer.border = Head(), 16
    image = np.full((480, 640, 3), [0.1, 0.15, 0.2], np.float32)
    noisy = image + np.random.default_rng(0).normal(0.0, 3 / 255, image.shape).astype(np.float32)
    made = enhancer(noisy, parts=["relit"])
    assert made.alpha == 1.0
    np.testing.assert_allclose(made.relit, noisy, atol=1e-6)
    for levels, expected in ((1.9, 1.0), (3.0, 4.0**0.5), (4.1, 4.0)):
        image[:240] = image[240:] + np.float32(levels / 255)
        assert enhancer.suggested_alpha(image) == pytest.approx(expected, rel=1e-3)


def test_shadows_get_more_light_than_what_is_bright(nets, photograph):
    """Where the head's grid says so."""
    enhancer = KindEnhancer(**nets)
    enhancer.exposure, enhancer.border = Head(), 16
    image = np.where(np.arange(64)[np.newaxis, :, np.newaxis] < 32, 0.05, 0.8).astype(np.float32)
    image = np.broadcast_to(image, (48, 64, 3)) + photograph * np.float32(0.02)
    made = enhancer(image, parts=["relit"]).relit
    np.testing.assert_allclose(made[:, 40:], image[:, 40:], atol=1e-3)
    assert np.mean(made[:, :24]) > 2 * np.mean(image[:, :24])


def test_tiles_give_the_same(nets, enhancer, photograph, monkeypatch):
    image = np.tile(photograph, (14, 6, 1))
    whole = enhancer(image, parts=["relit"])
    monkeypatch.setattr("kind.enhancing.tiling.plan.WORKING_MEMORY", 2**27)
    assert len(enhancer.windows.of(1, *image.shape[:2], border=16)) > 1
    tiled = enhancer(image, parts=["relit"])
    np.testing.assert_allclose(tiled.alpha, whole.alpha, rtol=1e-4)
    np.testing.assert_allclose(tiled.relit, whole.relit, atol=2e-4)


def test_without_a_head_everything_is_as_published(nets, photograph):
    plain = KindEnhancer(**nets)
    assert plain.border == 0 and float(plain(photograph).alpha) == 5.0
    stretched = (photograph - photograph.min()) / (photograph.max() - photograph.min())
    np.testing.assert_allclose(plain(photograph).stretched, stretched, atol=1e-6)


def test_a_head_is_used_only_beside_its_decomposition(nets, enhancer, photograph, tmp_path):
    for stage, net in nets.items():
        save_net(net, tmp_path / f"{stage}.keras")
    assert Enhancer.load(tmp_path, variant="kind").exposure is None
    save_net(enhancer.exposure, tmp_path / "exposure.keras")
    loaded = Enhancer.load(tmp_path, variant="kind")
    np.testing.assert_allclose(loaded(photograph).relit, enhancer(photograph).relit, atol=1e-5)
    (tmp_path / "exposure").mkdir()
    (tmp_path / "exposure.keras").rename(tmp_path / "exposure" / "best.keras")
    assert Enhancer.load(tmp_path, variant="kind").exposure is not None
    assert set(loaded.digests()) == {"decom", "restoration", "illumination", "exposure"}


@pytest.mark.parametrize("height, width", [(1, 1), (3, 20), (40, 17)])
def test_the_border_is_a_mirror_in_arrays_and_in_graphs(height, width):
    images = np.random.default_rng(0).random((2, height, width, 3)).astype(np.float32)
    wide = mirrored(images, 16)
    np.testing.assert_array_equal(tf.function(lambda values: mirrored(values, 16))(images), wide)
    np.testing.assert_array_equal(without_border(wide, 16), images)
    np.testing.assert_array_equal(wide[:, 15, 16:-16], images[:, 0])
    part = mirrored_part(images, (-16, height), (1, width + 16))
    np.testing.assert_array_equal(part, wide[:, : 16 + height, 17:])
