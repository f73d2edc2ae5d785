"""Every loss by the name that `--loss` and `kind losses` know it by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tensorflow import keras

from kind.losses import (
    adversarial,
    colour,
    cross_entropy,
    divergence,
    edges,
    features,
    keras_losses,
    keras_pairs,
    lovasz,
    pixel,
    weight_penalty,
    zero_reference,
)
from kind.losses.gradient_difference import gradient_difference
from kind.losses.illumination_smoothness import illumination_smoothness
from kind.losses.laplacian_pyramid import laplacian_pyramid
from kind.losses.ms_ssim_loss import ms_ssim_loss
from kind.losses.mse import mse
from kind.losses.mutual_consistency import mutual_consistency
from kind.losses.reconstruction import reconstruction
from kind.losses.reflectance_similarity import reflectance_similarity
from kind.losses.region import region
from kind.losses.self_consistency import self_consistency
from kind.losses.ssim_loss import ssim_loss
from kind.ops import ms_ssim, ssim

PAIR = "output and target"
SOURCE = "output and source"
IMAGE = "output"
FEATURES = "features of output and target"
WEIGHTS = "weights"
ILLUMINATION = "illumination"
ILLUMINATIONS = "two illuminations"
ILLUMINATION_AND_IMAGE = "illumination and image"
PARTS = "image, reflectance and illumination"
DECOMPOSITION = "decomposition and image"
BINARY = "logits and labels 0 or 1"
CLASSES = "logits and class numbers"
LOGITS = "logits of student and teacher"
MAPS = "features of student and teacher"
FAKE = "scores of generated images"
REAL_AND_FAKE = "scores of true and generated images"


@dataclass(frozen=True)
class Entry:
    """One loss.

    Attributes:
        function: the pure function.
        inputs: what its arguments without default are, one of the constants above.
        group: heading in the documents.
        keras: the Keras loss over it, where there is one.
        settings: keyword arguments that the name stands for.
        smallest: least side of its images in pixels.
        channels: of its images; None takes any number.
    """

    function: Callable[..., Any]
    inputs: str
    group: str
    keras: type[keras.losses.Loss] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    smallest: int = 1
    channels: int | None = None

    @property
    def summary(self) -> str:
        """The first sentence of the function's docstring, on one line."""
        return self.function.__doc__.strip().split("\n")[0].rstrip(".")

    def __call__(self, *inputs: Any, **settings: Any) -> Any:
        """The loss of its inputs, a float32 scalar."""
        return self.function(*inputs, **{**self.settings, **settings})


_PIXELS, _STRUCTURE, _COLOUR = "Pixels", "Structure and edges", "Colour, light and regions"
_RETINEX, _FEATURES, _CLASSES = "Decomposition", "Features and adversaries", "Classes and distillation"
_WEIGHTS = "Weights"

CATALOGUE: dict[str, Entry] = {
    "l1": Entry(pixel.l1, PAIR, _PIXELS, keras_pairs.L1Loss),
    "l2": Entry(mse, PAIR, _PIXELS, keras_losses.MSELoss),
    "smooth-l1": Entry(pixel.smooth_l1, PAIR, _PIXELS, keras_pairs.SmoothL1Loss),
    "huber": Entry(pixel.huber, PAIR, _PIXELS, keras_pairs.HuberLoss),
    "charbonnier": Entry(pixel.charbonnier, PAIR, _PIXELS, keras_pairs.CharbonnierLoss),
    "log-mse": Entry(pixel.log_mse, PAIR, _PIXELS, keras_pairs.LogMSELoss),
    "ssim": Entry(ssim_loss, PAIR, _STRUCTURE, keras_losses.SSIMLoss, smallest=ssim.WINDOW),
    "ms-ssim": Entry(ms_ssim_loss, PAIR, _STRUCTURE, keras_pairs.MSSSIMLoss, smallest=ms_ssim.SMALLEST_SIDE),
    "ms-ssim-simplified": Entry(
        ms_ssim_loss,
        PAIR,
        _STRUCTURE,
        keras_pairs.MSSSIMLoss,
        {"simplified": True},
        smallest=ms_ssim.SMALLEST_SIDE,
    ),
    "laplacian-pyramid": Entry(laplacian_pyramid, PAIR, _STRUCTURE, keras_pairs.LaplacianPyramidLoss),
    "sobel": Entry(edges.sobel, PAIR, _STRUCTURE, keras_pairs.SobelLoss, smallest=2),
    "gradient-difference": Entry(gradient_difference, PAIR, _STRUCTURE, keras_losses.GradientDifferenceLoss),
    "total-variation": Entry(edges.total_variation, IMAGE, _STRUCTURE),
    "spatial-consistency": Entry(
        zero_reference.spatial_consistency, SOURCE, _STRUCTURE, keras_pairs.SpatialConsistencyLoss
    ),
    "region": Entry(region, PAIR, _COLOUR, keras_pairs.RegionLoss, channels=3),
    "colour-angle": Entry(colour.colour_angle, PAIR, _COLOUR, keras_pairs.ColourAngleLoss, channels=3),
    "blurred-colour": Entry(colour.blurred_colour, PAIR, _COLOUR, keras_pairs.BlurredColourLoss),
    "colour-constancy": Entry(zero_reference.colour_constancy, IMAGE, _COLOUR, channels=3),
    "exposure-control": Entry(zero_reference.exposure_control, IMAGE, _COLOUR),
    "reconstruction": Entry(reconstruction, PARTS, _RETINEX),
    "reflectance-similarity": Entry(reflectance_similarity, PAIR, _RETINEX),
    "self-consistency": Entry(self_consistency, DECOMPOSITION, _RETINEX),
    "mutual-consistency": Entry(mutual_consistency, ILLUMINATIONS, _RETINEX),
    "illumination-smoothness": Entry(illumination_smoothness, ILLUMINATION_AND_IMAGE, _RETINEX),
    "illumination-tv": Entry(zero_reference.illumination_tv, ILLUMINATION, _RETINEX),
    "perceptual": Entry(features.perceptual, FEATURES, _FEATURES, keras_pairs.PerceptualLoss),
    "relative-features": Entry(
        features.relative_features, FEATURES, _FEATURES, keras_pairs.RelativeFeaturesLoss
    ),
    "texture": Entry(features.texture, FEATURES, _FEATURES, keras_pairs.TextureLoss),
    "minimax-generator": Entry(adversarial.minimax_generator, FAKE, _FEATURES),
    "non-saturating-generator": Entry(adversarial.non_saturating_generator, FAKE, _FEATURES),
    "minimax-discriminator": Entry(adversarial.minimax_discriminator, REAL_AND_FAKE, _FEATURES),
    "least-squares-generator": Entry(adversarial.least_squares_generator, FAKE, _FEATURES),
    "least-squares-discriminator": Entry(adversarial.least_squares_discriminator, REAL_AND_FAKE, _FEATURES),
    "hinge-generator": Entry(adversarial.hinge_generator, FAKE, _FEATURES),
    "hinge-discriminator": Entry(adversarial.hinge_discriminator, REAL_AND_FAKE, _FEATURES),
    "binary-cross-entropy": Entry(
        cross_entropy.binary_cross_entropy, BINARY, _CLASSES, keras_pairs.BinaryCrossEntropyLoss
    ),
    "cross-entropy": Entry(
        cross_entropy.class_cross_entropy, CLASSES, _CLASSES, keras_pairs.ClassCrossEntropyLoss
    ),
    "focal": Entry(cross_entropy.focal, BINARY, _CLASSES, keras_pairs.FocalLoss),
    "lovasz-hinge": Entry(lovasz.lovasz_hinge, BINARY, _CLASSES, keras_pairs.LovaszHingeLoss),
    "lovasz-softmax": Entry(lovasz.lovasz_softmax, CLASSES, _CLASSES, keras_pairs.LovaszSoftmaxLoss),
    "tempered-kl": Entry(
        divergence.tempered_divergence, LOGITS, _CLASSES, keras_pairs.TemperedDivergenceLoss
    ),
    "channelwise-kl": Entry(
        divergence.channelwise_divergence, MAPS, _CLASSES, keras_pairs.ChannelwiseDivergenceLoss
    ),
    "l1-weights": Entry(weight_penalty.l1_weights, WEIGHTS, _WEIGHTS),
    "l2-weights": Entry(weight_penalty.l2_weights, WEIGHTS, _WEIGHTS),
}
