"""Imported networks against the outputs of the original TensorFlow 1 graphs."""

import numpy as np
import pytest
from tensorflow import keras

from kind.checkpoints.names import PUBLISHED
from kind.checkpoints.tensorflow1 import load_checkpoint
from kind.enhancing.three_networks import KindEnhancer

TOLERANCE = {"output": 1e-5, "output_gain": 2e-5}
FAMILIES = (("kind", "kind", ""), ("kind-plus", "kind_plus", "plus_"))


@pytest.fixture(scope="module")
def golden(shared):
    return lambda name: np.load(shared / "reference/kind" / f"{name}.npz", allow_pickle=False)


@pytest.fixture(scope="module")
def official(shared, build):
    """(family, its folder, stage) → the network with the official weights."""

    def load(family, folder, stage):
        net = build(family, stage)
        load_checkpoint(net, shared / "reference/kind/checkpoints" / folder / stage, PUBLISHED[family][stage])
        return net

    return load


def difference(actual, expected):
    assert actual.shape == expected.shape
    return np.max(np.abs(np.asarray(actual) - expected))


@pytest.mark.parametrize(("family", "folder", "key"), FAMILIES)
def test_decomposition_equals_the_original(golden, official, family, folder, key):
    arrays, net = golden("decom_forward"), official(family, folder, "decom")
    for size in range(3):
        reflectance, illumination = net(arrays[f"input_{size}"], training=False)
        assert difference(reflectance, arrays[f"{key}reflectance_{size}"]) < 1e-5
        assert difference(illumination, arrays[f"{key}illumination_{size}"]) < 1e-5


@pytest.mark.parametrize(("family", "folder", "key"), FAMILIES)
def test_adjustment_equals_the_original(golden, official, family, folder, key):
    arrays, net = golden("illumination_forward"), official(family, folder, "illumination")
    for size in range(3):
        illumination = arrays[f"{key}illum_{size}"]
        for alpha in arrays["alpha"]:
            adjusted = net([illumination, np.full_like(illumination, alpha)], training=False)
            assert difference(adjusted, arrays[f"{key}adjusted_{size}_{alpha}"]) < 1e-5


@pytest.mark.parametrize(
    ("family", "file", "sizes"),
    [("kind", "restoration_forward", (0, 1, 2)), ("kind-plus", "restoration_plus_forward", (0, 2))],
)
def test_restoration_equals_the_original(
    golden, build, formula, write_checkpoint, tmp_path, family, file, sizes
):
    arrays, net, variables = golden(file), build(family, "restoration"), None
    for output in ("output", "output_gain"):
        variables = formula(arrays) if variables is None else raised(variables, arrays["gain"])
        prefix = write_checkpoint(tmp_path / output, variables)
        load_checkpoint(net, prefix, PUBLISHED[family]["restoration"])
        for size in sizes:
            inputs = [arrays[f"reflectance_{size}"], arrays[f"illumination_{size}"]]
            assert difference(net(inputs, training=False), arrays[f"{output}_{size}"]) < TOLERANCE[output]


def raised(variables, gain):
    """The kernels times `gain`, everything else as it was."""
    return {
        name: value * gain if name.endswith(("/weights", "/kernel")) else value
        for name, value in variables.items()
    }


@pytest.mark.parametrize(("fusion", "key"), [("plain", "product"), ("published", "fusion")])
def test_fusion_behind_imported_networks_equals_the_original(golden, official, fusion, key):
    arrays = golden("fuse")
    reflectance, illumination = keras.Input((None, None, 3)), keras.Input((None, None, 1))
    unchanged = keras.layers.Activation("linear")(reflectance)  # as in the golden file
    enhancer = KindEnhancer(
        official("kind", "kind", "decom"),
        keras.Model([reflectance, illumination], unchanged),
        official("kind", "kind", "illumination"),
    )
    relit = enhancer(arrays["input"], alpha=float(arrays["alpha"]), fusion=fusion).relit
    assert difference(relit, arrays[key]) < 1e-5
