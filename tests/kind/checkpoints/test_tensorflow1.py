"""Finding checkpoints, reading them back bit by bit, and naming everything that does not fit."""

import numpy as np
import pytest
import tensorflow as tf

from kind.checkpoints.names import PUBLISHED
from kind.checkpoints.tensorflow1 import find_checkpoint, load_checkpoint
from kind.errors import UserError

NETWORKS = [(family, stage) for family, stages in PUBLISHED.items() for stage in stages]
VALUES = {
    ("kind", "decom"): 235_876,
    ("kind", "restoration"): 7_760_739,
    ("kind", "illumination"): 19_393,
    ("kind-plus", "decom"): 235_876,
    ("kind-plus", "restoration"): 8_023_079,
    ("kind-plus", "illumination"): 19_393,
}
SMALL = PUBLISHED["kind"]["illumination"]
WEIGHTS = "Illumination_adjust_net/en_conv_1/weights"


@pytest.fixture
def net(build):
    return build("kind", "illumination")


@pytest.fixture
def variables(random_variables):
    return random_variables("kind", "illumination")


def refusal(net, path, published=SMALL):
    """The message with which a checkpoint is refused, after which the network is as it was."""
    before = [weights.copy() for weights in net.get_weights()]
    with pytest.raises(UserError) as caught:
        load_checkpoint(net, path, published)
    assert all(np.array_equal(old, new) for old, new in zip(before, net.get_weights()))
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("family", "stage"), NETWORKS)
def test_round_trip_is_bit_equal(build, random_variables, write_checkpoint, tmp_path, family, stage):
    written = random_variables(family, stage, seed=7)
    assert sum(value.size for value in written.values()) == VALUES[family, stage]
    prefix = write_checkpoint(tmp_path / "model.ckpt", written)
    net, published = build(family, stage), PUBLISHED[family][stage]
    assert load_checkpoint(net, prefix, published) == prefix
    assert net.count_params() == VALUES[family, stage]
    for layer, names in published.layers.items():
        for name, value in zip(names, net.get_layer(layer).get_weights()):
            assert value.tobytes() == written[name].tobytes(), name


def test_a_session_saver_writes_what_is_read(net, variables, tmp_path):
    prefix = str(tmp_path / "model.ckpt")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        made = [tf.compat.v1.Variable(value, name=name) for name, value in variables.items()]
        saver = tf.compat.v1.train.Saver(made)
        session.run(tf.compat.v1.global_variables_initializer())
        saver.save(session, prefix, global_step=300)
    load_checkpoint(net, f"{prefix}-300", SMALL)
    assert np.array_equal(net.get_layer("conv_1").kernel, variables[WEIGHTS])


def test_sharded_checkpoints_are_read(net, variables, tmp_path):
    prefix, names, parts = str(tmp_path / "model.ckpt"), sorted(variables), []
    for shard in range(2):
        parts.append(tf.raw_ops.ShardedFilename(basename=prefix, shard=shard, num_shards=2))
        half = names[shard::2]
        tensors = [tf.constant(variables[name]) for name in half]
        tf.raw_ops.SaveV2(
            prefix=parts[-1], tensor_names=half, shape_and_slices=[""] * len(half), tensors=tensors
        )
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=prefix)
    load_checkpoint(net, prefix, SMALL)
    assert np.array_equal(net.get_layer("conv_1").kernel, variables[WEIGHTS])
    (tmp_path / "model.ckpt.data-00001-of-00002").unlink()
    assert "model.ckpt.data-00001-of-00002: this part of the checkpoint is missing" in refusal(net, prefix)


def test_prefix_index_and_folder_name_one_checkpoint(variables, write_checkpoint, tmp_path):
    prefix = write_checkpoint(tmp_path / "decom/model.ckpt", variables)
    assert find_checkpoint(prefix) == prefix
    assert find_checkpoint(f"{prefix}.index") == prefix
    assert find_checkpoint(tmp_path / "decom") == prefix
    assert find_checkpoint(f"{tmp_path}/decom/") == prefix


def test_a_prefix_that_is_also_a_folder_is_the_prefix(net, variables, write_checkpoint, tmp_path):
    prefix = write_checkpoint(tmp_path / "decom", variables)
    write_checkpoint(tmp_path / "decom/other.ckpt", {"other": np.zeros(3, np.float32)})
    assert load_checkpoint(net, prefix, SMALL) == prefix
    assert np.array_equal(net.get_layer("conv_1").kernel, variables[WEIGHTS])


def test_wrong_paths_are_named(net, variables, write_checkpoint, tmp_path):
    prefix = write_checkpoint(tmp_path / "model.ckpt-1", variables)
    write_checkpoint(tmp_path / "model.ckpt-2", variables)
    (tmp_path / "empty").mkdir()
    assert "found 2: model.ckpt-1, model.ckpt-2" in refusal(net, tmp_path)
    assert "found 0" in refusal(net, tmp_path / "empty")
    assert "no such checkpoint; expected the file nothing.index" in refusal(net, tmp_path / "nothing")
    assert "not a checkpoint's prefix" in refusal(net, f"{prefix}.data-00000-of-00001")
    assert "found 0" in refusal(net, tmp_path / "empty/.")


def test_optimizer_state_is_passed_over(net, variables, write_checkpoint, tmp_path):
    scalar = np.float32(0.9)
    state = {f"{name}/Adam{end}": value for name, value in variables.items() for end in ("", "_1")}
    state.update({f"{name}/AdamOptimizer_1": value for name, value in variables.items()})
    state.update({"beta1_power": scalar, "beta2_power": scalar, "beta1_power_1": scalar})
    state["global_step"] = np.int64(3)
    prefix = write_checkpoint(tmp_path / "model.ckpt", {**variables, **state})
    load_checkpoint(net, prefix, SMALL)
    assert np.array_equal(net.get_layer("conv_1").kernel, variables[WEIGHTS])


def test_optimizer_state_of_unknown_variables_is_unexpected(net, variables, write_checkpoint, tmp_path):
    state = {"other/weights/Adam": np.zeros(2, np.float32), "global_step/x": np.int64(3)}
    prefix = write_checkpoint(tmp_path / "model.ckpt", {**variables, **state})
    message = refusal(net, prefix)
    assert "unexpected global_step/x, other/weights/Adam" in message
    assert "missing" not in message


def test_every_problem_is_named(net, variables, write_checkpoint, tmp_path):
    bias = WEIGHTS.replace("weights", "biases")
    del variables["Illumination_adjust_net/en_conv_2/biases"], variables[bias]
    variables["surplus"] = variables["line\nbreak"] = np.zeros(1, np.float32)
    variables[WEIGHTS] = np.zeros((3, 3, 3, 32), np.float32)
    double = "Illumination_adjust_net/en_conv_4/biases"
    variables[double] = variables[double].astype(np.float64)
    message = refusal(net, write_checkpoint(tmp_path / "model.ckpt", variables))
    assert f"missing {bias}, Illumination_adjust_net/en_conv_2/biases;" in message
    assert r"unexpected 'line\nbreak', surplus;" in message
    assert f"{WEIGHTS} is float32 [3, 3, 3, 32], expected float32 [3, 3, 2, 32]" in message
    assert f"{double} is float64 [1], expected float32 [1]" in message


def test_the_checkpoint_of_another_network_is_recognised(build, random_variables, write_checkpoint, tmp_path):
    prefix = write_checkpoint(tmp_path / "model.ckpt", random_variables("kind-plus", "illumination"))
    for stage in ("decom", "illumination"):
        message = refusal(build("kind", stage), prefix, PUBLISHED["kind"][stage])
        assert message.endswith("(these are the variables of kind-plus illumination)")
        assert all(name in message for name in PUBLISHED["kind"][stage].variables)
        assert all(name in message for name in PUBLISHED["kind-plus"]["illumination"].variables)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(net, variables, write_checkpoint, tmp_path, value):
    variables[WEIGHTS][1, 1, 1, 1] = value
    message = refusal(net, write_checkpoint(tmp_path / "model.ckpt", variables))
    assert message.endswith(f"not finite (NaN or infinity) in {WEIGHTS}")


def test_a_table_for_another_network_is_a_bug_not_a_users_mistake(
    build, variables, write_checkpoint, tmp_path
):
    prefix = write_checkpoint(tmp_path / "model.ckpt", variables)
    with pytest.raises(ValueError, match="is not the network that kind illumination describes") as caught:
        load_checkpoint(build("kind", "decom"), prefix, SMALL)
    assert not isinstance(caught.value, UserError)
