import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.nn.saving import load_net, save_net
from kind.nn.subpixel import DepthToSpace, FoldedBilinearUpsampling, SpaceToDepth, square_root


def image(height, width, channels=3):
    return np.random.default_rng(0).random((2, height, width, channels), np.float32)


def test_folding_keeps_rows_then_columns_then_channels():
    values = image(8, 12)
    expected = values.reshape(2, 2, 4, 3, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(2, 2, 3, 48)
    np.testing.assert_array_equal(SpaceToDepth(4)(values), expected)


@pytest.mark.parametrize("size", [(1, 1), (4, 8), (5, 7), (13, 16)])
def test_unfolding_gives_back_what_was_folded(size):
    values = image(*size)
    folded = SpaceToDepth(4)(values)
    assert folded.shape == (2, -(-size[0] // 4), -(-size[1] // 4), 48)
    np.testing.assert_array_equal(DepthToSpace(4)([folded, values]), values)


def test_what_is_missing_repeats_the_last_row_and_column():
    values = image(5, 6)
    padded = np.pad(values, ((0, 0), (0, 3), (0, 2), (0, 0)), mode="edge")
    np.testing.assert_array_equal(SpaceToDepth(4)(values), SpaceToDepth(4)(padded))


def test_sizes_become_multiples_of_what_is_asked_for():
    values = image(17, 15)
    padded = np.pad(values, ((0, 0), (0, 15), (0, 1), (0, 0)), mode="edge")
    folded = SpaceToDepth(4, multiple=16)(values)
    np.testing.assert_array_equal(folded, SpaceToDepth(4)(padded))
    assert SpaceToDepth(4, multiple=16).compute_output_shape((2, 17, None, 3)) == (2, 8, None, 48)
    np.testing.assert_array_equal(DepthToSpace(4)([folded, values]), values)


@pytest.mark.parametrize("side", [2, 4, 8])
def test_spreading_is_bilinear_upsampling(side):
    values = image(5, 7, 1)
    spread = tf.nn.depth_to_space(FoldedBilinearUpsampling(side)(values), side)
    np.testing.assert_allclose(spread, tf.image.resize(values, (5 * side, 7 * side)), atol=1e-6)


def test_layers_survive_saving_and_a_graph_of_unknown_size(tmp_path):
    inputs = keras.Input((None, None, 3))
    folded = keras.layers.Activation(square_root)(SpaceToDepth(4)(inputs))
    plane = FoldedBilinearUpsampling(4)(keras.layers.Conv2D(1, 1)(folded))
    net = keras.Model(inputs, [DepthToSpace(4)([folded, inputs]), DepthToSpace(4)([plane, inputs])])
    save_net(net, tmp_path / "net.keras")
    values = image(9, 10)
    for before, after in zip(net(values), load_net(tmp_path / "net.keras")(values)):
        np.testing.assert_array_equal(before, after)
    batches = tf.data.Dataset.from_tensors(values).map(lambda batch: net(batch)[0])
    np.testing.assert_allclose(next(iter(batches)), np.sqrt(values), atol=1e-6)


def test_no_remainder_of_a_negative_number_is_taken():
    """It is negative in ONNX Runtime, where a count of repeated rows must not be."""
    layer = SpaceToDepth(4, 16)
    shape = tf.TensorSpec([None, None, None, 3])
    graph = tf.function(layer.call, input_signature=[shape]).get_concrete_function().graph
    graphs = [graph, *(graph._get_function(name).graph for name in _branches(graph))]  # noqa: SLF001
    operations = {operation.type for each in graphs for operation in each.get_operations()}
    assert "Tile" in operations and "Neg" not in operations


def _branches(graph):
    conditions = [one for one in graph.get_operations() if one.type in ("If", "StatelessIf")]
    return [one.get_attr(name).name for one in conditions for name in ("then_branch", "else_branch")]
