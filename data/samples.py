"""Built-in dark photographs: five that ship with scikit-image, taken again with far too little light.

They let a first training, a demo and the tests run on any machine without a download.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

import numpy as np
import skimage.data

from kind.errors import UserError
from kind.images.photo import read_photo, write_photo
from kind.images.srgb import to_linear, to_srgb

# Colour photographs inside the scikit-image wheel. They are read as files: skimage.data's own functions
# would fetch from the network what is not there.
_PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
_LONGEST_SIDE = 600
_QUICK_TILE = 192

DARKEST, BRIGHTEST = 1 / 40, 1 / 10
"""The exposures, relative to the photograph's own: 5.3 to 3.3 stops under, as dark as the LOL data set."""

FULL_WELL = 4000.0
"""Electrons that one pixel holds when it is white: a small sensor at its base sensitivity."""

READ_NOISE = 4.0
"""Standard deviation of the electronics' noise, in electrons."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A photograph and its dark twin.

    Attributes:
        name: the photograph's name, without suffix.
        low: the dark one, uint8 [H, W, 3], sRGB.
        high: the well exposed one, uint8 [H, W, 3], sRGB, the same scene pixel for pixel.
    """

    name: str
    low: np.ndarray
    high: np.ndarray


def darken(high: np.ndarray, exposure: float, random: np.random.Generator) -> np.ndarray:
    """Takes a photograph again with less light.

    The model: `x`, the image in linear light, fills each pixel with `exposure · FULL_WELL · x` electrons on
    average. Their number is Poisson distributed (shot noise), and reading it out adds a Gaussian of
    standard deviation READ_NOISE. Divided by FULL_WELL, clipped, sRGB encoded and rounded to 8 bits, it is
    an image again. So dark regions lose contrast to noise and to too few levels, as in a real dark
    photograph; what a camera does besides (mosaic, white balance, denoising, JPEG) is left out.

    Args:
        high: uint8 [H, W, 3], sRGB.
        exposure: how much of the light is left, in (0, 1].
        random: where the noise comes from.

    Returns:
        uint8 [H, W, 3], sRGB.

    Raises:
        ValueError: an exposure outside (0, 1].
    """
    if not 0 < exposure <= 1:
        raise ValueError(f"exposure expects a fraction in (0, 1], received {exposure}")
    electrons = random.poisson(exposure * FULL_WELL * to_linear(high / 255.0))
    read_out = electrons + random.normal(0.0, READ_NOISE, high.shape)
    return np.rint(to_srgb(np.clip(read_out / FULL_WELL, 0.0, 1.0)) * 255.0).astype(np.uint8)


def builtin_samples(seed: int = 0) -> list[Sample]:
    """Makes the built-in pairs, whole photographs of at most 600 pixels a side.

    Args:
        seed: the same seed gives the same bytes.

    Returns:
        Five samples in a fixed order, from dusk to near black.

    Raises:
        UserError: this installation of scikit-image lacks one of the photographs.
    """
    return list(_samples(seed, tile=None))


def write_pairs(folder: Union[str, Path], seed: int = 0, tile: Optional[int] = None) -> Path:
    """Writes pairs of dark and well exposed images, as training expects them.

    Args:
        folder: receives `low/NAME.png` and `high/NAME.png`; made when missing.
        seed: the same seed gives the same files.
        tile: when given, every photograph is cut into as many squares of this side as fit next to each
            other. Each is darkened by itself, so that training sees some twenty exposures (at a side of
            192) rather than five, and the model's random crops still find room in each.

    Returns:
        `folder`.

    Raises:
        UserError: no photograph is as large as `tile`, or the files cannot be written.
        ValueError: a tile below 1.

    Example:
        >>> write_pairs("pairs", tile=192)  # then: python train_stage.py decom --data pairs …
    """
    folder = Path(folder)
    for sample in _samples(seed, tile):
        write_photo(folder / "low" / f"{sample.name}.png", sample.low / np.float32(255))
        write_photo(folder / "high" / f"{sample.name}.png", sample.high / np.float32(255))
    return folder


def quick_pairs(cache: Path) -> Path:
    """Writes the pairs that `--quick` trains on, into a folder of the cache; returns that folder."""
    return write_pairs(cache / "built-in", tile=_QUICK_TILE)


def write_dark(folder: Union[str, Path], seed: int = 0) -> list[Path]:
    """Writes the dark photographs alone, as something to enhance.

    Args:
        folder: receives `NAME.png`; made when missing.
        seed: the same seed gives the same files, equal to `low/` of `write_pairs`.

    Returns:
        The files written.

    Raises:
        UserError: the files cannot be written.
    """
    paths = []
    for sample in _samples(seed, tile=None):
        paths.append(Path(folder) / f"{sample.name}.png")
        write_photo(paths[-1], sample.low / np.float32(255))
    return paths


def _samples(seed: int, tile: Optional[int]) -> Iterator[Sample]:
    images = list(bright_photographs() if tile is None else _tiles(tile))
    if not images:
        raise UserError(f"no built-in photograph holds a square of {tile} pixels: choose 427 or less")
    for index, (name, high) in enumerate(images):
        random = np.random.default_rng((seed, index))
        exposure = DARKEST * (BRIGHTEST / DARKEST) ** random.random()  # every stop is equally likely
        yield Sample(name, darken(high, exposure, random), high)


def bright_photographs() -> Iterator[tuple[str, np.ndarray]]:
    """The name and levels, uint8 [H, W, 3], of each photograph as it ships.

    Raises:
        UserError: this installation of scikit-image lacks one of them.
    """
    folder = Path(skimage.data.__file__).parent
    for file in _PHOTOGRAPHS:
        if not (folder / file).is_file():
            raise UserError(
                f"{folder / file}: missing from scikit-image: install scikit-image from its wheel"
            )
        high = np.rint(read_photo(folder / file).pixels * 255).astype(np.uint8)
        # Cut at the right rather than resized, which would smooth the photograph's own grain away.
        yield file.split("_")[0].split(".")[0], high[:_LONGEST_SIDE, :_LONGEST_SIDE]


def _tiles(side: int) -> Iterator[tuple[str, np.ndarray]]:
    if side < 1:
        raise ValueError(f"tile expects a side of at least 1 pixel, received {side}")
    for name, high in bright_photographs():
        height, width = high.shape[:2]
        for row in range(height // side):
            for column in range(width // side):
                top, left = row * side, column * side
                yield f"{name}_{row}{column}", high[top : top + side, left : left + side]
