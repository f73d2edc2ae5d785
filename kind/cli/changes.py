"""Finds what has changed between two photographs of one place, whatever the light.

The second photograph is registered to the first. Written are both with the outlines of the changed regions, a
mask of the first one's size, the regions as polygons and a summary.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kind.cli.options import (
    add_enhancer_arguments,
    add_smallest_argument,
    add_threshold_argument,
    load_enhancer,
)
from kind.constants import BT601
from kind.detection.inputs import INPUTS, needs_enhancer
from kind.errors import UserError
from kind.images.photo import read_photo, write_photo

if TYPE_CHECKING:
    from kind.detection.change.aligning import Alignment
    from kind.detection.change.regions import Region

BEFORE_FILE, AFTER_FILE, MASK_FILE = "before.jpg", "after.jpg", "mask.png"
POLYGONS_FILE, SUMMARY_FILE = "changes.json", "summary.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("before", type=Path, metavar="BEFORE", help="first photograph")
    parser.add_argument("after", type=Path, metavar="AFTER", help="second photograph of the same place")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--network",
        type=Path,
        metavar="FILE",
        help=".keras file or run folder of `kind train change` (default: the network that ships)",
    )
    parser.add_argument(
        "--input",
        choices=tuple(INPUTS),
        help="what is compared (default: what the network was trained on, as its record says)",
    )
    add_enhancer_arguments(parser, precision="float32")
    add_threshold_argument(parser)
    add_smallest_argument(parser)
    parser.add_argument(
        "--registration",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="register the second photograph to the first",
    )


def run(arguments: argparse.Namespace) -> int:
    """Finds the changes, writes the files and prints a summary.

    Returns:
        0.

    Raises:
        UserError: when a photograph cannot be read, or the two cannot be registered.
    """
    from kind.detection.change.predictor import ChangeFinder, input_of, load_change_net
    from kind.detection.change.regions import regions_of

    before, after = (read_photo(path).pixels for path in (arguments.before, arguments.after))
    kind = arguments.input or input_of(arguments.network)
    net = load_change_net(arguments.network)
    find = ChangeFinder(net, kind, load_enhancer(arguments) if needs_enhancer(kind) else None)
    seen = [find.seen(date) for date in (before, after)]
    alignment = _alignment(seen, arguments)
    moved, covered = alignment.aligned(seen[1])
    probability = np.where(covered, find.compare(seen[0], moved), 0.0)
    mask, regions = regions_of(probability, arguments.threshold, arguments.smallest)
    files = _write(arguments.out, (before, after), alignment, mask, regions)
    summary = {
        "before": str(arguments.before),
        "after": str(arguments.after),
        "input": kind,
        "shift": alignment.shift,
        "agreement": None if np.isnan(alignment.agreement) else alignment.agreement,
        "matrix": alignment.matrix.tolist(),
        "compared": float(covered.mean()),
        "changed": float(mask.sum() / max(covered.sum(), 1)),
        "regions": len(regions),
        "threshold": arguments.threshold,
    }
    _write_summary(arguments.out / SUMMARY_FILE, summary)
    print(
        f"{len(regions)} changed regions, {summary['changed']:.1%} of what both show; shift "
        f"{alignment.shift:.1f} pixels"
    )
    for number, region in enumerate(regions, start=1):
        left, top, right, bottom = region.box
        place = f"x {left}-{right}, y {top}-{bottom}"
        print(f"{number:3}  {region.area:8} pixels  {place}  {region.probability:.2f}")
    print(f"written: {', '.join(map(str, [*files, arguments.out / SUMMARY_FILE]))}")
    return 0


def _alignment(seen: list[np.ndarray], arguments: argparse.Namespace) -> Alignment:
    from kind.detection.change.aligning import align, unmoved

    if arguments.registration:
        try:
            return align(*(image @ np.array(BT601, np.float32) for image in seen))
        except UserError as error:
            raise UserError(f"{arguments.before} and {arguments.after}: {error}") from error
    if seen[0].shape != seen[1].shape:
        sizes = " and ".join(f"{image.shape[1]}x{image.shape[0]}" for image in seen)
        raise UserError(f"--no-registration expects photographs of one size; received {sizes} pixels")
    return unmoved(seen[0].shape[:2])


def _write(
    out: Path,
    dates: tuple[np.ndarray, np.ndarray],
    alignment: Alignment,
    mask: np.ndarray,
    regions: list[Region],
) -> list[Path]:
    from kind.detection.change.regions import draw_outlines, feature_collection
    from kind.reports.writing import write_json

    rings = [ring for region in regions for ring in (region.outline, *region.holes)]
    there = [alignment.in_second(ring) for ring in rings]
    files = [out / name for name in (BEFORE_FILE, AFTER_FILE, MASK_FILE, POLYGONS_FILE)]
    for path, pixels, outlines in zip(files, dates, (rings, there)):
        write_photo(path, draw_outlines(pixels, outlines))
    write_photo(files[2], np.repeat(mask[..., np.newaxis], 3, axis=-1).astype(np.float32))
    write_json(files[3], feature_collection(regions))
    return files


def _write_summary(path: Path, summary: dict) -> None:
    from kind.reports.writing import write_json

    write_json(path, summary)
