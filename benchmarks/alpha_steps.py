"""How much brighter a doubling of α makes a photograph: `python -m benchmarks.alpha_steps PHOTOGRAPHS`.

α is how many times the light. So α = 1 should give the photograph back, and each doubling should be about a
stop in the mid-tones. Black should stay black and white white, under the suggested α too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.suggested_alpha import read_at_most
from kind.cli.markdown_option import add_markdown_argument
from kind.constants import BT601
from kind.enhancing.enhancer import Enhancer
from kind.images.finding import find_photos
from kind.images.pixels import in_levels, in_unit_range
from kind.images.srgb import to_linear
from kind.metrics.psnr import psnr
from kind.reports.table import Table, markdown_table, text_table

VARIANTS = ("lite", "kind")

_LONGEST = 640  # pixels
_ALPHAS = (1, 2, 4, 8)
_MID_TONES = (0.2, 0.5)  # lumas before a doubling
_FEWEST = 0.01  # of the pixels, for a figure of them
_BLACK, _WHITE = 2, 253  # levels
_INSIDE = 7  # pixels: an area is what has this square around it

_LUMA = np.float32(BT601)

GIVEN_BACK = "α = 1 gives it back, dB"
BLACK, WHITE = "black rises to, levels", "white falls to, levels"


def main() -> int:
    """Measures and prints one line for each variant and figure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photographs", type=Path, help="folder of photographs")
    parser.add_argument(
        "--variant", action="append", choices=VARIANTS, help=f"repeatable (default: {', '.join(VARIANTS)})"
    )
    add_markdown_argument(parser, "alpha-steps")
    flags = parser.parse_args()
    photographs = [read_at_most(path, _LONGEST) for path in find_photos([flags.photographs])]
    lines = []
    for variant in flags.variant or VARIANTS:
        enhancer, found = Enhancer.load(variant=variant), {}
        for photograph in photographs:
            for name, value in figures_of(enhancer, np.asarray(photograph)):
                found.setdefault(name, []).append(value)
        lines += [[variant, name, *_spread(values)] for name, values in sorted(found.items())]
    table = Table(["variant", "figure", "photographs", "smallest", "median", "largest"], lines, words={0, 1})
    print(text_table(table))
    if flags.markdown:
        facts = f"- {flags.photographs.name}: {len(photographs)} images, longer side at most {_LONGEST}"
        flags.markdown.write(f"{facts}\n\n{markdown_table(table)}")
    return 0


def figures_of(enhancer: Enhancer, levels: np.ndarray) -> Iterator[tuple[str, float]]:
    """Yields the figures of one photograph, uint8 [H, W, 3]; those for which it has enough pixels.

    The stops of a doubling are the median, over pixels whose luma lies in the mid-tones before it, of log₂ of
    the ratio of their linear light. Black and white are areas of pixels at the ends of the scale;
    of each, the median of the result's largest, and smallest, of R, G and B under the suggested α.
    """
    relit = {alpha: np.asarray(enhancer(levels, float(alpha), parts=("relit",)).relit) for alpha in _ALPHAS}
    yield GIVEN_BACK, min(psnr(in_unit_range(in_levels(relit[1])), in_unit_range(levels)), 60.0)
    for alpha in _ALPHAS[:-1]:
        before, after = relit[alpha] @ _LUMA, relit[2 * alpha] @ _LUMA
        is_mid = (before > _MID_TONES[0]) & (before < _MID_TONES[1])
        if is_mid.mean() >= _FEWEST:
            yield (
                f"{alpha} → {2 * alpha}, stops",
                np.median(np.log2(to_linear(after[is_mid]) / to_linear(before[is_mid]))),
            )
    shown = in_levels(np.asarray(enhancer(levels, parts=("relit",)).relit))
    is_black, is_white = _inside(levels.max(axis=2) <= _BLACK), _inside(levels.min(axis=2) >= _WHITE)
    if is_black.mean() >= _FEWEST:
        yield BLACK, np.median(shown.max(axis=2)[is_black])
    if is_white.mean() >= _FEWEST:
        yield WHITE, np.median(shown.min(axis=2)[is_white])


def _inside(mask: np.ndarray) -> np.ndarray:
    """The pixels around which a square is all in the mask."""
    from scipy.ndimage import minimum_filter

    return minimum_filter(mask, _INSIDE, mode="nearest")


def _spread(values: list[float]) -> list[str]:
    digits = 2 if max(values) < 20 else 1
    ends = np.min(values), np.median(values), np.max(values)
    return [str(len(values)), *(f"{value:.{digits}f}" for value in ends)]


if __name__ == "__main__":
    sys.exit(main())
