"""The light network: image → exposure from a thumbnail, restoration at a quarter of the resolution."""

from __future__ import annotations

import math

import tensorflow as tf
from tensorflow import keras

from kind.nn.exposure_layers import (
    BrighterViews,
    Exposed,
    MeanStops,
    SeenContrast,
    SlicedStops,
    SoftHistogram,
    Thumbnail,
    WholePlace,
    WithinHeadroom,
    faded,
)
from kind.nn.layers import leaky_conv, leaky_relu
from kind.nn.subpixel import DepthToSpace, SpaceToDepth

_SIDE = 128  # of the thumbnail, in pixels
_VIEWS = (6.0, 36.0)  # gains in linear light
_GLANCE_WIDTHS = (16, 32, 48)
_CONTEXTS = (5, 9, 5)  # cells along each axis
_GLOBAL_WIDTH = 64
_BINS = 8
_HISTOGRAM_BINS = 24
LARGEST_COLOUR = 0.5  # stops
_FINE, _COARSE = 4, 16  # pixels along each axis that one of the finest and coarsest level stands for
_WIDTHS = (44, 56, 48)
_STOPS = 1.0  # that an untrained network suggests


@tf.autograph.experimental.do_not_convert  # half of the time: it has no Python branches on tensors
def lite_net() -> keras.Model:
    """Builds the light network, for the whole of an enhancement.

    The *exposure* branch sees a thumbnail of fixed size under three exposures, with histograms of it. It
    gives a bilateral grid of stops, a colour gain and a vector that describes the photograph. The grid is
    sliced at full size into a map of stops E: an illumination 2^-E in linear light, which follows edges.
    The *restoration* branch sees the exposed image X with squares of 4×4 pixels folded into channels, the
    dark one and E; a three-level U-Net gives what is added to X: noise and colour errors taken away. The
    addition fades where E is 0, so that a photograph that needs no light stays as it is.

    Returns:
        A model named "lite" from an image S, sRGB float32 [N, H, W, 3] in [0, 1], any size from 1×1, to
        [restored reflectance R̂, float32 [N, H, W, 3] in [0, 1]; stops E, float32 [N, H, W, 1] in
        [0, 8]; log α, float32 [N, 1], the mean of E over the mid-tones times ln 2].
        `kind.enhancing.light_branches` cuts it into its parts.
    """
    image = keras.Input((None, None, 3), name="image")
    thumbnail = Thumbnail(_SIDE, name="thumbnail")(image)
    grid, colour, summary = _exposure(thumbnail)
    place = WholePlace(name="place")(image)
    stops = SlicedStops(name="stops")([image, grid, place])
    exposed = Exposed(name="exposed")([image, stops, colour])
    restored = _restoration(image, exposed, stops, summary)

    small_place = WholePlace(name="small_place")(thumbnail)
    small_stops = SlicedStops(name="small_stops")([thumbnail, grid, small_place])
    mean = MeanStops(name="mean_stops")([thumbnail, small_stops])
    log_alpha = keras.layers.Rescaling(math.log(2.0), dtype="float32", name="log_alpha")(mean)
    return keras.Model(image, [restored, stops, log_alpha], name="lite")


def _exposure(thumbnail):
    """Thumbnail [N, 128, 128, 3] → grid [N, 16, 16, bins], colour [N, 3], summary [N, 64]."""
    values = BrighterViews(_VIEWS, name="views")(thumbnail)
    for number, width in enumerate(_GLANCE_WIDTHS, start=1):  # [N, 16, 16, 48] at the end
        values = _halved(values, width, f"glance_{number}")
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
    values = _block(_steered(values, summary, "glance"), "glance")
    for number, size in enumerate(_CONTEXTS, start=1):  # what is bright may lie far from what is dark
        values = _context(values, size, f"glance_context_{number}")
    near = keras.layers.Conv2D(
        _BINS, 3, padding="same", kernel_initializer=_small(), dtype="float32", name="grid_near"
    )(values)
    bias = keras.initializers.Constant(_STOPS)
    everywhere = keras.layers.Dense(
        _BINS, kernel_initializer=_small(), bias_initializer=bias, dtype="float32", name="grid_everywhere"
    )(summary)
    everywhere = keras.layers.Reshape((1, 1, _BINS), dtype="float32", name="grid_plane")(everywhere)
    grid = keras.layers.Add(dtype="float32", name="grid_sum")([near, everywhere])
    grid = SeenContrast(name="grid")([thumbnail, grid])
    colour = keras.layers.Dense(
        3, activation="tanh", kernel_initializer=_small(), dtype="float32", name="colour_share"
    )(summary)
    colour = keras.layers.Rescaling(LARGEST_COLOUR, dtype="float32", name="colour")(colour)
    return grid, colour, summary


def _restoration(image, exposed, stops, summary):
    """Dark image, exposed one, stops and summary → restored image, float32 [N, H, W, 3] in [0, 1]."""
    fold = [SpaceToDepth(_FINE, _COARSE, name=name) for name in ("fold_exposed", "fold_dark", "fold_stops")]
    dark = keras.layers.Conv2D(8, 1, name="dark_cells")(fold[1](image))
    light = keras.layers.Conv2D(2, 1, name="stops_cells")(fold[2](stops))
    joined = keras.layers.Concatenate(name="join")([fold[0](exposed), dark, light])  # [N, H/4, W/4, 58]
    fine = _block(leaky_conv(joined, _WIDTHS[0], "stem"), "encode_1")  # [N, H/4, W/4, 44]
    middle = _block(_halved(fine, _WIDTHS[1], "down_2"), "encode_2")  # [N, H/8, W/8, 56]
    coarse = _steered(_halved(middle, _WIDTHS[2], "down_3"), summary, "coarse")  # [N, H/16, W/16, 48]
    coarse = _block(coarse, "encode_3")
    middle = leaky_conv(_doubled(coarse, middle, "up_2"), _WIDTHS[1], "decode_2")
    fine = _block(_doubled(middle, fine, "up_1"), "decode_1")
    detail = keras.layers.Conv2D(
        3 * _FINE**2, 3, padding="same", kernel_initializer=_small(), name="detail_folded"
    )(fine)
    detail = DepthToSpace(_FINE, name="detail")([detail, image])  # [N, H, W, 3]
    # What is added can hardly cancel noise pixel by pixel: its 48 values a cell come out of 44 channels. So
    # the exposed image can be turned down too, for each place and colour, and be painted anew.
    gain = keras.layers.Conv2D(3 * _FINE**2, 1, kernel_initializer=_small(), name="gain_folded")(fine)
    gain = DepthToSpace(_FINE, name="gain")([gain, image])
    turned = keras.layers.Multiply(dtype="float32", name="turned")([gain, exposed])
    detail = keras.layers.Add(dtype="float32", name="change")([detail, turned])
    shown = keras.layers.Activation(faded, dtype="float32", name="shown")(stops)
    detail = keras.layers.Multiply(dtype="float32", name="shown_change")([detail, shown])
    return WithinHeadroom(name="restored")([exposed, detail])


def _small():
    """Starts a head near zero: the untrained network only exposes."""
    return keras.initializers.RandomNormal(stddev=1e-3)


def _block(values, name: str):
    """Two 3×3 convolutions around which the input goes unchanged: [N, H, W, C] → [N, H, W, C]."""
    width = values.shape[-1]
    inner = leaky_conv(values, width, f"{name}_1_of_2")
    inner = keras.layers.Conv2D(width, 3, padding="same", name=f"{name}_2_of_2")(inner)
    total = keras.layers.Add(name=f"{name}_add")([values, inner])
    return keras.layers.Activation(leaky_relu, name=name)(total)


def _context(values, size: int, name: str):
    """Adds what a depthwise size×size convolution sees, mixed: [N, H, W, C] → [N, H, W, C]."""
    wide = keras.layers.DepthwiseConv2D(size, padding="same", activation=leaky_relu, name=f"{name}_wide")(
        values
    )
    mixed = keras.layers.Conv2D(values.shape[-1], 1, kernel_initializer=_small(), name=f"{name}_mixed")(wide)
    return keras.layers.Add(name=name)([values, mixed])


def _halved(values, width: int, name: str):
    """A 3×3 convolution with stride 2: [N, H, W, C] → [N, H/2, W/2, width]."""
    convolve = keras.layers.Conv2D(width, 3, strides=2, padding="same", activation=leaky_relu, name=name)
    return convolve(values)


def _doubled(values, skip, name: str):
    """`values` at the size of `skip`, added to it: a 1×1 convolution and bilinear upsampling."""
    values = keras.layers.Conv2D(skip.shape[-1], 1, name=name)(values)
    values = keras.layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_resize")(values)
    return keras.layers.Add(name=f"{name}_add")([values, skip])


def _steered(values, summary, name: str):
    """Scales and shifts each channel by what the summary says of the whole photograph (FiLM)."""
    width = values.shape[-1]
    scale = keras.layers.Dense(width, bias_initializer="ones", name=f"{name}_scale")(summary)
    shift = keras.layers.Dense(width, name=f"{name}_shift")(summary)
    scale = keras.layers.Reshape((1, 1, width), name=f"{name}_scale_plane")(scale)
    shift = keras.layers.Reshape((1, 1, width), name=f"{name}_shift_plane")(shift)
    values = keras.layers.Multiply(name=f"{name}_scaled")([values, scale])
    return keras.layers.Add(name=f"{name}_steered")([values, shift])
