"""The detector: KerasCV's YOLOV8Detector with the proportions of the published YOLOv8 networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from tensorflow import keras

from kind.detection.keras_cv_parts import (
    YOLOV8Backbone,
    YOLOV8Detector,
    YOLOV8LabelEncoder,
    apply_conv_bn,
    apply_csp_block,
)

STRIDES = (8, 16, 32)
"""Pixels between the anchors of the three levels."""

BINS = 16
"""A box side is a distribution over the distances 0, 1, … 15 strides."""

BOX_FORMAT = "xyxy"
"""Left, top, right, bottom in pixels, everywhere in this repository."""

PUBLISHED_INPUT_SIZE = 640
"""Longer side, in pixels, of what YOLOv8 was trained on."""

_LEVELS = ("P3", "P4", "P5")

# Before training a score says: five boxes of any class in an image of 640 by 640.
_PRIOR_BOXES, _PRIOR_SIDE = 5.0, 640.0
_KERNEL_DEVIATION = 0.01


class Proportions(NamedTuple):
    """What tells one size of the detector from another.

    Attributes:
        channels: of the backbone's four stacks, at strides 4, 8, 16 and 32.
        depths: bottlenecks in the block of each stack.
        fpn_depth: bottlenecks in each of the four blocks of the feature pyramid.
    """

    channels: tuple[int, ...]
    depths: tuple[int, ...]
    fpn_depth: int


SIZES = {
    "n": Proportions((32, 64, 128, 256), (1, 2, 2, 1), 1),
    "s": Proportions((64, 128, 256, 512), (1, 2, 2, 1), 1),
    "m": Proportions((96, 192, 384, 576), (2, 4, 4, 2), 2),
    "l": Proportions((128, 256, 512, 512), (3, 6, 6, 3), 3),
    "x": Proportions((160, 320, 640, 640), (3, 6, 6, 3), 3),
}
"""The published sizes."""


@keras.utils.register_keras_serializable("detection")
class Detector(YOLOV8Detector):
    """A `YOLOV8Detector` whose graph is that of YOLOv8 at every size and class count.

    KerasCV: the pyramid's two downsampling blocks always have two bottlenecks. Here: `fpn_depth`, as in
    YOLOv8; two would leave dead convolutions in sizes n and s and have no room for l and x.
    KerasCV: a class branch is as wide as there are classes, or as P3. Here: its width is an argument, so that
    a detector for other classes keeps everything before its last layer.
    KerasCV: the last layers start at any score. Here: at a rare object's, with kernels near zero (Lin et al.,
    "Focal Loss", ICCV 2017, section 4.1), without which the first epochs only unlearn.

    Input: float32 [N, H, W, 3], RGB in [0, 1], H and W multiples of 32. Output: `boxes` float32
    [N, A, 64], logits of the distributions of the distances left, top, right, bottom in strides, and
    `classes` float32 [N, A, C], probabilities; A = H·W·21/1024 anchors, row by row, stride 8 first.
    `detection.decoding` makes boxes of them.
    """

    def __init__(
        self,
        backbone: keras.Model,
        class_names: Sequence[str],
        fpn_depth: int,
        class_channels: int,
        input_size: int = PUBLISHED_INPUT_SIZE,
        **kwargs,
    ) -> None:
        """Builds the graph; `build_detector` is shorter.

        Args:
            backbone: a `YOLOV8Backbone`.
            class_names: one for each class, in the order of the class numbers.
            fpn_depth: bottlenecks in each block of the feature pyramid.
            class_channels: width of the hidden layers before the class scores.
            input_size: longer side, in pixels, of the images that it was trained on and finds objects in by
                default; the graph takes any.
            kwargs: of `keras.Model`, such as `name`.
        """
        features = [backbone.get_layer(backbone.pyramid_level_inputs[level]).output for level in _LEVELS]
        outputs = _head(_pyramid(features, fpn_depth), len(class_names), class_channels)
        # Not KerasCV's own constructor, which would build its own pyramid and head.
        super(YOLOV8Detector, self).__init__(inputs=backbone.input, outputs=outputs, **kwargs)
        self.backbone = backbone
        self.class_names = tuple(class_names)
        self.num_classes = len(self.class_names)
        self.fpn_depth = fpn_depth
        self.class_channels = class_channels
        self.input_size = input_size
        self.bounding_box_format = BOX_FORMAT
        self.label_encoder = YOLOV8LabelEncoder(num_classes=self.num_classes)

    def decode_predictions(self, pred, images):
        """Not KerasCV's decoding, which needs a fixed image size and merges the boxes of all classes.

        Raises:
            NotImplementedError: always; see `detection.decoding`.
        """
        raise NotImplementedError("decode with detection.decoding.detect, which takes any image size")

    def predict_step(self, data):
        """Raw outputs, as of `__call__`."""
        return self(keras.utils.unpack_x_y_sample_weight(data)[0], training=False)

    def get_config(self) -> dict:
        """What `__init__` takes."""
        return {
            "name": self.name,
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "class_names": list(self.class_names),
            "fpn_depth": self.fpn_depth,
            "class_channels": self.class_channels,
            "input_size": self.input_size,
        }

    @classmethod
    def from_config(cls, config: dict) -> Detector:
        """The detector of a saved config, with new weights."""
        backbone = keras.saving.deserialize_keras_object(config["backbone"])
        return cls(**{**config, "backbone": backbone})


def build_detector(
    proportions: Proportions | str,
    class_names: Sequence[str],
    *,
    class_channels: int | None = None,
    name: str = "detector",
) -> Detector:
    """Builds a detector with new weights.

    Args:
        proportions: a size's letter, see `SIZES`, or proportions of one's own; channels are even.
        class_names: at least one; class c is called `class_names[c]`.
        class_channels: see `Detector`; YOLOv8's choice by default.
        name: of the model.

    Returns:
        The detector, float32 [N, H, W, 3] in [0, 1] → raw outputs, see `Detector`.

    Raises:
        ValueError: an unknown letter, or no class.

    Example:
        >>> net = build_detector("n", ["face"])
        >>> net(tf.zeros([1, 320, 320, 3]))["classes"].shape
        TensorShape([1, 2100, 1])
    """
    if isinstance(proportions, str):
        if proportions not in SIZES:
            raise ValueError(f"a detector's size expects one of {', '.join(SIZES)}; received {proportions!r}")
        proportions = SIZES[proportions]
    if not class_names:
        raise ValueError("a detector expects at least one class name; received none")
    backbone = YOLOV8Backbone(
        stackwise_channels=list(proportions.channels),
        stackwise_depth=list(proportions.depths),
        include_rescaling=False,
    )
    width = class_channels or max(proportions.channels[1], min(len(class_names), 100))
    return Detector(backbone, class_names, proportions.fpn_depth, width, name=name)


def proportions_of(net: Detector) -> Proportions:
    """The proportions that `build_detector` was given."""
    backbone = net.backbone
    return Proportions(tuple(backbone.stackwise_channels), tuple(backbone.stackwise_depth), net.fpn_depth)


def size_name(proportions: Proportions) -> str:
    """The letter of a published size, or "of its own size"."""
    return next((letter for letter, size in SIZES.items() if size == proportions), "of its own size")


def with_classes(net: Detector, class_names: Sequence[str]) -> Detector:
    """The same detector for other classes: all weights but those of the last class layers are kept.

    Args:
        net: a trained detector; stays as it is.
        class_names: of the new detector.

    Returns:
        A detector with the same proportions, whose last class layers are new.
    """
    other = build_detector(proportions_of(net), class_names, class_channels=net.class_channels, name=net.name)
    other.input_size = net.input_size
    copy_weights(net, other, but=class_layers(other))
    return other


def class_layers(net: keras.Model) -> tuple[str, ...]:
    """The names of the three layers whose size depends on the number of classes."""
    return tuple(layer.name for layer in net.layers if layer.name.endswith("_class_3_conv"))


def copy_weights(source: keras.Model, target: keras.Model, but: Sequence[str] = ()) -> None:
    """Copies the weights of all layers that `target` has, by name.

    Args:
        source: has a layer of the same name and shapes for each layer with weights of `target`.
        target: receives them.
        but: names of layers to leave as they are.

    Raises:
        ValueError: when `source` lacks a layer, or one has other shapes.
    """
    for layer in target.layers:
        if layer.weights and layer.name not in but:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def _pyramid(features, depth: int):
    """YOLOv8's path aggregation: down from P5 to P3, and up again; same shapes as `features`."""
    p3, p4, p5 = features

    def block(inputs, like, name):
        joined = keras.layers.Concatenate(name=f"{name}_join")(inputs)
        return apply_csp_block(joined, channels=like.shape[-1], depth=depth, shortcut=False, name=name)

    def double(values, name):
        return keras.layers.UpSampling2D(2, name=f"{name}_up")(values)

    def halve(values, name):
        return apply_conv_bn(values, values.shape[-1], kernel_size=3, strides=2, name=name)

    # The names are KerasCV's, so that its weights fit.
    p4p5 = block([double(p5, "pa_fpn_p5"), p4], p4, "pa_fpn_p4p5")
    p3p4p5 = block([double(p4p5, "pa_fpn_p4p5"), p3], p3, "pa_fpn_p3p4p5")
    down_1 = halve(p3p4p5, "pa_fpn_p3p4p5_downsample1")
    middle = block([down_1, p4p5], p4, "pa_fpn_p3p4p5_downsample1_block")
    down_2 = halve(middle, "pa_fpn_p3p4p5_downsample2")
    return [p3p4p5, middle, block([down_2, p5], p5, "pa_fpn_p3p4p5_downsample2_block")]


def _head(pyramid, classes: int, class_channels: int) -> dict:
    """Two branches a level, each of two convolutions and a 1×1 convolution."""
    box_channels = max(4 * BINS, pyramid[0].shape[-1] // 4)
    boxes, scores = [], []
    for number, (values, stride) in enumerate(zip(pyramid, STRIDES), start=1):
        prior = math.log(_PRIOR_BOXES / classes / (_PRIOR_SIDE / stride) ** 2)
        name = f"yolo_v8_head_{number}"
        boxes.append(_branch(values, box_channels, 4 * BINS, 1.0, f"{name}_box"))
        scores.append(_branch(values, class_channels, classes, prior, f"{name}_class"))
    logits = keras.layers.Concatenate(axis=1, name="class_logits")(scores)  # [N, A, C]
    # KerasCV's loss finds the two outputs by the names "box" and "class".
    return {
        "boxes": keras.layers.Concatenate(axis=1, name="box", dtype="float32")(boxes),  # [N, A, 64]
        "classes": keras.layers.Activation("sigmoid", name="class", dtype="float32")(logits),
    }


def _branch(values, width: int, filters: int, bias: float, name: str):
    """One branch of one level: [N, H, W, C] → [N, H·W, filters]."""
    hidden = apply_conv_bn(values, width, kernel_size=3, name=f"{name}_1")
    hidden = apply_conv_bn(hidden, width, kernel_size=3, name=f"{name}_2")
    output = keras.layers.Conv2D(
        filters,
        1,
        kernel_initializer=keras.initializers.RandomNormal(stddev=_KERNEL_DEVIATION),
        bias_initializer=keras.initializers.Constant(bias),
        name=f"{name}_3_conv",
    )(hidden)
    return keras.layers.Reshape((-1, filters), name=f"{name}_rows")(output)
