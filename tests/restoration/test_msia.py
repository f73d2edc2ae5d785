"""KinD++'s restoration network against the original's formula, at all sizes and through files."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.nn.layers import After, JoinConvolution
from kind.nn.saving import load_net, save_net
from kind.restoration.msia import msia

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def net():
    """The network with every kind of weight away from its initial value."""
    keras.utils.set_random_seed(0)
    net, generator = msia(), np.random.default_rng(0)
    for weights in net.weights:
        if "kernel" in weights.name:
            weights.assign(weights * 1.5)
        elif "variance" in weights.name or "gamma" in weights.name:
            weights.assign(generator.uniform(0.5, 1.5, weights.shape))
        else:
            weights.assign(generator.normal(0, 0.1, weights.shape))
    return net


def images(height, width, count=1, seed=0):
    generator = np.random.default_rng(seed)
    shape = (count, height, width)
    return [generator.random((*shape, channels), dtype=np.float32) for channels in (3, 1)]


def original(net, reflectance, illumination):
    """The published network's formula: concatenations and 4×4 pooling, without Keras."""

    def conv(values, layer, activation):
        kernel, bias = net.get_layer(layer).weights
        return activation(tf.nn.conv2d(values, kernel, 1, "SAME") + bias)

    def leaky(values):
        return tf.maximum(0.2 * values, values)

    def normalise(values, layer):
        gamma, beta, mean, variance = net.get_layer(layer).weights
        return gamma * (values - mean) / tf.sqrt(variance + 0.001) + beta

    def double(values, layer):
        kernel, bias = net.get_layer(layer).weights
        count, height, width, channels = values.shape
        shape = (count, 2 * height, 2 * width, channels)
        return tf.nn.relu(tf.nn.conv2d_transpose(values, kernel, shape, 2) + bias)

    values = reflectance
    for number in range(1, 5):
        for part in (1, 2):
            values = conv(values, f"conv_{number}_{part}", leaky)
        block = f"msia_{number}"
        (kernel,) = net.get_layer(f"{block}_attention").weights
        values = values * tf.sigmoid(tf.nn.conv2d(illumination, kernel, 1, "SAME"))
        scales = [values]
        for scale, pool, ups in (
            ("full", 1, ()),
            ("half", 2, ("half_up",)),
            ("quarter", 4, ("quarter_up_1", "quarter_up_2")),
        ):
            branch = tf.nn.max_pool2d(values, pool, pool, "SAME")
            branch = conv(branch, f"{block}_{scale}_conv", tf.nn.relu)
            branch = tf.nn.relu(normalise(branch, f"{block}_{scale}_norm"))
            for up in ups:
                branch = double(branch, f"{block}_{up}")
            scales.append(branch)
        values = conv(tf.concat(scales, axis=-1), f"{block}_join", tf.nn.relu)
    values = conv(values, "conv_5", leaky)
    return tf.sigmoid(conv(values, "restored_logits", tf.identity))


def test_it_holds_8023079_values(net):
    assert net.count_params() == 8_023_079
    assert sum(int(tf.size(weights)) for weights in net.trainable_weights) == 8_019_239


@pytest.mark.parametrize("size", [(4, 4), (8, 4), (16, 20)])
def test_it_equals_the_originals_formula_where_that_runs(net, size):
    inputs = images(*size, count=2)
    expected = original(net, *inputs)
    assert np.std(expected) > 0.05  # a faded signal would hide errors
    assert np.max(np.abs(net(inputs, training=False) - expected)) < 1e-5


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 2), (2, 3), (3, 3), (5, 7), (17, 23), (18, 22)])
def test_any_size_gives_finite_images_of_that_size(net, size):
    restored = net(images(*size, count=2), training=False)
    assert restored.shape == (2, *size, 3)
    assert restored.dtype == tf.float32
    assert np.all((restored > 0) & (restored < 1))  # also false for NaN


def test_at_other_sizes_pooling_windows_start_at_the_top_left(net):
    """Features that are nowhere negative, as ReLU leaves them, pool like an image continued by zeros."""
    pooled = keras.Model(net.inputs, net.get_layer("msia_1_quarter_pool").output)
    attended = keras.Model(net.inputs, net.get_layer("msia_1_attended").output)
    inputs = images(6, 7)
    values = np.pad(attended(inputs), ((0, 0), (0, 2), (0, 1), (0, 0)), constant_values=-np.inf)
    expected = values.reshape(1, 2, 4, 2, 4, 64).max(axis=(2, 4))
    assert np.array_equal(pooled(inputs), expected)


def test_black_images_and_one_graph_for_all_sizes(net):
    signature = [tf.TensorSpec([None, None, None, 3]), tf.TensorSpec([None, None, None, 1])]
    graph = tf.function(lambda image, light: net([image, light], training=False), input_signature=signature)
    for size in ((4, 4), (5, 3)):
        black = [np.zeros_like(part) for part in images(*size)]
        assert np.max(np.abs(graph(*black) - net(black, training=False))) < 1e-6
        assert np.all(np.isfinite(graph(*black)))


def test_every_trainable_weight_has_a_gradient(net):
    inputs = images(8, 9, count=2)
    with tf.GradientTape() as tape:
        error = tf.reduce_mean(tf.square(net(inputs, training=True) - inputs[0]))
    for weights, gradient in zip(net.trainable_weights, tape.gradient(error, net.trainable_weights)):
        assert gradient is not None, weights.name
        assert np.all(np.isfinite(gradient)), weights.name
        assert np.any(gradient != 0), weights.name


@pytest.mark.slow
def test_half_precision_stays_close(net):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        mixed = msia()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    mixed.set_weights(net.get_weights())
    inputs = images(16, 20)
    restored = mixed(inputs, training=False)
    assert restored.dtype == tf.float32
    assert np.max(np.abs(restored - net(inputs, training=False))) < 0.1


def modules(config):
    """All modules that a saved network's config names."""
    if isinstance(config, dict):
        own = {config["module"]} if isinstance(config.get("module"), str) else set()
        return own.union(*map(modules, config.values()))
    return set().union(*map(modules, config)) if isinstance(config, list) else set()


def test_a_saved_network_says_what_it_is_and_needs_no_stage(net, tmp_path):
    path, inputs = tmp_path / "restoration.keras", images(9, 6)
    save_net(net, path)
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    assert config["config"]["name"] == "restoration_msia"
    assert {name.split(".")[0] for name in modules(config)} == {"keras", "kind"}
    loaded = load_net(path)
    assert loaded.name == "restoration_msia"
    assert np.max(np.abs(loaded(inputs, training=False) - net(inputs, training=False))) < 1e-6


@pytest.mark.slow
def test_a_saved_network_loads_in_a_process_without_the_stage(net, tmp_path):
    inputs = images(9, 6)
    save_net(net, tmp_path / "restoration.keras")
    np.savez(tmp_path / "inputs.npz", *inputs)
    script = (
        "import sys, numpy; from kind.nn.saving import load_net; "
        "net = load_net(sys.argv[1]); inputs = numpy.load(sys.argv[2]); "
        "numpy.save(sys.argv[3], net([inputs['arr_0'], inputs['arr_1']], training=False)); "
        "assert 'kind.restoration' not in sys.modules"
    )
    files = [str(tmp_path / name) for name in ("restoration.keras", "inputs.npz", "output.npy")]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-c", script, *files], check=True, env=environment)
    assert np.max(np.abs(np.load(files[2]) - net(inputs, training=False))) < 1e-6


def test_a_network_with_a_lambda_is_refused_in_one_line(tmp_path):
    marker, path = tmp_path / "ran", tmp_path / "restoration.keras"
    image = keras.Input((None, None, 3))
    name = str(marker)
    danger = keras.layers.Lambda(lambda values: (open(name, "w").close(), values)[1])
    net = keras.Model(image, danger(image))
    net.save(path)
    marker.unlink(missing_ok=True)
    with pytest.raises(ValueError, match="(?i)lambda") as caught:
        load_net(path)
    assert type(caught.value).__name__ == "UserError"
    assert "\n" not in str(caught.value)
    assert not marker.exists()


def test_join_convolution_equals_concatenation_and_convolution():
    generator = np.random.default_rng(3)
    parts = [generator.standard_normal((2, 3, 5, width)).astype(np.float32) for width in (2, 7, 1)]
    join = JoinConvolution(4, activation="relu")
    joined = join(parts)
    concatenated = np.concatenate(parts, axis=-1)
    join.bias.assign(generator.standard_normal(4))
    expected = np.maximum(concatenated @ join.kernel.numpy()[0, 0] + join.bias.numpy(), 0)
    assert joined.shape == (2, 3, 5, 4)
    assert np.max(np.abs(join(parts) - expected)) < 1e-5
    copy = JoinConvolution.from_config(join.get_config())
    assert (copy.filters, copy.activation) == (4, keras.activations.relu)
    assert join.compute_output_shape([part.shape for part in parts]) == (2, 3, 5, 4)


def test_after_passes_its_first_input_on():
    first, second = np.float32([[1, 2]]), np.float32([3])
    layer = After()
    assert np.array_equal(layer([first, second]), first)
    assert np.array_equal(tf.function(lambda *parts: layer(list(parts)))(first, second), first)
    assert layer.compute_output_shape([(1, 2), (1,)]) == (1, 2)
