"""How images are cut into tiles of few sizes, each of which has a graph of its own."""

from __future__ import annotations

from typing import NamedTuple

from kind.enhancing.tiling.tiles import Tile, tile_sizes, tiles

_SIDES = 32  # a tile's sides are multiples of it, so that images of similar sizes share what is compiled


class TilePlan(NamedTuple):
    """How large images are cut.

    Attributes:
        border: mirrored pixels around an image.
        halo: how far the networks see, up to a multiple of the stride.
        stride: of the coarsest pooling.
        pixels: of a tile with its halo, at most.
    """

    border: int
    halo: int
    stride: int
    pixels: int


def planned(height: int, width: int, plan: TilePlan) -> list[tuple[Tile, Tile]]:
    """The tiles of an image; their sides are multiples of 32, and reach into its mirrored border."""
    outer = height + 2 * plan.border, width + 2 * plan.border
    sizes = tile_sizes(*outer, plan.halo, plan.stride, plan.pixels)
    rows, columns = (
        [_rounded_up(tile).inside(plan.border, length) for tile in tiles(whole, size, plan.halo, plan.stride)]
        for length, whole, size in zip((height, width), outer, sizes)
    )
    return [(row, column) for row in rows for column in columns]


def _rounded_up(tile: Tile) -> Tile:
    return tile._replace(stop=tile.start + -(-(tile.stop - tile.start) // _SIDES) * _SIDES)
