"""The detectors: one interface, and for each architecture its graph on a KerasCV backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tensorflow import keras

from kind.detection import yolov8, yolox
from kind.detection.darknet import CSPDarkNet, saved_darknet
from kind.detection.keras_cv_files import CHANNELS, DEPTH, saved_yolov8_backbone
from kind.detection.keras_cv_parts import Task, YOLOV8Backbone, YOLOV8Detector, YOLOV8LabelEncoder
from kind.detection.letterbox import GREY
from kind.detection.sizes import PUBLISHED_INPUT_SIZE, SIZES, Proportions
from kind.errors import UserError
from kind.nn.file_schema import LONGEST_LABEL, MOST_CLASSES, Refused, label, optional, real, several, whole
from kind.nn.known_layers import saved_layer

BOX_FORMAT = "xyxy"
"""Left, top, right, bottom in pixels, everywhere in this repository."""


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
        input_size: see `__init__`; also `canvas`, `fpn_depth`, `downsample_depth` and `class_channels`.
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
        downsample_depth: int | None = None,
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
            downsample_depth: bottlenecks in the two blocks of the pyramid that follow a downsampling;
                `fpn_depth` by default.
            kwargs: of `keras.Model`, such as `name`.
        """
        levels = backbone.pyramid_level_inputs
        features = [backbone.get_layer(levels[level]).output for level in ("P3", "P4", "P5")]
        depths = fpn_depth, downsample_depth or fpn_depth
        outputs = self.graph(backbone, features, len(class_names), depths, class_channels)
        # Not the next class's constructor: KerasCV's would build its own pyramid and head.
        Task.__init__(self, inputs=backbone.input, outputs=outputs, **kwargs)
        self.backbone = backbone
        self.class_names = tuple(class_names)
        self.num_classes = len(self.class_names)
        self.fpn_depth = fpn_depth
        self.downsample_depth = downsample_depth
        self.class_channels = class_channels
        self.input_size = input_size
        self.canvas = canvas
        self.bounding_box_format = BOX_FORMAT

    @staticmethod
    def graph(
        backbone: keras.Model, features: list, classes: int, depths: tuple[int, int], width: int
    ) -> dict:
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
        """What `__init__` takes; files of detectors with one depth are as they always were."""
        one_more = {"downsample_depth": self.downsample_depth} if self.downsample_depth else {}
        return {
            "name": self.name,
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "class_names": list(self.class_names),
            "fpn_depth": self.fpn_depth,
            "class_channels": self.class_channels,
            "input_size": self.input_size,
            "canvas": self.canvas,
            **one_more,
        }

    @classmethod
    def from_config(cls, config: dict) -> Detector:
        """The detector of a saved config, with new weights."""
        backbone = keras.saving.deserialize_keras_object(config["backbone"])
        return cls(**{**config, "backbone": backbone})


_SETTINGS = {
    "class_names": several(label, 1, MOST_CLASSES),
    "fpn_depth": DEPTH,
    "class_channels": CHANNELS,
    "input_size": whole(1, 1 << 16),
    "canvas": real,
    "downsample_depth": optional(DEPTH),
}
"""What a file may say of a detector besides its backbone: names, and numbers that any detector may have."""

# Files of detectors that were trained when there was one architecture name it so.
_FORMER = [("kind.detection.model", "Detector"), ("detection.model", "Detector")]


@saved_layer("detection", former=_FORMER, backbone=saved_yolov8_backbone, **_SETTINGS)
class YoloV8(Detector, YOLOV8Detector):
    """A `YOLOV8Detector` whose graph is that of YOLOv8 at every size and class count.

    KerasCV: the pyramid's two downsampling blocks always have two bottlenecks. Here: `fpn_depth`, as in
    YOLOv8; two would leave dead convolutions in sizes n and s and have no room for l and x. KerasCV's own
    detectors keep their two by `downsample_depth`.
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
    def graph(backbone, features, classes, depths, width):
        """See `detection.yolov8`."""
        return yolov8.heads(yolov8.pyramid(features, depths), classes, width)


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
    def graph(backbone, features, classes, depths, width):
        """See `detection.yolox`."""
        depthwise = backbone.use_depthwise
        features = yolox.pyramid(features, depths, depthwise=depthwise)
        return yolox.heads(features, classes, width, depthwise=depthwise)


ARCHITECTURES = {net.architecture: net for net in (YoloV8, YoloX)}
"""The architectures by name."""


def build_detector(
    proportions: Proportions | str,
    class_names: Sequence[str],
    *,
    class_channels: int | None = None,
    downsample_depth: int | None = None,
    name: str = "detector",
) -> Detector:
    """Builds a detector with new weights.

    Args:
        proportions: a name in `kind.detection.sizes.SIZES`, or proportions of one's own; channels are even.
        class_names: at least one; class c is called `class_names[c]`.
        class_channels: see `Detector`; the published choice by default.
        downsample_depth: see `Detector`.
        name: of the model.

    Returns:
        The detector, float32 [N, H, W, 3] in [0, 1] → raw outputs, see `Detector`.

    Raises:
        ValueError: an unknown size or architecture, or no class.
        UserError: a class name that a file cannot hold, or more classes than it can.

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
    _check_names(class_names)
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
        downsample_depth=downsample_depth,
        name=name,
    )


def _check_names(class_names: Sequence[str]) -> None:
    """Refuses what no file may say, see `_SETTINGS`: the detector could be saved, and never loaded.

    Raises:
        UserError: naming the first such class.
    """
    if len(class_names) > MOST_CLASSES:
        raise UserError(f"{len(class_names):,} classes; a detector has {MOST_CLASSES:,} at most")
    for number, name in enumerate(class_names):
        try:
            label(name)
        except Refused as refused:
            raise UserError(
                f"class {number} is called {refused}; expected one line of 1 to {LONGEST_LABEL} characters"
            ) from None


def proportions_of(net: Detector) -> Proportions:
    """The proportions that `build_detector` was given; KerasCV's detectors also have a `downsample_depth`."""
    backbone = net.backbone
    return Proportions(
        tuple(backbone.stackwise_channels),
        tuple(backbone.stackwise_depth),
        net.fpn_depth,
        net.architecture,
        getattr(backbone, "use_depthwise", False),
        net.input_size,
    )


def size_name(net: Detector) -> str:
    """Architecture and published size, such as "YOLOv8 n" or "YOLOX nano"; or "YOLOv8 of its own size"."""
    proportions = proportions_of(net)
    same = (
        name
        for name, size in SIZES.items()
        if size[:5] == proportions[:5] and net.downsample_depth in (None, net.fpn_depth)
    )
    name = next(same, "of its own size").removeprefix(f"{net.architecture}-")
    return f"{net.title} {name}"
