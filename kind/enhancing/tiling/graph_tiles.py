"""Large images in tiles inside a graph, where their size is not known before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import tensorflow as tf

Parts = dict[str, tf.Tensor]


class TileSpec(NamedTuple):
    """How to cut images of any size.

    Attributes:
        size: of the delivered part of a tile, a multiple of the networks' stride.
        halo: how far they see, a multiple of their stride.
        whole_pixels: images of at most so many pixels need no cutting.
    """

    size: int
    halo: int
    whole_pixels: int

    def holds(self, images: tf.Tensor) -> tf.Tensor:
        """Whether images, [N, H, W, C], need no cutting: bool scalar."""
        height, width = tf.unstack(tf.shape(images)[1:3])
        return height * width <= self.whole_pixels


def in_tiles(
    make: Callable[[tf.Tensor, tf.Tensor], Parts],
    images: tf.Tensor,
    channels: Mapping[str, int],
    square: TileSpec,
) -> Parts:
    """Runs a function on overlapping tiles and puts what it makes together.

    Args:
        make: from a window of the image, float32 [1, h, w, 3], and the row and column of its first pixel,
            int32 [2], to parts, float32 [1, h, w, C] by name.
        images: one image, float32 [1, H, W, 3].
        channels: C of each part.
        square: how to cut.

    Returns:
        The parts of the whole image, float32 [1, H, W, C], as if `make` had seen all of it.
    """
    rows, columns = _axes(images, square)

    def band(number: tf.Tensor) -> Parts:
        window, kept_rows = rows.cut(number)
        strip = images[:, window]

        def piece(number: tf.Tensor) -> Parts:
            columns_window, kept = columns.cut(number)
            origin = tf.stack([window.start, columns_window.start])
            made = make(strip[:, :, columns_window], origin)
            # Arrays are joined along their first axis, which is the width's for now.
            return {name: tf.transpose(made[name][0, kept_rows, kept], [1, 0, 2]) for name in channels}

        joined = _joined(piece, columns.count, channels)
        return {name: tf.transpose(part, [1, 0, 2]) for name, part in joined.items()}

    return {name: part[tf.newaxis] for name, part in _joined(band, rows.count, channels).items()}


def _axes(images: tf.Tensor, square: TileSpec) -> tuple[_Axis, _Axis]:
    return tuple(_Axis(length, square) for length in tf.unstack(tf.shape(images)[1:3]))


class _Axis:
    """The tiles along one axis, see `kind.enhancing.tiling.tiles`."""

    def __init__(self, length: tf.Tensor, square: TileSpec) -> None:
        self._length, self._size, self._halo = length, square.size, square.halo
        self.count = -(-length // square.size)

    def cut(self, number: tf.Tensor) -> tuple[slice, slice]:
        """What to compute, and which part of that to keep."""
        keep = number * self._size
        keep_end = tf.minimum(self._length, keep + self._size)
        start = tf.maximum(0, keep - self._halo)
        stop = tf.minimum(self._length, keep_end + self._halo)
        return slice(start, stop), slice(keep - start, keep_end - start)


def _joined(make: Callable[[tf.Tensor], Parts], count: tf.Tensor, channels: Mapping[str, int]) -> Parts:
    """What `make` gives for 0, 1, … count - 1, joined along the first axis; one after another, for memory."""
    arrays = {
        name: tf.TensorArray(tf.float32, count, infer_shape=False, element_shape=[None, None, depth])
        for name, depth in channels.items()
    }

    def step(number, arrays):
        made = make(number)
        return number + 1, {name: array.write(number, made[name]) for name, array in arrays.items()}

    _, arrays = tf.while_loop(
        lambda number, _: number < count, step, (tf.constant(0), arrays), parallel_iterations=1
    )
    return {name: array.concat() for name, array in arrays.items()}
