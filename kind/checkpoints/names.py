"""Which variable of the published TensorFlow 1 checkpoints belongs to which layer of our networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedNetwork:
    """The variables of one published network.

    Attributes:
        family: "kind" or "kind-plus".
        stage: "decom", "restoration" or "illumination".
        layers: for each layer that has weights the names of its variables, in the order of
            `layer.get_weights()`.
    """

    family: str
    stage: str
    layers: Mapping[str, tuple[str, ...]]

    @property
    def variables(self) -> tuple[str, ...]:
        """All variable names of the network."""
        return tuple(name for names in self.layers.values() for name in names)

    def __str__(self) -> str:
        """For example "kind-plus decom"."""
        return f"{self.family} {self.stage}"


def _convolution(scope: str) -> tuple[str, ...]:
    return f"{scope}/weights", f"{scope}/biases"


def _normalisation(scope: str) -> tuple[str, ...]:
    parts = ("gamma", "beta", "moving_mean", "moving_variance")
    return tuple(f"{scope}/batch_normalization/{part}" for part in parts)


def _decomposition() -> dict[str, tuple[str, ...]]:
    convolutions = {
        "encode_1": "g_conv1_1",
        "encode_2": "g_conv2_1",
        "encode_3": "g_conv3_1",
        "decode_2": "g_conv8_1",
        "decode_1": "g_conv9_1",
        "reflectance_logits": "g_conv10",
        "illumination_features": "l_conv1_2",
        "illumination_logits": "l_conv1_4",
    }
    layers = {layer: _convolution(f"DecomNet/{scope}") for layer, scope in convolutions.items()}
    return {**layers, "up_2": ("DecomNet/g_up_1/weights",), "up_1": ("DecomNet/g_up_2/weights",)}


def _unet() -> dict[str, tuple[str, ...]]:
    """The published code numbers its levels 1 to 9: four down, the bottom, four up."""
    levels = {
        **{f"encode_{n}": n for n in range(1, 5)},
        "bottom": 5,
        **{f"decode_{10 - n}": n for n in range(6, 10)},
    }
    layers = {
        f"{level}_{part}": _convolution(f"Restoration_net/de_conv{number}_{part}")
        for level, number in levels.items()
        for part in (1, 2)
    }
    layers.update({f"up_{10 - n}": (f"Restoration_net/up_{n}/weights",) for n in range(6, 10)})
    return {**layers, "restored_logits": _convolution("Restoration_net/de_conv10")}


def _msia() -> dict[str, tuple[str, ...]]:
    layers = {
        "conv_5": _convolution("Denoise_Net/de_conv5_1"),
        "restored_logits": _convolution("Denoise_Net/de_conv10"),
    }
    for number in range(1, 5):
        scope, block = f"Denoise_Net/de_conv{number}", f"msia_{number}"
        for part in (1, 2):
            layers[f"conv_{number}_{part}"] = _convolution(f"{scope}_{part}")
        layers[f"{block}_attention"] = (f"{scope}/conv/kernel",)
        for scale, pool in (("full", 1), ("half", 2), ("quarter", 4)):
            layers[f"{block}_{scale}_conv"] = _convolution(f"{scope}pu{pool}/pu_conv")
            layers[f"{block}_{scale}_norm"] = _normalisation(f"{scope}pu{pool}")
        layers[f"{block}_half_up"] = _convolution(f"{scope}pu2/conv_up")
        # The published code applies conv_up_1 first, conv_up second.
        layers[f"{block}_quarter_up_1"] = _convolution(f"{scope}pu4/conv_up_1")
        layers[f"{block}_quarter_up_2"] = _convolution(f"{scope}pu4/conv_up")
        layers[f"{block}_join"] = _convolution(f"{scope}multi_scale_feature")
    return layers


def _adjustment(scope: str) -> dict[str, tuple[str, ...]]:
    return {f"conv_{number}": _convolution(f"{scope}_{number}") for number in range(1, 5)}


PUBLISHED: dict[str, dict[str, PublishedNetwork]] = {
    family: {stage: PublishedNetwork(family, stage, layers) for stage, layers in stages.items()}
    for family, stages in {
        "kind": {
            "decom": _decomposition(),
            "restoration": _unet(),
            "illumination": _adjustment("Illumination_adjust_net/en_conv"),
        },
        "kind-plus": {
            "decom": _decomposition(),
            "restoration": _msia(),
            "illumination": _adjustment("I_enhance_Net/conv"),
        },
    }.items()
}


def recognise(variables: Iterable[str]) -> list[PublishedNetwork]:
    """The published networks that have exactly these variables (two for a decomposition, mostly none)."""
    wanted = set(variables)
    return [
        network
        for stages in PUBLISHED.values()
        for network in stages.values()
        if set(network.variables) == wanted
    ]
