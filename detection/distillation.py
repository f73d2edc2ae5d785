"""New classes for a trained detector, which a teacher keeps from forgetting the old ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.detection.config import DetectionConfig
from kind.detection.loss import TERMS, cross_entropy
from kind.detection.model import Detector
from kind.detection.reuse import with_classes
from kind.detection.stage import DetectionStage, Preprocess, backbone_and_head
from kind.detection.yolov8 import BINS
from kind.errors import UserError
from kind.losses.divergence import channelwise_divergence

TEMPERATURE = 2.0
_LEVELS = ("p3", "p4", "p5")


class DistillingStage(DetectionStage):
    """Learns from batches as `DetectionStage` does, and from a teacher that knows the old classes."""

    loss_names = (*TERMS, "features", "responses", "box_responses")

    def __init__(
        self,
        net: keras.Model,
        config: DetectionConfig,
        teacher: Detector,
        preprocess: Preprocess | None = None,
    ) -> None:
        """Wraps a detector.

        Args:
            net: the student, see `DetectionStage`; its classes are the teacher's and more.
            config: the run's settings.
            teacher: stays as it is; of other proportions or another architecture where the config's
                `feature_weight` is 0, so that responses alone are compared.
            preprocess: see `DetectionStage`.

        Raises:
            UserError: when the student lacks a class of the teacher, or has features of other shapes that are
                to be compared, or either has no distributions that are.
        """
        super().__init__(net, config, preprocess)
        self._old = old_classes(teacher, self.detector)
        self._teacher_parts = backbone_and_head(teacher)
        if config.feature_weight:
            self._check_features()
        if config.box_response_weight:
            self._check_distributions(teacher)

    def losses_of(self, images, outputs, sample):
        """YOLOv8's loss, and how far the student is from the teacher."""
        terms = super().losses_of(images, outputs, sample)
        lower, upper = self._teacher_parts
        taught = upper(lower(images, training=False), training=False)
        # The teacher is what is kept: it shall not move towards the student.
        taught = {name: tf.stop_gradient(values) for name, values in taught.items()}
        config, zero = self.config, tf.constant(0.0)
        features = boxes = zero
        if config.feature_weight:
            features = tf.add_n([feature_divergence(taught[level], outputs[level]) for level in _LEVELS])
        if config.box_response_weight:
            both = (taught["boxes"], outputs["boxes"], taught["classes"])
            boxes = box_divergence(*both, temperature=config.box_temperature)
        old = tf.gather(outputs["classes"], self._old, axis=-1)
        responses = response_divergence(taught["classes"], old)
        extra = config.feature_weight * features + config.response_weight * responses
        extra += config.box_response_weight * boxes
        found = {"features": features, "responses": responses, "box_responses": boxes}
        return {**terms, "loss": terms["loss"] + config.batch * extra, **found}

    def _check_features(self) -> None:
        own, others = (
            [half.output[level].shape[-1] for level in _LEVELS]
            for half in (self._upper, self._teacher_parts[1])
        )
        if own != others:
            raise UserError(
                f"--teacher expects a detector of the student's proportions: its features have {others} "
                f"channels, the student's {own}; --feature-weight 0 compares responses only"
            )

    def _check_distributions(self, teacher: Detector) -> None:
        for net in (teacher, self.detector):
            if net.output["boxes"].shape[-1] != 4 * BINS:
                raise UserError(
                    f"--box-response-weight expects YOLOv8's distributions of boxes; a {net.title} has none"
                )


def feature_divergence(teacher: tf.Tensor, student: tf.Tensor, temperature: float = TEMPERATURE) -> tf.Tensor:
    """Channel-wise distillation: a channel is a distribution over places (Shu et al., ICCV 2021, equation 4).

    T²/C · Σ over channels of KL(softmax(teacher / T) ‖ softmax(student / T)), softmax over all places.

    Args:
        teacher: float [N, H, W, C].
        student: the same shape.
        temperature: T.

    Returns:
        float32 scalar, the mean over images; 0 for equal features.
    """
    return channelwise_divergence(student, teacher, temperature=temperature)


def response_divergence(teacher: tf.Tensor, student: tf.Tensor) -> tf.Tensor:
    """KL divergence of the old classes' scores, each a distribution over yes and no.

    Args:
        teacher: probabilities, float32 [N, A, C].
        student: those of the same classes, the same shape.

    Returns:
        float32 scalar: the sum over anchors and classes, the mean over images; 0 for equal scores.
    """
    divergence = cross_entropy(teacher, student) - cross_entropy(teacher, teacher)
    return tf.reduce_mean(tf.reduce_sum(divergence, axis=[1, 2]))


def box_divergence(
    teacher: tf.Tensor, student: tf.Tensor, scores: tf.Tensor, temperature: float = 10.0
) -> tf.Tensor:
    """KL divergence of the distributions of the boxes' sides.

    Zheng et al., "Localization Distillation for Dense Object Detection", CVPR 2022, equation 4.

    T²·KL(softmax(teacher / T) ‖ softmax(student / T)), softmax over the 16 bins, mean over the four sides.
    Paper: anchors that are assigned to objects, and others near them. Here: every anchor counts by the
    teacher's highest score there, since the new data do not say where old objects are.

    Args:
        teacher: logits, float32 [N, A, 64].
        student: the same shape.
        scores: of the teacher, float32 [N, A, C] in [0, 1].
        temperature: T.

    Returns:
        float32 scalar, the weighted mean over anchors; 0 for equal distributions.
    """
    shape = tf.shape(teacher)
    sides = [shape[0], shape[1], 4, BINS]
    known, learned = (
        tf.nn.log_softmax(tf.reshape(tf.cast(part, tf.float32), sides) / temperature)
        for part in (teacher, student)
    )
    divergence = temperature**2 * tf.reduce_sum(tf.exp(known) * (known - learned), axis=-1)  # [N, A, 4]
    weights = tf.reduce_max(scores, axis=-1)  # [N, A]
    total = tf.reduce_sum(weights * tf.reduce_mean(divergence, axis=-1))
    return tf.math.divide_no_nan(total, tf.reduce_sum(weights))


def old_classes(teacher: Detector, student: Detector) -> list[int]:
    """The student's numbers of the teacher's classes, in the teacher's order.

    Raises:
        UserError: when the student lacks one of them.
    """
    lacking = [name for name in teacher.class_names if name not in student.class_names]
    if lacking:
        raise UserError(
            f"--teacher knows classes that the data set does not name: {', '.join(lacking)}; name the old "
            "classes, too (--classes)"
        )
    return [student.class_names.index(name) for name in teacher.class_names]


def extended(teacher: Detector, class_names: Sequence[str]) -> Detector:
    """The same detector for more or other classes, which keeps what it knows of those that it has.

    Args:
        teacher: stays as it is.
        class_names: of the new detector.

    Returns:
        A detector whose last class layers are new, but for the classes that both have.
    """
    student = with_classes(teacher, class_names)
    shared = [name for name in student.class_names if name in teacher.class_names]
    to, by = (np.array([net.class_names.index(name) for name in shared], int) for net in (student, teacher))
    for layer in student.class_layers:
        weights = student.get_layer(layer).get_weights()
        for new, old in zip(weights, teacher.get_layer(layer).get_weights()):  # kernel and bias
            new[..., to] = old[..., by]
        student.get_layer(layer).set_weights(weights)
    return student
