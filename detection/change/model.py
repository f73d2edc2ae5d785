"""The network of change detection: two encoders, a difference at each level, and a decoder with attention.

A small U-shaped siamese network, as of Daudt et al., "Fully Convolutional Siamese Networks for Change
Detection", ICIP 2018, whose encoder also sees the edges of each date.
"""

from __future__ import annotations

from tensorflow import keras

from kind.detection.change.architecture import Architecture
from kind.nn.change_layers import (
    AbsoluteDifference,
    ChannelStatistics,
    GatedSum,
    GaussianDifference,
    ScharrEdges,
)
from kind.nn.layers import CropLike
from kind.nn.state_space import state_space_block
from kind.nn.subpixel import DepthToSpace

NAME = "change"
_EDGE_WIDTH = 8
_SQUEEZE = 4  # factor by which the channels are squeezed before they gate
_SPATIAL_WINDOW = 7
_layers = keras.layers


def change_net(architecture: Architecture = Architecture()) -> keras.Model:  # noqa: B008
    """Builds the network.

    Args:
        architecture: its switches.

    Returns:
        A model named "change" from [before, after], float32 [N, H, W, 3] in [0, 1] of any one size from 1×1,
        to logits of "changed", float32 [N, H, W, 1]; with deep supervision to a list, the logits first, then
        those of the coarser levels, the finest first, at the same size.

    Example:
        >>> net = change_net()
        >>> net([tf.zeros([1, 64, 64, 3]), tf.zeros([1, 64, 64, 3])]).shape
        TensorShape([1, 64, 64, 1])
    """
    before = keras.Input((None, None, 3), name="before")
    after = keras.Input((None, None, 3), name="after")
    levels = _compared(before, after, architecture)
    values, coarser = levels[-1], []
    for number in reversed(range(len(levels) - 1)):
        width, name = architecture.widths[number], f"decode_{number + 1}"
        if architecture.deep_supervision:
            coarser.insert(0, _side_logits(values, before, 2 ** (number + 2), f"side_{number + 2}"))
        values = _joined(values, levels[number], width, architecture.join, name)
        values = _conv(values, width, name)
        if architecture.attention:
            values = _spatial_attention(_channel_attention(values, f"{name}_channel"), f"{name}_spatial")
    # Four logits for each square of 2×2 pixels.
    folded = _layers.Conv2D(4, 3, padding="same", name="logits_folded")(values)
    logits = DepthToSpace(2, name="logits_unfolded")([folded, before])
    logits = _layers.Activation("linear", dtype="float32", name="logits")(logits)
    return keras.Model([before, after], [logits, *coarser] if coarser else logits, name=NAME)


def _compared(before, after, architecture: Architecture) -> list:
    """What differs at each level, the finest first."""
    if architecture.encoder == "early":
        both = _layers.Concatenate(name="both")([before, after])
        return _encoder(6, architecture, "encoder")(both)
    if architecture.encoder == "shared":
        encode = _encoder(3, architecture, "encoder")
        first, second = encode(before), encode(after)
    else:
        first = _encoder(3, architecture, "encoder_before")(before)
        second = _encoder(3, architecture, "encoder_after")(after)
    return [
        _difference(pair, width, architecture.difference, f"difference_{number}")
        for number, (pair, width) in enumerate(zip(zip(first, second), architecture.widths), start=1)
    ]


def _encoder(channels: int, architecture: Architecture, name: str) -> keras.Model:
    """Image [N, H, W, channels] → features of each level, the finest first, at 1/2, 1/4, … of its size."""
    image = keras.Input((None, None, channels), name=f"{name}_image")
    values, features = image, []
    for number, width in enumerate(architecture.widths, start=1):
        values = _conv(values, width, f"{name}_halve_{number}", strides=2)
        if number == 1 and architecture.edges != "none":
            branches = _edge_branches(image, architecture.edges, name)
            values = _layers.Concatenate(name=f"{name}_edges_join")([values, *branches])
            values = _conv(values, width, f"{name}_edges_mix", size=1)
        values = _block(values, width, architecture.block, f"{name}_block_{number}")
        features.append(values)
    return keras.Model(image, features, name=name)


def _edge_branches(image, edges: str, name: str) -> list:
    """Edges of an image, halved: [N, ⌈H/2⌉, ⌈W/2⌉, 8] each."""
    found = []
    if edges in ("scharr", "both"):
        found.append((ScharrEdges(name=f"{name}_scharr")(image), "first"))
    if edges in ("gaussian", "gaussian-learned", "both"):
        learned = edges == "gaussian-learned"
        found.append((GaussianDifference(learned=learned, name=f"{name}_gaussian")(image), "second"))
    return [
        _conv(values, _EDGE_WIDTH, f"{name}_{order}_order", strides=2)  # no bias before the norm
        for values, order in found
    ]


def _difference(pair, width: int, difference: str, name: str):
    """Features of both dates [N, h, w, width] → what differs, the same shape."""
    first, second = pair
    if difference == "signed":
        values = _layers.Subtract(name=f"{name}_signed")([first, second])
    else:
        values = AbsoluteDifference(name=f"{name}_absolute")([first, second])
        if difference == "joined":
            values = _layers.Concatenate(name=f"{name}_join")([first, second, values])
            values = _conv(values, width, f"{name}_mix", size=1)
    return _conv(values, width, name)


def _joined(values, skip, width: int, join: str, name: str):
    """The coarser level, doubled, with a skip: [N, h, w, C] and [N, 2h, 2w, width] → [N, 2h, 2w, …]."""
    values = _layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_double")(values)
    values = CropLike(name=f"{name}_cut")([values, skip])
    if join == "fusion":
        return _fused(_conv(values, width, f"{name}_main", size=1), skip, width, name)
    if join == "squeeze":
        skip = _layers.Multiply(name=f"{name}_excited")([skip, _squeezed(skip, f"{name}_squeeze")])
    return _layers.Concatenate(name=f"{name}_join")([values, skip])


def _fused(main, side, width: int, name: str):
    """Attentional feature fusion: main + (1 - gate)·side.

    Dai et al., "Attentional Feature Fusion", WACV 2021: the gate is the sigmoid of a local and a global
    branch of the sum. Paper: gate·main + (1 - gate)·side. Here: the main path is untouched, so that a
    closed gate leaves what the coarser levels know.
    """
    total = _layers.Add(name=f"{name}_total")([main, side])
    local = _layers.Conv2D(width // _SQUEEZE, 1, activation="relu", name=f"{name}_local_squeeze")(total)
    local = _layers.Conv2D(width, 1, name=f"{name}_local")(local)
    whole = _layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(total)
    whole = _layers.Conv2D(width // _SQUEEZE, 1, activation="relu", name=f"{name}_global_squeeze")(whole)
    whole = _layers.Conv2D(width, 1, name=f"{name}_global")(whole)
    both = _layers.Add(name=f"{name}_branches")([local, whole])
    gate = _layers.Activation("sigmoid", name=f"{name}_gate")(both)
    return GatedSum(name=f"{name}_fused")([main, side, gate])


def _squeezed(values, name: str):
    """Squeeze and excitation (Hu et al., CVPR 2018): a gate for each channel, [N, 1, 1, C] in (0, 1)."""
    channels = values.shape[-1]
    mean = _layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(values)
    hidden = _layers.Conv2D(channels // _SQUEEZE, 1, activation="relu", name=f"{name}_hidden")(mean)
    return _layers.Conv2D(channels, 1, activation="sigmoid", name=f"{name}_gate")(hidden)


def _channel_attention(values, name: str):
    """Weighs the channels by their means and maxima (Woo et al., "CBAM", ECCV 2018, equation 2)."""
    channels = values.shape[-1]
    squeeze = _layers.Conv2D(channels // _SQUEEZE, 1, activation="relu", name=f"{name}_squeeze")
    spread = _layers.Conv2D(channels, 1, name=f"{name}_spread")
    mean = _layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(values)
    largest = _layers.GlobalMaxPooling2D(keepdims=True, name=f"{name}_largest")(values)
    total = _layers.Add(name=f"{name}_total")([spread(squeeze(mean)), spread(squeeze(largest))])
    gate = _layers.Activation("sigmoid", name=f"{name}_gate")(total)
    return _layers.Multiply(name=name)([values, gate])


def _spatial_attention(values, name: str):
    """Weighs the places by mean and maximum of their channels (CBAM, equation 3)."""
    seen = ChannelStatistics(name=f"{name}_statistics")(values)
    window = _SPATIAL_WINDOW
    gate = _layers.Conv2D(1, window, padding="same", activation="sigmoid", name=f"{name}_gate")(seen)
    return _layers.Multiply(name=name)([values, gate])


def _side_logits(values, image, factor: int, name: str):
    """Logits of a coarser level at the image's size, float32."""
    logits = _layers.Conv2D(1, 1, name=f"{name}_small")(values)
    large = _layers.UpSampling2D(factor, interpolation="bilinear", name=f"{name}_large")(logits)
    cut = CropLike(name=f"{name}_cut")([large, image])
    return _layers.Activation("linear", dtype="float32", name=name)(cut)


def _block(values, width: int, block: str, name: str):
    """What a level adds to its features: [N, h, w, width] → the same shape."""
    if block == "state-space":
        return state_space_block(values, name)
    return _layers.Add(name=f"{name}_sum")([values, _conv(values, width, name)])


def _conv(values, width: int, name: str, size: int = 3, strides: int = 1):
    """A convolution without bias, batch normalisation and ReLU."""
    values = _layers.Conv2D(
        width,
        size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(values)
    values = _layers.BatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_norm")(values)
    return _layers.Activation("relu", name=f"{name}_relu")(values)
