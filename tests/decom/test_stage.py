import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.decom.config import DecompositionConfig
from kind.decom.stage import SPEC
from kind.training.stage_spec import StageSpec

TERMS = ["reconstruction_low", "reconstruction_high", "reflectance_similarity", "mutual_consistency"]
TERMS += ["smoothness_low", "smoothness_high"]


@pytest.fixture(scope="module")
def stage():
    keras.utils.set_random_seed(0)
    config = DecompositionConfig(similarity_weight=0.5, mutual_weight=0.25, smoothness_weight=0.125)
    return SPEC.stage(SPEC.make_net(config), config)


@pytest.fixture(scope="module")
def sample():
    high = np.random.default_rng(0).random((2, 13, 10, 3), np.float32)
    return {"low": tf.constant(high / 7), "high": tf.constant(high)}


def test_the_recipe_takes_images(stage):
    assert isinstance(SPEC, StageSpec) and not SPEC.needs_decom and SPEC.prepare is None
    assert stage.net.name == "decomposition" and stage.monitor == "val_loss" and not stage.higher_is_better


def test_each_exposure_is_taken_apart_by_itself(stage, sample):
    """The terms equal NumPy's on decompositions made one exposure at a time; the weights are the config's."""
    terms = {name: float(value) for name, value in stage.losses(sample, training=True).items()}
    low, high = (stage.net(sample[side], training=False) for side in ("low", "high"))
    for side, (reflectance, illumination) in (("low", low), ("high", high)):
        expected = np.abs(reflectance.numpy() * illumination.numpy() - sample[side].numpy()).mean()
        assert terms[f"reconstruction_{side}"] == pytest.approx(expected, rel=1e-5)
    expected = np.abs(low[0].numpy() - high[0].numpy()).mean()
    assert terms["reflectance_similarity"] == pytest.approx(expected, rel=1e-4)
    weights = dict(zip(TERMS, (1, 1, 0.5, 0.25, 0.125, 0.125)))
    assert list(terms) == list(stage.loss_names) == ["loss", *TERMS]
    assert terms["loss"] == pytest.approx(sum(weights[name] * terms[name] for name in TERMS), rel=1e-5)


def test_the_score_is_how_well_the_parts_multiply_to_the_image(stage, sample):
    one = {name: value[:1] for name, value in sample.items()}
    reflectance, illumination = stage.net(one["low"], training=False)
    error = np.mean((reflectance.numpy() * illumination.numpy() - one["low"].numpy()) ** 2, dtype=np.float64)
    assert float(stage.image_metrics(one)["psnr"]) == pytest.approx(-10 * np.log10(error), rel=1e-4)


def test_pictures_fit_side_by_side(stage, sample):
    pictures = stage.visualisations(sample)
    assert [picture.shape[-1] for picture in pictures] == [3, 3, 1, 3, 3, 1]
    assert all(picture.shape[:3] == (2, 13, 10) for picture in pictures)
    assert all(0 <= np.min(picture) <= np.max(picture) <= 1 for picture in pictures)


def test_losses_are_float32_and_the_same_in_a_graph_and_finite_on_black_images(stage, sample):
    in_graph = tf.function(lambda s: stage.losses(s, training=True))
    for name, value in stage.losses(sample, training=True).items():
        assert value.dtype == tf.float32
        assert float(in_graph(sample)[name]) == pytest.approx(float(value), rel=1e-4)
    black = {name: tf.zeros_like(value) for name, value in sample.items()}
    assert all(np.isfinite(value) for value in in_graph(black).values())
