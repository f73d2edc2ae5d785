"""A detector at work: read from a file, and run on one image after another."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import tensorflow as tf
from tensorflow import keras

from kind.constants import CONFIDENCE, IOU, MAX_DETECTIONS
from kind.detection.decoding import Detections, detect
from kind.detection.letterbox import MULTIPLE
from kind.detection.model import Detector
from kind.errors import UserError
from kind.metrics.boxes import Predictions
from kind.nn.forking import refuse_forked
from kind.nn.graphs import as_graph
from kind.nn.saving import SHIPPED_WEIGHTS, load_net
from kind.training.run_folder import best_weights

SHIPPED_DETECTOR = SHIPPED_WEIGHTS / "detector.keras"


SCALES = (0.75, 1.0, 1.5)
"""Sizes of the views of --multi-scale, relative to the detector's input size."""


@dataclass(frozen=True)
class Thresholds:
    """What becomes a box.

    Attributes:
        size: the longer side of what the detector sees, a multiple of 32; None: that of its training.
        confidence: scores of this and less give no box.
        iou: boxes of one class that overlap a better one by more than this go.
        max_detections: boxes an image, of all classes together.
        scales: see `detection.decoding.detect`; `SCALES` are those of --multi-scale.
        flip: likewise.
    """

    size: int | None = None
    confidence: float = CONFIDENCE
    iou: float = IOU
    max_detections: int = MAX_DETECTIONS
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False

    def __post_init__(self) -> None:
        """Refuses what is out of range, in the words of the command line."""
        if self.size is not None and (self.size < MULTIPLE or self.size % MULTIPLE):
            raise UserError(f"a detector's image size expects a multiple of {MULTIPLE}, received {self.size}")
        for name in ("confidence", "iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"--{name} expects a number from 0 to 1, received {getattr(self, name)}")
        if self.max_detections < 1:
            raise UserError(f"--max-detections expects 1 or more, received {self.max_detections}")

    def of(self, net: keras.Model) -> Thresholds:
        """The same, with a size in any case: the detector's own where there is none."""
        return replace(self, size=self.size or net.input_size)

    def search(self, net: keras.Model, images: tf.Tensor) -> Detections:
        """What `net` finds in images, float32 [N, H, W, 3], by these thresholds; see `detection.decoding`."""
        return detect(net, images, **asdict(self.of(net)))


class Predictor:
    """Finds objects in images, one at a time, of any size.

    Example:
        >>> seen = detector_input(Enhancer.load(), photo.pixels[None], "reflectance")[0]
        >>> found = Predictor(load_detector("detector.keras"))(seen)
    """

    def __init__(self, net: keras.Model, thresholds: Thresholds = Thresholds()) -> None:  # noqa: B008
        """Wraps a network.

        Args:
            net: a `Detector`, or a model with the same outputs.
            thresholds: what becomes a box.
        """
        # One graph for all sizes.
        signature = [tf.TensorSpec([1, None, None, 3])]
        self._find = as_graph(lambda images: thresholds.search(net, images), signature)

    def __call__(self, image: tf.Tensor) -> Predictions:
        """Finds the objects of one image.

        Args:
            image: float32 [H, W, 3] in [0, 1], as `detection.inputs` makes it.

        Returns:
            Boxes float32 [P, 4], left, top, right, bottom in pixels of the image, and inside it; scores and
            classes; best first.
        """
        refuse_forked()
        found = self._find(image[tf.newaxis])
        count = int(found.counts[0])
        return Predictions(*(part[0, :count].numpy() for part in (found.boxes, found.scores, found.classes)))


def load_detector(path: str | Path | None = None) -> Detector:
    """Reads a detector.

    Args:
        path: a `.keras` file, the run folder of a training, the name of a KerasCV `YOLOV8Detector` or
            `RetinaNet` preset, which is downloaded once, or a folder in which KerasCV saved one; None: the
            detector that ships.

    Returns:
        The detector; `class_names` says what it knows.

    Raises:
        UserError: when the file is missing, damaged, or another kind of network.
    """
    if path is None and not SHIPPED_DETECTOR.is_file():
        raise UserError(
            "no detector ships with this installation: give --detector FILE (docs/detecting.md says where "
            "from)"
        )
    if path is not None and not Path(path).is_file():
        from kind.detection.published import detector_to_use, is_preset

        if is_preset(path):
            return detector_to_use(str(path))
    file = SHIPPED_DETECTOR if path is None else best_weights(path)
    # Late, and always: a joint run's network is named, not refused for its layers.
    from kind.detection.adaptation.model import NAME as ADAPTED
    from kind.detection.joint import NAME as JOINT
    from kind.detection.joint import detector_of

    net = load_net(file)
    if net.name == ADAPTED:
        return detector_of(net)
    if net.name == JOINT:
        raise UserError(
            f"{file}: holds networks that were trained together; give detector.keras beside it, and the rest "
            "as --weights"
        )
    if not isinstance(net, Detector):
        raise UserError(f"{file}: holds the network {net.name!r}; expected a detector")
    return net
