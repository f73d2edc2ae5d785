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
    progress = Progress("photographs")

    def images() -> Iterator[np.ndarray]:
        for done, path in enumerate(paths):
            progress(done, len(paths))
            try:
                pixels = read_photo(path).pixels
            except ImageError as error:
                left_out.append(str(error))
                continue
            if min(pixels.shape[:2]) < BLOCK:
                left_out.append(f"{path}: smaller than {BLOCK}x{BLOCK}")
                continue
            yield pixels

    model, blocks = fit_niqe_model(images(), source)
    used = len(paths) - len(left_out)
    name = f"{source} ({used} photographs, {blocks} blocks, T = {SHARPNESS_THRESHOLD})"
    return model._replace(name=name), left_out
