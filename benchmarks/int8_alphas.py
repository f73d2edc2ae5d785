"""How far int8 is from float32 over the range of α: `python -m benchmarks.int8_alphas lol_train`.

The validation pairs of a data set are relit in both precisions, the dark photographs and the bright ones,
under several α and the network's own choice. Each line has the PSNR of int8 against float32, both in 8 bits.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from kind.cli.markdown_option import add_markdown_argument
from kind.data.splits import choose_split
from kind.enhancing.enhancer import Enhancer
from kind.errors import UserError
from kind.images.photo import read_stored_photo
from kind.metrics.psnr import psnr
from kind.reports.table import Table, markdown_table, text_table

_VARIANTS = ("lite", "kind")
_ALPHAS = (None, 0.5, 1.0, 2.0, 4.0, 16.0, 64.0, 256.0, 512.0)
_HEAD = ("variant", "α", "dark, mean dB", "dark, lowest", "bright, mean dB", "bright, lowest")
_MOST = 99.0  # of equal images


def main() -> int:
    """Measures and prints a line for each variant and α; 2 when something must be mended by the user."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pairs", type=Path, help="data set with low/ and high/")
    parser.add_argument(
        "--variant", action="append", choices=_VARIANTS, help=f"repeatable (default: {', '.join(_VARIANTS)})"
    )
    add_markdown_argument(parser, "int8-alphas")
    flags = parser.parse_args()
    try:
        pairs = choose_split(flags.pairs, "validation").pairs
        lines = [line for variant in flags.variant or _VARIANTS for line in _lines(variant, pairs)]
    except UserError as error:
        print(f"int8_alphas: {error}", file=sys.stderr)
        return 2
    table = Table(_HEAD, lines, {0})
    print(text_table(table))
    if flags.markdown:
        facts = (
            f"- {flags.pairs.name}: {len(pairs)} validation pairs; PSNR of int8 against float32, in 8 bits"
        )
        flags.markdown.write(f"{facts}\n\n{markdown_table(table)}")
    return 0


def _lines(variant: str, pairs) -> list[list[str]]:
    exact, fast = (Enhancer.load(precision=name, variant=variant) for name in ("float32", "int8"))
    lines = []
    for alpha in _ALPHAS:
        cells = [variant, "its own" if alpha is None else f"{alpha:g}"]
        for side in ("low", "high"):
            found = [_nearness(exact, fast, getattr(pair, side), alpha) for pair in pairs]
            cells += [f"{np.mean(found):.1f}", f"{min(found):.1f}"]
        print(*cells, sep="  ", file=sys.stderr, flush=True)
        lines.append(cells)
    return lines


def _nearness(exact, fast, path: Path, alpha: float | None) -> float:
    """PSNR of one image in int8 against float32; of one α, where each would choose its own."""
    image = read_stored_photo(path).colours
    one = exact(image, alpha, parts=("relit",), levels=True)
    chosen = float(one.alpha) if alpha is None else alpha
    other = fast(image, chosen, levels=True)
    shown = (np.asarray(each.relit) / np.float32(255) for each in (one, other))
    return min(psnr(*shown), _MOST)


if __name__ == "__main__":
    sys.exit(main())
