"""Animations in GIF and WebP files, in and out, by Pillow."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from kind.constants import MAX_PIXELS
from kind.errors import UserError
from kind.files import atomic_write
from kind.images.decoding import check_size, format_of_file, open_header
from kind.images.photo import naming, opened
from kind.images.pixels import ImageError

ANIMATION_SUFFIXES = (".gif", ".webp")

_FORMATS = {"GIF", "WEBP"}
_MOST_PIXELS = 5 * MAX_PIXELS  # of all frames together: Pillow holds them until the last one is there
_DEFAULT_QUALITY = 90
_COLOURS = 256  # of a GIF's frame


@dataclass(frozen=True)
class Animation:
    """An animated GIF or WebP.

    Attributes:
        path: the file.
        size: height and width.
        lengths: how long each frame is shown, in milliseconds.
        loop: how often all is shown, 0 without end; None, once, says nothing of it.
        notes: what the user should be told.
        icc_profile: of a WebP, if it has one.
    """

    path: Path
    size: tuple[int, int]
    lengths: tuple[int, ...]
    loop: int | None
    notes: tuple[str, ...] = ()
    icc_profile: bytes | None = None

    @property
    def count(self) -> int:
        """Number of frames."""
        return len(self.lengths)

    @property
    def rate(self) -> Fraction:
        """Frames in a second, on average."""
        return Fraction(1000 * self.count, max(sum(self.lengths), 1))

    def seconds(self, index: int) -> float:
        """When a frame is shown, counted from the first one."""
        return sum(self.lengths[:index]) / 1000


def is_animation(path: Path) -> bool:
    """Whether a file is a GIF or WebP of several frames; reads no further than the second one."""
    if path.suffix.lower() not in ANIMATION_SUFFIXES:
        return False
    try:
        with path.open("rb") as file:
            form = format_of_file(file)
            return form in _FORMATS and open_header(file, form).is_animated
    except Exception:  # whoever reads it says what is wrong
        return False


def open_animation(path: Path) -> Animation:
    """Reads the frames of an animation once, for their times.

    Raises:
        ImageError: it is damaged, cut short, or larger than 250 megapixels, all frames together.
    """
    lengths = []
    with _image(path) as image:
        check_size(*image.size, _MOST_PIXELS)
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            lengths.append(max(0, round(image.info.get("duration") or 0)))
            if math.prod(image.size) * len(lengths) > _MOST_PIXELS:
                raise UserError(f"its frames have more than {_MOST_PIXELS // 10**6} megapixels: cut it first")
        loop, profile = image.info.get("loop"), image.info.get("icc_profile")
        return Animation(path, image.size[::-1], tuple(lengths), loop, icc_profile=profile)


def animation_frames(animation: Animation, start: int = 0) -> Iterator[tuple[int, np.ndarray]]:
    """Decodes an animation.

    Args:
        animation: of `open_animation`.
        start: the first frame.

    Yields:
        Number and pixels, uint8 [H, W, 4], RGB and opacity, as the frame is shown.

    Raises:
        ImageError: the file is damaged, or another one by now.
    """
    with _image(animation.path) as image:
        for number in range(start, animation.count):
            image.seek(number)
            yield number, np.asarray(image.convert("RGBA"))


def write_animation(
    target: Path,
    frames: Iterable[np.ndarray],
    animation: Animation,
    quality: int | None = None,
    *,
    strip: bool = False,
) -> None:
    """Writes frames with the times of an animation; the file is wholly there or not at all.

    Equal frames in a row may become one that is shown longer. A frame of a GIF has 256 colours of its own.

    Args:
        target: GIF or WebP by its suffix.
        frames: uint8 [H, W, 4], RGB and opacity.
        animation: that they were made of.
        quality: 1 to 100, of WebP; None is 90.
        strip: the file gets today's date.

    Raises:
        ImageError: the file cannot be written, or holds no more frames than `frames` gives.
    """
    is_gif = target.suffix.lower() == ".gif"
    images = (_for_gif(pixels) if is_gif else _for_webp(pixels) for pixels in frames)
    lengths = list(animation.lengths)
    if is_gif:
        options = {"format": "GIF", "disposal": 2, "optimize": False}
    else:
        quality = _DEFAULT_QUALITY if quality is None else quality
        # Every frame is a key frame: libwebp 1.6 loses the opacity of lossy frames that refer to others.
        options = {"format": "WEBP", "quality": quality, "method": 4, "kmin": 0, "kmax": 1}
        if animation.icc_profile:
            options["icc_profile"] = animation.icc_profile
    if animation.loop is not None:
        options["loop"] = animation.loop
    elif not is_gif:
        options["loop"] = 1
    first = next(images)
    try:
        with atomic_write(target) as temporary:
            first.save(temporary, save_all=True, append_images=images, duration=lengths, **options)
            if not strip:
                os.utime(temporary, ns=(os.stat(animation.path).st_mtime_ns,) * 2)
    except UserError:
        raise
    except OSError as error:
        raise ImageError(
            f"{target}: cannot be written ({error.strerror or error}): choose another place"
        ) from error


@contextlib.contextmanager
def _image(path: Path) -> Iterator[Image.Image]:
    with opened(path) as file, naming(str(path)):
        form = format_of_file(file)
        if form not in _FORMATS:
            raise UserError("is no GIF or WebP: give it the suffix of its format")
        yield open_header(file, form)


def _for_gif(pixels: np.ndarray) -> Image.Image:
    image = Image.fromarray(pixels)
    return image if pixels[..., 3].min() < 255 else image.convert("RGB").quantize(_COLOURS)


def _for_webp(pixels: np.ndarray) -> Image.Image:
    image = Image.fromarray(pixels)
    return image if pixels[..., 3].min() < 255 else image.convert("RGB")
