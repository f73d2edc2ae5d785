"""The variants "guided", "guided-y" and "guided-y-shared": a small result, and a learned guided filter."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.constants import BRIGHTNESS, BT601
from kind.enhancing.brightness import SIDE, alpha_for_luma, light_curve, luma_under
from kind.enhancing.enhancer import Enhanced, Enhancer
from kind.enhancing.given_images import as_levels
from kind.enhancing.tiling.plan import TilePlan
from kind.errors import UserError
from kind.nn.saving import load_net
from kind.nn.weights_folder import find_weights
from kind.ops.area import area_resized
from kind.ops.bilinear import bilinear_at
from kind.ops.blocks import block_mean, block_mean_array, block_mean_by
from kind.ops.fusion import MASK_REACH

_QUARTER = 4
_SEEN_PIXELS = 1088 * 1920  # larger images are averaged over squares before the small result is computed
_LARGEST_FACTOR = 8
_STRIDE = 32
_VALUES = 64  # a pixel: the guide's 16 channels twice, A and b twice, image, plane, guide, result
_SMALLEST = 1e-4


class GuidedParts(NamedTuple):
    """Parts of a guided network that share its weights.

    Attributes:
        predictor: [image, brightness plane] → predicted luma plane, small; None where there is none.
        small: [image, luma plane] → A and b [N, H/4, W/4, 6], or without a filter the small result [… 3].
        guide: [image, luma plane] → guide [N, H, W, 3]; None where it is the image, or there is no filter.
        factor: pixels of the image to one of the predicted plane, along each side; 1 without a predictor.
    """

    predictor: keras.Model | None
    small: keras.Model
    guide: keras.Model | None
    factor: int


def guided_parts(net: keras.Model) -> GuidedParts:
    """Cuts a network at its named layers.

    Args:
        net: what `kind.guided.model` builds, at any precision.

    Returns:
        Its parts.

    Raises:
        ValueError: when it is another network.
    """

    def output(name: str):
        return net.get_layer(name).output

    names = {layer.name for layer in net.layers}
    image, brightness = net.inputs
    seen = [image, output("wanted")]
    predictor, factor = None, 1
    if "y_plane" in names:
        predictor = keras.Model([image, brightness], output("y_plane"), name="predictor")
        factor = net.get_layer("plane").factor
    small = keras.Model(seen, output("slopes" if "slopes" in names else "small"), name="small_result")
    guide = keras.Model(seen, output("guide"), name="guide") if "guide_2" in names else None
    return GuidedParts(predictor, small, guide, factor)


class GuidedEnhancer(Enhancer):
    """The pipeline of a network that is told how bright its result should be.

    All but the guide is computed once for the whole image (averaged over squares first where it has more
    than 1088×1920 pixels). What the parts of the result are, with O the network's output and S the image:

    - `restored` R̂ is O clipped to [0, 1] and `adjusted` L̂ is 1: the network has no illumination of its
      own, and R̂ is the scene under even light of the wanted brightness. `relit` is R̂ ∘ L̂ = O.
    - `illumination` L is max(S) / max(O) ≤ 1, the largest of R, G and B: the part of the light that is there;
      `reflectance` R is S / L, noise included: R ∘ L is S.
    - α is how many times the light: the wanted brightness is the mean luma of S under α times its light.
      α = 1 asks for a result as bright as S, which is not S itself.
    """

    variant = "guided"
    own_statistics = (0, 2, 4)  # the image, its luma plane and how many times it is smaller

    def __init__(self, precision: str = "float32", **nets: keras.Model) -> None:
        """Takes the network.

        Args:
            precision: see `Enhancer.load`.
            **nets: by the variant's name, what `kind.guided.model` builds.

        Raises:
            ValueError: on another precision, or when the network is another one.
        """
        super().__init__(nets, precision)
        (net,) = self.networks.values()
        if net.name != self.variant or list(nets) != [self.variant]:
            raise ValueError(f"holds {net.name!r}; expected {self.variant!r}, which kind train guided makes")
        try:
            self._parts = guided_parts(net)
        except ValueError as error:
            raise ValueError(f"holds {net.name!r} of another version; train it anew") from error

    @classmethod
    def from_files(cls, weights: str | Path | None, precision: str) -> GuidedEnhancer:
        """Reads the network; see `Enhancer.load`."""
        path = find_weights((cls.variant,), weights)[cls.variant]
        if weights is None and not path.is_file():
            raise UserError(
                f"--variant {cls.variant}: no weights ship with it; train them with `kind train "
                f"guided --network {cls.variant} --data DIR --run runs/{cls.variant}` and give --weights runs"
            )
        net = load_net(path, cls.variant)
        try:
            return cls(precision, **{cls.variant: net})
        except ValueError as error:
            raise UserError(f"{path}: {error}") from error

    def tile_plan(self) -> TilePlan:
        """See `Enhancer`."""
        return TilePlan(MASK_REACH, _STRIDE, _VALUES, self.precision == "bfloat16")

    def make(self, tile, alpha, seen, origin):
        """See `Enhancer`; what must be known is A and b, the luma plane, and how much smaller they are."""
        slopes, plane, factor = seen
        output = self._enlarged(slopes, tile, origin, _QUARTER * factor)
        if slopes.shape[-1] > 3:  # A and b
            guide = tile
            if self._parts.guide is not None:
                wanted = self._enlarged(plane, tile, origin, self._parts.factor * factor)
                guide = tf.cast(self._parts.guide([tile, wanted], training=False), tf.float32)
            slope, offset = tf.split(output, 2, axis=-1)
            output = slope * guide + offset
        output = tf.clip_by_value(output, 0.0, 1.0)
        largest, shown = (tf.reduce_max(image, axis=-1, keepdims=True) for image in (tile, output))
        light = tf.minimum((largest + _SMALLEST) / (shown + _SMALLEST), 1.0)
        reflectance = tf.minimum(tile / light, 1.0)
        return Enhanced(tile, reflectance, light, output, tf.ones_like(light), alpha=alpha)

    def collect_statistics(self, images):
        """See `Enhancer`: the image as the network sees it, its curve, the luma plane, α of it, factor."""
        height, width = (images.shape[axis] for axis in (1, 2))
        if height and width:
            factor = _factor(height, width)
            return self._statistics(block_mean(images, factor), factor)
        shape = tf.shape(images)
        pixels = tf.cast(shape[1] * shape[2], tf.float32)
        number = tf.cast(tf.math.ceil(tf.sqrt(pixels / _SEEN_PIXELS)), tf.int32)
        number = tf.clip_by_value(number, 1, _LARGEST_FACTOR)
        small = block_mean_by(images, number)
        return self._statistics(tf.ensure_shape(small, [images.shape[0], None, None, 3]), number)

    def collect_statistics_of(self, images):
        """See `Enhancer`."""
        factor = _factor(*images.shape[1:3])
        small = np.stack([block_mean_array(image, factor) for image in images])
        return self._statistics(tf.constant(small), factor)

    def chosen_alpha(self, alpha, seen):
        """See `Enhancer`: what gives the constant or the predicted brightness."""
        return tf.where(tf.math.is_nan(alpha), seen[3], alpha)

    def conditioned(self, alpha, seen):
        """See `Enhancer`: the small result for the wanted brightness."""
        images, curve, plane, suggested, factor = seen
        own = tf.reduce_mean(plane, axis=[1, 2, 3])
        # What the network suggests is taken as it is, also where no α gives it.
        is_own = (alpha == suggested)[:, tf.newaxis, tf.newaxis, tf.newaxis]
        scale = (luma_under(curve, alpha) / tf.maximum(own, _SMALLEST))[:, tf.newaxis, tf.newaxis, tf.newaxis]
        plane = tf.where(is_own, plane, tf.clip_by_value(plane * scale, 0.0, 1.0))
        full = self._enlarged(
            plane, images, tf.zeros([2], tf.int32), self._parts.factor * tf.ones_like(factor)
        )
        slopes = tf.cast(self._parts.small([images, full], training=False), tf.float32)
        return slopes, plane, factor

    def statistics_specs(self, seen):
        """See `Enhancer`: sizes differ from image to image."""
        return [tf.TensorSpec([None] * (len(each.shape) - 1) + each.shape[-1:]) for each in seen]

    def alpha_to(self, dark, target):
        """See `Enhancer`; here the target's mean luma is what is known of it, and no illumination."""
        return self.alpha_for_brightness(dark, float(np.mean(target @ np.array(BT601, np.float32))))

    def alpha_for_brightness(self, image, brightness, *, fusion="plain", strength=1.0):
        """See `Enhancer`: the network is asked for it. How close it comes, training decides.

        A result that is fused or blended is searched as that of other variants: the network knows nothing of
        what is done to its own.
        """
        if fusion != "plain" or strength != 1:
            return super().alpha_for_brightness(image, brightness, fusion=fusion, strength=strength)
        levels = np.asarray(as_levels(image))
        small = block_mean_array(levels, _factor(*levels.shape[:2]))[np.newaxis]
        curve = light_curve(area_resized(tf.constant(small), SIDE, SIDE))
        return float(alpha_for_luma(curve, tf.constant([brightness], tf.float32))[0])

    def alpha_in_graph(self, images, brightness):
        """See `Enhancer`."""
        _, curve, *_ = self.collect_statistics(images)
        return alpha_for_luma(curve, brightness[tf.newaxis])

    def _statistics(self, images, factor):
        count = tf.shape(images)[0]
        plane = tf.fill([count, 1, 1, 1], BRIGHTNESS)
        if self._parts.predictor is not None:
            constant = tf.ones_like(images[..., :1]) * BRIGHTNESS
            plane = tf.cast(self._parts.predictor([images, constant], training=False), tf.float32)
        curve = light_curve(area_resized(images, SIDE, SIDE))
        suggested = alpha_for_luma(curve, tf.reduce_mean(plane, axis=[1, 2, 3]))
        return images, curve, plane, suggested, tf.fill([count], tf.cast(factor, tf.float32))

    def _enlarged(self, values, tile, origin, factor):
        """A small plane at the pixels of a tile; one of a single pixel is the same everywhere."""
        shape = tf.shape(tile)
        height, width = (tile.shape[axis] or shape[axis] for axis in (1, 2))
        start = tf.unstack(tf.cast(origin, tf.float32))
        step = 1.0 / factor[0]
        return bilinear_at(values, start, (step, step), (height, width))


class GuidedYEnhancer(GuidedEnhancer):
    """The same with a second network, which predicts the luma plane."""

    variant = "guided-y"


class GuidedYSharedEnhancer(GuidedEnhancer):
    """The same, with one encoder for both."""

    variant = "guided-y-shared"


def _factor(height: int, width: int) -> int:
    """The side of the squares that an image is averaged over first."""
    return min(max(1, int(np.ceil(np.sqrt(height * width / _SEEN_PIXELS)))), _LARGEST_FACTOR)
