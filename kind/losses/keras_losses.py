"""The losses of a target and a prediction as Keras losses, for `model.compile`."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras

from kind.losses.gradient_difference import gradient_difference
from kind.losses.mse import mse
from kind.losses.ssim_loss import ssim_loss


@keras.utils.register_keras_serializable(package="kind")
class SSIMLoss(keras.losses.Loss):
    """`kind.losses.ssim_loss.ssim_loss` of each image: 1 - SSIM, 0 for identical images.

    Targets and predictions are float32 [N, H, W, C] in [0, 1], H and W at least 11.

    Example:
        >>> model.compile("adam", loss=kind.losses.SSIMLoss())
    """

    def __init__(self, reduction: str = "auto", name: str = "ssim_loss") -> None:
        """Takes Keras's reduction and name."""
        super().__init__(reduction=reduction, name=name)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each image, float32 [N]."""
        return ssim_loss(y_pred, _like(y_pred, y_true), per_image=True)


@keras.utils.register_keras_serializable(package="kind")
class MSELoss(keras.losses.Loss):
    """`kind.losses.mse.mse` of each image, 0 for identical images.

    Targets and predictions are float32 [N, H, W, C].
    """

    def __init__(self, reduction: str = "auto", name: str = "mse_loss") -> None:
        """Takes Keras's reduction and name."""
        super().__init__(reduction=reduction, name=name)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each image, float32 [N]."""
        return mse(y_pred, _like(y_pred, y_true), per_image=True)


@keras.utils.register_keras_serializable(package="kind")
class GradientDifferenceLoss(keras.losses.Loss):
    """`kind.losses.gradient_difference.gradient_difference`, 0 for identical images.

    Targets and predictions are illuminations, float32 [N, H, W, 1] in [0, 1]. The loss is one number for the
    batch, as published, so that a `sample_weight` can only weigh the batch as a whole.
    """

    def __init__(
        self,
        signed: bool = False,
        per_image: bool = False,
        reduction: str = "auto",
        name: str = "gradient_difference_loss",
    ) -> None:
        """Takes the function's settings, and Keras's reduction and name.

        Args:
            signed: compare signed gradients, as KinD++'s adjustment loss does.
            per_image: normalise the gradients over each image instead of the batch.
            reduction: see Keras.
            name: see Keras.
        """
        super().__init__(reduction=reduction, name=name)
        self.signed, self.per_image = signed, per_image

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the loss of the batch, a float32 scalar."""
        target = _like(y_pred, y_true)
        return gradient_difference(y_pred, target, signed=self.signed, per_image=self.per_image)

    def get_config(self) -> dict:
        """Returns the settings, so that a compiled model can be saved."""
        return {**super().get_config(), "signed": self.signed, "per_image": self.per_image}


def _like(prediction: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """The target in the prediction's type: Keras hands it over as the data set has it."""
    return tf.cast(target, prediction.dtype)
