"""Training of the detector: what is seen of a dark photograph → boxes and classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.constants import CONFIDENCE, DEFAULT_ALPHA, SCORED_CONFIDENCE
from kind.detection.canvas import filled, on_grey
from kind.detection.config import DetectionConfig
from kind.detection.decoding import decode_boxes, suppress
from kind.detection.drawing import draw_verdict
from kind.detection.inputs import detector_input
from kind.detection.joint import NAME as JOINT
from kind.detection.joint import detector_of, parts_of
from kind.detection.loss import TERMS, detection_loss
from kind.detection.optimizer import DetectionOptimizer
from kind.enhancing.enhancer import Enhancer
from kind.metrics.average_precision import THRESHOLDS, average_precisions
from kind.metrics.box_matching import match_boxes
from kind.metrics.boxes import Objects, Predictions
from kind.training.stage import Stage

_MOST_DETECTIONS = 100

Preprocess = Callable[[tf.Tensor], tf.Tensor]


class DetectionStage(Stage):
    """Learns from batches `{image, boxes, classes}`; the best net has the highest validation mAP50."""

    loss_names = TERMS
    monitor = "val_map_50"
    higher_is_better = True
    config: DetectionConfig

    def __init__(
        self, net: keras.Model, config: DetectionConfig, preprocess: Preprocess | None = None
    ) -> None:
        """Wraps a detector.

        Args:
            net: a `Detector`, or a `detection.joint.joint_net` that makes its input itself.
            config: the run's settings.
            preprocess: canvases → what the net takes, see `preprocessing`; by default the canvases, with grey
                outside.
        """
        super().__init__(net, config)
        self.detector = detector_of(net)
        if net.name == JOINT:  # the networks before the detector, up to what it sees
            preprocess = partial(keras.Model(net.input, net.get_layer("on_grey").output), training=False)
        self.seen = preprocess or preprocessing("raw")
        self._first_step = 0
        self._lower, self._upper = backbone_and_head(self.detector)

    def make_optimizer(self, steps_per_epoch, groups):
        """Keeps the backbone still for as long as the config says."""
        self._first_step = self.config.freeze_epochs * steps_per_epoch
        late = self.detector.backbone.trainable_variables if self._first_step else ()
        return DetectionOptimizer(self.config, steps_per_epoch, groups, late, self._first_step)

    def losses(self, sample, training):
        """YOLOv8's loss, see `detection.loss`."""
        images = self.seen(sample["image"])
        return self.losses_of(images, self.outputs_of(images, training), sample)

    def outputs_of(self, images: tf.Tensor, training: bool) -> dict[str, tf.Tensor]:
        """The detector's raw outputs, and the pyramid's features `p3`, `p4`, `p5`, float [N, H, W, C]."""
        if not (training and self._first_step):
            return self._upper(self._lower(images, training=training), training=training)

        # The networks before a joint detector's backbone learn meanwhile; the backbone's own rate is 0 then.
        stop = tf.identity if self.config.joint else tf.stop_gradient

        def still():
            return [stop(part) for part in self._lower(images, training=False)]

        def moving():
            return list(self._lower(images, training=True))

        features = tf.cond(self.grouped_optimizer.steps < self._first_step, still, moving)
        return self._upper(features, training=True)

    def losses_of(
        self, images: tf.Tensor, outputs: dict[str, tf.Tensor], sample: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """The loss terms of what was seen in a batch and what the detector made of it."""
        config = self.config
        return detection_loss(
            outputs,
            sample["boxes"],
            sample["classes"],
            config.image_size,
            box_weight=config.box_weight,
            class_weight=config.class_weight,
            distribution_weight=config.distribution_weight,
            scale=float(config.batch),
        )

    def validation_values(self, sample):
        """Losses of a validation batch, and what was found in it beside what is there."""
        images = self.seen(sample["image"])
        outputs = self.outputs_of(images, training=False)
        return {
            **self.losses_of(images, outputs, sample),
            **self._compared(outputs, sample, SCORED_CONFIDENCE),
        }

    def validation_metrics(self, values: Sequence[dict[str, tf.Tensor]]) -> dict[str, float]:
        """Figures of the whole validation set from `validation_values` of its batches.

        Args:
            values: of each batch of one image.

        Returns:
            Means of the loss terms; "map_50" and "map_50_95", COCO's average precision at overlap 0.5 and
            over 0.5 to 0.95, NaN where there is no object at all.
        """
        figures = {name: float(np.mean([value[name] for value in values])) for name in self.loss_names}
        objects = [_objects(value) for value in values]
        found = [_predictions(value) for value in values]
        matches = match_boxes(objects, found, self.detector.num_classes, THRESHOLDS)
        precisions = average_precisions(matches)[:, 0]  # [C, T]
        known = precisions[~np.isnan(precisions).any(axis=1)]
        for name, values_of in (("map_50", known[:, 0]), ("map_50_95", known)):
            figures[name] = float(values_of.mean()) if known.size else float("nan")
        return figures

    def complaints(self, values):
        """Says where nothing at all is found."""
        found = sum(int(value["counts"][0]) for value in values)
        return [] if found else [f"the detector finds nothing in {len(values)} validation images"]

    def visualisations(self, sample):
        """The photograph; what the detector sees, with right and wrong boxes."""
        images = self.seen(sample["image"])
        value = self._compared(self.outputs_of(images, training=False), sample, CONFIDENCE)
        names = self.detector.class_names
        drawn = draw_verdict(images[0].numpy(), _objects(value), _predictions(value), names)
        return [on_grey(sample["image"], sample["image"]), tf.constant(drawn)[tf.newaxis]]

    def parts(self, net):
        """Of a joint network all three, in the files that `Enhancer.load` and `kind detect` look for."""
        return parts_of(net)

    def _compared(
        self, outputs: dict[str, tf.Tensor], sample: dict[str, tf.Tensor], confidence: float
    ) -> dict[str, tf.Tensor]:
        """What was found in a batch, as `Detections`, beside what is there."""
        boxes = decode_boxes(outputs["boxes"], self.config.image_size, self.config.image_size)
        limit = _MOST_DETECTIONS
        found = suppress(boxes, outputs["classes"], confidence=confidence, max_detections=limit)
        return {**found._asdict(), "object_boxes": sample["boxes"], "object_classes": sample["classes"]}


def preprocessing(kind: str, enhancer: Enhancer | None = None, alpha: float = DEFAULT_ALPHA) -> Preprocess:
    """A function from canvases to what the detector sees, through which no gradient reaches the enhancer.

    Args:
        kind: see `detection.inputs.INPUTS`.
        enhancer: see `detection.inputs.detector_input`.
        alpha: likewise.

    Returns:
        float32 [N, S, S, 3] → the same shape.
    """

    def preprocess(canvases: tf.Tensor) -> tf.Tensor:
        if kind == "raw":
            return on_grey(canvases, canvases)
        seen = detector_input(enhancer, filled(canvases), kind, alpha)
        # The enhancer is given and stays as it is; a backward run through it would cost time for nothing.
        return on_grey(tf.stop_gradient(seen), canvases)

    return preprocess


def backbone_and_head(detector: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Cuts a detector in two models that share its weights.

    Args:
        detector: see `detection.model.Detector`.

    Returns:
        Image → the backbone's features at strides 8, 16 and 32; these → a dictionary of the raw outputs
        `boxes` and `classes` and the pyramid's features `p3`, `p4` and `p5`.
    """
    names = detector.backbone.pyramid_level_inputs
    features = [detector.get_layer(names[f"P{level}"]).output for level in (3, 4, 5)]
    pyramid = dict(zip(("p3", "p4", "p5"), detector.pyramid_features))
    lower = keras.Model(detector.input, features, name="lower_half")
    return lower, keras.Model(features, {**detector.output, **pyramid}, name="upper_half")


def _objects(value: dict[str, tf.Tensor]) -> Objects:
    """What is in the image of a batch of one, without padding."""
    classes = np.asarray(value["object_classes"][0])
    return Objects(np.asarray(value["object_boxes"][0])[classes >= 0], classes[classes >= 0])


def _predictions(value: dict[str, tf.Tensor]) -> Predictions:
    count = int(value["counts"][0])
    return Predictions(*(np.asarray(value[name][0])[:count] for name in ("boxes", "scores", "classes")))
