"""Annotated photographs by index inside `tf.data`: as they are, or as the detector sees their dark twins."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kind.constants import DEFAULT_ALPHA, MAX_SEED
from kind.data.annotations.annotated import AnnotatedImage
from kind.data.arrays import find_unusable, to_float, write_array
from kind.data.darkening import PRESETS, Darkness, darken
from kind.data.sources import DECODING_VERSION, DIGEST_LENGTH, Progress, Source, versioned
from kind.detection.canvas import Piece
from kind.detection.inputs import detector_inputs, needs_enhancer
from kind.enhancing.enhancer import Enhancer
from kind.images.photo import read_photo

NOT_DARKENED = "none"

MAKING_VERSION = 1
"""To be counted up with every change that makes other arrays of the same photograph: darkening, shrinking.

Together with `kind.data.sources.DECODING_VERSION`, caches are kept by it. A test watches the code.
"""


class Making(NamedTuple):
    """How arrays are made of photographs.

    Attributes:
        darken: a preset of `data.darkening`, or "none".
        twins: dark twins a photograph.
        seed: of the twins; each depends on it, its number and the photograph's bytes alone.
        side: larger arrays are shrunk to this longer side, last; None keeps their size.
        enhancer: None will do for kinds that need none.
        alpha: how much brighter the kind "relit" is.
    """

    darken: str = NOT_DARKENED
    twins: int = 1
    seed: int = 0
    side: int | None = None
    enhancer: Enhancer | None = None
    alpha: float = DEFAULT_ALPHA


@dataclass(frozen=True, eq=False)
class AnnotatedSource:
    """Images with boxes, each in one or several versions.

    Attributes:
        arrays: the images, `{image}`; all versions of one stand together.
        annotated: what they were made of.
        versions: of each image.
    """

    arrays: Source
    annotated: tuple[AnnotatedImage, ...]
    versions: int

    def __len__(self) -> int:
        """Number of images."""
        return len(self.annotated)

    @property
    def images(self) -> tuple[str, ...]:
        """For each image the file that a message should name."""
        return tuple(str(item.path) for item in self.annotated)

    def digests(self) -> dict[str, str]:
        """For each image, text that changes with its bytes, its boxes, or what its arrays were made with."""
        arrays = list(self.arrays.digests().values())
        digests = {}
        for number, item in enumerate(self.annotated):
            digest = hashlib.sha256("".join(arrays[number * self.versions :][: self.versions]).encode())
            for values in _trained_on(item):
                digest.update(values.tobytes())
            digests[self.arrays.names[number * self.versions]] = digest.hexdigest()[:DIGEST_LENGTH]
        return digests

    def reader(self, memory: int | None = None) -> Callable[[tf.Tensor, tf.Tensor], Piece]:
        """A function from an index and a version, int64 scalars, to an image with its boxes.

        Args:
            memory: see `data.sources.Source.reader`.

        Returns:
            The function, for use in `tf.data`.
        """
        read = self.arrays.reader(memory)
        objects = [_trained_on(item) for item in self.annotated]
        ends = np.cumsum([0, *(len(classes) for _, classes in objects)])
        sizes = tf.constant([item.size for item in self.annotated], tf.float32)
        boxes = tf.constant(np.concatenate([boxes for boxes, _ in objects]), tf.float32)
        classes = tf.constant(np.concatenate([classes for _, classes in objects]), tf.int32)

        def piece(index: tf.Tensor, version: tf.Tensor) -> Piece:
            image = to_float(read(index * self.versions + version)["image"])
            begin, end = tf.gather(ends, index), tf.gather(ends, index + 1)
            # The array may be smaller than the photograph that the boxes speak of.
            shrunk = tf.cast(tf.shape(image)[:2], tf.float32) / tf.gather(sizes, index)
            return Piece(image, boxes[begin:end] * tf.tile(shrunk[::-1], [2]), classes[begin:end])

        return piece


def make_sources(
    images: Sequence[AnnotatedImage],
    kinds: Sequence[str],
    making: Making,
    cache: Path,
    progress: Progress | None = None,
) -> dict[str, AnnotatedSource]:
    """Makes what the detector sees of photographs, once for all time.

    Photographs are darkened and enhanced whole and at full size, as those are that the detector is used on.

    Args:
        images: the photographs.
        kinds: see `detection.inputs.INPUTS`; the networks run once for all of them.
        making: how.
        cache: folder for the arrays.
        progress: see `kind.data.sources.Progress`.

    Returns:
        A source for each kind.

    Raises:
        kind.images.photo.ImageError: when a file cannot be read.
    """
    with ThreadPoolExecutor() as pool:
        contents = list(pool.map(lambda image: _digest(image.path.read_bytes()), images))
    folders = {kind: cache / "detection" / _folder_name(kind, making) for kind in kinds}
    files = {
        kind: [str(folder / f"{content}.{twin}.u16") for content in contents for twin in range(making.twins)]
        for kind, folder in folders.items()
    }
    unusable = find_unusable({path: 3 for paths in files.values() for path in paths})
    numbers = range(len(images) * making.twins)
    missing = {
        Path(files[kinds[0]][number]).name: number
        for number in numbers
        if any(files[kind][number] in unusable for kind in kinds)
    }
    for done, number in enumerate(missing.values(), start=1):
        image, twin = divmod(number, making.twins)
        made = _made(images[image], contents[image], twin, kinds, making)
        for kind, array in made.items():
            write_array(Path(files[kind][number]), array)
        if progress:
            progress("preparing", done, len(missing), "images")
    names = [f"{name} {twin}" for name in _names(images) for twin in range(making.twins)]
    paths = tuple(str(image.path) for image in images for _ in range(making.twins))
    return {
        kind: AnnotatedSource(
            Source(tuple(names), paths, {"image": tuple(files[kind])}, {"image": 3}),
            tuple(images),
            making.twins,
        )
        for kind in kinds
    }


def _made(
    image: AnnotatedImage, content: str, twin: int, kinds: Sequence[str], making: Making
) -> dict[str, np.ndarray]:
    """One photograph, or one of its dark twins, by kind."""
    pixels = tf.constant(read_photo(image.path).pixels)
    if making.darken != NOT_DARKENED:
        seed = [(making.seed + twin) & MAX_SEED, int(content[:7], 16)]
        pixels = dark_twin(pixels, tf.constant(seed, tf.int32), PRESETS[making.darken])
    seen = detector_inputs(making.enhancer, pixels[tf.newaxis], kinds, making.alpha)
    return {kind: np.asarray(shrunk(array, making.side)[0]) for kind, array in seen.items()}


def dark_twin(image: tf.Tensor, seed: tf.Tensor, darkness: Darkness) -> tf.Tensor:
    """As `data.darkening.darken`, rounded to 8 bits as the files are that a detector is used on."""
    return tf.round(darken(image, seed, darkness) * 255.0) / 255.0


def shrunk(images: tf.Tensor, side: int | None) -> tf.Tensor:
    """Images, float32 [N, H, W, 3], no longer than `side` on their longer side."""
    height, width = images.shape[1:3]
    if side is None or max(height, width) <= side:
        return images
    scale = side / max(height, width)
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    return tf.clip_by_value(tf.image.resize(images, size, "bilinear", antialias=True), 0.0, 1.0)


def _trained_on(item: AnnotatedImage) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and classes without crowds and difficult objects, as is usual in training."""
    return item.boxes[item.counted], item.classes[item.counted]


def _folder_name(kind: str, making: Making) -> str:
    """Says what arrays are made with; changes with each of it."""
    parts = [kind, making.darken, f"seed {making.seed}", f"side {making.side}"]
    if making.darken != NOT_DARKENED:
        parts.append(str(PRESETS[making.darken]))
    if needs_enhancer(kind):
        parts += [f"alpha {making.alpha}"] if kind == "relit" else ["own alpha"]
        parts += making.enhancer.digests().values()
    if MAKING_VERSION > 1:
        parts.append(f"version {MAKING_VERSION}")
    return versioned(f"{kind}-{_digest(' '.join(parts).encode())}", DECODING_VERSION)


def _names(images: Sequence[AnnotatedImage]) -> list[str]:
    """Paths below the folder that all images are in, so that a data set may be moved."""
    folder = os.path.commonpath([image.path.resolve().parent for image in images])
    return [os.path.relpath(image.path.resolve(), folder) for image in images]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGEST_LENGTH]
