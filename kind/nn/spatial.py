"""How far a layer sees, said by the layer itself: what tiles of images are planned by.

A layer of this package has two methods, here those of one whose pixels depend on the same pixels only. Layers
of Keras have neither; `kind.enhancing.tiling.receptive_field` knows those that the networks use.
"""

from __future__ import annotations


class Pointwise:
    """Part of a layer each of whose output pixels depends on the same pixel of every input, and no other."""

    def input_span(self, first: int, last: int) -> tuple[int, int]:
        """The first and last input pixel, along either axis, that pixels `first` to `last` depend on."""
        return first, last

    def output_grid(self, scale: float, multiple: int) -> tuple[float, int]:
        """Size and divisor of the output's sides.

        Args:
            scale: the input's sides as a part of the image's.
            multiple: of which both sides of the input are known to be a multiple, whatever the image's size.

        Returns:
            The same of the output.
        """
        return scale, multiple
