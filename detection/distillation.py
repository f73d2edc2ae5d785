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
from kind.errors import UserError
from kind.losses.divergence import channelwise_divergence

TEMPERATURE = 2.0
_LEVELS = ("p3", "p4", "p5")


class DistillingStage(DetectionStage):
    """Learns from batches as `DetectionStage` does, and from a teacher that knows the old classes."""

    loss_names = (*TERMS, "features", "responses")

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
            teacher: of the same proportions; stays as it is.
            preprocess: see `DetectionStage`.

        Raises:
            UserError: when the student lacks a class of the teacher, or has features of other shapes.
        """
        super().__init__(net, config, preprocess)
        self._old = old_classes(teacher, self.detector)
        self._teacher_parts = backbone_and_head(teacher)
        self._check_features()

    def losses_of(self, images, outputs, sample):
        """YOLOv8's loss, and how far the student is from the teacher."""
        terms = super().losses_of(images, outputs, sample)
        lower, upper = self._teacher_parts
        taught = upper(lower(images, training=False), training=False)
        taught = {name: tf.stop_gradient(values) for name, values in taught.items()}
        features = tf.add_n([feature_divergence(taught[level], outputs[level]) for level in _LEVELS])
        old = tf.gather(outputs["classes"], self._old, axis=-1)
        responses = response_divergence(taught["classes"], old)
        config = self.config
        extra = config.feature_weight * features + config.response_weight * responses
        total = terms["loss"] + config.batch * extra
        return {**terms, "loss": total, "features": features, "responses": responses}

    def _check_features(self) -> None:
        own, others = (
            [half.output[level].shape[-1] for level in _LEVELS]
            for half in (self._upper, self._teacher_parts[1])
        )
        if own != others:
            raise UserError(
                f"--teacher expects a detector of the student's proportions: its features have {others} "
                f"channels, the student's {own}"
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
