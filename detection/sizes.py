"""What tells one size of a detector from another, and the published sizes."""

from __future__ import annotations

from typing import NamedTuple

PUBLISHED_INPUT_SIZE = 640
"""Longer side, in pixels, of what YOLOv8 was trained on."""


class Proportions(NamedTuple):
    """What tells one size of a detector from another.

    Attributes:
        channels: of the backbone's four stacks, at strides 4, 8, 16 and 32; even.
        depths: bottlenecks in the block of each stack.
        fpn_depth: bottlenecks in each of the four blocks of the feature pyramid.
        architecture: a name in `kind.detection.model.ARCHITECTURES`.
        depthwise: of yolox: 3×3 convolutions are depthwise ones.
        input_size: see `kind.detection.model.Detector`.
    """

    channels: tuple[int, ...]
    depths: tuple[int, ...]
    fpn_depth: int
    architecture: str = "yolov8"
    depthwise: bool = False
    input_size: int = PUBLISHED_INPUT_SIZE


def _yolox(width: int, depth: int, depthwise: bool = False, input_size: int = 640) -> Proportions:
    """YOLOX's sizes multiply widths and depths of one network."""
    channels = (width, 2 * width, 4 * width, 8 * width)
    depths = (depth, 3 * depth, 3 * depth, depth)
    return Proportions(channels, depths, depth, "yolox", depthwise, input_size)


SIZES = {
    "n": Proportions((32, 64, 128, 256), (1, 2, 2, 1), 1),
    "s": Proportions((64, 128, 256, 512), (1, 2, 2, 1), 1),
    "m": Proportions((96, 192, 384, 576), (2, 4, 4, 2), 2),
    "l": Proportions((128, 256, 512, 512), (3, 6, 6, 3), 3),
    "x": Proportions((160, 320, 640, 640), (3, 6, 6, 3), 3),
    "yolox-nano": _yolox(32, 1, depthwise=True, input_size=416),
    "yolox-tiny": _yolox(48, 1, input_size=416),
    "yolox-s": _yolox(64, 1),
    "yolox-m": _yolox(96, 2),
    "yolox-l": _yolox(128, 3),
    "yolox-x": _yolox(160, 4),
}
"""The published sizes; one letter: YOLOv8's. `scripts/write_forms.py` follows a change."""
