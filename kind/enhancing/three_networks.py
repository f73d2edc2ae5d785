"""The variant "kind": decomposition, restoration and adjustment, as published."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.constants import DEFAULT_ALPHA
from kind.enhancing.enhancer import Enhanced, Enhancer
from kind.enhancing.stops import image_sizes, stops_for, tile_place
from kind.enhancing.tiling.plan import TilePlan
from kind.enhancing.tiling.receptive_field import Span, needed_spans, stride, values_per_pixel
from kind.enhancing.variants import VARIANTS
from kind.images.area import area_resized_array
from kind.metrics.protocols import target_ratio
from kind.nn.exposure_branch import SIDE
from kind.nn.exposure_layers import SlicedStops, WholePlace, seen_contrast
from kind.nn.saving import load_net, weights_digest
from kind.nn.weights_folder import beside, find_weights
from kind.ops.area import area_resized
from kind.ops.fusion import MASK_REACH
from kind.ops.light import expose, light_ratio, matching_stops
from kind.ops.stretch import (
    channel_ranges,
    channel_ranges_of_array,
    min_max_stretch,
    over_channels,
    stretched_by,
    value_range,
)

STAGES = VARIANTS["kind"].stages
EXPOSURE = "exposure"

_BORDER = 16  # a multiple of the restoration's stride, so that its grid stays where it is
_MANY_STOPS = 3.5  # from here on the networks make most of the result; chosen on validation photographs
_WHITE_FROM = 0.85  # of the largest of R, G and B: from here on the photograph shows through
_TINY = 1e-20


class KindEnhancer(Enhancer):
    """The pipeline of three networks, as published or for photographs.

    *As published*: the image is min-max stretched first, α is 5 unless it is given, and the result is
    R̂ ∘ L̂. Imported weights, and a user's without an exposure head, are used like this.

    *For photographs*, with an exposure head: the head makes a map of stops E of the decomposition of a
    thumbnail, so that shadows may get more light than skies. α is how many times the light, by default that
    of E, and makes E' of it (`kind.enhancing.stops`). Instead of being stretched, the image gets this light,
    X(E'), and is then taken apart, so that the networks restore and adjust an image that is bright enough.
    `stretched` is the input S itself, `reflectance` R that of X(E'), and `illumination` the illumination of
    X(E') times Y(S) / Y(X(E')), Y the largest of R, G and B, so that R ∘ L is S. The image gets a mirrored
    border; L̂ is never below the illumination of X(E'). Few stops bring little noise to light, and what needs
    no light stays as it is: of each pixel, a share that falls to 0 where E' is 0 and where X(E') is white
    comes from the networks, and the rest is X(E'). R̂ and L̂ are those of this result.

    Attributes:
        decom, restoration, illumination: the networks, in float32.
        exposure: the head; None as published.
    """

    variant = "kind"

    def __init__(
        self,
        decom: keras.Model,
        restoration: keras.Model,
        illumination: keras.Model,
        precision: str = "float32",
        exposure: keras.Model | None = None,
    ) -> None:
        """Joins the networks.

        Args:
            decom: image → [reflectance, illumination].
            restoration: [reflectance, illumination] → restored reflectance.
            illumination: [illumination, α plane] → adjusted illumination.
            precision: see `Enhancer.load`.
            exposure: [reflectance, illumination] of a thumbnail → [grid of stops, log α]; always computes in
                float32.

        Raises:
            ValueError: on another precision.
        """
        super().__init__(dict(zip(STAGES, (decom, restoration, illumination))), precision)
        self.decom, self.restoration, self.illumination = decom, restoration, illumination
        self.exposure = exposure
        if exposure is not None:
            self.border = _BORDER

    @property
    def own_alpha(self):
        """See `Enhancer`."""
        return f"{DEFAULT_ALPHA:g}" if self.exposure is None else "suggested by the exposure head"

    @classmethod
    def from_files(cls, weights: str | Path | None, precision: str) -> KindEnhancer:
        """Reads the networks; see `Enhancer.load`. A head is used where it lies beside the decomposition."""
        files = find_weights(STAGES, weights)
        nets = {stage: load_net(path, stage) for stage, path in files.items()}
        head = beside(files["decom"], EXPOSURE)
        return cls(**nets, precision=precision, exposure=head and load_net(head, EXPOSURE))

    def digests(self):
        """See `Enhancer`."""
        head = {} if self.exposure is None else {EXPOSURE: weights_digest(self.exposure)}
        return {**super().digests(), **head}

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
        if self.exposure is not None:
            seen = Span(*SlicedStops().input_span(*seen))
        halo = max(tile.first - seen.first, seen.last - tile.last)
        return TilePlan(halo, coarsest, max(map(values_per_pixel, nets)), self.precision == "bfloat16")

    def make(self, tile, alpha, seen, origin):
        """See `Enhancer`; what must be known are ranges, with a head what it says, and log α."""
        decom, restoration, illumination = self.networks.values()
        low, high, *of_stops, log_suggested = seen
        if self.exposure is None:
            stretched = seen_by_networks = stretched_by(tile, low, high)
            ratio = alpha[:, tf.newaxis, tf.newaxis, tf.newaxis]
        else:
            grid, contrast, size = of_stops
            stops = contrast * SlicedStops()([tile, grid, tile_place(size, origin)])
            stops, _ = stops_for(alpha, log_suggested, stops)
            stretched, ratio = tile, 1.0
            seen_by_networks = expose(tile, stops, keeps_hue=True)
        reflectance, shading = decom(seen_by_networks, training=False)
        restored = restoration([reflectance, shading], training=False)
        adjusted = illumination([shading, tf.ones_like(shading) * ratio], training=False)
        if self.exposure is not None:
            restored, adjusted = _where_needed(seen_by_networks, shading, restored, adjusted, stops)
            shading *= light_ratio(tile, seen_by_networks, -stops)
        is_plain = _is_of_one_colour(low, high)
        restored = tf.where(is_plain, tile, restored)
        adjusted = tf.where(is_plain, 1.0, adjusted)
        return Enhanced(stretched, reflectance, shading, restored, adjusted, alpha=alpha)

    def alpha_to(self, dark, target):
        """See `Enhancer`; as published α = mean(L_high / (L_low + 1e-4))."""
        images = [tf.constant(image[np.newaxis]) for image in (dark, target)]
        if self.exposure is not None:
            *_, grid, contrast, _, log_suggested = self.collect_statistics(images[0])

            def asked(image, stops):
                own = contrast * SlicedStops()([image, grid, WholePlace()(image)])
                return stops_for(2.0**stops, log_suggested, own)[0]

            return float(2.0 ** matching_stops(*images, asked)[0])
        images = map(min_max_stretch, images)
        return target_ratio(*(self.decom(image, training=False)[1][0].numpy() for image in images))

    def collect_statistics(self, images):
        """See `Enhancer`; a thumbnail of a large image needs no tiles."""
        if self.exposure is None:
            return *value_range(images), _published_alpha(images)
        thumbnails = area_resized(images, SIDE, SIDE)
        parts = self.networks["decom"](thumbnails, training=False)
        return *channel_ranges(images), *self._suggestion(parts, thumbnails, tf.shape(images))

    def collect_statistics_of(self, images):
        """See `Enhancer`."""
        if self.exposure is None:
            return *over_channels(*channel_ranges_of_array(images)), _published_alpha(images)
        thumbnails = tf.constant(np.stack([area_resized_array(image, SIDE, SIDE) for image in images]))
        parts = self.networks["decom"](thumbnails, training=False)
        return *channel_ranges_of_array(images), *self._suggestion(parts, thumbnails, images.shape)

    def chosen_alpha(self, alpha, seen):
        """See `Enhancer`: the published default; or what the head suggests."""
        return tf.where(tf.math.is_nan(alpha), tf.exp(seen[-1][:, 0]), alpha)

    def _suggestion(self, parts, thumbnails, shape):
        """What the head makes of decomposed thumbnails of images of a shape: grid, share of it, size, log α.

        The head does not see whether there is one colour alone, or noise: the decomposition makes contrast
        at the borders, and out of noise.
        """
        grid, log_alpha = self.exposure(parts, training=False)
        contrast = seen_contrast(thumbnails)
        return grid, contrast, image_sizes(shape), contrast[:, 0, 0] * log_alpha


def _is_of_one_colour(low, high):
    """Whether images are, by the ranges of their channels; as published, of one grey, by the value range."""
    return tf.reduce_all(high <= low, axis=-1, keepdims=True)


def _published_alpha(images):
    """Log of the published default for each of N images, float32 [N, 1]."""
    return tf.fill([tf.shape(images)[0], 1], math.log(DEFAULT_ALPHA))


def _where_needed(exposed, shading, restored, adjusted, stops):
    """R̂ and L̂ of a result that is the exposed image where it needs no light; see `KindEnhancer`.

    Args:
        exposed: X(α), float32 [N, H, W, 3] in [0, 1].
        shading: its illumination, float32 [N, H, W, 1].
        restored: the network's R̂, as `exposed`.
        adjusted: the network's L̂, as `shading`.
        stops: E', float32 [N, H, W, 1].

    Returns:
        R̂ and L̂, in [0, 1].
    """
    largest = tf.reduce_max(exposed, axis=-1, keepdims=True)
    white = tf.clip_by_value((largest - _WHITE_FROM) / (1.0 - _WHITE_FROM), 0.0, 1.0)
    needed = 1.0 - tf.exp(-tf.square(tf.nn.relu(stops) / _MANY_STOPS))
    share = needed * (1.0 - white * white * (3.0 - 2.0 * white))
    light = shading + tf.nn.relu(adjusted - shading)
    shown = share * restored * light + (1.0 - share) * exposed
    light = share * light + (1.0 - share) * largest
    return tf.minimum(shown / tf.maximum(light, _TINY), 1.0), light
