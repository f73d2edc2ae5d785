"""Terms that keep the reflectance a reflectance while a detector trains the networks before it."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.detection.config import DetectionConfig
from kind.detection.joint import joint_net, parts_of
from kind.detection.joint_stage import NAMES, ReflectanceStage
from kind.detection.model import build_detector
from kind.detection.sizes import Proportions
from kind.errors import UserError

TINY, SIZE = Proportions((8, 8, 16, 16), (1, 1, 1, 1), 1), 64


def config(**changes):
    return DetectionConfig(**{"image_size": SIZE, "batch": 2, "joint": True, "average_decay": 0.0, **changes})


def small(names, inputs, outputs):
    """Convolutions in place of a real network; the outputs by name, sigmoids."""
    given = [keras.Input((None, None, channels)) for channels in inputs]
    joined = keras.layers.Concatenate()(given) if len(given) > 1 else given[0]
    made = [
        keras.layers.Conv2D(channels, 3, padding="same", activation="sigmoid", name=name)(joined)
        for name, channels in zip(names, outputs)
    ]
    return keras.Model(
        given if len(given) > 1 else given[0], made if len(made) > 1 else made[0], name=names[0]
    )


@pytest.fixture(scope="module")
def stage():
    tf.keras.utils.set_random_seed(0)
    nets = small(["decom_r", "decom_l"], [3], [3, 1]), small(["restored"], [3, 1], [3])
    weights = dict.fromkeys(DetectionConfig.joint_weights, 0.5)
    return ReflectanceStage(joint_net(*nets, build_detector(TINY, ["a", "b"])), config(**weights))


@pytest.fixture(scope="module")
def sample():
    bright = np.random.default_rng(0).uniform(0.2, 1, (2, SIZE, SIZE, 3)).astype(np.float32)
    dark = np.random.default_rng(1).normal(bright / 8, 0.03).clip(0, 1).astype(np.float32)
    return {
        "image": tf.constant(dark),
        "bright": tf.constant(bright),
        "boxes": tf.constant([[[5, 6, 40, 44]], [[8, 4, 60, 38]]], tf.float32),
        "classes": tf.constant([[0], [1]]),
    }


@pytest.fixture(scope="module")
def found(stage, sample):
    """The terms, and for each the weights that it moves."""
    weights = stage.net.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        terms = stage.losses(sample, training=False)
    parts = {name: tape.gradient(terms[name], weights) for name in ("loss", *NAMES)}
    return terms, {
        name: {w.name for w, part in zip(weights, own) if part is not None and np.abs(part).max() > 0}
        for name, own in parts.items()
    }


def test_each_term_moves_its_own_networks(stage, found):
    _, moved = found
    names = {name: {w.name for w in net.trainable_variables} for name, net in parts_of(stage.net).items()}
    assert moved["reconstruction"] == names["decom"]
    assert moved["similarity"] == names["decom"] | names["restoration"]
    assert moved["alignment"] > names["decom"] | names["restoration"]
    heads = {name for name in names["detector"] if "head" in name}
    assert heads and not heads & moved["alignment"] and heads & moved["loss"]


def test_the_terms_are_what_they_say(stage, sample, found):
    terms, _ = found
    nets = parts_of(stage.net)

    def stretched(images):
        low, high = (end(images, axis=(1, 2, 3), keepdims=True) for end in (np.min, np.max))
        return (images - low) / (high - low)

    dark, bright = (stretched(sample[name].numpy()) for name in ("image", "bright"))
    reflectance, light = nets["decom"](dark)
    expected = np.abs(reflectance * light - dark).mean()
    assert float(terms["reconstruction"]) == pytest.approx(expected, rel=1e-4)
    expected = np.abs(nets["restoration"]([reflectance, light]) - nets["decom"](bright)[0]).mean()
    assert float(terms["similarity"]) == pytest.approx(expected, rel=1e-3, abs=1e-6)
    total = float(stage.losses_of(None, stage.outputs_of(stage.seen(sample["image"]), False), sample)["loss"])
    total += 2 * 0.5 * sum(float(terms[name]) for name in NAMES)
    assert float(terms["loss"]) == pytest.approx(total, rel=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"joint": False, "similarity_weight": 1.0}, "--similarity-weight expects --joint"),
        ({"alignment_weight": -1.0}, "--alignment-weight expects 0 or more, received -1"),
        ({"alignment_weight": 1.0, "darken": "none"}, "--darken none leaves no bright twins"),
        ({"box_temperature": 0.0}, "--box-temperature expects more than 0"),
    ],
)
def test_settings_that_do_not_fit_are_named(settings, message):
    with pytest.raises(UserError, match=message):
        config(**settings)
