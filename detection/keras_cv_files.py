"""What files may say of KerasCV's detectors: the settings of each part, and within what bounds."""

from __future__ import annotations

from kind.detection.keras_cv_parts import (
    NonMaxSuppression,
    YOLOV8Backbone,
    YOLOV8Detector,
    YOLOV8LabelEncoder,
)
from kind.nn.file_schema import (
    Check,
    Known,
    Table,
    choice,
    flag,
    objects,
    optional,
    real,
    scope_name,
    several,
    whole,
)
from kind.nn.known_layers import LAYERS, activation, precision

CHANNELS, DEPTH = whole(1, 4096), whole(1, 32)
"""Checks of a number of channels, and of how many bottlenecks one block has."""

SOURCE = "models.object_detection"
"""Where KerasCV's detectors are, below `keras_cv.src`."""

_YOLOV8 = f"keras_cv.src.{SOURCE}.yolo_v8"
_COMMON = {"name": scope_name, "trainable": flag}
_COUNT = whole(1, 100_000)
BOX_FORMAT = choice("xyxy", "yxyx", "xywh", "center_xywh")
"""A check of the coordinates that boxes are in, which are none of a network's outputs."""


def described(module: str, name: str, settings: dict[str, Check]) -> Check:
    """A check of the description of one of KerasCV's objects, which gives its checked settings.

    Args:
        module: below `keras_cv.src`.
        name: of the class.
        settings: a check for each setting besides those that all have.

    Returns:
        The check.
    """
    identity = f"keras_cv.src.{module}", name, f"keras_cv>{name}"
    return objects({identity: Known(dict, {**_COMMON, **settings})})


def _table(module: str, made: type, settings: dict) -> Table:
    return {(module, made.__name__, f"keras_cv>{made.__name__}"): Known(made, {**_COMMON, **settings})}


_BACKBONES = _table(
    f"{_YOLOV8}.yolo_v8_backbone",
    YOLOV8Backbone,
    {
        "include_rescaling": flag,
        "input_shape": several(optional(whole(1, 1 << 14)), 3, 3),
        "stackwise_channels": several(CHANNELS, 4, 4),
        "stackwise_depth": several(DEPTH, 4, 4),
        "activation": activation,
    },
)
saved_yolov8_backbone = objects(_BACKBONES)
"""A check: the description of a YOLOv8 backbone."""

_ENCODER = {
    "dtype": precision,
    "num_classes": _COUNT,
    "max_anchor_matches": _COUNT,
    "alpha": real,
    "beta": real,
    "epsilon": real,
}
DECODER = {
    "dtype": precision,
    "bounding_box_format": BOX_FORMAT,
    "from_logits": flag,
    "iou_threshold": real,
    "confidence_threshold": real,
    "max_detections": _COUNT,
}
"""Checks of the settings of KerasCV's suppression, which is not used here."""

LAYERS.update(
    _table(
        f"{_YOLOV8}.yolo_v8_detector",
        YOLOV8Detector,
        {
            "num_classes": whole(1, 1024),
            "bounding_box_format": BOX_FORMAT,
            "fpn_depth": DEPTH,
            "backbone": saved_yolov8_backbone,
            "label_encoder": objects(
                _table(f"{_YOLOV8}.yolo_v8_label_encoder", YOLOV8LabelEncoder, _ENCODER)
            ),
            "prediction_decoder": objects(
                _table("keras_cv.src.layers.object_detection.non_max_suppression", NonMaxSuppression, DECODER)
            ),
        },
    )
)
