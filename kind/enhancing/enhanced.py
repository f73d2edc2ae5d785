"""What enhancing an image gives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from kind.images.pil import to_pil


class Enhanced(NamedTuple):
    """The parts of a batch of enhanced images, float32 in [0, 1], or uint8 where levels were wanted.

    Parts that were not asked for are None.

    Of a single image, the parts come without the batch dimension N.

    Attributes:
        stretched: the min-max stretched input S, [N, H, W, 3].
        reflectance: R of the dark image, [N, H, W, 3].
        illumination: L of the dark image, [N, H, W, 1].
        restored: the cleaned reflectance R̂, [N, H, W, 3].
        adjusted: the adjusted illumination L̂, [N, H, W, 1].
        relit: the enhanced image, [N, H, W, 3].
        alpha: α that the illumination was adjusted by, [N], from 0 on; always there.
    """

    stretched: tf.Tensor | None = None
    reflectance: tf.Tensor | None = None
    illumination: tf.Tensor | None = None
    restored: tf.Tensor | None = None
    adjusted: tf.Tensor | None = None
    relit: tf.Tensor | None = None
    alpha: tf.Tensor | None = None

    def in_levels(self) -> Enhanced:
        """The same parts as uint8, rounded."""
        rounded = {
            name: tf.cast(tf.round(tf.clip_by_value(part, 0.0, 1.0) * 255.0), tf.uint8)
            for name, part in zip(PARTS, self)
            if part is not None
        }
        return self._replace(**rounded)

    def relit_image(self, number: int = 0) -> Image.Image:
        """The enhanced image for Pillow.

        Args:
            number: which image of a batch; of a single image only 0.

        Returns:
            A Pillow image, RGB, 8 bits (rounded).

        Raises:
            ValueError: when `relit` was not asked for.
            IndexError: when there is no such image.

        Example:
            >>> enhancer("night.jpg").relit_image().save("relit.png")
        """
        if self.relit is None:
            raise ValueError("relit_image expects the part 'relit'; name it in parts, or leave parts out")
        relit = np.asarray(self.relit)
        return to_pil((relit if relit.ndim == 4 else relit[np.newaxis])[number])


PARTS = Enhanced._fields[:-1]
"""Names of the parts that can be asked for."""

CHANNELS = dict(zip(PARTS, (3, 3, 1, 3, 1, 3)))
"""Number of channels of each part."""
