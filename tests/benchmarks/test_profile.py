"""The public graph beside our networks: built here, and by other people's code in a process of its own."""

import os
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from benchmarks.profile import main
from benchmarks.public_checkout import networks_of_checkout
from benchmarks.public_networks import PublicGraph, published_weights
from benchmarks.public_process import PublicProcess
from kind.enhancing.enhancer import Enhancer
from kind.errors import UserError

# The functions that a checkout of KinD's code has, with the calls that such code makes, in small.
MODEL = """
    import tensorflow as tf
    {first}
    import tensorflow.contrib.slim as slim
    from tensorflow.contrib.layers.python.layers import initializers

    def half_leaky(x):
        return tf.maximum(0.2 * x, x)

    def DecomNet_simple(image):
        with tf.variable_scope("DecomNet", reuse=tf.AUTO_REUSE):
            first = slim.conv2d(image, 32, [3, 3], rate=1, activation_fn=half_leaky, scope="g_conv1_1")
            small = slim.max_pool2d(first, [2, 2], stride=2, padding="SAME")
            xavier = initializers.xavier_initializer()
            kernel = tf.get_variable("g_up/weights", [2, 2, 3, 32], initializer=xavier)
            up = tf.nn.conv2d_transpose(small, kernel, tf.shape(image), strides=[1, 2, 2, 1])
            light = slim.conv2d(first, 1, [1, 1], activation_fn=None, scope="light")
        return tf.sigmoid(up), tf.sigmoid(light)

    def Restoration_net(input_r, input_i{more}):
        with tf.variable_scope("Restoration_net", reuse=tf.AUTO_REUSE):
            return tf.sigmoid(slim.{call}(tf.concat([input_r, input_i], 3), 3, 3, scope="only"))

    def Illumination_adjust_net(input_i, input_ratio):
        return input_i * input_ratio
"""


@pytest.fixture
def checkout(tmp_path):
    def write(call="conv2d", more="", first=""):
        (tmp_path / "model.py").write_text(textwrap.dedent(MODEL.format(call=call, more=more, first=first)))
        return tmp_path

    return write


def random(*shape):
    return np.random.default_rng(1).random(shape, dtype=np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(16, 32), (17, 23)])
def test_the_graph_built_here_computes_what_ours_does(untrained_weights, size):
    enhancer = Enhancer.load(untrained_weights, variant="kind")
    with PublicProcess(published_weights(enhancer.originals)) as graph:
        assert graph.description.endswith("built here")
        check(graph, enhancer, size)


def check(graph, enhancer, size):
    image = random(1, *size, 3)
    reflectance, illumination = graph.run("decom", image)
    for made, expected in zip((reflectance, illumination), enhancer.decom(image)):
        np.testing.assert_allclose(made, expected, atol=1e-5)
    restored = graph.run("restoration", reflectance, illumination)
    np.testing.assert_allclose(restored, enhancer.restoration([reflectance, illumination]), atol=1e-5)
    plane = np.full_like(illumination, 5)
    adjusted = graph.run("illumination", illumination, plane)
    np.testing.assert_allclose(adjusted, enhancer.illumination([illumination, plane]), atol=1e-5)
    np.testing.assert_allclose(graph.run("whole", image, plane), restored * adjusted, atol=1e-5)


def test_the_published_code_computes_what_ours_does(untrained_weights):
    """KIND_CHECKOUT names a checkout of https://github.com/zhangyhuaee/KinD."""
    checkout = os.environ.get("KIND_CHECKOUT")
    if not checkout:
        pytest.skip("no checkout of KinD's public code (set KIND_CHECKOUT)")
    enhancer = Enhancer.load(untrained_weights, variant="kind")
    with PublicProcess(published_weights(enhancer.originals), Path(checkout)) as graph:
        check(graph, enhancer, (16, 32))


def test_a_checkouts_own_code_builds_the_graph(untrained_weights, checkout, request):
    import tensorflow
    from tensorflow.python.framework import config as framework_config

    request.addfinalizer(framework_config.disable_op_determinism)
    tensorflow.config.experimental.enable_op_determinism()  # as training leaves it
    enhancer = Enhancer.load(untrained_weights, variant="kind")
    weights = published_weights(enhancer.originals)
    for more in ("", ", training=True"):
        graph = PublicGraph(networks_of_checkout(checkout(more=more)), weights)
        assert graph.run("whole", random(1, 9, 11, 3), random(1, 9, 11, 1)).shape == (1, 9, 11, 3)
    assert sys.modules["tensorflow"] is tensorflow and "tensorflow.contrib" not in sys.modules
    assert graph.description.startswith("the published code in ")
    # Variables of published names take our weights.
    (kernel,) = (
        variable
        for variable in graph._session.graph.get_collection("variables")
        if variable.op.name == "DecomNet/g_conv1_1/weights"
    )
    np.testing.assert_array_equal(
        graph._session.run(kernel), enhancer.decom.get_layer("encode_1").get_weights()[0]
    )


@pytest.mark.slow
def test_code_that_turns_tensorflow_2_off_leaves_this_process_alone(untrained_weights, checkout):
    import tensorflow

    weights = published_weights(Enhancer.load(untrained_weights, variant="kind").originals)
    code = checkout(first='tf.disable_v2_behavior(); print("hello")')
    with PublicProcess(weights, code) as graph:
        assert graph.run("whole", random(1, 9, 11, 3), random(1, 9, 11, 1)).shape == (1, 9, 11, 3)
        assert graph.seconds("whole", 16, 16) > 0
    assert tensorflow.executing_eagerly()
    Enhancer.load(untrained_weights, variant="kind")


def profile(*arguments):
    return main(["--sizes", "16x24", "--rounds", "1", *map(str, arguments)])


@pytest.mark.slow
def test_every_line_has_its_ratio_to_the_public_graph(untrained_weights, checkout, tmp_path, capsys):
    document = tmp_path / "speed.md"
    document.write_text("<!-- profile begin -->\n<!-- profile end -->\n")
    arguments = ["--no-memory", "--precision", "float32", "--weights", untrained_weights, "--variant", "kind"]
    code = checkout(first="tf.disable_v2_behavior()")
    assert profile(*arguments, "--reference", code, "--markdown", document) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-2:] == ["×", "public"]
    table = [line.split() for line in lines[2:10]]
    assert [line[1] for line in table] == 2 * ["decom", "restoration", "illumination", "whole"]
    assert ["public graph" in line for line in lines[2:10]] == 4 * [True] + 4 * [False]
    assert [line[-1] for line in table[:4]] == 4 * ["1.00"]
    assert all(float(line[-1]) > 0 for line in table)
    assert "the published code in" in lines[-1]
    assert document.read_text().count("| public graph |") == 4


def no_checkout(folder):
    return folder / "none", "no such file; --reference expects a checkout"


def other_code(folder):
    (folder / "model.py").write_text("def net(x):\n    return x\n")
    return folder, "has no function DecomNet or DecomNet_simple"


def broken_code(folder):
    (folder / "model.py").write_text("import tensorflow.contrib.nothing\n")
    return folder, "cannot be imported: ModuleNotFoundError"


@pytest.mark.parametrize("case", [no_checkout, other_code, broken_code])
def test_a_folder_that_is_no_checkout_is_named(case, tmp_path):
    folder, reason = case(tmp_path)
    with pytest.raises(UserError, match=reason):
        networks_of_checkout(folder)


def ends_the_process(checkout):
    return [
        "--reference",
        checkout(first="import os; os._exit(3)"),
    ], "public graph's process ended with code 3"


def unknown_layer(checkout):
    return ["--reference", checkout("separable_conv2d")], "slim.separable_conv2d, which has no stand-in"


def nothing_to_compare(checkout):
    return ["--reference", checkout(), "--no-public"], "contradict each other"


@pytest.mark.parametrize("case", [ends_the_process, unknown_layer, nothing_to_compare])
def test_what_cannot_be_done_is_one_line_and_exit_code_2(case, checkout, untrained_weights, capsys):
    arguments, reason = case(checkout)
    assert profile("--no-memory", "--weights", untrained_weights, *arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert reason in line and line.startswith("profile: ")


def test_another_architecture_has_no_public_graph_to_compare_with(bright_networks, capsys):
    assert profile("--no-memory", "--weights", bright_networks) == 2
    assert "no decom network like the one given; leave it out with --no-public" in capsys.readouterr().err
    assert profile("--no-memory", "--no-public", "--weights", bright_networks) == 0
    assert len(capsys.readouterr().out.splitlines()) >= 2 + 4 + 3
