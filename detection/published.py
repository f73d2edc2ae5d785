"""Detectors that start from weights which others have trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tensorflow import keras

from kind.checkpoints.onnx_graph import read_onnx
from kind.checkpoints.pytorch import read_checkpoint
from kind.data.annotations.class_names import COCO, PASCAL_VOC
from kind.data.samples import builtin_samples
from kind.detection import yolox_checkpoint
from kind.detection.keras_cv_parts import RetinaNet, YOLOV8Backbone, YOLOV8Detector
from kind.detection.letterbox import letterbox
from kind.detection.model import BOX_FORMAT, Detector, YoloX, build_detector
from kind.detection.normalisation import measure_statistics
from kind.detection.retinanet import RetinaNetDetector, retinanet_of_parts
from kind.detection.reuse import copy_weights, with_classes
from kind.detection.sizes import SIZES, Proportions
from kind.detection.yolov8_checkpoint import architecture_of, load_yolov8
from kind.errors import UserError
from kind.nn.file_schema import Refused
from kind.nn.saving import net_of_parts

_LONGEST_REASON = 150
_PRESET_CONFIG, _PRESET_WEIGHTS = "config.json", "model.weights.h5"
_LARGEST_CONFIG, _LARGEST_NUMBER = 1 << 20, 2048
_LARGEST_WEIGHTS = 1 << 30  # bytes; YOLOv8 x has 273 MB
_DOWNSAMPLE_DEPTH = 2  # of KerasCV's pyramids, whatever `fpn_depth` is
_MEASURED_SIZES = (320, 416, 608)
# What a saved preset is, and which of its settings say how large it is.
_KINDS = (
    ("YOLOV8Detector", "YOLOV8Backbone", _PRESET_WEIGHTS),
    ("RetinaNet", "ResNetBackbone", _PRESET_WEIGHTS),
)
_LISTS = {
    "YOLOV8Detector": ("stackwise_channels", "stackwise_depth"),
    "RetinaNet": ("stackwise_filters", "stackwise_blocks"),
}
_NUMBERS = {"YOLOV8Detector": ("fpn_depth", "num_classes"), "RetinaNet": ("num_classes",)}


def detector_from_yolov8(path: str | Path, class_names: Sequence[str] | None = None) -> Detector:
    """Converts a YOLOv8 checkpoint of any size; the outputs are those of the original network.

    Args:
        path: a `.pt` file; read without PyTorch, and nothing in it is executed.
        class_names: of a detector for other classes: all but the last class layers come from the file.

    Returns:
        The detector, with the file's class names unless others are given.

    Raises:
        UserError: when the file is missing, damaged, or not a YOLOv8 detector's.
    """
    checkpoint = read_checkpoint(path)
    architecture = architecture_of(checkpoint)
    net = build_detector(
        Proportions(architecture.channels, architecture.depths, architecture.fpn_depth),
        architecture.class_names,
        class_channels=architecture.class_channels,
    )
    load_yolov8(net, checkpoint)
    return with_classes(net, class_names) if class_names else net


def detector_from_yolox(path: str | Path, class_names: Sequence[str] | None = None) -> Detector:
    """Converts a YOLOX detector of any size; the outputs are those of the original network.

    The file's normalisations are folded into its convolutions. So that training may go on, their statistics
    are measured on the built-in photographs, which leaves the outputs as they are.

    Args:
        path: an ONNX file as its authors publish it; read without the onnx package, and nothing in it runs.
        class_names: of a detector for other classes: all but the last class layers come from the file.

    Returns:
        The detector; its input is RGB in [0, 1], the file's BGR from 0 to 255. With 80 classes they have
        COCO's names, otherwise numbers, unless names are given.

    Raises:
        UserError: when the file is missing, damaged, or not a YOLOX detector's.
    """
    graph = read_onnx(path)
    found = yolox_checkpoint.architecture_of(graph)
    names = COCO if found.classes == len(COCO) else [f"class {number}" for number in range(found.classes)]
    proportions = Proportions(
        tuple(found.width * factor for factor in (1, 2, 4, 8)),
        tuple(found.depth * factor for factor in (1, 3, 3, 1)),
        found.depth,
        YoloX.architecture,
        found.depthwise,
    )
    published = (size for size in SIZES.values() if size[:5] == proportions[:5])
    net = build_detector(next(published, proportions), names, class_channels=found.class_channels)
    yolox_checkpoint.load_yolox(net, graph)
    photographs = [sample.high[None].astype("float32") / 255 for sample in builtin_samples()]
    measure_statistics(
        net, [letterbox(image, size).images for image in photographs for size in _MEASURED_SIZES]
    )
    return with_classes(net, class_names) if class_names else net


def detector_from_preset(preset: str, class_names: Sequence[str] | None = None) -> Detector:
    """Makes a detector of a KerasCV preset, which Keras downloads and keeps.

    Args:
        preset: of a `YOLOV8Backbone`, which leaves pyramid and head new, or of a `YOLOV8Detector`.
        class_names: of the detector; needed for a backbone. With a detector's preset all but the last
            class layers are kept.

    Returns:
        The detector; its input is [0, 1], where the preset's own is [0, 255].

    Raises:
        UserError: on an unknown preset, missing class names, or when it cannot be downloaded.
    """
    if preset in _detector_presets(RetinaNet):
        raise UserError(
            f"{preset}: a RetinaNet is not imported or trained here; use it with --detector {preset}"
        )
    detectors = _detector_presets(YOLOV8Detector)
    backbones = {name for name in YOLOV8Backbone.presets if name not in detectors}
    if preset in backbones and not class_names:
        raise UserError(f"{preset} is a backbone without classes: give --classes NAME …")
    if preset in backbones:
        return _with_backbone(_downloaded(preset, YOLOV8Backbone), class_names)
    if preset in detectors:
        found = _downloaded(preset, YOLOV8Detector, bounding_box_format=BOX_FORMAT)
        net = _converted(found)
        return with_classes(net, class_names) if class_names else net
    names = ", ".join(sorted(backbones | detectors))
    raise UserError(f"{ascii(preset)}: no such KerasCV preset; expected one of {names}")


def is_preset(path: str | Path) -> bool:
    """Whether `load_detector` shall take a preset: by the name of one, or a folder of one that was saved."""
    name = str(path)
    known = name in _detector_presets(YOLOV8Detector) | _detector_presets(RetinaNet)
    return (known and not Path(path).exists()) or all(
        (Path(path) / file).is_file() for file in (_PRESET_CONFIG, _PRESET_WEIGHTS)
    )


def detector_to_use(preset: str) -> Detector | RetinaNetDetector:
    """The detector of a KerasCV preset by its name, or in a folder, to find objects with.

    Args:
        preset: see `is_preset`.

    Returns:
        The detector; its input is [0, 1], where the preset's own may be [0, 255].

    Raises:
        UserError: see `detector_from_preset` and `detector_from_saved_preset`.
    """
    if Path(preset).is_dir():
        return detector_from_saved_preset(preset)
    if preset in _detector_presets(RetinaNet):
        return RetinaNetDetector(_downloaded(preset, RetinaNet, bounding_box_format=BOX_FORMAT))
    return detector_from_preset(preset)


def _detector_presets(kind: type) -> set[str]:
    """The names of the presets that are whole detectors."""
    return {name for name in kind.presets if name not in kind.backbone_presets}


def detector_from_saved_preset(folder: str | Path) -> Detector | RetinaNetDetector:
    """Makes a detector of a preset that KerasCV has saved in a folder: `config.json`, `model.weights.h5`.

    KerasCV does not see the folder: the network is built like that of a `.keras` file, of known parts only.

    Args:
        folder: holds a `YOLOV8Detector`, or a `RetinaNet` on a `ResNetBackbone`.

    Returns:
        The detector; its input is [0, 1], where the preset's own may be [0, 255].

    Raises:
        UserError: when the folder holds something else, or is damaged.
    """
    folder = Path(folder)
    file = folder / _PRESET_CONFIG
    try:
        if file.stat().st_size > _LARGEST_CONFIG:
            raise ValueError(f"it is larger than {_LARGEST_CONFIG >> 20} MiB")
        config = json.loads(file.read_text(encoding="utf-8"))
        settings, name = config["config"], config["class_name"]
        backbone, weights = settings["backbone"], config.get("weights")
        kinds = (name, backbone["class_name"], weights)
        known = kinds in _KINDS
        numbers = [number for key in _LISTS[name] for number in backbone["config"][key]] if known else []
        numbers += [settings[key] for key in _NUMBERS[name]] if known else []
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{file}: not a YOLOV8Detector preset: {_reason(error)}") from error
    if not known:
        raise UserError(
            f"{file}: expected a YOLOV8Detector with weights, or a RetinaNet on a ResNetBackbone; it "
            f"describes {ascii(kinds)}"
        )
    if not all(type(number) is int and 0 < number <= _LARGEST_NUMBER for number in numbers):
        raise UserError(f"{file}: its channels, depths and classes expect whole numbers to {_LARGEST_NUMBER}")
    try:
        if (folder / weights).stat().st_size > _LARGEST_WEIGHTS:
            raise ValueError(f"its {weights} is larger than {_LARGEST_WEIGHTS >> 20} MiB")
        del config["weights"]
        content = (folder / weights).read_bytes()
        if name == "RetinaNet":
            return retinanet_of_parts(config, content)
        return _converted(net_of_parts(config, content))
    except Refused as refused:
        raise UserError(
            f"{file}: refused, because it asks for {refused}; only known layers are loaded"
        ) from None
    except Exception as error:  # Keras raises anything from TypeError to InvalidArgumentError on odd settings
        raise UserError(f"{folder}: cannot be loaded as a preset: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:_LONGEST_REASON]


def _downloaded(preset: str, kind: type, **settings: object) -> keras.Model:
    """KerasCV's own model of a preset."""
    try:
        return kind.from_preset(preset, **settings)
    except Exception as error:  # whatever the network, the download or a half-downloaded file lead to
        raise UserError(
            f"{preset}: this preset cannot be downloaded: check the network, or copy Kaggle's cache from a "
            f"machine that has one ({_reason(error)})"
        ) from error


def _with_backbone(backbone: keras.Model, class_names: Sequence[str]) -> Detector:
    net = build_detector(_proportions(backbone), class_names)
    own = {layer.name for layer in net.backbone.layers}
    copy_weights(backbone, net, but=[layer.name for layer in net.layers if layer.name not in own])
    return net


def _converted(found: YOLOV8Detector) -> Detector:
    """Our detector with the weights of KerasCV's."""
    proportions = _proportions(found.backbone)._replace(fpn_depth=found.fpn_depth)
    downsample_depth = None if found.fpn_depth == _DOWNSAMPLE_DEPTH else _DOWNSAMPLE_DEPTH
    names = PASCAL_VOC if found.num_classes == len(PASCAL_VOC) else range(found.num_classes)
    width = max(found.num_classes, proportions.channels[1])  # KerasCV's rule
    net = build_detector(
        proportions,
        [str(name) for name in names],
        class_channels=width,
        downsample_depth=downsample_depth,
    )
    copy_weights(found.backbone, net.backbone)
    own = {layer.name for layer in net.backbone.layers}
    copy_weights(found, net, but=list(own))
    return net


def _proportions(backbone: keras.Model) -> Proportions:
    channels, depths = tuple(backbone.stackwise_channels), tuple(backbone.stackwise_depth)
    published = (size for size in SIZES.values() if size[:2] == (channels, depths))
    return next(published, Proportions(channels, depths, depths[0]))
