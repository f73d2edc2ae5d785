"""Every stage's weights are those of its total, and it offers what it says, to losses that are added."""

import pytest
import tensorflow as tf
from tensorflow import keras

from kind.cli.stages import STAGES
from kind.decom.model import decomposition_net
from kind.illumination.model import adjustment_net
from kind.lite.stage import whole_sample
from kind.restoration.unet import unet
from kind.training.added_losses import added_losses

COMPARING = [name for name, entry in STAGES.items() if hasattr(entry, "spec") and entry.spec().stage.compared]


def sample_of(name):
    high = tf.random.stateless_uniform([1, 64, 64, 3] if name == "lite" else [1, 16, 16, 3], [0, 1])
    low, light, dark = high / 4, high[..., :1], high[..., :1] / 4
    return {
        "decom": {"low": low, "high": high},
        "restoration": {"reflectance_low": low, "illumination_low": dark, "reflectance_high": high},
        "illumination": {"illumination": dark, "alpha": tf.ones_like(light), "target": light},
        "joint": {"low": low, "high": high},
        "lite": {"low": low, "high": high, **whole_sample(low)},
        "guided": {"low": low, "high": high},
    }[name]


@pytest.mark.parametrize("name", COMPARING)
def test_weights_are_those_of_the_total_and_added_losses_reach_the_network(name):
    keras.utils.set_random_seed(0)
    entry = STAGES[name]
    config, spec = entry.config(loss=("l1=0.5",)), entry.spec()
    given = [decomposition_net(), unet(), adjustment_net()] if name == "joint" else []
    stage, sample = spec.stage(spec.make_net(config, *given), config), sample_of(name)
    terms, compared = stage.built_in_losses(sample, training=True)
    weights = stage.term_weights(config)
    assert ["loss", *weights] == list(terms) == list(stage.loss_names)
    total = sum(weight * float(terms[term]) for term, weight in weights.items())
    assert float(terms["loss"]) == pytest.approx(total, rel=1e-5)
    assert {place: frozenset(offered) for place, offered in compared.items()} == dict(stage.compared)
    added = added_losses(type(stage), config, None)
    with_l1 = added.total(terms, weights, compared, stage.net)
    extra = sum(0.5 * float(with_l1[term]) for term in added.names)
    assert extra > 0 and float(with_l1["loss"]) == pytest.approx(total + extra, rel=1e-5)
