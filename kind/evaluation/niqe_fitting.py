"""Fitting NIQE's pristine model to photographs on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kind.images.photo import ImageError, read_photo
from kind.metrics.niqe_features import BLOCK
from kind.metrics.niqe_model import SHARPNESS_THRESHOLD, NiqeModel, fit_niqe_model
from kind.reports.progress import Progress


def fit_to_photographs(paths: Sequence[Path], source: str) -> tuple[NiqeModel, list[str]]:
    """Fits a model to files, with progress on stderr.

    Args:
        paths: clean photographs.
        source: where they come from, for the model's name.

    Returns:
        The model, whose name tells source, photographs, blocks and threshold; and for each photograph that
        could not be read, or is smaller than a block, the one line that says so.

    Raises:
        UserError: when too few sharp blocks are found.
    """
    left_out: list[str] = []

    def usable(path: Path) -> Iterator[np.ndarray]:
        try:
            pixels = read_photo(path).pixels
        except ImageError as error:
            left_out.append(str(error))
            return
        if min(pixels.shape[:2]) < BLOCK:
            left_out.append(f"{path}: smaller than {BLOCK}x{BLOCK}")
        else:
            yield pixels

    def images(progress: Progress) -> Iterator[np.ndarray]:
        for done, path in enumerate(paths, 1):
            yield from usable(path)
            progress(done, len(paths))  # the features of this photograph have been computed by now

    with Progress("photographs") as progress:
        model, blocks = fit_niqe_model(images(progress), source)
    used = len(paths) - len(left_out)
    name = f"{source} ({used} photographs, {blocks} blocks, T = {SHARPNESS_THRESHOLD})"
    return model._replace(name=name), left_out
