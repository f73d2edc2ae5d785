"""The part of a network that decides how a photograph should be exposed, from a thumbnail of it."""

from __future__ import annotations

import math

from tensorflow import keras

from kind.nn.blocks import block, halved, small, steered
from kind.nn.exposure_layers import (
    BrighterViews,
    MeanStops,
    SeenContrast,
    SlicedStops,
    SoftHistogram,
    WholePlace,
)
from kind.nn.layers import leaky_relu

SIDE = 128
"""Of the thumbnail, in pixels."""

_VIEWS = (6.0, 36.0)  # gains in linear light
_WIDTHS = (16, 32, 48)
_CONTEXTS = (5, 9, 5)  # cells along each axis
_GLOBAL_WIDTH = 64
_BINS = 8
_HISTOGRAM_BINS = 24
_STOPS = 1.0  # that an untrained network suggests


def stops_grid(thumbnail):
    """A bilateral grid of stops (Gharbi et al., "HDRNet", 2017), for `SlicedStops`.

    The branch sees the thumbnail under three exposures, with histograms of it, and far along its sides.

    Args:
        thumbnail: Keras tensor [N, 128, 128, 3], sRGB in [0, 1]. The side decides that of the grid.

    Returns:
        Grid, Keras tensor [N, 16, 16, 8], and summary, [N, 64], which describes the photograph.
    """
    values = BrighterViews(_VIEWS, name="views")(thumbnail)
    for number, width in enumerate(_WIDTHS, start=1):  # [N, 16, 16, 48] at the end
        values = halved(values, width, f"glance_{number}")
    seen = [
        keras.layers.GlobalAveragePooling2D(dtype="float32", name="glance_mean")(values),
        keras.layers.GlobalMaxPooling2D(dtype="float32", name="glance_largest")(values),
        SoftHistogram(_HISTOGRAM_BINS, name="histogram")(thumbnail),
    ]
    summary = keras.layers.Concatenate(dtype="float32", name="summary_join")(seen)
    for number in (1, 2):
        name = f"summary_{number}"
        dense = keras.layers.Dense(_GLOBAL_WIDTH, activation=leaky_relu, dtype="float32", name=name)
        summary = dense(summary)
    values = block(steered(values, summary, "glance"), "glance")
    for number, size in enumerate(_CONTEXTS, start=1):  # what is bright may lie far from what is dark
        values = _context(values, size, f"glance_context_{number}")
    near = keras.layers.Conv2D(
        _BINS, 3, padding="same", kernel_initializer=small(), dtype="float32", name="grid_near"
    )(values)
    bias = keras.initializers.Constant(_STOPS)
    everywhere = keras.layers.Dense(
        _BINS, kernel_initializer=small(), bias_initializer=bias, dtype="float32", name="grid_everywhere"
    )(summary)
    everywhere = keras.layers.Reshape((1, 1, _BINS), dtype="float32", name="grid_plane")(everywhere)
    grid = keras.layers.Add(dtype="float32", name="grid_sum")([near, everywhere])
    return SeenContrast(name="grid")([thumbnail, grid]), summary


def suggested_log_alpha(thumbnail, grid):
    """The suggested log α: the mean of a grid's stops over the mid-tones of the thumbnail, times ln 2.

    Args:
        thumbnail: as of `stops_grid`.
        grid: from there.

    Returns:
        Keras tensor [N, 1], 0 or more.
    """
    place = WholePlace(name="small_place")(thumbnail)
    stops = SlicedStops(name="small_stops")([thumbnail, grid, place])
    mean = MeanStops(name="mean_stops")([thumbnail, stops])
    return keras.layers.Rescaling(math.log(2.0), dtype="float32", name="log_alpha")(mean)


def _context(values, size: int, name: str):
    """Adds what a depthwise size×size convolution sees, mixed: [N, H, W, C] → [N, H, W, C]."""
    wide = keras.layers.DepthwiseConv2D(size, padding="same", activation=leaky_relu, name=f"{name}_wide")(
        values
    )
    mixed = keras.layers.Conv2D(values.shape[-1], 1, kernel_initializer=small(), name=f"{name}_mixed")(wide)
    return keras.layers.Add(name=name)([values, mixed])
