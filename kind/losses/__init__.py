"""The loss catalogue: pure functions of tensors, one idea a file, and Keras losses over them."""

from kind.losses.keras_losses import GradientDifferenceLoss, MSELoss, SSIMLoss

__all__ = ["GradientDifferenceLoss", "MSELoss", "SSIMLoss"]
