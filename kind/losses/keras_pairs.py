"""The catalogue's losses of a target and a prediction as Keras losses: one class a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import tensorflow as tf
from tensorflow import keras

from kind.losses import (
    colour,
    cross_entropy,
    divergence,
    edges,
    features,
    lovasz,
    pixel,
    region,
    zero_reference,
)
from kind.losses.laplacian_pyramid import laplacian_pyramid
from kind.losses.ms_ssim_loss import ms_ssim_loss

_registered = keras.utils.register_keras_serializable(package="kind")


class PairLoss(keras.losses.Loss):
    """A function of prediction and target, image by image; its settings are the class's."""

    function: ClassVar[Callable[..., tf.Tensor]]

    def __init__(self, reduction: str = "auto", name: str | None = None, **settings: Any) -> None:
        """Takes the function's settings, and Keras's reduction and name.

        Args:
            reduction: see Keras.
            name: see Keras; by default the function's.
            **settings: see the function.

        Raises:
            TypeError: on a setting that the function does not have.
        """
        super().__init__(reduction=reduction, name=name or self.function.__name__)
        known = inspect.signature(self.function).parameters
        for setting in settings:
            if setting not in known or setting == "per_image":
                raise TypeError(f"{type(self).__name__} has no setting {setting!r}")
        self.settings = settings

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each image, float32 [N]."""
        return self.function(y_pred, tf.cast(y_true, y_pred.dtype), per_image=True, **self.settings)

    def get_config(self) -> dict:
        """Returns the settings, so that a compiled model can be saved."""
        return {**super().get_config(), **self.settings}


class _LabelLoss(PairLoss):
    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each image, float32 [N], from class numbers."""
        return self.function(y_pred, tf.cast(y_true, tf.int32), per_image=True, **self.settings)


class _FeatureLoss(PairLoss):
    def __init__(
        self,
        network: Callable[[tf.Tensor], list[tf.Tensor]],
        reduction: str = "auto",
        name: str | None = None,
    ) -> None:
        """Takes φ, and Keras's reduction and name.

        Args:
            network: from images to a list of feature maps; frozen, and not saved with the loss.
            reduction: see Keras.
            name: see Keras.
        """
        super().__init__(reduction=reduction, name=name)
        self._network = network

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each image, float32 [N]."""
        seen = self._network(y_pred), self._network(tf.cast(y_true, y_pred.dtype))
        return self.function(*seen, per_image=True)

    def get_config(self) -> dict:
        """Refuses: a network is a file of its own.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            f"{type(self).__name__} is not saved with a model; load it with compile=False"
        )


@_registered
class L1Loss(PairLoss):
    """`kind.losses.pixel.l1` of each image."""

    function = staticmethod(pixel.l1)


@_registered
class SmoothL1Loss(PairLoss):
    """`kind.losses.pixel.smooth_l1` of each image; setting `beta`."""

    function = staticmethod(pixel.smooth_l1)


@_registered
class HuberLoss(PairLoss):
    """`kind.losses.pixel.huber` of each image; setting `delta`."""

    function = staticmethod(pixel.huber)


@_registered
class CharbonnierLoss(PairLoss):
    """`kind.losses.pixel.charbonnier` of each image; setting `epsilon`.

    Example:
        >>> model.compile("adam", loss=kind.losses.CharbonnierLoss(epsilon=1e-3))
    """

    function = staticmethod(pixel.charbonnier)


@_registered
class LogMSELoss(PairLoss):
    """`kind.losses.pixel.log_mse` of each image; setting `epsilon`."""

    function = staticmethod(pixel.log_mse)


@_registered
class MSSSIMLoss(PairLoss):
    """`kind.losses.ms_ssim_loss.ms_ssim_loss` of each image; setting `simplified`."""

    function = staticmethod(ms_ssim_loss)


@_registered
class RegionLoss(PairLoss):
    """`kind.losses.region.region` of each image; settings `dark_weight`, `bright_weight`, `dark_share`."""

    function = staticmethod(region.region)


@_registered
class ColourAngleLoss(PairLoss):
    """`kind.losses.colour.colour_angle` of each image."""

    function = staticmethod(colour.colour_angle)


@_registered
class BlurredColourLoss(PairLoss):
    """`kind.losses.colour.blurred_colour` of each image."""

    function = staticmethod(colour.blurred_colour)


@_registered
class LaplacianPyramidLoss(PairLoss):
    """`kind.losses.laplacian_pyramid.laplacian_pyramid` of each image; setting `levels`."""

    function = staticmethod(laplacian_pyramid)


@_registered
class SobelLoss(PairLoss):
    """`kind.losses.edges.sobel` of each image."""

    function = staticmethod(edges.sobel)


@_registered
class SpatialConsistencyLoss(PairLoss):
    """`kind.losses.zero_reference.spatial_consistency` of each image; the targets are the dark images."""

    function = staticmethod(zero_reference.spatial_consistency)


@_registered
class BinaryCrossEntropyLoss(PairLoss):
    """`kind.losses.cross_entropy.binary_cross_entropy` of each sample; predictions are logits."""

    function = staticmethod(cross_entropy.binary_cross_entropy)


@_registered
class FocalLoss(PairLoss):
    """`kind.losses.cross_entropy.focal` of each sample; predictions are logits; settings `gamma`, `alpha`."""

    function = staticmethod(cross_entropy.focal)


@_registered
class LovaszHingeLoss(PairLoss):
    """`kind.losses.lovasz.lovasz_hinge` of each image; predictions are logits."""

    function = staticmethod(lovasz.lovasz_hinge)


@_registered
class TemperedDivergenceLoss(PairLoss):
    """`kind.losses.divergence.tempered_divergence` of each sample; logits of teacher and student."""

    function = staticmethod(divergence.tempered_divergence)


@_registered
class ChannelwiseDivergenceLoss(PairLoss):
    """`kind.losses.divergence.channelwise_divergence` of each image; features of teacher and student."""

    function = staticmethod(divergence.channelwise_divergence)


@_registered
class ClassCrossEntropyLoss(_LabelLoss):
    """`kind.losses.cross_entropy.class_cross_entropy` of each sample; class numbers and logits."""

    function = staticmethod(cross_entropy.class_cross_entropy)


@_registered
class LovaszSoftmaxLoss(_LabelLoss):
    """`kind.losses.lovasz.lovasz_softmax` of each image; class numbers and logits."""

    function = staticmethod(lovasz.lovasz_softmax)


class PerceptualLoss(_FeatureLoss):
    """`kind.losses.features.perceptual` of each image, of the features of a given network."""

    function = staticmethod(features.perceptual)


class RelativeFeaturesLoss(_FeatureLoss):
    """`kind.losses.features.relative_features` of each image, of the features of a given network."""

    function = staticmethod(features.relative_features)


class TextureLoss(_FeatureLoss):
    """`kind.losses.features.texture` of each image, of the features of a given network."""

    function = staticmethod(features.texture)
