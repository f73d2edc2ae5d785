"""KerasCV's RetinaNet, to find objects with: its boxes in pixels, from a preset by name or in a folder.

Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017. It is not trained here: the recipe of
`detection.stage` is that of detectors without anchor boxes.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.data.annotations.class_names import PASCAL_VOC
from kind.detection.keras_cv_files import BOX_FORMAT, DECODER, SOURCE, described
from kind.detection.keras_cv_parts import ResNetBackbone, RetinaNet
from kind.detection.sizes import PUBLISHED_INPUT_SIZE
from kind.nn.file_schema import Refused, choice, flag, optional, real, several, whole
from kind.nn.known_layers import initializer, precision
from kind.nn.saving import variables_by_path
from kind.nn.weights_file import read_arrays

_STRIDES = (8, 16, 32, 64, 128)
_SIDES = (32.0, 64.0, 128.0, 256.0, 512.0)  # of an anchor box at each stride
_SCALES = tuple(2.0 ** (part / 3) for part in range(3))
_RATIOS = (0.5, 1.0, 2.0)  # width over height
_VARIANCES = (0.1, 0.1, 0.2, 0.2)
_LARGEST_LOGARITHM = 8.0  # of a box's side over its anchor's: beyond any image, and its exponential is finite
_PYRAMID = ("c3_1x1", "c4_1x1", "c5_1x1", "c3_3x3", "c4_3x3", "c5_3x3", "c6_3x3", "c7_3x3")
_SMALLEST_VALUE = 2  # bytes, of a float16
_LEAST = {"block": 17, "basic_block": 18}  # times filters squared: values in a residual block, at least


class RetinaNetDetector(keras.Model):
    """A RetinaNet with the interface of `detection.model.Detector`, as far as finding objects needs it.

    Input: float32 [N, H, W, 3], RGB in [0, 1], H and W multiples of 32. Output: `corners` float32 [N, A, 4],
    left, top, right, bottom in pixels of the input, and `classes` float32 [N, A, C], probabilities.

    Attributes:
        class_names: by class number.
        num_classes: how many.
        input_size: longer side, in pixels, of what it finds objects in by default.
        canvas: what fills the input where no image is: black, as KerasCV's resizing does.
    """

    title, input_size, canvas = "RetinaNet", PUBLISHED_INPUT_SIZE, 0.0

    def __init__(self, net: RetinaNet) -> None:
        """Wraps KerasCV's model; one with a rescaling layer is given 0 to 255."""
        super().__init__(name="retinanet")
        self.net = net
        self.num_classes = net.num_classes
        names = PASCAL_VOC if net.num_classes == len(PASCAL_VOC) else range(net.num_classes)
        self.class_names = tuple(map(str, names))
        self._range = 255.0 if net.backbone.include_rescaling else 1.0

    def call(self, images: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """Boxes and scores of all anchor boxes."""
        raw = self.net({"images": images * self._range}, training=training)
        shape = tf.shape(images)
        corners = decoded(raw["box"], anchor_boxes(shape[1], shape[2]))
        return {"corners": corners, "classes": tf.sigmoid(raw["classification"])}


def anchor_boxes(height: tf.Tensor | int, width: tf.Tensor | int) -> tf.Tensor:
    """The published anchor boxes, cut at the image's border as KerasCV does.

    Args:
        height: of the input, also one known only when the graph runs.
        width: likewise.

    Returns:
        float32 [A, 4], left, top, right, bottom in pixels; nine at each place, row by row, stride 8 first.
    """
    limits = tf.cast(tf.stack([width, height, width, height]), tf.float32)
    boxes = []
    for stride, side in zip(_STRIDES, _SIDES):
        places = (tf.range((length + stride - 1) // stride) for length in (height, width))
        y, x = ((tf.cast(place, tf.float32) + 0.5) * stride for place in places)
        x, y = tf.meshgrid(x, y)  # [rows, columns]
        halves = [
            (side * scale * math.sqrt(ratio) / 2, side * scale / math.sqrt(ratio) / 2)
            for scale in _SCALES
            for ratio in _RATIOS
        ]
        halves = tf.constant(halves)  # [9, 2]
        centres = tf.stack([x, y], axis=-1)[:, :, tf.newaxis]  # [rows, columns, 1, 2]
        boxes.append(tf.reshape(tf.concat([centres - halves, centres + halves], axis=-1), [-1, 4]))
    return tf.clip_by_value(tf.concat(boxes, axis=0), 0.0, limits)


def decoded(deltas: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
    """Boxes from what is regressed: centre y and x in sides of the anchor, logarithms of height and width.

    Args:
        deltas: float32 [N, A, 4].
        anchors: float32 [A, 4], xyxy.

    Returns:
        float32 [N, A, 4], xyxy; not cut at the border.
    """
    deltas = deltas * tf.constant(_VARIANCES)
    sides = anchors[:, 2:] - anchors[:, :2]
    middles = (anchors[:, 2:] + anchors[:, :2]) / 2.0 + deltas[..., 1::-1] * sides
    halves = tf.exp(tf.minimum(deltas[..., :1:-1], _LARGEST_LOGARITHM)) * sides / 2.0
    return tf.concat([middles - halves, middles + halves], axis=-1)


_COUNT = whole(1, 1 << 14)
_BACKBONE = described(
    "models.backbones.resnet_v1.resnet_v1_backbone",
    "ResNetBackbone",
    {
        "stackwise_filters": several(whole(1, 2048), 4, 4),
        "stackwise_blocks": several(whole(1, 64), 4, 4),
        "stackwise_strides": several(whole(1, 2), 4, 4),
        "include_rescaling": flag,
        "input_shape": several(optional(_COUNT), 3, 3),
        "input_tensor": choice(None),
        "block_type": choice("block", "basic_block"),
    },
)
_ANCHORS = described(
    "layers.object_detection.anchor_generator",
    "AnchorGenerator",
    {
        "dtype": precision,
        "bounding_box_format": BOX_FORMAT,
        "sizes": choice(list(_SIDES)),
        "aspect_ratios": choice(list(_RATIOS)),
        "scales": choice(list(_SCALES)),
        "strides": choice(list(_STRIDES)),
        "clip_boxes": choice(True),
    },
)
_ENCODER = described(
    f"{SOURCE}.retinanet.retinanet_label_encoder",
    "RetinaNetLabelEncoder",
    {
        "dtype": precision,
        "bounding_box_format": BOX_FORMAT,
        "anchor_generator": _ANCHORS,
        "box_variance": choice(list(_VARIANCES)),
        **dict.fromkeys("positive_threshold negative_threshold background_class ignore_class".split(), real),
    },
)
_HEAD = described(
    f"{SOURCE}.retinanet.prediction_head",
    "PredictionHead",
    {
        "dtype": precision,
        "bias_initializer": initializer,
        "output_filters": _COUNT,
        "num_conv_layers": choice(3),
    },
)
_DETECTOR = described(
    f"{SOURCE}.retinanet.retinanet",
    "RetinaNet",
    {
        "num_classes": whole(1, 1024),
        "bounding_box_format": BOX_FORMAT,
        "backbone": _BACKBONE,
        "label_encoder": _ENCODER,
        "prediction_decoder": described(
            "layers.object_detection.non_max_suppression", "NonMaxSuppression", DECODER
        ),
        "classification_head": _HEAD,
        "box_head": _HEAD,
    },
)


def retinanet_of_parts(config: object, weights: bytes) -> RetinaNetDetector:
    """The RetinaNet of a description and weights that KerasCV saved.

    Args:
        config: what `config.json` holds, parsed, without the name of the file of weights.
        weights: the content of an HDF5 file.

    Returns:
        The detector. Numbers come from the files and everything else from here: KerasCV's model is built of
        checked settings, with the published anchor boxes and heads.

    Raises:
        Refused: when the description is another one.
        UnreadableWeights: when the weights are not that network's.
    """
    settings = _DETECTOR(config)
    backbone = settings["backbone"]
    least = sum(
        blocks * _LEAST[backbone.get("block_type", "block")] * filters**2
        for blocks, filters in zip(backbone["stackwise_blocks"], backbone["stackwise_filters"])
    )
    if least > len(weights) // _SMALLEST_VALUE:
        raise Refused(f"a backbone of {least:,} numbers, more than its weights hold")
    net = RetinaNet(ResNetBackbone(**backbone), settings["num_classes"], "xyxy")
    variables = _variables(net)
    arrays = read_arrays(weights, {path: tuple(variable.shape) for path, variable in variables.items()})
    for path, variable in variables.items():
        variable.assign(arrays[path].astype(np.float32))
    return RetinaNetDetector(net)


def _variables(net: RetinaNet) -> dict[str, tf.Variable]:
    """All variables by the path that Keras stores them under, parts of layers included."""
    extractor = next(layer for layer in net.layers if isinstance(layer, keras.Model))
    found = {f"layers/functional/{path}": one for path, one in variables_by_path(extractor).items()}
    parts = {
        f"layers/feature_pyramid/conv_{name}": getattr(net.feature_pyramid, f"conv_{name}")
        for name in _PYRAMID
    }
    for place, head in (("prediction_head", net.box_head), ("prediction_head_1", net.classification_head)):
        for number, layer in enumerate(head.conv_layers):
            parts[f"layers/{place}/conv_layers/conv2d{f'_{number}' if number else ''}"] = layer
        parts[f"layers/{place}/prediction_layer"] = head.prediction_layer
    for path, layer in parts.items():
        found.update({f"{path}/vars/{index}": one for index, one in enumerate((layer.kernel, layer.bias))})
    return found
