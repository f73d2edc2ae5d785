"""Networks to start from: checked before any image is read."""

from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow import keras

from kind.errors import UserError
from kind.training.initial import InitialWeights, build_early


def early(tiny, initial=None, **settings):
    config = tiny.config(**settings)
    return build_early(lambda: tiny.stage(tiny.net(), config), tf.distribute.get_strategy(), initial)()


def test_a_stage_begins_with_the_given_weights(tiny):
    source = tiny.net(seed=5)
    stage = early(tiny, InitialWeights(Path("run/best.keras"), source))
    for ours, its in zip(stage.net.get_weights(), source.get_weights()):
        assert (ours == its).all()


def test_what_does_not_fit_is_refused_at_once(tiny):
    other = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, name="one")], name="other")
    message = r"^run/best.keras: holds 'other'; expected 'tiny': the weights of other do not fit tiny: encode"
    with pytest.raises(UserError, match=message):
        early(tiny, InitialWeights(Path("run/best.keras"), other))
    with pytest.raises(UserError, match="--freeze: 'nothing' matches no layer"):
        early(tiny, freeze=("nothing",))
    with pytest.raises(UserError, match="--learning-rate-multipliers expects PATTERN=FACTOR"):
        early(tiny, learning_rate_multipliers=("encode=-1",))


def test_layers_that_are_left_are_named(tiny, capsys):
    other = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(4, 1, name="encode")])
    stage = early(tiny, InitialWeights(Path("run"), other, partly=True))
    assert (stage.net.get_layer("encode").get_weights()[0] == other.get_weights()[0]).all()
    assert capsys.readouterr().err == "--init-partly: re-initialised: norm, decode\n"
