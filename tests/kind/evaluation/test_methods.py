import numpy as np
import pytest
from tensorflow import keras

from kind.enhancing.three_networks import KindEnhancer
from kind.errors import UserError
from kind.evaluation.baselines import all_baselines
from kind.evaluation.methods import Folder, Network
from kind.images.photo import read_photo
from kind.metrics.protocols import target_ratio


def enhancer(scale=0.5):
    """R = S, L = max(S)·scale, R̂ = R, L̂ = min(L·α, 1)."""
    image = keras.Input((None, None, 3))
    dense = keras.layers.Conv2D(
        1, 1, use_bias=False, kernel_initializer=keras.initializers.Constant(scale / 3)
    )
    decom = keras.Model(image, [keras.layers.Activation("linear")(image), dense(image)])
    reflectance, illumination, alpha = (
        keras.Input((None, None, 3)),
        *(keras.Input((None, None, 1)) for _ in range(2)),
    )
    restoration = keras.Model([reflectance, illumination], keras.layers.Activation("linear")(reflectance))
    brighter = keras.layers.Multiply()([illumination, alpha])
    return KindEnhancer(
        decom, restoration, keras.Model([illumination, alpha], keras.layers.ReLU(1.0)(brighter))
    )


def test_the_network_takes_alpha_from_the_settings_or_from_the_target(make_samples):
    (sample,) = make_samples(1)
    dark, target = (read_photo(path).pixels for path in (sample.low, sample.high))
    network = Network(enhancer(), alpha=2.0)

    def expected(alpha):
        stretched = (dark - dark.min()) / (dark.max() - dark.min())
        return stretched * np.minimum(0.5 * stretched.mean(axis=2, keepdims=True) * alpha, 1)

    raw = network.enhance(sample, dark)
    assert raw.alpha == 2.0 and raw.seconds > 0
    np.testing.assert_allclose(raw.image, expected(2.0), atol=1e-4)
    matched = network.enhance_to(sample, dark, target)
    illuminations = [
        0.5 * ((image - image.min()) / (image.max() - image.min())).mean(axis=2, keepdims=True)
        for image in (dark, target)
    ]
    assert matched.alpha == pytest.approx(target_ratio(*illuminations), rel=1e-3)
    np.testing.assert_allclose(matched.image, expected(matched.alpha), atol=1e-4)


def test_weights_and_settings_are_part_of_the_identity(make_samples):
    (sample,) = make_samples(1)
    first = enhancer()
    identities = [
        Network(first).identity(sample),
        Network(first, name="other name").identity(sample),
        Network(first, alpha=4.0).identity(sample),
        Network(first, fusion="published").identity(sample),
        Network(enhancer(0.4)).identity(sample),
    ]
    assert identities[0] == identities[1] and len(set(identities)) == 4


def test_a_folder_gives_the_images_of_the_stems(make_samples, write, tmp_path):
    samples = make_samples(2)
    pixels = np.random.default_rng(3).integers(0, 255, (20, 24, 3), np.uint8)
    for sample, suffix in zip(samples, ("webp", "png")):
        write(tmp_path / "made" / f"{sample.low.stem}.{suffix}", pixels)
    folder = Folder(tmp_path / "made", samples)
    assert folder.name == "made" and folder.enhance_to(samples[1], None, None) is None
    output = folder.enhance(samples[1], np.zeros((20, 24, 3)))
    np.testing.assert_array_equal(output.image, pixels.astype(np.float32) / 255)
    assert output.seconds is None
    before = folder.identity(samples[1])
    write(tmp_path / "made" / "1.png", pixels // 2)
    assert folder.identity(samples[1]) != before


def test_a_folder_that_lacks_images_names_them(make_samples, write, tmp_path):
    samples = make_samples(8)
    write(tmp_path / "made" / "3.png", np.zeros((20, 24, 3), np.uint8))
    with pytest.raises(UserError, match="holds no output of the stem 0, 1, 2, 4, 5 and 2 more"):
        Folder(tmp_path / "made", samples)
    with pytest.raises(UserError, match="no such folder of outputs"):
        Folder(tmp_path / "none", samples)


def test_two_outputs_of_one_stem_are_an_error(make_samples, write, tmp_path):
    for name in ("0.png", "0.jpg"):
        write(tmp_path / "made" / name, np.zeros((20, 24, 3), np.uint8))
    with pytest.raises(UserError, match="0.jpg and 0.png share a stem"):
        Folder(tmp_path / "made", make_samples(1))


def test_an_output_of_another_size_is_an_error(make_samples, write, tmp_path):
    samples = make_samples(1)
    write(tmp_path / "made" / "0.png", np.zeros((10, 12, 3), np.uint8))
    with pytest.raises(UserError, match="0.png: is 12x10, expected the dark image's 24x20"):
        Folder(tmp_path / "made", samples).enhance(samples[0], np.zeros((20, 24, 3)))


@pytest.mark.parametrize("size", [(1, 1), (11, 30), (64, 48)])
def test_baselines_stay_in_range_and_leave_black_black(size):
    dark = (np.random.default_rng(0).random((*size, 3)) * 0.3).astype(np.float32)
    for method in all_baselines():
        image = method.enhance(None, dark).image
        assert image.shape == dark.shape and image.dtype == np.float32
        assert 0 <= image.min() and image.max() <= 1
        assert not method.enhance(None, np.zeros_like(dark)).image.any()


def test_gamma_is_the_power_that_it_says():
    (gamma,) = [method for method in all_baselines() if "gamma" in method.name]
    assert gamma.enhance(None, np.full((2, 2, 3), 0.2, np.float32)).image[0, 0, 0] == pytest.approx(
        0.2**0.4545, 1e-3
    )
