"""The variant "lite": one small network for the whole of an enhancement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.enhancing.enhancer import Enhanced, Enhancer
from kind.enhancing.light_branches import branches
from kind.enhancing.stops import image_sizes, stops_for, tile_place
from kind.enhancing.tiling.plan import TilePlan
from kind.enhancing.tiling.receptive_field import Span, needed_spans, stride, values_per_pixel
from kind.errors import UserError
from kind.images.area import area_resized_array
from kind.nn.exposure_layers import faded
from kind.nn.saving import load_net
from kind.nn.weights_folder import find_weights
from kind.ops.fusion import MASK_REACH
from kind.ops.light import expose, light_ratio

STAGE = "lite"

_SMALLEST = 1e-4
_TINY = 1e-20


class LiteEnhancer(Enhancer):
    """The pipeline of one network that sees each tile, and a thumbnail of the whole image.

    The network's map of stops E, in linear light, is the illumination that is missing. What the parts of
    the result are, with Y the largest of R, G and B and X(E) the input under E more stops:

    - `stretched` is the input S itself;
    - `reflectance` R is X(E), `illumination` L is Y(S) / Y(X(E)) ≤ 1: R ∘ L is S but for small errors in
      its colours;
    - α is how many times the light, and makes E' of E (`kind.enhancing.stops`);
    - `restored` R̂ is the network's restoration of X(max(E, E')); from the suggested α down to 1 the
      restoration is blended out, so that α = 1 gives the photograph itself; `adjusted` L̂ is
      Y(X(E')) / Y(X(max(E, E'))) ≤ 1, and 1 from the suggested α on;
    - `relit` is R̂ ∘ L̂.
    """

    variant = "lite"
    border = 16

    def __init__(self, lite: keras.Model, precision: str = "float32") -> None:
        """Takes the network.

        Args:
            lite: what `lite.model.lite_net` builds.
            precision: see `Enhancer.load`.

        Raises:
            ValueError: on another precision, or when the network is another one.
        """
        super().__init__({STAGE: lite}, precision)
        try:
            parts = branches(self.networks[STAGE])
        except ValueError as error:
            text = f"holds {lite.name!r}, but not the network that kind train lite makes in this version"
            raise ValueError(f"{text}; train it anew") from error
        self._exposure, self._stops = parts.exposure, parts.stops
        self._restoration, self._thumbnail = parts.restoration, parts.thumbnail

    @classmethod
    def from_files(cls, weights: str | Path | None, precision: str) -> LiteEnhancer:
        """Reads the network; see `Enhancer.load`."""
        path = find_weights((STAGE,), weights)[STAGE]
        net = load_net(path, STAGE)
        try:
            return cls(net, precision)
        except ValueError as error:
            raise UserError(f"{path}: {error}") from error

    def tile_plan(self) -> TilePlan:
        """See `Enhancer`."""
        coarsest = stride(self._restoration)
        tile = Span(0, 64 * coarsest - 1)
        fused = tile.wider(MASK_REACH, MASK_REACH)
        image, stops, *_ = needed_spans(self._restoration, [fused])
        seen = image.joined(needed_spans(self._stops, [stops])[0])
        halo = max(tile.first - seen.first, seen.last - tile.last)
        return TilePlan(halo, coarsest, values_per_pixel(self._restoration), self.precision == "bfloat16")

    def make(self, tile, alpha, seen, origin):
        """See `Enhancer`; the statistics are grid, colour, summary, log α and size of the whole image."""
        grid, colour, summary, log_suggested, size = seen
        stops = self._stops([tile, grid, tile_place(size, origin)])
        shown, more = stops_for(alpha, log_suggested, stops)
        restored = self._restoration([tile, stops + more, colour, summary], training=False)
        suggested = expose(tile, stops)
        light = light_ratio(tile, suggested, -stops)

        def dimmed():
            """R̂ with less of what was restored, and L̂, for an α below the suggested one."""
            bright, dim = expose(tile, stops + more), expose(tile, shown)
            ratio = light_ratio(dim, bright, shown - stops - more)
            share = tf.math.divide_no_nan(faded(shown), faded(stops + more))
            # dim / ratio is `bright` but for small errors in its colours, which so stay out of R̂ ∘ L̂.
            less = dim / tf.maximum(ratio, _TINY) + share * (restored - bright)
            return tf.clip_by_value(less, 0.0, 1.0), ratio

        is_less = tf.reduce_any(stops + more - shown > _SMALLEST)
        restored, adjusted = tf.cond(is_less, dimmed, lambda: (restored, tf.ones_like(stops)))
        return Enhanced(tile, suggested, light, restored, adjusted, alpha=alpha)

    def collect_statistics(self, images):
        """See `Enhancer`; a thumbnail of a large image needs no tiles."""
        return *self._exposure(self._thumbnail(images), training=False), image_sizes(tf.shape(images))

    def collect_statistics_of(self, images):
        """See `Enhancer`."""
        side = self._thumbnail.output_shape[1]
        thumbnails = np.stack([area_resized_array(image, side, side) for image in images])
        return *self._exposure(tf.constant(thumbnails), training=False), image_sizes(images.shape)

    def chosen_alpha(self, alpha, seen):
        """See `Enhancer`: what the network suggests."""
        return tf.where(tf.math.is_nan(alpha), tf.exp(seen[3][:, 0]), alpha)
