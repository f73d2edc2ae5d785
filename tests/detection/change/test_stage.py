"""The stage of change detection: objective, figures, alarm, pictures and order."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.detection.change import batches
from kind.detection.change.config import OBJECTIVES, ChangeConfig
from kind.detection.change.loss import change_loss, iou_cross_entropy
from kind.detection.change.making import Pair
from kind.detection.change.stage import ChangeStage, draw_verdict, preprocessing
from kind.errors import UserError
from kind.metrics.binary_masks import count_pixels, figures_of


def net(bias=0.0):
    """Logits: the mean difference between the dates, and a bias."""
    dates = [keras.Input((None, None, 3), name=name) for name in ("before", "after")]
    bias = keras.initializers.Constant(bias)
    last = keras.layers.Conv2D(
        1, 1, kernel_initializer=keras.initializers.Constant(1.0), bias_initializer=bias
    )
    return keras.Model(dates, last(keras.layers.Subtract()(dates[::-1])))


@pytest.fixture
def sample():
    random = np.random.default_rng(0)
    before = random.random((1, 6, 7, 3), dtype=np.float32)
    label = np.zeros([1, 6, 7, 1], np.float32)
    label[0, 2:4, 1:5] = 1
    after = before + label * 0.5 - (1 - label) * 0.1
    return {
        name: tf.constant(value) for name, value in (("before", before), ("after", after), ("label", label))
    }


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_total_is_the_weighted_sum_and_reaches_the_network(objective, sample):
    config = ChangeConfig(input="raw", objective=objective, focal_weight=2.0, lovasz_weight=0.5)
    stage = ChangeStage(net(), config)
    with tf.GradientTape() as tape:
        terms = stage.losses(sample, training=True)
    weights = {"focal": 2.0, "lovasz": 0.5, "cross_entropy": 1.0, "iou_cross_entropy": 1.0}
    assert list(terms) == list(stage.loss_names) == ["loss", *OBJECTIVES[objective]]
    total = sum(weights[name] * float(terms[name]) for name in OBJECTIVES[objective])
    assert float(terms["loss"]) == pytest.approx(total, rel=1e-5)
    assert all(np.abs(one).max() > 0 for one in tape.gradient(terms["loss"], stage.net.trainable_variables))


def test_coarser_masks_count_as_the_weight_says(sample):
    config = ChangeConfig(side_weight=0.25)
    logits = [tf.zeros_like(sample["label"]) + value for value in (0.3, -1.0, 2.0)]
    alone = [change_loss([one], sample["label"], config) for one in logits]
    together = change_loss(logits, sample["label"], config)
    for name in together:
        expected = alone[0][name] + 0.25 * (alone[1][name] + alone[2][name]) / 2
        assert float(together[name]) == pytest.approx(float(expected), rel=1e-5)


def test_cross_entropy_weighted_by_iou_is_numpys():
    random = np.random.default_rng(1)
    logits = random.normal(size=(3, 4, 5, 1)).astype(np.float32)
    label = (random.random((3, 4, 5, 1)) < 0.3).astype(np.float32)
    label[2] = 0  # nothing has changed: the overlap is that of what stayed
    expected = []
    for z, y in zip(logits.astype(float), label.astype(float)):
        p = 1 / (1 + np.exp(-z))
        entropy = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
        p, y = (p, y) if y.any() else (1 - p, 1 - y)
        expected.append((2 - (p * y).sum() / (p + y - p * y).sum()) * entropy)
    assert float(iou_cross_entropy(tf.constant(logits), tf.constant(label))) == pytest.approx(
        np.mean(expected), rel=1e-5
    )


def test_figures_are_those_of_all_pixels_together(sample):
    stage = ChangeStage(net(), ChangeConfig(input="raw"))
    value = stage.validation_values(sample)
    figures = stage.validation_metrics([value, value])
    logits = np.asarray(stage.net([sample["before"], sample["after"]]))
    expected = figures_of(count_pixels(logits > 0, np.asarray(sample["label"]) > 0))
    assert {name: figures[name] for name in expected._fields} == pytest.approx(expected._asdict())
    assert figures["f1"] == 1 and stage.complaints([value]) == []


def test_an_alarm_when_everything_is_predicted_0(sample):
    stage = ChangeStage(net(bias=-50.0), ChangeConfig(input="raw"))
    (complaint,) = stage.complaints([stage.validation_values(sample)] * 3)
    assert "everything is predicted 0 (unchanged) in all 3 validation pairs" in complaint
    unchanged = {**sample, "label": tf.zeros_like(sample["label"])}
    assert stage.complaints([stage.validation_values(unchanged)]) == []


def test_right_pixels_are_white_missed_red_and_wrong_green(sample):
    found, true = np.array([[True, True], [False, False]]), np.array([[True, False], [True, False]])
    np.testing.assert_array_equal(draw_verdict(found, true)[0], [[1, 1, 1], [0, 1, 0]])
    np.testing.assert_array_equal(draw_verdict(found, true)[1], [[1, 0, 0], [0, 0, 0]])
    stage = ChangeStage(net(), ChangeConfig(input="raw"))
    pictures = stage.visualisations(sample)
    assert len(pictures) == len(stage.shown) and all(one.shape[:3] == (1, 6, 7) for one in pictures)


def test_both_dates_go_through_the_networks_before_and_nothing_is_learnt_there(sample):
    half = tf.Variable(0.5)

    class Enhancer:
        def __call__(self, images, alpha, fusion, parts):
            from types import SimpleNamespace

            assert images.shape[0] == 2 and alpha is None and parts == ("restored",)
            return SimpleNamespace(restored=images * half)

    stage = ChangeStage(net(), ChangeConfig(), preprocessing("reflectance", Enhancer()))
    with tf.GradientTape() as tape:
        terms = stage.losses(sample, training=True)
    assert tape.gradient(terms["loss"], half) is None


def test_batches_of_any_epoch_are_made_without_those_before(monkeypatch):
    """Every pair depends on (seed, epoch, position): a resumed run goes on with the same ones."""

    class Numbers:
        steps, source = 3, range(4)

        def training_pair(self):
            def pair(index, seed):
                values = tf.cast(tf.stack([tf.cast(index, tf.int32), *tf.unstack(seed)]), tf.float32)
                return Pair(values, values, values)

            return pair

    monkeypatch.setattr(
        batches, "lit", lambda pair, seed, dates: pair._replace(after=tf.cast(seed, tf.float32))
    )
    settings = {"batch": 2, "seed": 7, "darken": "mixed"}
    whole = list(batches.training_batches(Numbers(), **settings).take(6))
    later = list(batches.training_batches(Numbers(), first_epoch=1, **settings).take(3))
    for one, other in zip(whole[3:], later):
        np.testing.assert_array_equal(one["before"], other["before"])
        np.testing.assert_array_equal(one["after"], other["after"])
    seeds = {tuple(row) for batch in whole for row in batch["before"].numpy()}
    assert len(seeds) == 12
    halves = [
        list(batches.training_batches(Numbers(), processes=2, process=one, replicas=2, **settings).take(3))
        for one in range(2)
    ]
    for number in range(3):
        together = np.concatenate([half[number]["before"] for half in halves])
        np.testing.assert_array_equal(together, whole[number]["before"])


def test_settings_that_cannot_be_trained_with_are_refused():
    with pytest.raises(UserError, match="--focal-alpha expects 0 to 1"):
        ChangeConfig(focal_alpha=2.0)
    with pytest.raises(UserError, match="--steps expects at least 1"):
        ChangeConfig(steps=0)
    assert ChangeConfig().schedule == "plateau" and ChangeConfig().weight_decay == 5e-4
