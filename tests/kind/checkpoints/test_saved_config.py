"""`.keras` files that would run something while they are loaded."""

import copy
import json
import sys
import zipfile

import pytest
import tensorflow as tf
from tensorflow import keras

from kind.errors import UserError
from kind.nn.layers import leaky_conv
from kind.nn.saved_config import check_saved_config
from kind.nn.saving import load_net, save_net

EVIL = {"module": "evil", "class_name": "Evil", "config": {}, "registered_name": None}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A network's file."""
    path = tmp_path_factory.mktemp("small") / "small.keras"
    image = keras.Input((None, None, 3))
    save_net(keras.Model(image, leaky_conv(leaky_conv(image, 2, "first"), 2, "last")), path)
    return path


@pytest.fixture
def altered(small, tmp_path):
    """(function of the config) → a copy of the file with what the function made of its config."""

    def alter(change):
        path = tmp_path / "altered.keras"
        with zipfile.ZipFile(small) as source, zipfile.ZipFile(path, "w") as target:
            for name in source.namelist():
                content = source.read(name)
                if name == "config.json":
                    config = json.loads(content)
                    content = json.dumps(change(config) or config)
                target.writestr(name, content)
        return path

    return alter


def refusal(path):
    with pytest.raises(UserError) as caught:
        check_saved_config(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def last_layer(config):
    return config["config"]["layers"][-1]


def test_all_networks_may_be_loaded(build, tmp_path):
    path = tmp_path / "net.keras"
    for policy, network in (
        ("float32", ("kind", "decom")),
        ("float32", ("kind", "restoration")),
        ("mixed_bfloat16", ("kind", "illumination")),
    ):
        keras.mixed_precision.set_global_policy(policy)
        try:
            save_net(build(*network), path)
        finally:
            keras.mixed_precision.set_global_policy("float32")
        check_saved_config(path)


def test_usual_keras_settings_may_be_loaded(tmp_path):
    image = keras.Input((None, None, 3))
    values = keras.layers.Conv2D(2, 3, activation=keras.layers.LeakyReLU(0.3), kernel_regularizer="l2")(image)
    values = keras.Sequential([keras.layers.Dense(2, kernel_constraint="non_neg")])(values)
    net = keras.Model(image, keras.layers.Activation("swish")(values))
    net.compile("adam", "mse")
    save_net(net, tmp_path / "net.keras")
    check_saved_config(tmp_path / "net.keras")
    assert load_net(tmp_path / "net.keras").count_params() == net.count_params()


def test_a_detector_of_keras_cv_may_be_loaded(altered):
    part = {
        "module": "keras_cv.src.models.object_detection.yolo_v8.yolo_v8_backbone",
        "class_name": "YOLOV8Backbone",
        "config": {"activation": "swish"},
        "registered_name": "keras_cv>YOLOV8Backbone",
    }
    check_saved_config(altered(lambda config: part))


def test_a_module_beside_the_user_is_not_imported(altered, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass Evil: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "'evil.Evil'" in refusal(altered(lambda config: copy.deepcopy(EVIL)))
    assert "evil" not in sys.modules
    assert not (tmp_path / "ran").exists()


def test_tensorflows_functions_are_not_called(altered, tmp_path):
    operation = {
        "module": "keras.src.layers.core.tf_op_layer",
        "class_name": "TFOpLambda",
        "config": {"name": "delete", "function": "io.gfile.makedirs"},
        "registered_name": "TFOpLambda",
        "name": "delete",
        "inbound_nodes": [["_CONSTANT_VALUE", -1, str(tmp_path / "made"), {}]],
    }
    path = altered(lambda config: config["config"]["layers"].append(operation))
    assert "TFOpLambda" in refusal(path)
    assert not (tmp_path / "made").exists()


def test_lambdas_are_refused(tmp_path):
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
        lambda layer, item: layer.update(item),
        lambda layer, item: layer.update(compile_config={"optimizer": item}),
        lambda layer, item: layer["inbound_nodes"][0][0][3].update(mask=[item]),
    ],
)
def test_foreign_objects_are_refused_wherever_they_stand(altered, item, place):
    assert "refused" in refusal(altered(lambda config: place(last_layer(config), copy.deepcopy(item))))


def test_files_that_are_no_networks_are_refused(altered, tmp_path, small):
    path = tmp_path / "net.keras"
    assert "not a readable .keras file" in refusal(path)
    path.write_bytes(b"text")
    assert "not a readable .keras file" in refusal(path)
    content = small.read_bytes()
    path.write_bytes(content[:-100])
    assert "not a readable .keras file" in refusal(path)
    assert "describes no network" in refusal(altered(lambda config: [1]))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "[" * 100_000)
    assert "not a readable .keras file" in refusal(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", " " * (1 << 25))
    assert "larger than 16 MiB" in refusal(path)
