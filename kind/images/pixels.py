"""What a decoded photograph is: in floats, and in the numbers that its file has."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kind.errors import UserError
from kind.images.metadata import Metadata


class ImageError(UserError):
    """An image that cannot be read or written; the one-line message names it and says what to do."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photograph, upright, together with what should survive until it is written again.

    Attributes:
        pixels: float32 [H, W, 3], RGB in [0, 1], with the file's transfer curve (sRGB as a rule; not linear).
        alpha: float32 [H, W] in [0, 1], 1 where opaque; None when the file carries no transparency.
        icc_profile: the file's RGB colour profile, which describes `pixels`; None without one.
        gray: whether the file was grayscale; the three channels are then equal.
        notes: what the user should be told, e.g. "12 frames or pages: the first is used".
        metadata: what else the file says.
        bits: 8, or 16 when the file has more than 8 in a sample; what it is written with where that can be.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    icc_profile: bytes | None = None
    gray: bool = False
    notes: tuple[str, ...] = ()
    metadata: Metadata = Metadata()
    bits: int = 8

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[:2]


@dataclass(frozen=True, eq=False)
class StoredPhoto:
    """A decoded photograph, upright, in the numbers that its file has: 3 bytes a pixel instead of 12.

    Attributes:
        levels: uint8, uint16 or uint32 at full scale, or float32 in [0, 1]; [H, W, 3], or [H, W, 1] when the
            file was grayscale.
        alpha: opacity [H, W] in the same numbers; None when the file carries none.
        icc_profile: see `Photo`.
        notes: see `Photo`.
        metadata: see `Photo`.
        is_raw: whether they are a sensor's values: as dark as the exposure was, with all of its noise.
    """

    levels: np.ndarray
    alpha: np.ndarray | None = None
    icc_profile: bytes | None = None
    notes: tuple[str, ...] = ()
    metadata: Metadata = Metadata()
    is_raw: bool = False

    @property
    def bits(self) -> int:
        """See `Photo`."""
        return 8 if self.levels.dtype == np.uint8 else 16

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.levels.shape[:2]

    @property
    def gray(self) -> bool:
        """Whether the file was grayscale."""
        return self.levels.shape[2] == 1

    @property
    def colours(self) -> np.ndarray:
        """R, G and B, [H, W, 3], without a copy; three times the same of a grayscale photograph."""
        return np.broadcast_to(self.levels, (*self.size, 3))

    def without_colours(self) -> StoredPhoto:
        """What `write_photo` needs for `like`, in little memory."""
        nothing = np.zeros((1, 1, self.levels.shape[2]), self.levels.dtype)
        alpha = None if self.alpha is None else self.alpha.copy()
        return replace(self, levels=np.broadcast_to(nothing, self.levels.shape), alpha=alpha)

    def in_floats(self) -> Photo:
        """The same in [0, 1]."""
        return Photo(
            pixels=np.ascontiguousarray(np.broadcast_to(in_unit_range(self.levels), (*self.size, 3))),
            alpha=None if self.alpha is None else np.ascontiguousarray(in_unit_range(self.alpha)),
            icc_profile=self.icc_profile,
            gray=self.gray,
            notes=self.notes,
            metadata=self.metadata,
            bits=self.bits,
        )


def in_unit_range(samples: np.ndarray) -> np.ndarray:
    """Levels, unsigned integers of any depth, or floats → float32, 0 to 1."""
    if samples.dtype.kind == "u":
        return np.divide(samples, np.float32(np.iinfo(samples.dtype).max), dtype=np.float32)
    return samples


def in_levels(pixels: np.ndarray) -> np.ndarray:
    """Floats, clipped to [0, 1], or levels → uint8, rounded; uint8 as it is."""
    if pixels.dtype == np.uint8:
        return pixels
    return np.rint(np.clip(in_unit_range(pixels), 0, 1) * 255).astype(np.uint8)


def in_sixteen_bits(pixels: np.ndarray) -> np.ndarray:
    """Floats, clipped to [0, 1] → uint16, rounded."""
    # float32 has 24 bits, so that 65535ths come back as they were.
    return np.rint(np.clip(in_unit_range(pixels), 0, 1) * np.float32(65535)).astype(np.uint16)
