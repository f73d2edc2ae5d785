"""How steady the suggested α is: `python -m benchmarks.suggested_alpha PHOTOGRAPHS`.

One photograph has one exposure, whatever size and format its file has. Each photograph is made into files of
half, twice and four times its size, of several JPEG qualities, and of other formats; printed is by how much α
of these files differs from α of the photograph as a PNG file at its size, in percent of the latter.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from kind.cli.markdown_option import add_markdown_argument
from kind.enhancing.enhancer import Enhancer
from kind.enhancing.variants import add_variant_argument
from kind.images.finding import find_photos
from kind.images.photo import decode_photo, read_photo
from kind.images.pixels import in_levels
from kind.reports.table import Table, markdown_table, text_table

_LONGEST = 1024  # pixels of a photograph at its size; four times as many are the largest file
_FACTORS = (0.5, 2, 4)
_QUALITIES = (50, 75, 95)
_ALLOWED = 10.0  # percent


def main() -> int:
    """Measures and prints one line for each kind of file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photographs", type=Path, help="folder of photographs")
    add_variant_argument(parser)
    add_markdown_argument(parser, "alpha")
    flags = parser.parse_args()
    enhancer = Enhancer.load(variant=flags.variant)
    differences = defaultdict(dict)
    paths = find_photos([flags.photographs])
    for path in paths:
        photograph = read_at_most(path, _LONGEST)
        suggested = suggested_alpha(enhancer, _pixels(photograph, "PNG"))
        for kind, pixels in files_of(photograph):
            alpha = suggested_alpha(enhancer, pixels)
            differences[kind][path.name] = 100 * abs(alpha / suggested - 1)
    table = _table(differences)
    print(text_table(table))
    if flags.markdown:
        facts = f"- {flags.photographs.name}: {len(paths)} images; variant {enhancer.variant}"
        flags.markdown.write(f"{facts}\n\n{markdown_table(table)}")
    return 0


def files_of(photograph: Image.Image):
    """Yields the name of each kind of file, and the pixels that are read from it."""
    for factor in _FACTORS:
        size = [max(1, round(side * factor)) for side in photograph.size]
        yield f"{factor:g} times its size", _pixels(photograph.resize(size, Image.Resampling.LANCZOS), "PNG")
    for quality in _QUALITIES:
        yield f"JPEG of quality {quality}", _pixels(photograph, "JPEG", quality=quality)
    yield "WebP of quality 80", _pixels(photograph, "WEBP", quality=80)
    yield "TIFF", _pixels(photograph, "TIFF")


def suggested_alpha(enhancer: Enhancer, levels: np.ndarray) -> float:
    """α that is suggested for one photograph, uint8 [H, W, 3]."""
    seen = enhancer.collect_statistics_of(levels[np.newaxis])
    return float(enhancer.chosen_alpha(tf.constant([np.nan]), seen)[0])


def _pixels(image: Image.Image, file_format: str, **options) -> np.ndarray:
    """What our reader reads from a file of this image."""
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return in_levels(decode_photo(file.getvalue(), file_format).pixels)


def read_at_most(path: Path, longest: int) -> Image.Image:
    """Reads a photograph in 8 bits, smaller where its longer side has more than so many pixels."""
    image = Image.fromarray(in_levels(read_photo(path).pixels))
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return image


def _table(differences: dict[str, dict[str, float]]) -> Table:
    head = ["file", "median %", "largest %", f"above {_ALLOWED:g} %", "the largest is of"]
    lines = []
    for kind, of_photographs in differences.items():
        values = np.array(list(of_photographs.values()))
        above = f"{(values > _ALLOWED).sum()} of {len(values)}"
        worst = max(of_photographs, key=of_photographs.get)
        lines.append([kind, f"{np.median(values):.1f}", f"{values.max():.1f}", above, worst])
    return Table(head, lines, words={0, 4})


if __name__ == "__main__":
    sys.exit(main())
