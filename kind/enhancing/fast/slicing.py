"""What the graphs of both variants do to slice a map of stops; see `kind.nn.exposure_layers.SlicedStops`."""

from __future__ import annotations

import math

import numpy as np
from openvino import Node
from openvino import opset13 as op

from kind.enhancing.fast.exposure_branch import BINS, FLOOR
from kind.enhancing.fast.operators import constant

BINOMIAL = np.float32([1, 4, 6, 4, 1]) / 16
"""Along each axis, the kernel that smooths the luma before `guide_position`."""

_MOST_STOPS = 8.0


def guide_position(luma: Node) -> Node:
    """Where pixels lie among the bins of the grid: √(luma + 0.02), scaled to [0, 7].

    Args:
        luma: smoothed, in [0, 1], of any shape.

    Returns:
        The same shape.
    """
    root = math.sqrt(FLOOR)
    guide = op.subtract(op.sqrt(op.add(op.relu(luma), constant(FLOOR))), constant(root))
    return op.multiply(guide, constant((BINS - 1) / (math.sqrt(1 + FLOOR) - root)))


def stops_of(logits: Node) -> Node:
    """Stops in [0, 8] of what was sliced, of any shape: softplus(2·x) / 2, at most 8."""
    soft = op.softplus(op.multiply(logits, constant(2.0)))
    return op.minimum(op.multiply(soft, constant(0.5)), constant(_MOST_STOPS))
