"""What enhancing an image gives."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Union

import numpy as np
from PIL import Image

from kind.enhancing.alpha_text import alpha_text
from kind.images.photo import Photo, StoredPhoto, write_photo
from kind.images.pil import to_pil

if TYPE_CHECKING:
    import tensorflow as tf

Part = Union[np.ndarray, "tf.Tensor"]
"""Images of a batch: an array; a tensor inside a graph."""

_NOTEBOOK_SIDE = 1024  # pixels: a notebook keeps every picture that it shows


class Enhanced(NamedTuple):
    """The parts of a batch of enhanced images, float32 in [0, 1], or uint8 where levels were wanted.

    Parts that were not asked for are None. Of a single image, the parts come without the batch dimension N.
    Arrays may be read-only: copy one (`enhanced.relit.copy()`) to change it.

    Attributes:
        stretched: the min-max stretched input S, [N, H, W, 3].
        reflectance: R of the dark image, [N, H, W, 3].
        illumination: L of the dark image, [N, H, W, 1].
        restored: the cleaned reflectance R̂, [N, H, W, 3].
        adjusted: the adjusted illumination L̂, [N, H, W, 1].
        relit: the enhanced image, [N, H, W, 3].
        alpha: α that the illumination was adjusted by, [N], from 0 on; always there.

    Example:
        >>> enhanced = Enhancer.load()("night.jpg")
        >>> enhanced
        Enhanced(relit 400×600, α 4.21; with stretched, reflectance, illumination, restored, adjusted)
        >>> enhanced.save("relit.jpg")
    """

    stretched: Part | None = None
    reflectance: Part | None = None
    illumination: Part | None = None
    restored: Part | None = None
    adjusted: Part | None = None
    relit: Part | None = None
    alpha: Part | None = None

    def __repr__(self) -> str:
        """One line: size, number of images, α and the other parts that are there."""
        there = {name: part for name, part in zip(self._fields, self) if part is not None and name != "alpha"}
        main = "relit" if "relit" in there else next(iter(there), "")
        others = [name for name in there if name != main]
        shape = [str(length) for length in there[main].shape] if main else []
        count = f"{shape[0]} images of " if len(shape) == 4 else ""
        return f"Enhanced({main} {count}{'×'.join(shape[-3:-1])}{_alphas(self.alpha)}" + (
            f"; with {', '.join(others)})" if others else ")"
        )

    def mapped(self, function: Callable[[Part], Part]) -> Enhanced:
        """What `function` makes of each part that is there, α too."""
        return Enhanced(*(part if part is None else function(part) for part in self))

    def in_levels(self) -> Enhanced:
        """The same parts as uint8, rounded."""
        import tensorflow as tf

        rounded = {
            name: tf.cast(tf.round(tf.clip_by_value(part, 0.0, 1.0) * 255.0), tf.uint8)
            for name, part in zip(PARTS, self)
            if part is not None
        }
        return self._replace(**rounded)

    def to_pil(self, number: int = 0) -> Image.Image:
        """The enhanced image for Pillow.

        Args:
            number: which image of a batch; of a single image only 0.

        Returns:
            A Pillow image, RGB, 8 bits (rounded).

        Raises:
            ValueError: when `relit` was not asked for.
            IndexError: when there is no such image.

        Example:
            >>> enhancer("night.jpg").to_pil().resize((300, 200))
        """
        return to_pil(self._relit(number))

    #: The earlier name of `to_pil`.
    relit_image = to_pil

    def save(
        self,
        path: str | Path,
        number: int = 0,
        *,
        like: Photo | StoredPhoto | None = None,
        quality: int | None = None,
    ) -> None:
        """Writes the enhanced image in the format of the file's suffix: 8 bits, or 16 like the photograph.

        Args:
            path: the file, wholly there or not at all; missing folders are made.
            number: see `to_pil`.
            like: the photograph that was enhanced, as `kind.read_photo` gives it: what
                `kind.write_photo` keeps of it is kept.
            quality: 1 to 100, for JPEG and WebP; None takes that of `like`, or 95.

        Raises:
            UserError: unknown suffix, or a place that cannot be written.
            ValueError: when `relit` was not asked for.
            IndexError: when there is no such image.

        Example:
            >>> photo = kind.read_photo("night.jpg")
            >>> enhancer(photo.pixels).save("relit.jpg", like=photo)
        """
        write_photo(path, self._relit(number), like=like, quality=quality)

    def show(self, number: int = 0) -> None:
        """Opens the enhanced image in the system's viewer; see `to_pil`."""
        self.to_pil(number).show()

    def _repr_png_(self) -> bytes | None:
        """What notebooks show: the enhanced images side by side, made smaller where they are large."""
        if self.relit is None:
            return None
        relit = np.asarray(self.relit)
        image = to_pil(relit if relit.ndim == 3 else np.concatenate(list(relit), axis=1))
        image.thumbnail((_NOTEBOOK_SIDE, _NOTEBOOK_SIDE))
        file = io.BytesIO()
        image.save(file, "PNG")
        return file.getvalue()

    def _relit(self, number: int) -> np.ndarray:
        """One enhanced image, [H, W, 3]."""
        if self.relit is None:
            raise ValueError("this expects the part 'relit'; name it in parts, or leave parts out")
        relit = np.asarray(self.relit)
        return (relit if relit.ndim == 4 else relit[np.newaxis])[number]


def _alphas(alpha: Part | None) -> str:
    """α for people, ", α 4.21"; of a batch the smallest and the largest."""
    if alpha is None or not isinstance(alpha, (np.ndarray, np.generic)) or not alpha.size:
        return ""
    low, high = (alpha_text(float(value)) for value in (np.min(alpha), np.max(alpha)))
    return f", α {low}" if low == high else f", α {low} to {high}"


PARTS = Enhanced._fields[:-1]
"""Names of the parts that can be asked for."""

CHANNELS = dict(zip(PARTS, (3, 3, 1, 3, 1, 3)))
"""Number of channels of each part."""
