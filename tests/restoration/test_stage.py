import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from tensorflow import keras

from kind.restoration.config import KIND_PLUS, RestorationConfig
from kind.restoration.stage import SPEC, RestorationStage


def small_net():
    """Stands in for the U-Net: the stage does not care what is inside."""
    keras.utils.set_random_seed(0)
    reflectance, illumination = keras.Input((None, None, 3)), keras.Input((None, None, 1))
    joined = keras.layers.Concatenate()([reflectance, illumination])
    restored = keras.layers.Conv2D(3, 3, padding="same", activation="sigmoid")(joined)
    return keras.Model([reflectance, illumination], restored, name="small")


@pytest.fixture(scope="module")
def sample():
    generator = np.random.default_rng(0)
    channels = {"reflectance_low": 3, "illumination_low": 1, "reflectance_high": 3, "illumination_high": 1}
    return {key: tf.constant(generator.random((1, 17, 14, n), np.float32)) for key, n in channels.items()}


def numpy_ssim(first, second):
    """Wang et al.: 11×11 Gaussian of σ 1.5, of which only whole windows count, averaged over channels."""
    _, values = structural_similarity(
        first, second, channel_axis=-1, data_range=1, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, full=True, truncate=10 / 3,
    )  # fmt: skip
    return values[5:-5, 5:-5].mean()


@pytest.mark.parametrize("network", ["unet", "msia"])
def test_terms_and_scores_equal_numpy_and_scikit_image(sample, network):
    config = RestorationConfig(network=network, **(KIND_PLUS if network == "msia" else {}))
    stage = RestorationStage(small_net(), config)
    terms = {name: float(value) for name, value in stage.losses(sample, training=True).items()}
    scale = {"unet": 1.0, "msia": 0.99}[network]
    target = (scale * sample["reflectance_high"].numpy()[0].astype(np.float64)) ** 1.2
    restored = (
        stage.net([sample["reflectance_low"], sample["illumination_low"]]).numpy()[0].astype(np.float64)
    )
    assert terms["mse"] == pytest.approx(np.mean((restored - target) ** 2), rel=1e-4)
    assert terms["ssim_loss"] == pytest.approx(1 - numpy_ssim(restored, target), abs=1e-4)
    assert list(terms) == list(stage.loss_names)
    assert ("gradient" in terms) == (network == "unet")
    assert terms["loss"] == pytest.approx(sum(terms.values()) - terms["loss"], rel=1e-5)
    scores = stage.image_metrics(sample)
    assert float(scores["psnr"]) == pytest.approx(
        peak_signal_noise_ratio(target, restored, data_range=1), rel=1e-4
    )
    assert float(scores["ssim"]) == pytest.approx(numpy_ssim(restored, target), abs=1e-4)


def test_a_perfect_restoration_costs_nothing(sample):
    image, other = keras.Input((None, None, 3)), keras.Input((None, None, 1))
    identity = keras.Model([image, other], keras.layers.Activation("linear")(image))
    stage = RestorationStage(identity, RestorationConfig(target_power=1.0))
    same = {**sample, "reflectance_high": sample["reflectance_low"]}
    assert all(abs(float(value)) < 1e-5 for value in stage.losses(same, training=True).values())


def test_pictures_and_recipe(sample):
    stage = RestorationStage(small_net(), RestorationConfig())
    assert [picture.shape for picture in stage.visualisations(sample)] == [
        (1, 17, 14, n) for n in (3, 1, 3, 3)
    ]
    assert SPEC.needs_decom and SPEC.stage is RestorationStage
    names = {SPEC.make_net(RestorationConfig(network=network)).name for network in ("unet", "msia")}
    assert names == {"restoration_unet", "restoration_msia"}
