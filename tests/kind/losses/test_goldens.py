"""Every named term of the three losses against the published code's own values."""

import numpy as np
import pytest

from kind.decom.loss import Decomposition, decomposition_loss
from kind.illumination.loss import adjustment_loss, brightness_ratio
from kind.ops.colour import gray
from kind.ops.gradient import normalised_gradient
from kind.restoration.loss import restoration_loss, restoration_target

FAMILIES = {"": 0.01, "plus_": 0.009}
TOLERANCE, SSIM_TOLERANCE = 1e-6, 5e-5


@pytest.fixture(scope="module")
def golden(shared):
    return np.load(shared / "reference/kind/losses.npz", allow_pickle=False)


def assert_terms(terms, golden, keys, tolerance):
    for name, key in keys.items():
        for form in (key, f"{key}_double"):
            assert abs(float(terms[name]) - float(golden[form])) < tolerance.get(name, TOLERANCE), (
                name,
                form,
            )


@pytest.mark.parametrize("family", FAMILIES)
def test_decomposition(golden, family):
    low = Decomposition(golden[f"{family}R_low"], golden[f"{family}I_low"])
    high = Decomposition(golden[f"{family}R_high"], golden[f"{family}I_high"])
    weight = FAMILIES[family]
    terms = decomposition_loss(golden["input_low"], golden["input_high"], low, high, similarity_weight=weight)
    keys = {
        "reconstruction_low": "recon_low",
        "reconstruction_high": "recon_high",
        "reflectance_similarity": "equal_R",
        "mutual_consistency": "mutual_i",
        "smoothness_low": "mutual_input_low",
        "smoothness_high": "mutual_input_high",
        "loss": "total",
    }
    assert terms.keys() == keys.keys()
    assert_terms(terms, golden, {name: f"{family}decom_{key}" for name, key in keys.items()}, {})


@pytest.mark.parametrize("family", FAMILIES)
def test_restoration(golden, family):
    target = restoration_target(golden[f"{family}R_high"], scale=0.99 if family else 1.0)
    np.testing.assert_allclose(target, golden[f"{family}restoration_target"], atol=1e-6)
    terms = restoration_loss(golden[f"{family}restoration_output"], target, with_gradient=not family)
    keys = {"mse": "square", "ssim_loss": "ssim", "loss": "total"}
    if not family:
        keys["gradient"] = "grad"
    assert terms.keys() == keys.keys()
    tolerance = {"ssim_loss": SSIM_TOLERANCE, "loss": SSIM_TOLERANCE}
    assert_terms(terms, golden, {name: f"{family}restoration_{key}" for name, key in keys.items()}, tolerance)


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("family", FAMILIES)
def test_adjustment(golden, family, direction):
    key = f"{family}adjust_{direction}"
    terms = adjustment_loss(golden[f"{key}_output"], golden[f"{key}_target"], signed=bool(family))
    names = {"mse": f"{key}_square", "gradient": f"{key}_grad", "loss": f"{key}_total"}
    assert terms.keys() == names.keys()
    assert_terms(terms, golden, names, {})


@pytest.mark.parametrize("family", FAMILIES)
def test_ratios_of_brightness(golden, family):
    low, high = golden[f"{family}I_low"], golden[f"{family}I_high"]
    ratio = brightness_ratio(low, high)
    np.testing.assert_allclose(1 / ratio + 1e-4, golden[f"{family}adjust_up_alpha"], rtol=1e-6)
    np.testing.assert_allclose(ratio, golden[f"{family}adjust_down_alpha"], rtol=1e-6)


def test_grey_and_gradients(golden):
    grey = gray(golden["input_low"])
    np.testing.assert_allclose(grey, golden["gray_low"], atol=1e-6)
    for axis in ("x", "y"):
        np.testing.assert_allclose(
            normalised_gradient(golden["I_low"], axis), golden[f"grad_{axis}_I_low"], atol=1e-6
        )
        np.testing.assert_allclose(
            normalised_gradient(grey, axis), golden[f"grad_{axis}_gray_low"], atol=1e-5
        )
        np.testing.assert_allclose(
            normalised_gradient(golden["plus_I_low"], axis, signed=True),
            golden[f"plus_grad_noabs_{axis}_I_low"],
            atol=1e-6,
        )
