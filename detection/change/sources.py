"""What pairs are made of, or read from, as arrays on disk by index inside `tf.data`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kind.data.annotations.layouts import read_yolo_folder
from kind.data.arrays import find_unusable, write_array
from kind.data.photographs import Photograph, find_bright_photographs, split_photographs
from kind.data.sources import DECODING_VERSION, DIGEST_LENGTH, Progress, Source, versioned
from kind.detection.change.cutouts import SIDE, cut_outs
from kind.detection.change.folders import Triplet, check_sizes, read_label
from kind.detection.sources import shrunk
from kind.errors import UserError
from kind.images.photo import read_photo

MAKING_VERSION = 1
"""To be counted up with every change that makes other arrays of the same file."""

PARTS = ("training", "validation", "test")
_LONGEST = 448  # pixels of a photograph's longer side

Boxes = dict[Path, np.ndarray]


class Material(NamedTuple):
    """What pairs are made of.

    Attributes:
        photographs: samples `{image}`, [H, W, 3].
        objects: samples `{cut_outs}`, [K·128, 128, 4], cut out of the same photographs.
    """

    photographs: Source
    objects: Source

    def digests(self) -> dict[str, str]:
        """For each photograph, text that changes with its bytes or with its boxes."""
        both = zip(self.photographs.digests().items(), self.objects.digests().values())
        return {name: f"{first}{second}"[: 2 * DIGEST_LENGTH] for (name, first), second in both}


def find_photographs(folders: Sequence[str | Path], part: str) -> tuple[list[Photograph], Boxes]:
    """The photographs of a part, those of each folder apart, and the boxes of objects in them.

    Of each 16 photographs of a folder by sorted name, three are for tests and one is for validation; see
    `kind.data.photographs.split_photographs`. Files with the same bytes count once.

    Args:
        folders: of photographs, perhaps with YOLO's `images/` and `labels/`.
        part: one of `PARTS`.

    Returns:
        The photographs, and float32 [G, 4] by path.

    Raises:
        UserError: when a folder holds none, annotations are broken, or the part is empty.
    """
    found: list[Photograph] = []
    boxes: Boxes = {}
    seen: set[str] = set()
    for folder in map(Path, folders):
        distinct = [one for one in find_bright_photographs(folder) if _is_new(one.path, seen)]
        found += getattr(split_photographs(distinct), part)
        if (folder / "labels").is_dir():
            annotations = read_yolo_folder(folder, repair=True)
            boxes.update({image.path.resolve(): image.boxes[image.counted] for image in annotations.images})
    if not found:
        raise UserError(
            f"{', '.join(map(str, folders))}: too few photographs: none is left for the {part} part; of each "
            "16, three are for tests and one is for validation"
        )
    return found, boxes


def make_material(
    photographs: Sequence[Photograph], boxes: Boxes, cache: Path, progress: Progress | None = None
) -> Material:
    """Decodes photographs and cuts the objects out of them, each once for all time.

    Args:
        photographs: to make pairs of.
        boxes: of the objects in them, by resolved path.
        cache: folder for the arrays.
        progress: see `kind.data.sources.Progress`.

    Returns:
        Both, in the order of the photographs.

    Raises:
        kind.images.photo.ImageError: when a file cannot be read.
    """
    none = np.zeros([0, 4], np.float32)
    boxes_of = [np.asarray(boxes.get(one.path.resolve(), none), np.float32) for one in photographs]
    contents = [_digest(one.path.read_bytes()) for one in photographs]
    cut = [_digest(content.encode() + one.tobytes()) for content, one in zip(contents, boxes_of)]
    folder = _cache_folder(cache, "photographs")
    files = {
        "image": tuple(str(folder / f"{content}.u16") for content in contents),
        "cut_outs": tuple(str(folder / f"{name}.objects.u16") for name in cut),
    }
    unusable = find_unusable(dict.fromkeys(files["image"], 3) | dict.fromkeys(files["cut_outs"], 4))
    missing = [
        number for number, paths in enumerate(zip(*files.values())) if any(path in unusable for path in paths)
    ]
    for done, number in enumerate(missing, start=1):
        pixels = read_photo(photographs[number].path).pixels
        image = np.asarray(shrunk(tf.constant(pixels)[tf.newaxis], _LONGEST)[0])
        write_array(Path(files["image"][number]), image)
        random = np.random.default_rng(int(contents[number][:8], 16))
        objects = cut_outs(image, boxes_of[number] * (image.shape[1] / pixels.shape[1]), random)
        write_array(Path(files["cut_outs"][number]), objects.reshape(-1, SIDE, 4))
        if progress:
            progress("cutting objects out", done, len(missing), "photographs")
    names = tuple(f"{number} {one.name}" for number, one in enumerate(photographs))
    paths = tuple(str(one.path) for one in photographs)
    channels = {"image": 3, "cut_outs": 4}
    return Material(
        *(Source(names, paths, {key: files[key]}, {key: channels[key]}) for key in ("image", "cut_outs"))
    )


def triplet_source(triplets: Sequence[Triplet], cache: Path, progress: Progress | None = None) -> Source:
    """Decodes triplets, each file once for all time.

    Args:
        triplets: see `detection.change.folders`.
        cache: folder for the arrays.
        progress: see `kind.data.sources.Progress`.

    Returns:
        Samples `{before, after, label}`, [H, W, 3, 3 and 1].

    Raises:
        UserError: when the files of a triplet differ in size.
        kind.images.photo.ImageError: when a file cannot be read.
    """
    check_sizes(triplets)
    folder, channels = _cache_folder(cache, "triplets"), {"before": 3, "after": 3, "label": 1}
    with ThreadPoolExecutor() as pool:
        files = {
            key: tuple(
                str(folder / f"{name}.{channels[key]}.u16")
                for name in pool.map(lambda one, key=key: _digest(getattr(one, key).read_bytes()), triplets)
            )
            for key in channels
        }
    unusable = find_unusable({path: channels[key] for key, paths in files.items() for path in paths})
    missing = {
        path: (key, getattr(one, key))
        for key, paths in files.items()
        for path, one in zip(paths, triplets)
        if path in unusable
    }
    for done, (path, (key, file)) in enumerate(missing.items(), start=1):
        write_array(Path(path), read_label(file) if key == "label" else read_photo(file).pixels)
        if progress:
            progress("decoding images", done, len(missing), "files")
    names, images = tuple(one.name for one in triplets), tuple(str(one.before) for one in triplets)
    return Source(names, images, files, channels)


def object_reader(objects: Source) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function from a photograph's index and a number in [0, 1) to one of its cut-outs: [128, 128, 4]."""
    read = objects.reader()

    def cut_out(index: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        every = read(index)["cut_outs"]
        count = tf.shape(every)[0] // SIDE
        number = tf.minimum(tf.cast(draw * tf.cast(count, tf.float32), tf.int32), count - 1)
        return tf.ensure_shape(every[number * SIDE : (number + 1) * SIDE], [SIDE, SIDE, 4])

    return cut_out


def _is_new(path: Path, seen: set[str]) -> bool:
    """Whether no file with these bytes was seen before; it is from now on."""
    digest = _digest(path.read_bytes())
    is_new = digest not in seen
    seen.add(digest)
    return is_new


def _cache_folder(cache: Path, name: str) -> Path:
    return cache / "change" / versioned(versioned(name, MAKING_VERSION), DECODING_VERSION)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGEST_LENGTH]
