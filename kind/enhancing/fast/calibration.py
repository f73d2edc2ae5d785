"""The ranges of what is rounded to 8 bits, from photographs taken with too little light, and with enough."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from kind.enhancing.fast.operators import Range
from kind.errors import UserError
from kind.images.photo import read_photo

Extremes = Mapping[str, np.ndarray]
"""For each tensor that is rounded, what its channels rarely go below and above: float32 [2, C] by name."""

_PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
SIDE = 288
"""Of the photographs, in pixels: a multiple of 32."""

_EXPOSURES = (1.0, 1 / 4, 1 / 12, 1 / 40)  # of the light
_FACTORS = (1.0, 1 / 4, 4.0)  # of the suggested α
_FULL_WELL, _READ_NOISE = 4000.0, 4.0  # as in `data.samples`, electrons
_CUT_OFF = 1e-4  # of the pixels at either end
_EVENNESS = 0.9  # 1 gives each channel its own range, 0 all of them the same
_LOWS = np.linspace(0.0, 1.0, 21)


def photographs() -> Iterator[np.ndarray]:
    """The colour photographs that ship with scikit-image, under several exposures: uint8 [288, 288, 3]."""
    import skimage.data

    folder = Path(skimage.data.__file__).parent
    random = np.random.default_rng(0)
    for name in _PHOTOGRAPHS:
        shown = read_photo(folder / name).pixels
        top, left = ((length - SIDE) // 2 for length in shown.shape[:2])
        shown = shown[top : top + SIDE, left : left + SIDE]
        light = ((shown + 0.055) / 1.055) ** 2.4
        for exposure in _EXPOSURES:
            electrons = random.poisson(light * (exposure * _FULL_WELL))
            electrons = electrons + random.normal(0, _READ_NOISE, shown.shape)
            dark = np.clip(electrons / _FULL_WELL, 0.0, 1.0) if exposure < 1 else light
            yield np.rint(255 * np.maximum(1.055 * dark ** (1 / 2.4) - 0.055, 0.0)).astype(np.uint8)


def measured(
    values_of: Callable[[np.ndarray, float], Mapping[str, np.ndarray]], images: Iterable[np.ndarray]
) -> dict[str, np.ndarray]:
    """Measures.

    Args:
        values_of: from an image, and a factor of the α that is suggested for it, to the tensors,
            [1, C, h, w] by name.
        images: uint8 [H, W, 3].

    Returns:
        See `Extremes`.
    """
    found: dict[str, np.ndarray] = {}
    for image in images:
        for factor in _FACTORS:
            for name, values in values_of(image, factor).items():
                ordered = np.sort(values.reshape(values.shape[1], -1), axis=1)
                cut = max(1, round(_CUT_OFF * ordered.shape[1]))
                ends = np.stack([ordered[:, cut], ordered[:, -1 - cut]])
                last = found.get(name, ends)
                found[name] = np.stack([np.minimum(last[0], ends[0]), np.maximum(last[1], ends[1])])
    return found


def ranges(extremes: Extremes, lows: Sequence[float] = _LOWS) -> dict[str, Range]:
    """Chooses how tensors are rounded.

    A channel's own scale makes its steps small and the kernel's, which is multiplied by it, uneven; so the
    scales lie between the channel's own and the largest one. The lowest value is the same for all of a
    layer's channels: that of `lows`, below 0, which makes their steps the smallest, in the geometric mean.
    """
    return {name: _range(*ends, lows) for name, ends in extremes.items()}


def _range(lowest: np.ndarray, highest: np.ndarray, lows: Sequence[float]) -> Range:
    lowest, highest = np.minimum(lowest, 0.0), np.maximum(highest, 1e-3)
    lows = [low for low in lows if low or not lowest.any()]
    scales = [np.maximum(highest, -lowest / low) if low else highest for low in lows]
    costs = [np.log(scale * (1.0 + low)).mean() for scale, low in zip(scales, lows)]
    best = int(np.argmin(costs))
    scale = scales[best]
    even = scale**_EVENNESS * scale.max() ** (1.0 - _EVENNESS)
    return Range(even.astype(np.float32), -float(lows[best]))


def write_extremes(path: Path, digest: str, extremes: Extremes) -> None:
    """Writes what `read_extremes` reads: JSON, numbers with five digits."""
    layers = {
        name: [[float(f"{value:.5g}") for value in row] for row in ends] for name, ends in extremes.items()
    }
    path.write_text(json.dumps({"weights": digest, "layers": layers}) + "\n", encoding="utf-8")


def read_extremes(path: Path, digest: str) -> dict[str, np.ndarray] | None:
    """Reads the extremes of these weights; None when there is no file, or it belongs to others.

    Raises:
        UserError: when the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["weights"] != digest:
            return None
        found = {name: np.array(ends, np.float32).reshape(2, -1) for name, ends in content["layers"].items()}
        if not found or not all(ends.size and np.isfinite(ends).all() for ends in found.values()):
            raise ValueError("no ranges")
        return found
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a file of ranges for int8: install the package anew") from error
