"""What holds for every network: its size, any image size, and files that stand for themselves."""

import subprocess
import sys

import numpy as np
import pytest

from kind.cli.stages import STAGES
from kind.nn.saving import load_net, save_net, weights_digest
from kind.profiling.subjects import trained_parameters

#: Parameters as published, of the networks that are.
PARAMETERS = {
    "decomposition": 235_876,
    "restoration_unet": 7_760_739,
    "adjustment": 19_393,
    "restoration_msia": 8_023_079,
}
#: Trained weights as published; moving statistics of norms are not among them.
TRAINED = {"guided": 427_556, "guided-y": 853_458, "guided-y-shared": 494_981}
#: Detectors and the network of change detection give other things: tests/detection has their tests.
NETWORKS = {
    name: build
    for entry in STAGES.values()
    if hasattr(entry, "spec")
    for name, build in entry.spec().networks.items()
}
SIZES = [(1, 1), (1, 40), (2, 3), (5, 4), (16, 16), (17, 23), (31, 8)]
#: The guided networks have the same layers, so two sizes of each do.
NETWORKS_AND_SIZES = [
    (name, *size) for name in NETWORKS for size in (SIZES if name not in TRAINED else SIZES[:1] + SIZES[-1:])
]


@pytest.fixture(scope="module")
def nets():
    return {name: build() for name, build in NETWORKS.items()}


def inputs_of(net, height, width, batch=1):
    random = np.random.default_rng(height * 100 + width)
    inputs = [
        random.random((batch, height, width, tensor.shape[-1]), dtype=np.float32) for tensor in net.inputs
    ]
    return inputs if len(inputs) > 1 else inputs[0]


def as_list(outputs):
    return outputs if isinstance(outputs, (list, tuple)) else [outputs]


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_number_of_parameters_is_the_published_one(nets, name):
    assert nets[name].count_params() == PARAMETERS[name]


@pytest.mark.parametrize("name", TRAINED)
def test_the_number_of_trained_weights_is_the_published_one(nets, name):
    assert sum(int(np.prod(weights.shape)) for weights in nets[name].trainable_weights) == TRAINED[name]
    assert trained_parameters(nets[name]) == TRAINED[name]  # what tables show


def test_networks_are_listed_under_their_own_names(nets):
    assert {name: net.name for name, net in nets.items()} == {name: name for name in nets}


@pytest.mark.parametrize(("name", "height", "width"), NETWORKS_AND_SIZES)
def test_every_size_comes_out_as_it_went_in(nets, name, height, width):
    outputs = as_list(nets[name](inputs_of(nets[name], height, width, batch=2), training=False))
    if name in ("lite", "exposure"):  # the last output is one number for each image, log α
        *outputs, alpha = outputs
        assert alpha.shape == (2, 1) and alpha.dtype == np.float32
        outputs = outputs if name == "lite" else []  # the other one is a grid, of the same size for all
    for output in outputs:
        assert output.shape[:3] == (2, height, width)
        assert output.dtype == np.float32
        if name in TRAINED:  # linear at the end
            assert np.isfinite(output).all()
        elif name == "lite":  # an image, and stops
            assert np.min(output) >= 0 and np.max(output) <= (8 if output.shape[-1] == 1 else 1)
        else:
            assert 0 < np.min(output) and np.max(output) < 1


@pytest.mark.parametrize("name", NETWORKS)
def test_what_a_network_makes_of_an_image_does_not_depend_on_its_neighbours(nets, name):
    both = inputs_of(nets[name], 12, 20, batch=2)
    alone = [part[:1] for part in both] if isinstance(both, list) else both[:1]
    outputs = as_list(nets[name](both, training=False))
    for together, single in zip(outputs, as_list(nets[name](alone, training=False))):
        np.testing.assert_allclose(together[:1], single, atol=1e-6)


@pytest.mark.slow
def test_a_saved_network_loads_where_the_stages_cannot_be_imported(nets, tmp_path):
    expected = {}
    for name, net in nets.items():
        save_net(net, tmp_path / f"{name}.keras")
        outputs = as_list(net(inputs_of(net, 9, 14), training=False))
        inputs = inputs_of(net, 9, 14)
        expected[f"{name}_inputs"] = np.concatenate(inputs if isinstance(inputs, list) else [inputs], axis=-1)
        expected.update({f"{name}_output_{number}": output for number, output in enumerate(outputs)})
    np.savez(tmp_path / "expected.npz", **expected)
    program = f"""
import sys
rooms = ["data", "decom", "guided", "illumination", "joint", "lite", "restoration"]
sys.modules.update({{f"kind.{{room}}": None for room in rooms}})  # importing them fails
import numpy as np
from kind.nn.saving import load_net
expected = np.load(r"{tmp_path}/expected.npz")
for name in {list(nets)}:
    net = load_net(rf"{tmp_path}/{{name}}.keras")
    joined, inputs = expected[name + "_inputs"], []
    for tensor in net.inputs:
        inputs.append(joined[..., : tensor.shape[-1]])
        joined = joined[..., tensor.shape[-1] :]
    outputs = net(inputs if len(inputs) > 1 else inputs[0], training=False)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    assert f"{{name}}_output_{{len(outputs)}}" not in expected
    for number, output in enumerate(outputs):
        np.testing.assert_allclose(output, expected[f"{{name}}_output_{{number}}"], atol=1e-6)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_half_precision_files_are_half_the_size_and_close(nets, tmp_path):
    net = nets["decomposition"]
    save_net(net, tmp_path / "whole.keras")
    save_net(net, tmp_path / "half.keras", half_precision=True)
    assert (tmp_path / "half.keras").stat().st_size < 0.55 * (tmp_path / "whole.keras").stat().st_size
    half = load_net(tmp_path / "half.keras")
    assert {variable.dtype.name for variable in half.weights} == {"float32"}
    for loaded, original in zip(half.weights, net.weights):
        np.testing.assert_allclose(loaded, original, rtol=2**-11, atol=1e-7)


def test_the_digest_changes_with_any_weight(nets, tmp_path):
    net = nets["adjustment"]
    save_net(net, tmp_path / "net.keras")
    other = load_net(tmp_path / "net.keras")
    assert weights_digest(other) == weights_digest(net)
    value = other.weights[-1].numpy()
    other.weights[-1].assign(np.nextafter(value, 1))
    assert weights_digest(other) != weights_digest(net)
