"""False alarms of change detection on real photographs: `python -m benchmarks.unchanged_places STACKS`.

STACKS holds low/ and high/, two exposures of a place in which, but for leaves and waves, nothing has changed.
Printed is the share of pixels that each network takes for changes. Only photographs are used that
`kind train change` with STACKS/high never trains on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from kind.cli.markdown_option import add_markdown_argument
from kind.cli.named_path import NamedPath
from kind.constants import CHANGE_THRESHOLD
from kind.data.pairs import find_pairs
from kind.detection.change.command import load_enhancer
from kind.detection.change.predictor import ChangePredictor, input_of, load_change_net
from kind.detection.change.sources import find_photographs
from kind.detection.sources import shrunk
from kind.images.photo import read_photo
from kind.reports.table import Table, markdown_table, text_table

_LONGEST = 640  # pixels of a photograph's longer side
_ALARM = 0.5  # percent of the pixels


def main() -> int:
    """Measures and prints one line for each network."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("stacks", type=Path, help="folder with low/ and high/")
    parser.add_argument(
        "--network",
        type=NamedPath.parse,
        action="append",
        metavar="[NAME=]FILE",
        help="repeatable (default: the network that ships)",
    )
    add_markdown_argument(parser, "unchanged")
    flags = parser.parse_args()
    named = flags.network or [NamedPath("ships", None)]
    finders = {name: _finder(path) for name, path in named}
    pairs = {pair.name: pair for pair in find_pairs(flags.stacks)}
    test, _ = find_photographs([flags.stacks / "high"], "test")
    dates = [(one.path, pairs[one.name].low) for one in test]
    shares = {name: [] for name in finders}
    for number, (bright, dark) in enumerate(dates, start=1):
        pixels = np.stack([read_photo(path).pixels for path in (bright, dark)])
        before, after = np.asarray(shrunk(tf.constant(pixels), _LONGEST))
        for name, finder in finders.items():
            shares[name].append(100 * float((finder(before, after) > CHANGE_THRESHOLD).mean()))
        print(f"\r{number} of {len(dates)} places", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    table = _table(shares)
    print(text_table(table))
    if flags.markdown:
        facts = f"- {flags.stacks.name}: {len(dates)} places, the longer side {_LONGEST} pixels"
        flags.markdown.write(f"{facts}\n\n{markdown_table(table)}")
    return 0


def _finder(path: Path | None) -> ChangePredictor:
    kind = input_of(path)
    return ChangePredictor(load_change_net(path), kind, load_enhancer(kind, None, None))


def _table(shares: dict[str, list[float]]) -> Table:
    head = ["network", "mean %", "median %", "largest %", f"places above {_ALARM} %"]
    lines = [
        [
            name,
            f"{np.mean(values):.2f}",
            f"{np.median(values):.2f}",
            f"{max(values):.2f}",
            str(sum(value > _ALARM for value in values)),
        ]
        for name, values in shares.items()
    ]
    return Table(head, lines, [0])


if __name__ == "__main__":
    sys.exit(main())
