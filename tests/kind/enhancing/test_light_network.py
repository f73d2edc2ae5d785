"""The light variant: what it gives, what its exposure means, and tiles against the whole image."""

import numpy as np
import pytest
import tensorflow as tf

from kind.enhancing.enhancer import PARTS, Enhancer
from kind.enhancing.light_network import LiteEnhancer
from kind.enhancing.stops import stops_for
from kind.enhancing.tiling import plan as windows
from kind.errors import UserError
from kind.lite.model import lite_net
from kind.nn.saving import save_net

NAN = float("nan")


@pytest.fixture(scope="module")
def net():
    """Untrained, but with every weight of some influence."""
    tf.keras.utils.set_random_seed(1)
    net = lite_net()
    generator = np.random.default_rng(0)
    for variable in net.trainable_variables:
        variable.assign_add(0.02 * generator.standard_normal(variable.shape).astype(np.float32))
    return net


@pytest.fixture(scope="module")
def enhancer(net):
    return LiteEnhancer(net)


def photograph(height, width, seed=0):
    return np.random.default_rng(seed).random((height, width, 3), dtype=np.float32) ** 3


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (17, 23), (48, 64)])
def test_reflectance_times_illumination_is_the_output(enhancer, size):
    image = photograph(*size)
    enhanced = enhancer(image)
    for name in ("stretched", "reflectance", "restored", "relit"):
        assert getattr(enhanced, name).shape == (*size, 3)
    assert enhanced.illumination.shape == enhanced.adjusted.shape == (*size, 1)
    np.testing.assert_array_equal(enhanced.stretched, image)
    np.testing.assert_allclose(enhanced.relit, enhanced.restored * enhanced.adjusted, atol=1e-6)
    rebuilt = enhanced.reflectance * enhanced.illumination
    np.testing.assert_allclose(rebuilt.max(axis=-1), image.max(axis=-1), atol=1e-3)
    np.testing.assert_allclose(enhanced.adjusted, 1, atol=1e-5)


def test_alpha_is_the_networks_own_unless_it_is_given(enhancer, net):
    images = np.stack([photograph(40, 48), photograph(40, 48, seed=1) / 4])
    suggested = np.exp(net(images)[2][:, 0])
    np.testing.assert_allclose(enhancer(images).alpha, suggested, rtol=1e-4)
    mixed = enhancer(images, alpha=[NAN, 1.3])
    np.testing.assert_allclose(mixed.alpha, [suggested[0], 1.3], rtol=1e-4)
    np.testing.assert_allclose(mixed.relit[0], enhancer(images).relit[0], atol=1e-5)
    assert np.max(mixed.adjusted[1]) < 1


def to_linear(image):
    return np.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055) ** 2.4)


def test_alpha_1_gives_the_light_of_the_input_and_0_is_darkness(enhancer):
    image = photograph(30, 20)
    kept = enhancer(image, alpha=1.0)
    np.testing.assert_allclose(kept.adjusted, kept.illumination, atol=1e-5)
    assert np.mean((kept.relit - image) ** 2) < 10**-3.5  # 35 dB
    assert np.max(enhancer(image, alpha=0.0).relit) < 1e-6
    brightness = [enhancer(image, alpha=alpha).relit.mean() for alpha in (0.5, 1, 3, 10, 100)]
    assert (np.diff(brightness) > 0).all()


def test_doubling_alpha_is_one_stop(enhancer, net):
    """In the adjusted illumination of the exposed image; what the untrained network adds is left out."""
    image = photograph(40, 60) * 0.05
    suggested = float(enhancer(image).alpha)
    assert suggested > 1.2
    lights = []
    for alpha in (suggested, 2 * suggested, 4 * suggested):
        stops, more = stops_for(
            tf.constant([alpha]), tf.math.log([[suggested]]), tf.fill([1, 1, 1, 1], float(np.log2(suggested)))
        )
        lights.append(float(stops[0, 0, 0, 0]))
        assert float(more[0, 0, 0, 0]) == pytest.approx(np.log2(alpha / suggested), abs=1e-4)
    np.testing.assert_allclose(np.diff(lights), 1, atol=1e-4)
    half = enhancer(image, alpha=np.sqrt(suggested))
    light = to_linear(half.reflectance * half.adjusted).mean()
    both = to_linear(image).mean(), to_linear(half.reflectance).mean()
    assert light == pytest.approx(np.sqrt(both[0] * both[1]), rel=0.1)


@pytest.mark.parametrize("value", (0.0, 0.5, 1.0))
@pytest.mark.parametrize("fusion", ("plain", "published"))
def test_constant_images_give_finite_parts(enhancer, value, fusion):
    for part in enhancer(np.full((9, 13, 3), value, np.float32), fusion=fusion):
        assert np.isfinite(part).all()


@pytest.fixture
def small_tiles(enhancer, monkeypatch):
    monkeypatch.setattr(windows, "WORKING_MEMORY", enhancer.windows._bytes_per_pixel * 300 * 320)


@pytest.fixture(scope="module")
def large():
    return np.stack([photograph(330, 601), photograph(330, 601, seed=1) / 4])


@pytest.fixture(scope="module")
def whole(enhancer, large):
    return enhancer(large, alpha=[NAN, 3.0], fusion="published")


def test_tiles_give_what_the_whole_image_gives(enhancer, large, whole, small_tiles):
    counts = []
    tiled = enhancer(large, [NAN, 3.0], "published", progress=lambda *count: counts.append(count))
    assert [done for done, _ in counts] == list(range(1, counts[-1][1] + 1)) and len(counts) >= 2 * 2
    for name, one, other in zip(whole._fields, whole, tiled):
        np.testing.assert_allclose(one, other, atol=1e-5, rtol=1e-5, err_msg=name)


@pytest.mark.slow
def test_tiles_in_a_graph_too(enhancer, large, whole, small_tiles):
    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3])])
    def enhance(image):
        return enhancer.in_graph(image, parts=("restored", "adjusted", "relit"))._asdict()

    tiled, alone = enhance(large[:1]), enhancer(large[0])
    for name in ("restored", "adjusted", "relit", "alpha"):
        np.testing.assert_allclose(tiled[name][0], getattr(alone, name), atol=1e-5, rtol=1e-5, err_msg=name)
    small = photograph(40, 50)
    np.testing.assert_allclose(enhance(small[None])["relit"][0], enhancer(small).relit, atol=1e-6)


def test_in_bfloat16_the_overview_keeps_all_its_bits(net, enhancer):
    """The mean of thousands of numbers: in bfloat16 it would end where one more changes nothing."""
    half, image = LiteEnhancer(net, "bfloat16"), photograph(200, 300)
    exact, rounded = enhancer(image), half(image)
    assert float(rounded.alpha) == pytest.approx(float(exact.alpha), rel=0.02)
    for name in PARTS[1:]:
        assert np.abs(getattr(exact, name) - getattr(rounded, name)).mean() < 0.01, name


@pytest.mark.slow
def test_the_network_comes_from_a_folder_or_a_run(net, tmp_path):
    with pytest.raises(UserError, match="expected lite.keras"):
        Enhancer.load(tmp_path, variant="lite")
    for path in (tmp_path / "lite.keras", tmp_path / "runs" / "lite" / "best.keras"):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_net(net, path)
        image = photograph(20, 30)
        loaded = Enhancer.load(
            path.parent if path.name == "lite.keras" else tmp_path / "runs", variant="lite"
        )
        np.testing.assert_allclose(loaded(image).relit, LiteEnhancer(net)(image).relit, atol=1e-6)
    assert isinstance(LiteEnhancer.load(tmp_path), LiteEnhancer)
    with pytest.raises(ValueError, match="precision expects one"):
        Enhancer.load(tmp_path, "half", "lite")
    with pytest.raises(ValueError, match="variant expects one of lite, kind, .*; received 'heavy'"):
        Enhancer.load(variant="heavy")
    image = tf.keras.Input((None, None, 3))
    with pytest.raises(UserError, match=r"lite.keras: holds 'other' \(3 → 3 channels\); expected lite"):
        save_net(tf.keras.Model(image, image, name="other"), tmp_path / "lite.keras")
        Enhancer.load(tmp_path, variant="lite")
    with pytest.raises(UserError, match="lite.keras: holds 'other', but not the network"):
        grey = tf.keras.layers.Conv2D(1, 1)(image)
        save_net(tf.keras.Model(image, [image, grey, grey], name="other"), tmp_path / "lite.keras")
        Enhancer.load(tmp_path, variant="lite")
