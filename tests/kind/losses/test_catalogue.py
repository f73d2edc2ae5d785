"""What holds for every loss of the catalogue."""

import functools
import inspect

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import kind
from kind.losses import catalogue
from kind.losses.catalogue import CATALOGUE

#: Where the published form looks at the whole batch, the other one is asked for.
PER_IMAGE = {"gradient-difference", "mutual-consistency", "illumination-smoothness"}
CONSTANTS = {"black": 0.0, "grey": 0.5, "white": 1.0}
every = pytest.mark.parametrize("name", CATALOGUE)


def settings(name):
    return {"per_image": True} if name in PER_IMAGE else {}


def loss(name, *inputs):
    return CATALOGUE[name](*inputs, **settings(name))


def features(image):
    """Stands for a network: two layers of three and two channels."""
    return [image[:, ::2, ::2] * 2.0, tf.square(image[..., :2])]


def darker_is_greyer(image):
    """A poor decomposition, whose reflectance depends on the exposure."""
    return tf.sqrt(image + 0.01)


def inputs_of(entry, first, second):
    """Two images [N, H, W, 3] as what a loss takes; the first is what gradients are asked for."""
    numbers = tf.argmax(second, axis=-1)
    yes = tf.cast(second[..., :1] > 0.5, tf.float32)
    light, other = first[..., :1], second[..., :1]
    return {
        catalogue.PAIR: lambda: (first, second),
        catalogue.SOURCE: lambda: (first, second),
        catalogue.IMAGE: lambda: (first,),
        catalogue.FEATURES: lambda: (features(first), features(second)),
        catalogue.WEIGHTS: lambda: ([first],),
        catalogue.ILLUMINATION: lambda: (light,),
        catalogue.ILLUMINATIONS: lambda: (light, other),
        catalogue.ILLUMINATION_AND_IMAGE: lambda: (light, second),
        catalogue.PARTS: lambda: (second, first, tf.ones_like(light)),
        catalogue.DECOMPOSITION: lambda: (darker_is_greyer, first),
        catalogue.BINARY: lambda: (4.0 * light - 2.0, yes),
        catalogue.CLASSES: lambda: (first, numbers),
        catalogue.LOGITS: lambda: (first, second),
        catalogue.MAPS: lambda: (first, second),
        catalogue.FAKE: lambda: (first,),
        catalogue.REAL_AND_FAKE: lambda: (first, second),
    }[entry.inputs]()


def side(entry):
    return max(entry.smallest, 16)


def random_images(entry, seed, count=2):
    return tf.random.stateless_uniform([count, side(entry), side(entry) + 2, 3], [seed, 1])


#: The stated minimum of losses that are not 0 for identical inputs.
MINIMA = {"charbonnier": 1e-3, "log-mse": -40.0}


@pytest.mark.parametrize(
    "name",
    [n for n, e in CATALOGUE.items() if e.inputs in (catalogue.PAIR, catalogue.SOURCE, catalogue.FEATURES)]
    + ["tempered-kl", "channelwise-kl", "reconstruction"],
)
def test_identical_inputs_give_the_minimum(name):
    image, other = random_images(CATALOGUE[name], 0), random_images(CATALOGUE[name], 5)
    if CATALOGUE[name].inputs in (catalogue.LOGITS, catalogue.MAPS):
        same, different = (image, image), (image, 3.0 * other)
    else:
        same, different = inputs_of(CATALOGUE[name], image, image), inputs_of(CATALOGUE[name], other, image)
    assert float(loss(name, *same)) == pytest.approx(MINIMA.get(name, 0.0), abs=2e-6)
    assert float(loss(name, *different)) > MINIMA.get(name, 0.0) + 1e-4


@pytest.mark.parametrize(
    "name, inputs, minimum",
    [
        ("total-variation", (tf.fill([1, 4, 5, 3], 0.3),), 0),
        ("illumination-tv", (tf.fill([1, 4, 5, 1], 0.3),), 0),
        ("exposure-control", (tf.fill([1, 20, 17, 3], 0.6),), 0),
        ("colour-constancy", (tf.fill([1, 4, 5, 3], 0.3),), 0),
        ("self-consistency", (tf.zeros_like, tf.fill([1, 4, 5, 3], 0.3)), 0),
        ("l1-weights", ([tf.zeros([3, 2])],), 0),
        ("l2-weights", ([tf.zeros([3, 2])],), 0),
        ("binary-cross-entropy", (tf.constant([[40.0, -40.0]]), tf.constant([[1.0, 0.0]])), 0),
        ("focal", (tf.constant([[40.0, -40.0]]), tf.constant([[1.0, 0.0]])), 0),
        ("lovasz-hinge", (tf.constant([[1.0, -1.5]]), tf.constant([[1.0, 0.0]])), 0),
        ("cross-entropy", (tf.constant([[[40.0, 0.0]]]), tf.constant([[0]])), 0),
        ("lovasz-softmax", (tf.constant([[[40.0, 0.0]]]), tf.constant([[0]])), 0),
        ("non-saturating-generator", (tf.constant([40.0]),), 0),
        ("least-squares-generator", (tf.ones([3]),), 0),
        ("minimax-discriminator", (tf.constant([40.0]), tf.constant([-40.0])), 0),
        ("least-squares-discriminator", (tf.ones([3]), tf.zeros([3])), 0),
        ("hinge-discriminator", (tf.ones([3]), -tf.ones([3])), 0),
    ],
)
def test_the_others_reach_their_minimum_where_they_say(name, inputs, minimum):
    assert float(loss(name, *inputs)) == pytest.approx(minimum, abs=1e-6)


@functools.cache
def in_graph(name):
    """The loss and its gradient as one graph for images of any size."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])] * 2)
    def value_and_gradient(first, second):
        with tf.GradientTape() as tape:
            tape.watch(first)
            value = loss(name, *inputs_of(CATALOGUE[name], first, second))
        return value, tape.gradient(value, first)

    return value_and_gradient


@every
def test_values_and_gradients_are_finite_on_constant_images(name):
    entry = CATALOGUE[name]
    other = random_images(entry, 3, 1)
    for constant in CONSTANTS.values():
        image = tf.fill(other.shape, constant)
        for target in (image, other):
            value, gradient = in_graph(name)(image, target)
            assert np.isfinite(value) and np.isfinite(gradient.numpy()).all(), constant


@every
def test_it_is_the_same_eager_in_a_graph_and_under_a_mixed_policy(name):
    entry = CATALOGUE[name]
    first, second = random_images(entry, 1), random_images(entry, 2)
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        mixed = loss(name, *inputs_of(entry, first, second))
    finally:
        keras.mixed_precision.set_global_policy(before)
    assert mixed.dtype == tf.float32 and mixed.shape == ()
    assert float(mixed) == pytest.approx(float(in_graph(name)(first, second)[0]), rel=1e-5, abs=1e-6)


@every
def test_it_is_the_sum_of_the_shares_of_two_replicas(name):
    """Each replica has half of the batch and divides its loss by two; weights are the same on both."""
    entry = CATALOGUE[name]
    first, second = random_images(entry, 1), random_images(entry, 2)
    halves = [(first, second)] * 2
    if entry.inputs != catalogue.WEIGHTS:
        halves = [(first[:1], second[:1]), (first[1:], second[1:])]
    shares = [float(in_graph(name)(*half)[0]) / 2 for half in halves]
    assert sum(shares) == pytest.approx(float(in_graph(name)(first, second)[0]), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", [name for name, entry in CATALOGUE.items() if entry.keras])
def test_the_keras_loss_is_the_function(name):
    entry = CATALOGUE[name]
    first, second = random_images(entry, 1), random_images(entry, 2)
    prediction, target = inputs_of(entry, first, second)
    expected = float(loss(name, prediction, target))
    if entry.inputs == catalogue.FEATURES:
        prediction, target, keras_loss = first, second, entry.keras(features)
    else:
        keras_loss = entry.keras(**entry.settings, **settings(name))
        keras_loss = type(keras_loss).from_config(keras_loss.get_config())
    assert float(keras_loss(target, prediction)) == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert entry.keras is getattr(kind.losses, entry.keras.__name__)


def test_keras_losses_refuse_settings_that_they_do_not_have():
    assert float(kind.losses.HuberLoss(delta=1.0)([[[[1.0]]]], tf.zeros([1, 1, 1, 1]))) == 0.5
    with pytest.raises(TypeError, match="HuberLoss has no setting 'beta'"):
        kind.losses.HuberLoss(beta=1.0)


@every
def test_its_docstring_says_formula_shapes_range_and_source(name):
    text = inspect.getdoc(CATALOGUE[name].function)
    for part in ("Source: ", "Args:", "Returns:", "float"):
        assert part in text, part
    assert len(CATALOGUE[name].summary) < 110
