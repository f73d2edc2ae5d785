"""The light network: image → exposure from a thumbnail, restoration at a quarter of the resolution."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras

from kind.nn.blocks import block, halved, small, steered
from kind.nn.exposure_branch import SIDE, stops_grid, suggested_log_alpha
from kind.nn.exposure_layers import Exposed, SlicedStops, Thumbnail, WholePlace, WithinHeadroom, faded
from kind.nn.layers import leaky_conv
from kind.nn.subpixel import DepthToSpace, SpaceToDepth

LARGEST_COLOUR = 0.5  # stops
_FINE, _COARSE = 4, 16  # pixels along each axis that one of the finest and coarsest level stands for
_WIDTHS = (44, 56, 48)


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
    thumbnail = Thumbnail(SIDE, name="thumbnail")(image)
    grid, summary = stops_grid(thumbnail)
    colour = keras.layers.Dense(
        3, activation="tanh", kernel_initializer=small(), dtype="float32", name="colour_share"
    )(summary)
    colour = keras.layers.Rescaling(LARGEST_COLOUR, dtype="float32", name="colour")(colour)
    place = WholePlace(name="place")(image)
    stops = SlicedStops(name="stops")([image, grid, place])
    exposed = Exposed(name="exposed")([image, stops, colour])
    restored = _restoration(image, exposed, stops, summary)
    return keras.Model(image, [restored, stops, suggested_log_alpha(thumbnail, grid)], name="lite")


def _restoration(image, exposed, stops, summary):
    """Dark image, exposed one, stops and summary → restored image, float32 [N, H, W, 3] in [0, 1]."""
    fold = [SpaceToDepth(_FINE, _COARSE, name=name) for name in ("fold_exposed", "fold_dark", "fold_stops")]
    dark = keras.layers.Conv2D(8, 1, name="dark_cells")(fold[1](image))
    light = keras.layers.Conv2D(2, 1, name="stops_cells")(fold[2](stops))
    joined = keras.layers.Concatenate(name="join")([fold[0](exposed), dark, light])  # [N, H/4, W/4, 58]
    fine = block(leaky_conv(joined, _WIDTHS[0], "stem"), "encode_1")  # [N, H/4, W/4, 44]
    middle = block(halved(fine, _WIDTHS[1], "down_2"), "encode_2")  # [N, H/8, W/8, 56]
    coarse = steered(halved(middle, _WIDTHS[2], "down_3"), summary, "coarse")  # [N, H/16, W/16, 48]
    coarse = block(coarse, "encode_3")
    middle = leaky_conv(_doubled(coarse, middle, "up_2"), _WIDTHS[1], "decode_2")
    fine = block(_doubled(middle, fine, "up_1"), "decode_1")
    detail = keras.layers.Conv2D(
        3 * _FINE**2, 3, padding="same", kernel_initializer=small(), name="detail_folded"
    )(fine)
    detail = DepthToSpace(_FINE, name="detail")([detail, image])  # [N, H, W, 3]
    # What is added can hardly cancel noise pixel by pixel: its 48 values a cell come out of 44 channels. So
    # the exposed image can be turned down too, for each place and colour, and be painted anew.
    gain = keras.layers.Conv2D(3 * _FINE**2, 1, kernel_initializer=small(), name="gain_folded")(fine)
    gain = DepthToSpace(_FINE, name="gain")([gain, image])
    turned = keras.layers.Multiply(dtype="float32", name="turned")([gain, exposed])
    detail = keras.layers.Add(dtype="float32", name="change")([detail, turned])
    shown = keras.layers.Activation(faded, dtype="float32", name="shown")(stops)
    detail = keras.layers.Multiply(dtype="float32", name="shown_change")([detail, shown])
    return WithinHeadroom(name="restored")([exposed, detail])


def _doubled(values, skip, name: str):
    """`values` at the size of `skip`, added to it: a 1×1 convolution and bilinear upsampling."""
    values = keras.layers.Conv2D(skip.shape[-1], 1, name=name)(values)
    values = keras.layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_resize")(values)
    return keras.layers.Add(name=f"{name}_add")([values, skip])
