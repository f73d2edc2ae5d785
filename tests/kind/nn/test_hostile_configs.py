"""`.keras` files whose description would run something while they are loaded, or asks for too much."""

import copy
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.lite.model import lite_net
from kind.nn.saving import load_net, save_net

EVIL = {"module": "evil", "class_name": "Evil", "config": {}, "registered_name": None}


def last_layer(config):
    return config["config"]["layers"][-1]


def first_convolution(config):
    return config["config"]["layers"][1]


def test_all_networks_may_be_loaded(build, tmp_path):
    path = tmp_path / "net.keras"
    for policy, network in (
        ("float32", ("kind", "decom")),
        ("float32", ("kind", "restoration")),
        ("mixed_bfloat16", ("kind", "illumination")),
    ):
        keras.mixed_precision.set_global_policy(policy)
        try:
            net = build(*network)
        finally:
            keras.mixed_precision.set_global_policy("float32")
        save_net(net, path)
        loaded = load_net(path)
        assert {layer.compute_dtype for layer in loaded.layers} == {
            layer.compute_dtype for layer in net.layers
        }


def test_usual_keras_settings_may_be_loaded(tmp_path):
    image = keras.Input((None, None, 3))
    values = keras.layers.Conv2D(2, 3, activation=keras.layers.LeakyReLU(0.3), kernel_regularizer="l2")(image)
    values = keras.Sequential([keras.layers.Dense(2, kernel_constraint="non_neg")])(values)
    net = keras.Model(image, keras.layers.Activation("swish")(values))
    net.compile("adam", "mse")
    for save in (save_net, lambda net, path: net.save(path)):
        save(net, tmp_path / "net.keras")
        loaded = load_net(tmp_path / "net.keras")
        pixels = tf.random.stateless_uniform([1, 5, 4, 3], [1, 2])
        assert tf.reduce_all(loaded(pixels) == net(pixels))
        assert loaded.layers[1].kernel_regularizer.l2 == pytest.approx(0.01)


def test_layers_that_are_used_twice_keep_their_weights(tmp_path):
    image, twice, other = keras.Input((None, None, 3)), keras.layers.Conv2D(3, 1), keras.layers.Conv2D(3, 1)
    inner = keras.Model(image, other(twice(twice(image))), name="inner")
    last = keras.layers.Conv2D(3, 1)
    outer = keras.Model(image, keras.layers.Add()([last(inner(image)), inner(last(image))]))
    pixels = tf.random.stateless_uniform([1, 5, 4, 3], [1, 2])
    save_net(outer, tmp_path / "net.keras")
    assert tf.reduce_all(load_net(tmp_path / "net.keras")(pixels) == outer(pixels))
    shared = keras.Model(image, inner(twice(image)))
    with pytest.raises(ValueError, match="belongs to two networks"):
        save_net(shared, tmp_path / "net.keras")


def test_every_layer_in_the_table_is_built_as_keras_builds_it(tmp_path):
    """The table's settings are those that Keras writes: a layer with an unknown one would be refused."""
    image = keras.Input((8, 8, 4))
    layers = keras.layers
    rows = [
        layers.Activation("gelu"), layers.AveragePooling2D(), layers.BatchNormalization(),
        layers.Conv2D(4, 3),
        layers.Conv2DTranspose(4, 3), layers.Cropping2D(1), layers.Dense(3), layers.DepthwiseConv2D(3),
        layers.Dropout(0.5), layers.ELU(), layers.Flatten(), layers.GlobalAveragePooling2D(),
        layers.GlobalMaxPooling2D(), layers.GroupNormalization(2), layers.LayerNormalization(),
        layers.LeakyReLU(), layers.MaxPooling2D(), layers.PReLU(), layers.Permute((2, 1, 3)),
        layers.ReLU(6.0),
        layers.Rescaling(2.0, 1.0), layers.Reshape((-1, 4)), layers.SeparableConv2D(4, 3), layers.Softmax(),
        layers.SpatialDropout2D(0.5), layers.UnitNormalization(), layers.UpSampling2D(2),
        layers.ZeroPadding2D(1),
    ]  # fmt: skip
    joins = [layers.Add, layers.Average, layers.Maximum, layers.Minimum, layers.Multiply, layers.Subtract]
    outputs = [layer(image) for layer in rows]
    outputs += [join()([image, rows[0](image)]) for join in (*joins, layers.Concatenate)]
    net = keras.Model(image, outputs)
    save_net(net, tmp_path / "net.keras")
    pixels = tf.random.stateless_uniform([1, 8, 8, 4], [1, 2])
    for before, after in zip(net(pixels), load_net(tmp_path / "net.keras")(pixels)):
        assert tf.reduce_all(before == after)


def test_a_module_beside_the_user_is_not_imported(altered, refusal, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass Evil: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "'evil.Evil'" in refusal(altered(lambda config: copy.deepcopy(EVIL)))
    assert "evil" not in sys.modules
    assert not (tmp_path / "ran").exists()


def call_of(function, *arguments, **keywords):
    """A layer that calls a function of TensorFlow with constants, as Keras writes it."""
    return {
        "module": "keras.src.layers.core.tf_op_layer",
        "class_name": "TFOpLambda",
        "config": {"name": "op", "function": function},
        "registered_name": "TFOpLambda",
        "name": "op",
        "inbound_nodes": [["_CONSTANT_VALUE", -1, *arguments, keywords]],
    }


def test_tensorflows_functions_are_not_called(altered, refusal, tmp_path):
    operation = call_of("io.gfile.makedirs", str(tmp_path / "made"))
    path = altered(lambda config: config["config"]["layers"].append(operation))
    assert "TFOpLambda" in refusal(path)
    assert not (tmp_path / "made").exists()


def test_a_known_name_over_another_class_is_refused(altered, refusal, tmp_path):
    """Keras falls back to the registered name, and hands out what it has under a shared id."""
    operation = call_of("io.gfile.makedirs", str(tmp_path / "made"))
    disguised = {**operation, "class_name": "Dense", "shared_object_id": 1}
    again = {**EVIL, "module": "kind.nn.layers", "class_name": "After", "registered_name": "kind>After"}
    again.update(shared_object_id=1, name="op", inbound_nodes=operation["inbound_nodes"])
    for layers in ([disguised], [{**disguised, "module": "keras.layers"}], [again], [disguised, again]):
        assert "refused" in refusal(altered(lambda config: config["config"]["layers"].extend(layers)))  # noqa: B023
    disguised.pop("shared_object_id")
    assert "registered as 'TFOpLambda'" in refusal(
        altered(lambda config: config["config"]["layers"].append({**disguised, "module": "keras.layers"}))
    )
    assert not (tmp_path / "made").exists()


def test_constants_are_not_given_to_layers(altered, refusal):
    def constant(config):
        last_layer(config)["inbound_nodes"] = [["_CONSTANT_VALUE", -1, 3, {}]]

    def keyword(config):
        last_layer(config)["inbound_nodes"][0][0][3]["training"] = True

    assert "refused" in refusal(altered(constant))
    assert "a call with" in refusal(altered(keyword))


def test_lambdas_are_refused(refusal, tmp_path):
    image = keras.Input((None, None, 3))
    keras.Model(image, keras.layers.Lambda(lambda values: values)(image)).save(tmp_path / "net.keras")
    assert "Lambda" in refusal(tmp_path / "net.keras")
    keras.Model(image, tf.reduce_sum(image)).save(tmp_path / "net.keras")
    assert "TFOpLambda" in refusal(tmp_path / "net.keras")


@pytest.mark.parametrize(
    "item",
    [
        EVIL,
        {**EVIL, "registered_name": "kind>Evil"},
        {**EVIL, "module": "kind.__main__", "registered_name": "kind>Evil"},
        {**EVIL, "module": "kindly", "registered_name": "kind>Evil"},
        {**EVIL, "module": "keras.utils", "class_name": "get_file"},
        {**EVIL, "module": None, "class_name": "Lambda"},
        {**EVIL, "module": "keras.initializers", "class_name": "a.b"},
        {**EVIL, "module": "keras.initializers", "class_name": "get"},
        {**EVIL, "module": "os", "class_name": "Dense"},
        {**EVIL, "module": "builtins", "class_name": "function", "config": "exec"},
        {**EVIL, "module": "os", "class_name": "function", "config": "kind>leaky_relu"},
        {"class_name": "__lambda__", "config": {"value": ["", None, None]}},
        {"class_name": "__typespec__", "module": "os", "spec_name": "system"},
        {"class_name": ["Dense"]},
        {"module": "evil"},
        {"module": 3, "class_name": "Dense"},
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        lambda layer, item: layer["config"].update(kernel_initializer=item),
        lambda layer, item: layer["config"].update(activation=item),
        lambda layer, item: layer["config"].update(dtype=item),
        lambda layer, item: layer.update(item),
        lambda layer, item: layer.update(compile_config={"optimizer": item}),
        lambda layer, item: layer["inbound_nodes"][0][0][3].update(mask=[item]),
    ],
)
def test_foreign_objects_are_refused_wherever_they_stand(altered, refusal, item, place):
    assert "refused" in refusal(altered(lambda config: place(last_layer(config), copy.deepcopy(item))))


@pytest.mark.parametrize(
    "change",
    [
        {"filters": 0},
        {"filters": 2.0},
        {"filters": True},
        {"filters": 10**9},
        {"kernel_size": [3]},
        {"kernel_size": [3, 3, 3]},
        {"use_bias": 1},
        {"padding": "causal"},
        {"data_format": "channels_first"},
        {"surplus": 1},
        {"name": "first\n\x1b[31mred"},
        {"activation": "kind>leaky_relu"},
        {"activation": "deserialize"},
        {"dtype": "string"},
    ],
)
def test_settings_of_other_types_and_sizes_are_refused(altered, refusal, change):
    assert "refused" in refusal(altered(lambda config: first_convolution(config)["config"].update(change)))


def test_a_network_larger_than_its_weights_is_not_built(altered, refusal):
    def swell(config):
        first_convolution(config)["config"].update(kernel_size=[16384, 16384], filters=16384)

    assert "too few" in refusal(altered(swell))


@pytest.mark.parametrize(
    "change",
    [
        lambda config: last_layer(config)["inbound_nodes"][0].__setitem__(0, ["nobody", 0, 0, {}]),
        lambda config: last_layer(config)["inbound_nodes"][0].__setitem__(0, ["last", 0, 0, {}]),
        lambda config: config["config"].update(output_layers=[["last", 0, 1]]),
        lambda config: config["config"].update(output_layers=[["last", -1, 0]]),
        lambda config: config["config"].update(input_layers=[["first", 0, 0]]),
        lambda config: config["config"]["layers"].append(last_layer(config)),
        lambda config: config["config"].pop("layers"),
        lambda config: config["config"].update(name="a\nb\x1b[31m"),
    ],
)
def test_graphs_that_are_none_are_refused(altered, refusal, change):
    def alter(config):
        change(config)

    refusal(altered(alter))


def test_networks_inside_networks_have_an_end(altered, refusal):
    def nest(config):
        inner = copy.deepcopy(config)
        for _ in range(30):
            outer = copy.deepcopy(config)
            layer = {**inner, "name": inner["config"]["name"], "inbound_nodes": [[["image", 0, 0, {}]]]}
            outer["config"]["layers"].append(layer)
            inner = outer
        return inner

    assert "deep in one another" in refusal(altered(nest))


def test_a_network_in_anothers_place_is_named(refusal, build, tmp_path):
    path = tmp_path / "illumination.keras"
    save_net(build("kind", "decom"), path)
    assert refusal(path, "illumination").endswith(
        "holds 'decomposition' (3 → 3+1 channels); expected illumination (1+1 → 1 channels)"
    )
    assert load_net(path, "decom").name == "decomposition"


def test_joined_networks_and_detectors_are_no_stages(refusal, altered, tmp_path):
    image, alpha = keras.Input((None, None, 3)), keras.Input((None, None, 1))
    joined = keras.Model([image, alpha], keras.layers.Multiply()([image, alpha]), name="joint")
    save_net(joined, tmp_path / "joint.keras")
    assert "holds 'joint' (3+1 → 3 channels); expected restoration" in refusal(
        tmp_path / "joint.keras", "restoration"
    )
    assert load_net(tmp_path / "joint.keras").name == "joint"
    path = altered(lambda config: config.update(class_name="YOLOV8Detector", module="kind.detection.yolov8"))
    assert refusal(path, "decom").endswith("holds a 'YOLOV8Detector'; expected decom (3 → 3+1 channels)")


def test_files_that_are_no_networks_are_refused(altered, refusal, tmp_path, small):
    path = tmp_path / "net.keras"
    assert "no such weights file" in refusal(path)
    path.write_bytes(b"text")
    assert "not a .keras file" in refusal(path)
    content = small.read_bytes()
    path.write_bytes(content[:-100])
    assert "not a .keras file" in refusal(path)
    path.write_bytes(content[:100] + content[200:])
    assert "not a readable .keras file" in refusal(path)
    assert "without a name" in refusal(altered(lambda config: [1]))
    assert "not a readable .keras file" in refusal(altered(text="[" * 100_000))


@pytest.mark.slow
def test_files_that_we_write_open_with_keras_alone(build, tmp_path):
    """The outermost class's module registers all layers, so `import kind` is enough, in any order."""
    nets = {
        "decom": build("kind", "decom"),
        "illumination": build("kind", "illumination"),
        "lite": lite_net(),
        "restoration": build("kind-plus", "restoration"),
    }
    for stage, net in nets.items():
        save_net(net, tmp_path / f"{stage}.keras")
    program = (
        "import sys, kind, numpy; assert 'tensorflow' not in sys.modules; from tensorflow import keras\n"
        "for path in sys.argv[1:]:\n"
        "    net = keras.models.load_model(path, compile=False)\n"
        "    numpy.savez(path + '.npz', *net.get_weights())\n"
    )
    files = sorted(map(str, tmp_path.glob("*.keras")))
    subprocess.run([sys.executable, "-c", program, *files], check=True)
    for path, net in zip(files, nets.values()):
        for before, after in zip(net.get_weights(), np.load(path + ".npz").values()):
            assert np.array_equal(before, after)
    with zipfile.ZipFile(files[0]) as archive:
        assert json.loads(archive.read("metadata.json"))["keras_version"]


@pytest.mark.parametrize("stage", ["decom", "lite", "joint"])
def test_detectors_are_no_networks_to_take_layers_from(altered, refusal, stage):
    joined = {"name": "seeing_detector", "layers": [{"registered_name": "detection>OnGrey"}]}
    for change, name in (({"class_name": "YoloX"}, "a 'YoloX'"), ({"config": joined}, "'seeing_detector'")):
        path = altered(config=lambda config, change=change: {**config, **change})
        assert f"holds {name}; expected {stage}" in refusal(path, stage, partly=True)


def test_any_other_network_may_give_layers(small):
    assert load_net(small, "decom", partly=True).name == "small"
