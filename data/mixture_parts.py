"""The parts of a training mixture, decoded: pairs and bright photographs."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kind.data.arrays import find_unusable, write_array
from kind.data.dark_twins import PRESETS
from kind.data.photographs import (
    Photograph,
    find_bright_photographs,
    is_pairs,
    split_photographs,
    training_pairs,
)
from kind.data.sources import DECODING_VERSION, Progress, Source, content_digests, versioned
from kind.errors import UserError
from kind.images.area import area_resized_array
from kind.images.photo import read_photo
from kind.training.part_text import Part

THUMBNAIL = 128
"""Side of the thumbnails that exposure is judged by, in pixels."""


@dataclass(frozen=True)
class MixturePart:
    """A part of a mixture that has been decoded.

    Attributes:
        name: of the part.
        weight: relative to the other parts.
        training: samples `{low, high}`, or `{high}` of bright photographs.
        validation: the same of held-out scenes; None when there are none.
        thumbnails: of the training pairs' dark images, `{low}`, 128×128; None for bright photographs.
        twins: see `kind.training.part_text.Part`.
    """

    name: str
    weight: float
    training: Source
    validation: Source | None
    thumbnails: Source | None
    twins: str = ""


def open_part(
    part: Part, cache: Path, progress: Progress | None = None, side: int | None = None
) -> MixturePart:
    """Decodes a part, each file once for all time; nothing is stretched.

    Args:
        part: as the user gave it.
        cache: folder for the decoded arrays.
        progress: see `kind.data.sources.Progress`.
        side: training photographs are averaged down to a shorter side of so many pixels where they have
            more. Validation photographs never are.

    Raises:
        UserError: when files are missing or unreadable, or the preset of the twins is none.
    """
    is_bright = not is_pairs(part.folder)
    if part.twins and not (is_bright and part.twins in PRESETS):
        wanted = f"of {', '.join(PRESETS)}" if is_bright else "for bright photographs only, not for pairs"
        raise UserError(f"--data {part.name}: expects a preset {wanted}; received {part.twins!r}")
    if is_bright:
        split = split_photographs(find_bright_photographs(part.folder))
        learned = split.training if part.held_out else [*split.training, *split.validation]
        training = _source({"high": learned}, cache, progress, side)
        validation = split.validation if part.held_out else []
        held_out = _source({"high": validation}, cache, progress) if validation else None
        return MixturePart(part.name, part.weight, training, held_out, None, part.twins)
    sources = []
    for pairs in training_pairs(part):
        sides = {
            side: [Photograph(pair.name, getattr(pair, side)) for pair in pairs] for side in ("low", "high")
        }
        is_training = not sources
        sources.append(_source(sides, cache, progress, side if is_training else None) if pairs else None)
        if is_training:
            thumbnails = _source({"low": sides["low"]}, cache, progress, THUMBNAIL, square=True)
    return MixturePart(part.name, part.weight, *sources, thumbnails)


def fitting(part: MixturePart, patch: int) -> MixturePart:
    """The part without the images that are smaller than a patch.

    Raises:
        UserError: when nothing is left to train on.
    """
    files = next(iter(part.training.files.values()))
    kept = [number for number, file in enumerate(files) if min(np.fromfile(file, "<u2", count=2)) >= patch]
    if not kept:
        raise UserError(f"--patch {patch} is more than the shorter side of all images of {part.name}")
    sources = {name: getattr(part, name) for name in ("training", "thumbnails")}
    return replace(part, **{name: source and _some(source, kept) for name, source in sources.items()})


def _some(source: Source, kept: Sequence[int]) -> Source:
    return Source(
        tuple(source.names[number] for number in kept),
        tuple(source.images[number] for number in kept),
        {key: tuple(files[number] for number in kept) for key, files in source.files.items()},
        source.channels,
    )


def _source(
    sides: dict[str, Sequence[Photograph]],
    cache: Path,
    progress: Progress | None,
    side: int | None = None,
    square: bool = False,
) -> Source:
    """Decoded photographs, by key, averaged down to a shorter side, or to squares."""
    paths = sorted({one.path for many in sides.values() for one in many})
    contents = content_digests(paths)
    name = f"photographs{'-square' if square else ''}{'' if side is None else f'-{side}'}"
    folder = cache / versioned(name, DECODING_VERSION)
    files = {path: folder / f"{content}.u16" for path, content in contents.items()}
    unusable = find_unusable({str(file): 3 for file in files.values()})
    missing = [path for path in paths if str(files[path]) in unusable]
    with ThreadPoolExecutor() as pool:
        for done, _ in enumerate(
            pool.map(lambda path: _decode(path, files[path], side, square), missing), start=1
        ):
            if progress:
                progress("decoding", done, len(missing), "images")
    first = next(iter(sides.values()))
    return Source(
        tuple(one.name for one in first),
        tuple(str(one.path) for one in first),
        {key: tuple(str(files[one.path]) for one in many) for key, many in sides.items()},
        dict.fromkeys(sides, 3),
    )


def _decode(image: Path, file: Path, side: int | None, square: bool) -> None:
    pixels = read_photo(image).pixels
    height, width = pixels.shape[:2]
    if square:
        pixels = area_resized_array(pixels, side, side)
    elif side is not None and min(height, width) > side:
        scale = side / min(height, width)
        pixels = area_resized_array(pixels, round(height * scale), round(width * scale))
    write_array(file, pixels)
