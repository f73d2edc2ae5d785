"""Whole samples on disk, by index: image pairs, and the frozen decomposition of image pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.data.arrays import default_memory, find_unusable, pack, read_array, unpacker, write_array
from kind.data.pairs import Pair
from kind.errors import UserError
from kind.images.photo import read_photo
from kind.nn.saving import weights_digest
from kind.ops.stretch import min_max_stretch

DIGEST_LENGTH = 24
"""Characters of a SHA-256 in file names: 96 bits."""

DECODING_VERSION = 5
"""To be counted up with every change that makes other values of the same file: decoding, stretching.

Caches are kept by it, so that no array of earlier code is used. A test watches the code.
"""

RECORDED_VERSION = 1
"""The version that run folders record in their digests.

To be set to `DECODING_VERSION` when no run may be resumed that began before it. Version 2 changed TIFF
files of floats whose white is zero, and refuses signed ones; 3 and 4 average the photographs of
mixtures in another order of additions; 5 reads 16 bits of TIFFs whose colours are multiplied by alpha: no
reason to keep all runs from being resumed.
"""


Progress = Callable[[str, int, int, str], None]
"""Called with what is done, how many are done, how many there are, and what they are, in the plural."""


@dataclass(frozen=True)
class Source:
    """Samples that can be read by index inside `tf.data`.

    Attributes:
        names: of the samples.
        images: for each sample, the image file that a message should name.
        files: for each key of a sample, one cached array per sample.
        channels: for each key, the number of channels.
    """

    names: tuple[str, ...]
    images: tuple[str, ...]
    files: dict[str, tuple[str, ...]]
    channels: dict[str, int]

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.names)

    def digests(self) -> dict[str, str]:
        """For each sample, text that changes with its images' bytes, or the weights that made its arrays."""
        return {
            name: _digest("\n".join(f"{key} {_made_of(paths[index])}" for key, paths in self.files.items()))
            for index, name in enumerate(self.names)
        }

    def reader(self, memory: int | None = None) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
        """A function from an index, int64 scalar, to a sample of uint16 [H, W, C] arrays.

        Args:
            memory: hold the arrays in memory when they take no more bytes than this; otherwise each is read
                from its file when it is wanted. By default half of the memory that is free.

        Returns:
            The function, for use in `tf.data`.
        """
        paths = [path for files in self.files.values() for path in files]
        if sum(Path(path).stat().st_size for path in paths) <= (
            default_memory() if memory is None else memory
        ):
            channels = self.channels
            readers = {
                key: unpacker(pack(files, channels[key]), channels[key]) for key, files in self.files.items()
            }
            return lambda index: {key: read(index) for key, read in readers.items()}
        tables = {key: tf.constant(files) for key, files in self.files.items()}
        return lambda index: {
            key: read_array(tf.gather(table, index), self.channels[key]) for key, table in tables.items()
        }

    def smallest_side(self) -> tuple[int, str]:
        """The shortest height or width among the samples, in pixels, and the image file that has it."""
        first = next(iter(self.files.values()))
        sides = (int(np.fromfile(path, "<u2", count=2).min()) for path in first)
        return min(zip(sides, self.images))


def pair_source(pairs: Sequence[Pair], cache: Path, progress: Progress | None = None) -> Source:
    """Decodes and stretches image pairs, each file once for all time.

    Args:
        pairs: see `data.pairs.find_pairs`.
        cache: folder for the decoded arrays.
        progress: see `Progress`.

    Returns:
        Samples `{low, high}`, [H, W, 3], min-max stretched as the published code does on loading.

    Raises:
        kind.images.photo.ImageError: when a file cannot be read.
    """
    contents = content_digests([path for pair in pairs for path in (pair.low, pair.high)])
    folder = cache / versioned("images", DECODING_VERSION)
    files = {
        side: tuple(str(folder / f"{contents[getattr(pair, side)]}.u16") for pair in pairs)
        for side in ("low", "high")
    }
    unusable = find_unusable(dict.fromkeys((path for paths in files.values() for path in paths), 3))
    missing = []
    for pair, *paths in zip(pairs, *files.values()):  # a file of several pairs is decoded once
        wanted = {path: image for path, image in zip(paths, (pair.low, pair.high)) if path in unusable}
        unusable -= wanted.keys()
        if wanted:
            missing.append(wanted)
    with ThreadPoolExecutor() as pool:
        for done, _ in enumerate(pool.map(_decode_all, missing), start=1):
            if progress:
                progress("decoding images", done, len(missing), "pairs")
    return _source(pairs, files, {"low": 3, "high": 3})


def decomposed_source(
    pairs: Sequence[Pair], decom: keras.Model, cache: Path, progress: Progress | None = None
) -> Source:
    """Takes the whole images of pairs apart with a frozen network, once per network.

    Whole images, because the network sees 20 pixels around each pixel: crops decomposed on their own
    would differ at their borders.

    Args:
        pairs: see `data.pairs.find_pairs`.
        decom: image → [reflectance, illumination].
        cache: folder for the arrays; they are kept by the network's weights.
        progress: as in `pair_source`.

    Returns:
        Samples `{reflectance_low, illumination_low, reflectance_high, illumination_high}`, [H, W, 3 or 1].

    Raises:
        kind.images.photo.ImageError: when a file cannot be read.
    """
    contents = content_digests([path for pair in pairs for path in (pair.low, pair.high)])
    digest = weights_digest(decom)[:DIGEST_LENGTH]
    folder = cache / "decompositions" / versioned(digest, DECODING_VERSION)
    files = {
        f"{part}_{side}": tuple(str(folder / f"{contents[getattr(pair, side)]}.{part}.u16") for pair in pairs)
        for side in ("low", "high")
        for part in ("reflectance", "illumination")
    }
    images = {contents[path]: path for pair in pairs for path in (pair.low, pair.high)}
    channels = {key: 3 if key.startswith("reflectance") else 1 for key in files}
    unusable = find_unusable({path: channels[key] for key, paths in files.items() for path in paths})
    missing = {
        content: path
        for content, path in images.items()
        if any(str(folder / f"{content}.{part}.u16") in unusable for part in ("reflectance", "illumination"))
    }
    for done, (content, path) in enumerate(missing.items(), start=1):
        reflectance, illumination = decom(_stretched(path)[tf.newaxis], training=False)
        write_array(folder / f"{content}.reflectance.u16", reflectance[0].numpy())
        write_array(folder / f"{content}.illumination.u16", illumination[0].numpy())
        if progress:
            progress("decomposing", done, len(missing), "images")
    return _source(pairs, files, channels)


def versioned(folder: str, version: int) -> str:
    """A cache folder's name for a version of the code; the first is from before there were versions."""
    return folder if version == 1 else f"{folder}-{version}"


def _source(pairs: Sequence[Pair], files: dict[str, tuple[str, ...]], channels: dict[str, int]) -> Source:
    return Source(tuple(pair.name for pair in pairs), tuple(str(pair.low) for pair in pairs), files, channels)


def content_digests(paths: Sequence[Path]) -> dict[Path, str]:
    """SHA-256 of each file's bytes, `DIGEST_LENGTH` characters of it.

    Raises:
        UserError: a file cannot be read.
    """
    with ThreadPoolExecutor() as pool:
        return dict(zip(paths, pool.map(_digest_of_file, paths)))


def _digest_of_file(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:DIGEST_LENGTH]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}): mend it, or take it away") from error


def _made_of(path: str) -> str:
    """A cached array's folder and name, which say from what bytes and by what weights it was made."""
    folder = versioned(Path(path).parent.name.removesuffix(f"-{DECODING_VERSION}"), RECORDED_VERSION)
    return f"{folder}/{Path(path).name}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def _stretched(path: Path) -> tf.Tensor:
    """An image file → float32 [H, W, 3], min-max stretched."""
    return min_max_stretch(tf.constant(read_photo(path).pixels)[tf.newaxis])[0]


def _decode_all(images: Mapping[str, Path]) -> None:
    """Decodes images, by the files that their arrays are written to."""
    for path, image in images.items():
        write_array(Path(path), _stretched(image).numpy())
