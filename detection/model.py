"""The detectors: one interface, and for each architecture its graph on a KerasCV backbone and its sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from tensorflow import keras

from kind.detection import yolov8, yolox
from kind.detection.darknet import CSPDarkNet, saved_darknet
from kind.detection.keras_cv_files import CHANNELS, DEPTH, saved_yolov8_backbone
from kind.detection.keras_cv_parts import Task, YOLOV8Backbone, YOLOV8Detector, YOLOV8LabelEncoder
from kind.detection.letterbox import GREY
from kind.nn.file_schema import label, real, several, whole
from kind.nn.known_layers import saved_layer

BOX_FORMAT = "xyxy"
"""Left, top, right, bottom in pixels, everywhere in this repository."""

PUBLISHED_INPUT_SIZE = 640
"""Longer side, in pixels, of what YOLOv8 was trained on."""


class Detector(Task):
    """What all detectors have in common: a KerasCV backbone, a pyramid, heads, and a card that describes it.

    Input: float32 [N, H, W, 3], RGB in [0, 1], H and W multiples of 32. Output: `boxes` float32
    [N, A, 64] or [N, A, 4], see `detection.decoding`, which makes boxes of them, and `classes` float32
    [N, A, C], probabilities; A = H·W·21/1024 anchors, row by row, stride 8 first.

    Attributes:
        architecture: its name in `ARCHITECTURES`.
        title: as its authors write it.
        head_inputs: names of the layers that read the pyramid's features at strides 8, 16 and 32.
        class_layers: names of the layers whose size depends on the number of classes.
        backbone: names its features at strides 2 to 32 in `pyramid_level_inputs`.
        class_names: by class number.
        num_classes: how many.
        input_size: see `__init__`; also `canvas`, `fpn_depth` and `class_channels`.
    """

    architecture: ClassVar[str]
    title: ClassVar[str]
    head_inputs: ClassVar[tuple[str, ...]]
    class_layers: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        backbone: keras.Model,
        class_names: Sequence[str],
        fpn_depth: int,
        class_channels: int,
        input_size: int = PUBLISHED_INPUT_SIZE,
        canvas: float = GREY,
        **kwargs,
    ) -> None:
        """Builds the graph; `build_detector` is shorter.

        Args:
            backbone: of the architecture, see `ARCHITECTURES`.
            class_names: one for each class, in the order of the class numbers.
            fpn_depth: bottlenecks in each block of the feature pyramid.
            class_channels: width of the hidden layers before the class scores.
            input_size: longer side, in pixels, of the images that it was trained on and finds objects in by
                default; the graph takes any.
            canvas: the grey in [0, 1] that fills the input where no image is, as in its training.
            kwargs: of `keras.Model`, such as `name`.
        """
        levels = backbone.pyramid_level_inputs
        features = [backbone.get_layer(levels[level]).output for level in ("P3", "P4", "P5")]
        outputs = self.graph(backbone, features, len(class_names), fpn_depth, class_channels)
        # Not the next class's constructor: KerasCV's would build its own pyramid and head.
        Task.__init__(self, inputs=backbone.input, outputs=outputs, **kwargs)
        self.backbone = backbone
        self.class_names = tuple(class_names)
        self.num_classes = len(self.class_names)
        self.fpn_depth = fpn_depth
        self.class_channels = class_channels
        self.input_size = input_size
        self.canvas = canvas
        self.bounding_box_format = BOX_FORMAT

    @staticmethod
    def graph(backbone: keras.Model, features: list, classes: int, fpn_depth: int, width: int) -> dict:
        """Pyramid and heads on the backbone's features: the outputs `boxes` and `classes`."""
        raise NotImplementedError

    @property
    def pyramid_features(self) -> list:
        """Keras tensors of what the heads read, at strides 8, 16 and 32."""
        return [self.get_layer(name).input for name in self.head_inputs]

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
            "canvas": self.canvas,
        }

    @classmethod
    def from_config(cls, config: dict) -> Detector:
        """The detector of a saved config, with new weights."""
        backbone = keras.saving.deserialize_keras_object(config["backbone"])
        return cls(**{**config, "backbone": backbone})


_SETTINGS = {
    "class_names": several(label, 1, 1024),
    "fpn_depth": DEPTH,
    "class_channels": CHANNELS,
    "input_size": whole(1, 1 << 16),
    "canvas": real,
}
"""What a file may say of a detector besides its backbone: names, and numbers that any detector may have."""

# Files of detectors that were trained when there was one architecture name it so.
_FORMER = [("kind.detection.model", "Detector"), ("detection.model", "Detector")]


@saved_layer("detection", former=_FORMER, backbone=saved_yolov8_backbone, **_SETTINGS)
class YoloV8(Detector, YOLOV8Detector):
    """A `YOLOV8Detector` whose graph is that of YOLOv8 at every size and class count.

    KerasCV: the pyramid's two downsampling blocks always have two bottlenecks. Here: `fpn_depth`, as in
    YOLOv8; two would leave dead convolutions in sizes n and s and have no room for l and x.
    KerasCV: a class branch is as wide as there are classes, or as P3. Here: its width is an argument, so that
    a detector for other classes keeps everything before its last layer.
    KerasCV: the last layers start at any score. Here: at a rare object's, with kernels near zero (Lin et al.,
    "Focal Loss", ICCV 2017, section 4.1), without which the first epochs only unlearn.

    `boxes` are float32 [N, A, 64], logits of the distributions of the distances left, top, right, bottom.
    """

    architecture, title = "yolov8", "YOLOv8"
    head_inputs = yolov8.HEAD_INPUTS
    class_layers = yolov8.CLASS_LAYERS

    def __init__(self, *args, **kwargs) -> None:
        """As of `Detector`; the backbone is a `YOLOV8Backbone`."""
        super().__init__(*args, **kwargs)
        self.label_encoder = YOLOV8LabelEncoder(num_classes=self.num_classes)

    @staticmethod
    def graph(backbone, features, classes, fpn_depth, width):
        """See `detection.yolov8`."""
        return yolov8.heads(yolov8.pyramid(features, fpn_depth), classes, width)


@saved_layer("detection", backbone=saved_darknet, **_SETTINGS)
class YoloX(Detector):
    """YOLOX (Ge et al., arXiv:2107.08430) at every size, on KerasCV's CSPDarkNet; nano is depthwise.

    The published networks take BGR from 0 to 255; here that is part of the first kernel. `boxes` are float32
    [N, A, 4], regressions of centre and size; `classes` are objectness times class probability.
    """

    architecture, title = "yolox", "YOLOX"
    head_inputs = yolox.HEAD_INPUTS
    class_layers = yolox.CLASS_LAYERS

    @staticmethod
    def graph(backbone, features, classes, fpn_depth, width):
        """See `detection.yolox`."""
        depthwise = backbone.use_depthwise
        features = yolox.pyramid(features, fpn_depth, depthwise=depthwise)
        return yolox.heads(features, classes, width, depthwise=depthwise)


class Proportions(NamedTuple):
    """What tells one size of a detector from another.

    Attributes:
        channels: of the backbone's four stacks, at strides 4, 8, 16 and 32; even.
        depths: bottlenecks in the block of each stack.
        fpn_depth: bottlenecks in each of the four blocks of the feature pyramid.
        architecture: of `ARCHITECTURES`.
        depthwise: of yolox: 3×3 convolutions are depthwise ones.
        input_size: see `Detector`.
    """

    channels: tuple[int, ...]
    depths: tuple[int, ...]
    fpn_depth: int
    architecture: str = YoloV8.architecture
    depthwise: bool = False
    input_size: int = PUBLISHED_INPUT_SIZE


def _yolox(width: int, depth: int, depthwise: bool = False, input_size: int = 640) -> Proportions:
    """YOLOX's sizes multiply widths and depths of one network."""
    channels = (width, 2 * width, 4 * width, 8 * width)
    depths = (depth, 3 * depth, 3 * depth, depth)
    return Proportions(channels, depths, depth, YoloX.architecture, depthwise, input_size)


ARCHITECTURES = {net.architecture: net for net in (YoloV8, YoloX)}
"""The architectures by name."""

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
"""The published sizes; one letter: YOLOv8's."""


def build_detector(
    proportions: Proportions | str,
    class_names: Sequence[str],
    *,
    class_channels: int | None = None,
    name: str = "detector",
) -> Detector:
    """Builds a detector with new weights.

    Args:
        proportions: a published size, see `SIZES`, or proportions of one's own; channels are even.
        class_names: at least one; class c is called `class_names[c]`.
        class_channels: see `Detector`; the published choice by default.
        name: of the model.

    Returns:
        The detector, float32 [N, H, W, 3] in [0, 1] → raw outputs, see `Detector`.

    Raises:
        ValueError: an unknown size or architecture, or no class.

    Example:
        >>> net = build_detector("n", ["face"])
        >>> net(tf.zeros([1, 320, 320, 3]))["classes"].shape
        TensorShape([1, 2100, 1])
    """
    if isinstance(proportions, str):
        if proportions not in SIZES:
            raise ValueError(f"a detector's size expects one of {', '.join(SIZES)}; received {proportions!r}")
        proportions = SIZES[proportions]
    if proportions.architecture not in ARCHITECTURES:
        raise ValueError(
            f"a detector's architecture expects one of {', '.join(ARCHITECTURES)}; received "
            f"{proportions.architecture!r}"
        )
    if not class_names:
        raise ValueError("a detector expects at least one class name; received none")
    kind = ARCHITECTURES[proportions.architecture]
    settings = {
        "stackwise_channels": list(proportions.channels),
        "stackwise_depth": list(proportions.depths),
        "include_rescaling": False,
    }
    width = proportions.channels[1]
    if kind is YoloX:
        backbone = CSPDarkNet(**settings, use_depthwise=proportions.depthwise)
    else:
        backbone = YOLOV8Backbone(**settings)
        width = max(width, min(len(class_names), 100))
    return kind(
        backbone,
        class_names,
        proportions.fpn_depth,
        class_channels or width,
        proportions.input_size,
        name=name,
    )


def proportions_of(net: Detector) -> Proportions:
    """The proportions that `build_detector` was given."""
    backbone = net.backbone
    return Proportions(
        tuple(backbone.stackwise_channels),
        tuple(backbone.stackwise_depth),
        net.fpn_depth,
        net.architecture,
        getattr(backbone, "use_depthwise", False),
        net.input_size,
    )


def size_name(proportions: Proportions) -> str:
    """Architecture and published size, such as "YOLOv8 n" or "YOLOX nano"; or "YOLOv8 of its own size"."""
    same = (name for name, size in SIZES.items() if size[:5] == proportions[:5])
    name = next(same, "of its own size").removeprefix(f"{proportions.architecture}-")
    return f"{ARCHITECTURES[proportions.architecture].title} {name}"


def with_classes(net: Detector, class_names: Sequence[str]) -> Detector:
    """The same detector for other classes: all weights but those of the last class layers are kept.

    Args:
        net: a trained detector; stays as it is.
        class_names: of the new detector.

    Returns:
        A detector with the same proportions, whose last class layers are new.
    """
    other = build_detector(proportions_of(net), class_names, class_channels=net.class_channels, name=net.name)
    other.canvas = net.canvas
    copy_weights(net, other, but=other.class_layers)
    return other


def feature_network(net: Detector) -> keras.Model:
    """A frozen copy of a detector's backbone that gives its features, for perceptual losses.

    All normalisations use their stored statistics, also when it is called with `training=True`; gradients
    reach the image, and no weight is trainable.

    Args:
        net: a detector of any architecture; stays as it is.

    Returns:
        A model float32 [N, H, W, 3], RGB in [0, 1], sides multiples of 32 → a list of five feature maps
        [N, h, w, C]: of YOLOX at strides 2, 4, 8, 16 and 32, of YOLOv8 at 4, 4, 8, 16 and 32 (KerasCV's P1 is
        the end of the stem).

    Example:
        >>> features = feature_network(load_detector())
        >>> terms = [tf.reduce_mean(abs(a - b)) for a, b in zip(features(dark), features(bright))]
    """
    backbone = type(net.backbone).from_config(net.backbone.get_config())
    backbone.set_weights(net.backbone.get_weights())
    names = backbone.pyramid_level_inputs
    features = [backbone.get_layer(names[f"P{level}"]).output for level in range(1, 6)]
    frozen = keras.Model(backbone.input, features, name="detector_features")
    frozen.trainable = False
    return frozen


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
