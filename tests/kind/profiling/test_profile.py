"""`kind profile`: the public graph, other people's code in its place, and the table."""

import json
import textwrap

import numpy as np
import pytest

from benchmarks.public_checkout import networks_of_checkout
from kind.cli.main import main
from kind.enhancing.enhancer import Enhancer
from kind.profiling.measuring import public_graph

# The functions that a checkout of KinD's code has, with the calls that such code makes, in small.
MODEL = """
    import tensorflow as tf
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
    def write(call="conv2d", more=""):
        (tmp_path / "model.py").write_text(textwrap.dedent(MODEL.format(call=call, more=more)))
        return tmp_path

    return write


def random(*shape):
    return np.random.default_rng(1).random(shape, dtype=np.float32)


@pytest.mark.parametrize("size", [(16, 32), (17, 23)])
def test_the_graph_built_here_computes_what_ours_does(untrained_weights, size):
    enhancer = Enhancer.load(untrained_weights)
    graph = public_graph(enhancer)
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


def test_a_checkouts_own_code_builds_the_graph(untrained_weights, checkout):
    import sys

    import tensorflow

    enhancer = Enhancer.load(untrained_weights)
    for more in ("", ", training=True"):
        graph = public_graph(enhancer, networks_of_checkout(checkout(more=more)))
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


def profile(*arguments):
    return main(["profile", "--sizes", "16x24", "--rounds", "1", *map(str, arguments)])


def test_the_table_has_a_line_for_everything(untrained_weights, tmp_path, capsys):
    document, figures = tmp_path / "speed.md", tmp_path / "speed.json"
    document.write_text("# Speed\n\n<!-- profile begin -->\n<!-- profile end -->\n")
    weights = [
        "--weights",
        untrained_weights,
        "--no-memory",
        "--precision",
        "float32",
        "--precision",
        "bfloat16",
    ]
    assert profile(*weights, "--json", figures, "--markdown", document) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["size", "network"]
    table = [line.split() for line in lines[2:14]]
    assert [line[1] for line in table] == 3 * ["decom", "restoration", "illumination", "whole"]
    assert sum("public" in line for line in lines[2:14]) == 4
    assert any("multiply-add counts 2" in line for line in lines[14:])
    assert any("built here" in line for line in lines[14:])
    assert document.read_text().count("| whole |") == 3
    rows = json.loads(figures.read_text())["rows"]
    assert {row["parameters"] for row in rows if row["network"] == "whole"} == {8_016_008, None}
    for row in rows:
        assert row["peak_mib"] is None and row["frames_per_second"] == pytest.approx(1 / row["seconds"])
        assert row["speed_up"] == 1 or row["implementation"] == "kind"
    parts = [row["flops"] for row in rows if row["precision"] == "bfloat16"]
    stretch_plane_product = 16 * 24 * (3 + 3 + 3 + 3 + 1 + 3) + 2
    assert parts[3] == pytest.approx(sum(parts[:3]) + stretch_plane_product, abs=8)


def no_checkout(checkout, tmp_path):
    return ["--reference", tmp_path / "none"], "no such file; --reference expects a checkout"


def other_code(checkout, tmp_path):
    (tmp_path / "model.py").write_text("def net(x):\n    return x\n")
    return ["--reference", tmp_path], "has no function DecomNet or DecomNet_simple"


def broken_code(checkout, tmp_path):
    (tmp_path / "model.py").write_text("import tensorflow.contrib.nothing\n")
    return ["--reference", tmp_path], "cannot be imported: ModuleNotFoundError"


def unknown_layer(checkout, tmp_path):
    return ["--reference", checkout("separable_conv2d")], "slim.separable_conv2d, which has no stand-in"


def nothing_to_compare(checkout, tmp_path):
    return ["--reference", checkout(), "--no-public"], "contradict each other"


def no_rounds(checkout, tmp_path):
    return ["--rounds", "0"], "--rounds expects 1 or more"


def no_place_for_the_table(checkout, tmp_path):
    return ["--markdown", tmp_path / "missing.md"], "missing.md"


@pytest.mark.parametrize(
    "case",
    [
        no_checkout,
        other_code,
        broken_code,
        unknown_layer,
        nothing_to_compare,
        no_rounds,
        no_place_for_the_table,
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(case, checkout, untrained_weights, tmp_path, capsys):
    arguments, reason = case(checkout, tmp_path)
    assert profile("--no-memory", "--weights", untrained_weights, *arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert reason in output.err.splitlines()[-1] and output.err.startswith("kind: ")


@pytest.mark.parametrize("sizes", ["400", "0x4", "4x5,", "100000x2", "axb"])
def test_sizes_that_are_none_are_usage_errors(sizes, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["profile", "--sizes", sizes])
    assert stop.value.code == 2
    assert "expects sizes such as 400x600" in capsys.readouterr().err


def test_memory_is_that_of_a_process_of_its_own(untrained_weights):
    """One process only: each imports TensorFlow."""
    from kind.profiling.memory import peak_of, resident

    arguments = ["--network=illumination", "--implementation=kind", "--precision=float32", "--height=16"]
    peak = peak_of("kind.profiling.peak", [*arguments, "--width=16", f"--weights={untrained_weights}"])
    assert 100 < peak < 1500
    assert 0 < resident("VmRSS") <= resident("VmHWM")


def test_another_architecture_has_no_public_graph_to_compare_with(bright_networks, capsys):
    assert profile("--no-memory", "--weights", bright_networks) == 2
    assert "no decom network like the one given; leave it out with --no-public" in capsys.readouterr().err
    assert profile("--no-memory", "--no-public", "--weights", bright_networks) == 0
    assert len(capsys.readouterr().out.splitlines()) >= 2 + 4 + 3
