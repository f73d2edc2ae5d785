"""The variant "kind": decomposition, restoration and adjustment, as published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.constants import DEFAULT_ALPHA
from kind.enhancing.enhancer import Enhanced, Enhancer
from kind.enhancing.tiling.plan import TilePlan
from kind.enhancing.tiling.receptive_field import Span, needed_spans, stride, values_per_pixel
from kind.enhancing.variants import VARIANTS
from kind.metrics.protocols import target_ratio
from kind.nn.saving import find_weights, load_net
from kind.ops.fusion import MASK_REACH
from kind.ops.stretch import min_max_stretch, range_of_array, stretched_by, value_range

STAGES = VARIANTS["kind"].stages


class KindEnhancer(Enhancer):
    """The pipeline of three networks.

    Attributes:
        decom, restoration, illumination: the networks, in float32.
    """

    variant = "kind"

    def __init__(
        self,
        decom: keras.Model,
        restoration: keras.Model,
        illumination: keras.Model,
        precision: str = "float32",
    ) -> None:
        """Joins three networks.

        Args:
            decom: image → [reflectance, illumination].
            restoration: [reflectance, illumination] → restored reflectance.
            illumination: [illumination, α plane] → adjusted illumination.
            precision: see `Enhancer.load`.

        Raises:
            ValueError: on another precision.
        """
        super().__init__(dict(zip(STAGES, (decom, restoration, illumination))), precision)
        self.decom, self.restoration, self.illumination = decom, restoration, illumination

    @classmethod
    def from_files(cls, weights: str | Path | None, precision: str) -> KindEnhancer:
        """Reads the three networks; see `Enhancer.load`."""
        files = find_weights(STAGES, weights)
        return cls(*(load_net(path, stage) for stage, path in files.items()), precision=precision)

    def tile_plan(self) -> TilePlan:
        """See `Enhancer`."""
        nets = self.decom, self.restoration, self.illumination
        coarsest = max(map(stride, nets))
        tile = Span(0, 64 * coarsest - 1)
        reflectance, shading = needed_spans(self.restoration, [tile])
        adjusted_from, _ = needed_spans(self.illumination, [tile])
        fused = tile.wider(MASK_REACH, MASK_REACH)
        wanted = [reflectance.joined(fused), shading.joined(adjusted_from).joined(tile)]
        (seen,) = needed_spans(self.decom, wanted)
        halo = max(tile.first - seen.first, seen.last - tile.last)
        return TilePlan(halo, coarsest, max(map(values_per_pixel, nets)), self.precision == "bfloat16")

    def make_whole(self, images, alpha):
        """See `Enhancer`."""
        seen = value_range(images)
        return self.make(images, self.chosen_alpha(alpha, seen), seen, tf.zeros([2], tf.int32))

    def make(self, tile, alpha, seen, origin):
        """See `Enhancer`; what must be known is the smallest and the largest value."""
        decom, restoration, illumination = self.networks.values()
        stretched = stretched_by(tile, *seen)
        reflectance, shading = decom(stretched, training=False)
        restored = restoration([reflectance, shading], training=False)
        planes = tf.ones_like(shading) * alpha[:, tf.newaxis, tf.newaxis, tf.newaxis]
        adjusted = illumination([shading, planes], training=False)
        # An image of one colour has nothing to stretch, and comes back as it is.
        low, high = seen
        is_plain = high <= low
        restored = tf.where(is_plain, tile, restored)
        adjusted = tf.where(is_plain, 1.0, adjusted)
        return Enhanced(stretched, reflectance, shading, restored, adjusted, alpha=alpha)

    def alpha_to(self, dark, target):
        """See `Enhancer`; α = mean(L_high / (L_low + 1e-4)), as published."""
        images = [min_max_stretch(tf.constant(image[np.newaxis])) for image in (dark, target)]
        return target_ratio(*(self.decom(image, training=False)[1][0].numpy() for image in images))

    def collect_statistics(self, images, square):
        """See `Enhancer`."""
        return value_range(images)

    def collect_statistics_tiled(self, images, windows):
        """See `Enhancer`."""
        return range_of_array(images)

    def chosen_alpha(self, alpha, seen):
        """See `Enhancer`: the published default."""
        return tf.where(tf.math.is_nan(alpha), DEFAULT_ALPHA, alpha)
