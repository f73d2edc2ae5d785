import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.illumination.config import AdjustmentConfig
from kind.illumination.stage import SPEC, AdjustmentStage, downward, either_way, upward


def decomposed(seed=0, height=12, width=15):
    generator = np.random.default_rng(seed)
    low = generator.random((height, width, 1), np.float32) * 0.2
    return {"illumination_low": tf.constant(low), "illumination_high": tf.constant(np.sqrt(low))}


def ratio(sample):
    low, high = (sample[f"illumination_{side}"].numpy().astype(np.float64) for side in ("low", "high"))
    return np.mean(low / (high + 1e-4))


def test_brightening_asks_for_the_inverse_of_the_mean_ratio():
    sample = decomposed()
    up = upward(sample)
    assert np.array_equal(up["illumination"], sample["illumination_low"])
    assert np.array_equal(up["target"], sample["illumination_high"])
    assert up["alpha"].shape == (12, 15, 1)
    np.testing.assert_allclose(up["alpha"], 1 / ratio(sample) + 1e-4, rtol=1e-5)


def test_darkening_asks_for_the_mean_ratio():
    sample = decomposed()
    down = downward(sample)
    assert np.array_equal(down["illumination"], sample["illumination_high"])
    assert np.array_equal(down["target"], sample["illumination_low"])
    np.testing.assert_allclose(down["alpha"], ratio(sample), rtol=1e-5)


def test_black_crops_ask_for_something_finite():
    black = {key: tf.zeros_like(value) for key, value in decomposed().items()}
    for direction in (upward, downward):
        assert np.all(np.isfinite(direction(black)["alpha"]))


def test_both_ways_are_equally_likely_and_the_seed_decides():
    sample = decomposed()
    dataset = tf.data.Dataset.range(200).map(
        lambda n: either_way(sample, tf.stack([5, tf.cast(n, tf.int32)]))
    )
    brightening = [bool(np.array_equal(item["target"], sample["illumination_high"])) for item in dataset]
    assert 70 < sum(brightening) < 130
    again = [either_way(sample, tf.constant([5, n]))["target"] for n in range(20)]
    assert [np.array_equal(a, sample["illumination_high"]) for a in again] == brightening[:20]


@pytest.mark.parametrize("signed", [False, True])
def test_terms_and_scores(signed):
    keras.utils.set_random_seed(0)
    config = AdjustmentConfig(signed_gradient=signed)
    stage = AdjustmentStage(SPEC.make_net(config), config)
    sample = {key: value[tf.newaxis] for key, value in SPEC.prepare_validation(decomposed(), None).items()}
    terms = {name: float(value) for name, value in stage.losses(sample, training=True).items()}
    adjusted = stage.net([sample["illumination"], sample["alpha"]]).numpy().astype(np.float64)
    error = np.mean((adjusted - sample["target"].numpy()) ** 2)
    assert terms["mse"] == pytest.approx(error, rel=1e-4)
    assert list(terms) == list(stage.loss_names) and terms["gradient"] > 0
    assert terms["loss"] == pytest.approx(terms["mse"] + terms["gradient"], rel=1e-5)
    assert float(stage.image_metrics(sample)["psnr"]) == pytest.approx(-10 * np.log10(error), rel=1e-4)
    assert [picture.shape for picture in stage.visualisations(sample)] == [(1, 12, 15, 1)] * 3


def test_the_recipe_learns_both_ways_and_is_judged_upward():
    assert SPEC.needs_decom and SPEC.prepare is either_way and SPEC.stage is AdjustmentStage
    sample = decomposed()
    assert np.array_equal(SPEC.prepare_validation(sample, None)["target"], sample["illumination_high"])
