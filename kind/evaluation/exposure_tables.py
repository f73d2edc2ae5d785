"""The table of `kind evaluate exposures`, and what each of its figures rests on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kind.enhancing.enhancer import Enhancer
from kind.evaluation.exposures import AUTO_MEAN, GroupFigures
from kind.reports.table import NOTHING, Table

_DIGITS = 12
# Heading, decimals and factor of each figure. Up and down say which way is better.
_COLUMNS = {
    "psnr": ("PSNR ↑", 2, 1),
    "psnr_mean": ("PSNR, GT-mean ↑", 2, 1),
    "ssim": ("SSIM ↑", 3, 1),
    "delta_e": ("ΔE2000 ↓", 2, 1),
    "blown": ("blown % ↓", 2, 100),
    "chroma": ("chroma", 2, 1),
    "hue": ("hue ° ↓", 1, 1),
    "border": ("border", 2, 1),
    "psnr_lowest": ("lowest PSNR ↑", 2, 1),
    "worse": ("worse than input ↓", 0, 1),
}

Figures = Mapping[str, Mapping[str, GroupFigures]]
"""For each case, for each method, what `kind.evaluation.exposures.score` returns."""


def figures_table(found: Figures) -> Table:
    """One line for each case and method."""
    lines = [
        [case if number == 0 else "", method, *(_cell(*item) for item in figures._asdict().items())]
        for case, by_method in found.items()
        for number, (method, figures) in enumerate(by_method.items())
    ]
    return Table(["case", "method", *(heading for heading, _, _ in _COLUMNS.values())], lines, (0, 1))


def lines_of(found: Figures) -> Iterator[list]:
    """The same for a CSV file, unrounded."""
    for case, by_method in found.items():
        for method, figures in by_method.items():
            yield [case, method, *figures]


def facts(
    chosen: Sequence[tuple[Path, Sequence]],
    split: str,
    seed: int,
    enhancers: Mapping[str, Enhancer],
    alpha: float | None,
) -> list[tuple[str, str]]:
    """Data, protocol, weights and definitions, in words."""
    data = [f"{folder.resolve().name}, split {split}: {len(images)} images" for folder, images in chosen]
    own = "α of its own choice" if alpha is None else f"α = {alpha:g}"
    weights = []
    for name, enhancer in enhancers.items():
        digests = (f"{stage} {digest[:_DIGITS]}" for stage, digest in enhancer.digests().items())
        weights.append((name, f"{', '.join(digests)}; {own}"))
    return [
        ("Data", "; ".join(data)),
        (
            "Cases",
            f"seed {seed}; each photograph is the truth of five cases: identity; -1, -2 and -4 stops in "
            "linear light, the last with noise; backlit, all but the bright side 3 stops down. Pairs are as "
            "they are",
        ),
        *weights,
        ("Baselines", f"auto-exposure is one gain in linear light to a mean of {AUTO_MEAN:g}"),
        (
            "Figures",
            "raw protocol, outputs in 8 bits. PSNR of identical images counts as 60 dB. "
            "GT-mean by the mean of R, G and B. Blown: pixels "
            "clipped in the output and not in the truth. Chroma: CIELAB, output over truth, median. Hue: "
            "mean shift. Border: error of the outer 8 pixels over that of the rest. Lowest: of the worst "
            "image. Worse: images with a lower PSNR than the input has itself, and below 40 dB",
        ),
    ]


def _cell(figure: str, value: float) -> str:
    _, decimals, factor = _COLUMNS[figure]
    return NOTHING if math.isnan(value) else f"{factor * value:.{decimals}f}"
