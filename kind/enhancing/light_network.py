"""The variant "lite": one small network for the whole of an enhancement."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from tensorflow import keras

from kind.enhancing.enhancer import Enhanced, Enhancer
from kind.enhancing.tiling.graph_tiles import over_tiles
from kind.enhancing.tiling.plan import TilePlan
from kind.enhancing.tiling.receptive_field import Span, needed_spans, stride, values_per_pixel
from kind.errors import UserError
from kind.nn.saving import find_weights, load_net
from kind.ops.exposure import exposed
from kind.ops.fusion import MASK_REACH
from kind.ops.stretch import range_of_array, stretched_by, value_range

STAGE = "lite"

_SMALLEST_LIGHT = 1e-4


class LiteEnhancer(Enhancer):
    """The pipeline of one network that sees each tile, and something of the whole image.

    What it sees of the whole are means and maxima of its own coarsest values, the overview. Large images
    are therefore looked at twice, tile by tile: for the overview, and for the result.
    """

    variant = "lite"

    def __init__(self, lite: keras.Model, precision: str = "float32") -> None:
        """Takes the network.

        Args:
            lite: what `lite.model.lite_net` builds.
            precision: see `Enhancer.load`.

        Raises:
            ValueError: on another precision, or when the network is another one.
        """
        super().__init__({STAGE: lite}, precision)
        self._net = self.networks[STAGE]
        try:
            seen = [self._net.get_layer(name).output for name in ("down_3", "square_root")]
            overview = self._net.get_layer("overview_join").output
            *picture, log_alpha = self._net.outputs
            self._glance = keras.Model(self._net.input, seen)
            self._cell = stride(self._glance)  # a square of so many pixels is one coarsest value
        except ValueError as error:
            raise ValueError(f"expected what train_stage.py lite makes, found {lite.name!r}") from error
        self._picture = keras.Model([self._net.input, overview], picture)
        self._suggestion = keras.Model(overview, log_alpha)
        self._fold = self._net.get_layer("fold").side

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
        """What tiles are planned by."""
        coarsest = max(stride(self._glance), stride(self._picture))
        tile = Span(0, 64 * coarsest - 1)
        fused = tile.wider(MASK_REACH, MASK_REACH)
        seen, _ = needed_spans(self._picture, [fused, fused])
        cells = [Span(0, 64 * coarsest // side - 1) for side in (self._cell, self._fold)]
        (glanced,) = needed_spans(self._glance, cells)
        seen = seen.joined(glanced)
        halo = max(tile.first - seen.first, seen.last - tile.last)
        return TilePlan(halo, coarsest, values_per_pixel(self._picture), self.precision == "bfloat16")

    def make_whole(self, images, alpha):
        """See `Enhancer`."""
        stretched = stretched_by(images, *value_range(images))
        restored, light, suggested = self._net(stretched, training=False)
        return _enhanced(stretched, restored, light, _chosen(alpha, suggested))

    def make(self, tile, alpha, seen):
        """See `Enhancer`; what must be known is the smallest and largest value, and the overview."""
        *limits, overview = seen
        stretched = stretched_by(tile, *limits)
        restored, light = self._picture([stretched, overview], training=False)
        return _enhanced(stretched, restored, light, alpha)

    def collect_statistics(self, images, square):
        """See `Enhancer`."""
        limits = value_range(images)

        def look(tile, rows, columns):
            return self._totals(tile, *limits, rows.start, rows.stop, columns.start, columns.stop)

        return *limits, self._overview(over_tiles(look, _added, images, square), tf.shape(images))

    def collect_statistics_tiled(self, images, windows):
        """See `Enhancer`."""
        limits = range_of_array(images)
        graph = self._graph(("totals",), self._totals, *self._TOTALS)
        found: dict[int, tuple] = {}
        for some, row, column in windows:
            tile = images[some, row.start : row.stop, column.start : column.stop]
            smallest, largest = (limit[some] for limit in limits)
            sides = row.kept.start, row.kept.stop, column.kept.start, column.kept.stop
            totals = graph(tile, smallest, largest, *map(tf.constant, sides))
            found[some.start] = _added(found[some.start], totals) if some.start in found else totals
        totals = [tf.concat(parts, axis=0) for parts in zip(*found.values())]
        return *map(tf.constant, limits), self._overview(totals, images.shape)

    def chosen_alpha(self, alpha, seen):
        """See `Enhancer`: what the network suggests."""
        return _chosen(alpha, self._suggestion(seen[-1], training=False))

    _LIMIT, _SIDE = tf.TensorSpec([None, 1, 1, 1]), tf.TensorSpec([], tf.int32)
    _TOTALS = (tf.TensorSpec([None, None, None, 3]), _LIMIT, _LIMIT, *[_SIDE] * 4)

    def _totals(self, tile, smallest, largest, top, bottom, left, right):
        """Of a tile's delivered part: sums of coarsest values and of folded ones, largest coarsest ones."""
        coarse, folded = self._glance(stretched_by(tile, smallest, largest), training=False)
        top, left = top // self._cell, left // self._cell
        bottom, right = -(-bottom // self._cell), -(-right // self._cell)
        finer = self._cell // self._fold
        coarse = coarse[:, top:bottom, left:right]
        folded = folded[:, finer * top : finer * bottom, finer * left : finer * right]
        coarse, folded = tf.cast(coarse, tf.float32), tf.cast(folded, tf.float32)
        sums = [tf.reduce_sum(values, axis=[1, 2]) for values in (coarse, folded)]
        return *sums, tf.reduce_max(coarse, axis=[1, 2])

    def _overview(self, totals, shape):
        """What the network's own layers make of whole images of this shape."""
        coarse, folded, largest = totals
        count = tf.cast(-(-shape[1] // self._cell) * (-(-shape[2] // self._cell)), tf.float32)
        finer_count = count * (self._cell // self._fold) ** 2
        overview = tf.concat([coarse / count, largest, folded / finer_count], axis=-1)
        return tf.ensure_shape(overview, self._suggestion.input_shape)


def _added(before, now):
    """Totals of two parts of an image together."""
    return before[0] + now[0], before[1] + now[1], tf.maximum(before[2], now[2])


def _chosen(alpha, suggested):
    """α, with the suggested one where it is NaN: float32 [N] both, from log α [N, 1]."""
    return tf.where(tf.math.is_nan(alpha), tf.exp(suggested[:, 0]), alpha)


def _enhanced(stretched, restored, light, alpha):
    """All parts but the relit image."""
    reflectance = tf.minimum(stretched / tf.maximum(light, _SMALLEST_LIGHT), 1.0)
    adjusted = exposed(light, tf.math.log(alpha)[:, tf.newaxis])
    return Enhanced(stretched, reflectance, light, restored, adjusted, alpha=alpha)
