import numpy as np
import pytest
from tensorflow import keras

from kind.errors import UserError
from kind.training.layer_names import freeze, named_layers, rate_groups, statistics, take_weights


def inner(name, filters=2):
    image = keras.Input((None, None, 2), name=f"{name}_image")
    values = keras.layers.Conv2D(filters, 1, name="first")(image)
    values = keras.layers.BatchNormalization(name="norm")(values)
    return keras.Model(image, keras.layers.Conv2D(2, 1, name="second")(values), name=name)


def nested():
    image = keras.Input((None, None, 2), name="image")
    return keras.Model(image, inner("right")(inner("left")(image)), name="both")


PATHS = ["first", "norm", "second"]
NESTED_PATHS = [f"{net}/{layer}" for net in ("left", "right") for layer in PATHS]


def test_layers_with_weights_are_named_also_inside_inner_models():
    assert list(named_layers(inner("net"))) == PATHS
    assert list(named_layers(nested())) == NESTED_PATHS


def test_freezing_by_pattern():
    net = nested()
    freeze(net, ["left/*", "*/norm"])
    trained = {path for path, layer in named_layers(net).items() if layer.trainable_variables}
    assert trained == {"right/first", "right/second"}
    assert len(net.trainable_variables) == 4


def test_statistics_are_those_of_layers_that_learn_now_or_later():
    net = nested()
    freeze(net, ["left/*"])
    left, right = (layers.get_layer("norm") for layers in (net.get_layer("left"), net.get_layer("right")))
    assert statistics(net, net.trainable_variables) == right.non_trainable_variables
    assert len(right.non_trainable_variables) == 2
    later = [*net.trainable_variables, left.gamma, left.beta]
    expected = [left.moving_mean, left.moving_variance, *right.non_trainable_variables]
    assert statistics(net, later) == expected


def test_nothing_is_frozen_without_patterns():
    net = inner("net")
    freeze(net, [])
    assert len(net.trainable_variables) == 6


@pytest.mark.parametrize(
    ("patterns", "words"),
    [
        (["third"], "--freeze: 'third' matches no layer; there are first, norm, second"),
        (["*"], "nothing to train"),
    ],
)
def test_patterns_that_do_not_fit_are_refused(patterns, words):
    with pytest.raises(UserError, match=words):
        freeze(inner("net"), patterns)


def test_rates_group_the_weights():
    net = nested()
    freeze(net, ["right/norm"])
    groups = rate_groups(net, ["left/*=0.1", "left/second=2"])
    layers = named_layers(net)
    expected = {
        0.1: [*layers["left/first"].trainable_variables, *layers["left/norm"].trainable_variables],
        2.0: layers["left/second"].trainable_variables,
        1.0: [*layers["right/first"].trainable_variables, *layers["right/second"].trainable_variables],
    }
    assert {factor: [v.ref() for v in group] for factor, group in groups.items()} == {
        factor: [v.ref() for v in group] for factor, group in expected.items()
    }


@pytest.mark.parametrize("entry", ["first", "first=", "first=-1", "first=0", "first=nan", "first=inf", "=1"])
def test_rates_of_another_form_are_refused(entry):
    with pytest.raises(UserError, match="--learning-rate-multipliers expects PATTERN=FACTOR"):
        rate_groups(inner("net"), [entry])


def test_rates_that_match_nothing_are_refused():
    with pytest.raises(UserError, match="--learning-rate-multipliers: 'third' matches no layer"):
        rate_groups(inner("net"), ["third=2"])


def test_weights_are_taken_over():
    net, source = inner("net"), inner("source")
    assert take_weights(net, source) == []
    assert all(np.array_equal(a, b) for a, b in zip(net.get_weights(), source.get_weights()))


def test_weights_that_do_not_fit_are_refused_or_left():
    net, source = inner("net"), inner("source", filters=3)
    before = net.get_layer("first").get_weights()
    with pytest.raises(UserError, match="source do not fit net: first, norm, second"):
        take_weights(net, source)
    source = keras.Model(
        source.inputs, keras.layers.Conv2D(2, 1, name="other")(source.inputs[0]), name="source"
    )
    with pytest.raises(UserError, match="do not fit"):
        take_weights(net, source, partly=True)
    image = keras.Input((None, None, 2))
    values = keras.layers.Conv2D(5, 1, name="first")(image)
    source = keras.Model(image, keras.layers.Conv2D(2, 1, name="second")(keras.layers.Conv2D(2, 1)(values)))
    assert take_weights(net, source, partly=True) == ["first", "norm"]
    assert all(np.array_equal(a, b) for a, b in zip(net.get_layer("first").get_weights(), before))
    taken, given = (model.get_layer("second").get_weights() for model in (net, source))
    assert all(np.array_equal(a, b) for a, b in zip(taken, given))
