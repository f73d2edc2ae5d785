"""The parts that a network of change detection is made of, as switches; needs no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Encoder = Literal["shared", "separate", "early"]
Block = Literal["plain", "state-space"]
Difference = Literal["joined", "absolute", "signed"]
Edges = Literal["none", "scharr", "gaussian", "gaussian-learned", "both"]
Join = Literal["concatenate", "squeeze", "fusion"]


@dataclass(frozen=True)
class Architecture:
    """Which network is built; see `detection.change.model`.

    Attributes:
        encoder: one for both dates, one for each, or one for both dates together ("early" fusion).
        block: what follows the halving of each level.
        difference: what is compared at each level: both features with |a - b|, |a - b| alone, or a - b.
        edges: edge branches beside the first level: first order (Scharr), second order (difference of
            Gaussians, with fixed or learned σ), or both.
        join: how a skip meets the decoder: concatenated, concatenated after squeeze-and-excitation, or
            by attentional feature fusion.
        attention: channel attention, then spatial attention, after each join of the decoder.
        deep_supervision: a mask from each level of the decoder, for training.
        widths: channels of each level, at 1/2, 1/4, … of the image's size.
    """

    encoder: Encoder = "shared"
    block: Block = "plain"
    difference: Difference = "joined"
    edges: Edges = "both"
    join: Join = "concatenate"
    attention: bool = True
    deep_supervision: bool = False
    widths: tuple[int, ...] = (24, 40, 64, 96)
