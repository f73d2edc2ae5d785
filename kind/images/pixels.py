"""What a decoded photograph is: in floats, and in the numbers that its file has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kind.errors import UserError


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
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    icc_profile: bytes | None = None
    gray: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class StoredPhoto:
    """A decoded photograph, upright, in the numbers that its file has: 3 bytes a pixel instead of 12.

    Attributes:
        samples: uint8, uint16 or others of up to 32 bits, full scale, or float32 in [0, 1]; [H, W, C] with
            C = 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA.
        icc_profile: see `Photo`.
        notes: see `Photo`.
    """

    samples: np.ndarray
    icc_profile: bytes | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.samples.shape[:2]

    @property
    def gray(self) -> bool:
        """Whether the file was grayscale."""
        return self.samples.shape[2] < 3

    @property
    def colours(self) -> np.ndarray:
        """R, G and B, [H, W, 3], without a copy; three times the same of a grayscale photograph."""
        if self.gray:
            return np.broadcast_to(self.samples[..., :1], (*self.size, 3))
        return self.samples[..., :3]

    @property
    def alpha(self) -> np.ndarray | None:
        """Opacity [H, W], without a copy; None when the file carries none."""
        return self.samples[..., -1] if self.samples.shape[2] in (2, 4) else None

    def in_floats(self) -> Photo:
        """The same in [0, 1]."""
        samples = in_unit_range(self.samples)
        return Photo(
            pixels=np.repeat(samples[..., :1], 3, axis=2)
            if self.gray
            else np.ascontiguousarray(samples[..., :3]),
            alpha=None if self.alpha is None else np.ascontiguousarray(samples[..., -1]),
            icc_profile=self.icc_profile,
            gray=self.gray,
            notes=self.notes,
        )


def in_unit_range(samples: np.ndarray) -> np.ndarray:
    """Levels, unsigned integers of any depth, or floats → float32, 0 to 1."""
    if samples.dtype.kind == "u":
        return np.divide(samples, np.float32(np.iinfo(samples.dtype).max), dtype=np.float32)
    return samples


def in_levels(pixels: np.ndarray) -> np.ndarray:
    """Floats, clipped to [0, 1] → uint8, rounded; uint8 as it is."""
    return pixels if pixels.dtype == np.uint8 else np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
