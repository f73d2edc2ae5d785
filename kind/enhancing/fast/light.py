"""Exposure in linear light as a graph for OpenVINO; see `kind.ops.light`.

The powers of the sRGB curve are polynomials, off by less than 2e-4 of their value: its logarithm is slow.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from openvino import Node
from openvino import opset13 as op

from kind.enhancing.fast.operators import constant, integers, polynomial

KNEE = 0.9
_TOE, _SRGB_TOE = 0.0031308, 0.04045


def expose(shown: Node, stops: Node, *, keeps_hue: bool = False) -> Node:
    """See `kind.ops.light.expose`, of [1, 3, H, W] where hues are kept; the stops are broadcast."""
    gain = op.exp(op.multiply(stops, constant(math.log(2))))
    power = polynomial(shown, _to_linear())
    linear = op.select(
        op.less_equal(shown, constant(_SRGB_TOE)), op.multiply(shown, constant(1 / 12.92)), power
    )
    light = op.multiply(linear, gain)
    if keeps_hue:
        largest = op.reduce_max(light, integers(1), True)
        compressed = op.divide(_shoulder(largest, gain), op.maximum(largest, constant(1e-6)))
        light = op.multiply(light, compressed)
    else:
        light = _shoulder(light, gain)
    light = op.clamp(light, 0.0, 1.0)
    power = polynomial(op.sqrt(op.sqrt(op.maximum(light, constant(1e-6)))), _to_srgb())
    return op.select(op.less_equal(light, constant(_TOE)), op.multiply(light, constant(12.92)), power)


def _shoulder(light: Node, gain: Node) -> Node:
    """See `kind.ops.light.soft_shoulder`."""
    above = op.multiply(op.relu(op.subtract(light, constant(KNEE))), constant(1 / (1 - KNEE)))
    largest = op.subtract(op.maximum(gain, constant(1.0)), constant(KNEE))
    largest = op.multiply(largest, constant(1 / (1 - KNEE)))
    slope = op.add(constant(1.0), op.divide(above, op.multiply(largest, largest)))
    above = op.divide(op.multiply(above, slope), op.add(constant(1.0), above))
    return op.add(op.minimum(light, constant(KNEE)), op.multiply(above, constant(1 - KNEE)))


@functools.cache
def _to_linear() -> np.ndarray:
    """((x + 0.055) / 1.055)^2.4 from the toe to 1 as a polynomial of degree 7."""
    shown = np.linspace(_SRGB_TOE, 1, 20001)
    light = ((shown + 0.055) / 1.055) ** 2.4
    fitted = np.polynomial.Polynomial.fit(shown, light, 7, w=1 / np.sqrt(np.maximum(light, 1e-3)))
    return fitted.convert().coef


@functools.cache
def _to_srgb() -> np.ndarray:
    """1.055·x^(1/2.4) - 0.055 from the toe to 1 as a polynomial of degree 6 in x^(1/4)."""
    light = np.geomspace(_TOE, 1, 20001)
    return np.polynomial.Polynomial.fit(light**0.25, 1.055 * light ** (1 / 2.4) - 0.055, 6).convert().coef
