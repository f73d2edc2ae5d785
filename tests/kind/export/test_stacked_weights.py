"""A graph computes the same bits with stacked variables, and holds one for each shape."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.export.stacked_weights import StackedWeights


def net():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((None, None, 3))
    features = keras.layers.Conv2D(16, 3, padding="same")(inputs)
    for _ in range(2):
        features = keras.layers.Conv2D(16, 3, padding="same")(features)
        features = keras.layers.BatchNormalization()(features)
    return keras.Model(inputs, keras.layers.Conv2D(1, 1, dtype="float32")(features))


def variables_of(function, spec):
    return tf.function(function, input_signature=[spec]).get_concrete_function().graph.variables


def test_the_same_bits_come_from_one_variable_for_each_shape():
    model, spec = net(), tf.TensorSpec([1, None, None, 3])
    before = [id(weight) for weight in model.weights]
    stacked = StackedWeights([model, model])
    function = tf.function(stacked.used_by(model), input_signature=[spec], autograph=False)
    image = tf.constant(np.random.default_rng(0).random((1, 7, 9, 3), np.float32))
    assert np.array_equal(function(image), tf.function(model, input_signature=[spec])(image))
    assert len(variables_of(model, spec)) == 16
    # Kernels of 3→16 and 16→16, of the head, its bias; and all vectors of 16.
    assert len(function.get_concrete_function().graph.variables) == 5
    assert sorted(stack.shape[0] for stack in stacked.stacks) == [2, 11]
    assert [id(weight) for weight in model.weights] == before
    assert all(isinstance(layer.kernel, tf.Variable) for layer in model.layers if hasattr(layer, "kernel"))


def test_a_failure_leaves_the_layers_as_they_were():
    model = net()

    def fail():
        raise RuntimeError("no")

    with tf.Graph().as_default():
        try:
            StackedWeights([model]).used_by(fail)()
        except RuntimeError:
            pass
    assert all(isinstance(layer.kernel, tf.Variable) for layer in model.layers if hasattr(layer, "kernel"))


def test_variables_that_are_cast_when_they_are_read_stay():
    layer = keras.layers.Conv2D(4, 1, dtype="mixed_bfloat16")
    model = keras.Sequential(
        [keras.Input((1, 1, 4)), layer, keras.layers.Conv2D(4, 1, dtype=layer.dtype_policy)]
    )
    assert StackedWeights([model]).stacks == []
