"""What losses are shown on: the reference photograph, and the networks that some of them look through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kind.losses import catalogue
from kind.losses.catalogue import Entry


def reference_photograph(file: Path | None, side: int) -> np.ndarray:
    """A photograph, or a built-in one.

    Args:
        file: of the photograph; None takes the built-in one.
        side: length of its shorter side, in pixels.

    Returns:
        float32 [H, W, 3] in [0, 1].

    Raises:
        UserError: when the file cannot be read.
    """
    from PIL import Image

    from kind.data.samples import builtin_samples
    from kind.images.photo import read_photo
    from kind.images.pil import to_pil

    if file is None:
        sample = next(sample for sample in builtin_samples() if sample.name == "coffee")
        pixels = sample.high / 255.0
    else:
        pixels = read_photo(file).pixels
    height, width = pixels.shape[:2]
    scale = side / min(height, width)
    size = (round(width * scale), round(height * scale))
    return np.asarray(to_pil(pixels).resize(size, Image.Resampling.LANCZOS), np.float32) / 255


def network_for(entry: Entry, features: str | None = None) -> Callable[[Any], Any] | None:
    """The frozen network that a loss looks through; None where it needs none.

    Args:
        entry: of the catalogue.
        features: FILE[:LAYER] of the network for losses of features; None takes the detector that ships.

    Raises:
        UserError: when the file cannot be read.
    """
    if entry.inputs == catalogue.FEATURES:
        from kind.cli.feature_files import load_features
        from kind.training.objective import file_and_layer

        file, layer = file_and_layer(features or "")
        return load_features(file, (layer,) if layer else ())
    if entry.inputs == catalogue.DECOMPOSITION:
        from kind.nn.saving import load_net
        from kind.nn.weights_folder import find_weights

        net = load_net(find_weights(["decom"])["decom"], "decom")
        return lambda image: net(image, training=False)[0]
    return None
