"""Settings of the adaptation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from kind.detection.config import QUICK as DETECTOR_QUICK
from kind.detection.config import DetectionConfig
from kind.errors import UserError
from kind.training.config import flag_of, option

WEIGHTS = (
    "dark_weight",
    "bright_weight",
    "reference_weight",
    "agreement_weight",
    "reconstruction_weight",
    "interchange_weight",
    "alignment_weight",
    "gram_weight",
    "sobel_weight",
)
_OF_ILLUMINATION = ("reconstruction_weight", "interchange_weight")

_OF_DETECTION = ("joint", "twins", "freeze_epochs", "similarity_weight", "box_response_weight")
# Likewise, but these have defaults, which older runs record.
_OF_DETECTION_TOO = ("alpha", "feature_weight", "response_weight", "box_temperature")


@dataclass(frozen=True)
class AdaptationConfig(DetectionConfig):
    """Adapts a detector to the dark: its early features also decode the reflectance (DAI-Net, CVPR 2024).

    Weights of the terms are those of the published code (Du et al., "Boosting Object Detection with Zero-Shot
    Day-Night Domain Adaptation"), which multiplies all decomposition terms by 0.1.
    """

    joint_weights = ()  # this stage has terms of its own
    unused = (*_OF_DETECTION, *_OF_DETECTION_TOO)
    only_with = {}

    input: Literal["raw"] = option("raw", "image that the detector receives: the photograph as it is")
    reference: Literal["retinex", "ciconv"] = option(
        "retinex",
        "what is decoded: the reflectance of the bright photograph by the decomposition of --decom, or its "
        "colour-invariant edges (CIConv)",
    )
    decoder_epochs: int = option(
        0, "train the decoder alone for the first N epochs; 0 trains all from the start"
    )
    decoder_rate: float = option(0.1, "learning rate of the decoder, relative to the detector's")

    # Paper: the dark twin only. Here: the bright photograph, too, which the detector should not unlearn.
    dark_weight: float = option(1.0, "weight of the detection loss of the dark twin")
    bright_weight: float = option(1.0, "weight of the detection loss of the bright photograph")
    reference_weight: float = option(1.0, "weight of L1 + (1 - SSIM) of both decodings to the reference")
    agreement_weight: float = option(
        1e-3, "weight of the squared error of the dark decoding to the bright one"
    )
    reconstruction_weight: float = option(
        0.1, "retinex: weight of squared error + (1 - SSIM) of decoding times illumination to the photograph"
    )
    interchange_weight: float = option(
        1e-4, "retinex: weight of the squared error of decodings after the illuminations were interchanged"
    )
    alignment_weight: float = option(
        0.1, "weight of the symmetric KL divergence (temperature 4) of the averaged early features"
    )
    gram_weight: float = option(0.0, "weight of the squared error of the early features' Gram matrices")
    sobel_weight: float = option(0.0, "weight of L1 of the decodings' Sobel gradients to the reference's")

    @classmethod
    def defaults(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Without a decomposition there is no illumination for some of the terms."""
        edges = dict.fromkeys(_OF_ILLUMINATION, 0.0) if given.get("reference") == "ciconv" else {}
        return {**super().defaults(given), **edges}

    def __post_init__(self) -> None:
        """Refuses values that cannot be trained with.

        Raises:
            UserError: naming the flag, what it expects and what it received.
        """
        super().__post_init__()
        for name in (*WEIGHTS, "decoder_epochs"):
            if not getattr(self, name) >= 0:
                raise UserError(f"{flag_of(name)} expects 0 or more, received {getattr(self, name)}")
        if not self.decoder_rate > 0:
            raise UserError(f"--decoder-rate expects more than 0, received {self.decoder_rate}")
        if self.reference == "ciconv":
            for name in _OF_ILLUMINATION:
                if getattr(self, name):
                    raise UserError(
                        f"{flag_of(name)} expects --reference retinex: edges have no illumination"
                    )
        if self.darken == "none":
            raise UserError("--darken none leaves no bright photographs to learn from; give a preset")
        for name in _OF_DETECTION:
            if getattr(self, name):
                raise UserError(f"{flag_of(name)} is a setting of the stage detection, not of adapt")


#: Settings for `--quick`, as of the detector.
QUICK = DETECTOR_QUICK
