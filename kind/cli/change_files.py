"""Two photographs of one place on the command line: registered, compared, and written with outlines."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kind.cli.options import add_smallest_argument, add_threshold_argument
from kind.cli.planning import place_of
from kind.constants import BT601
from kind.errors import UserError
from kind.images.photo import write_photo

if TYPE_CHECKING:
    from kind.detection.change.aligning import Alignment
    from kind.detection.change.regions import Region

BEFORE_FILE, AFTER_FILE, MASK_FILE = "before.jpg", "after.jpg", "mask.png"
POLYGONS_FILE, SUMMARY_FILE = "changes.json", "summary.json"


def add_comparison_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the two photographs, the folder for the results and what counts as a change."""
    parser.add_argument("before", type=Path, metavar="BEFORE", help="first photograph")
    parser.add_argument("after", type=Path, metavar="AFTER", help="second photograph of the same place")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    add_threshold_argument(parser)
    add_smallest_argument(parser)
    parser.add_argument(
        "--registration",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="register the second photograph to the first",
    )


def check_places(arguments: argparse.Namespace) -> None:
    """Refuses a folder in which a result would overwrite one of the two photographs.

    Raises:
        UserError: naming it.
    """
    given = {place_of(path) for path in (arguments.before, arguments.after)}
    for name in (BEFORE_FILE, AFTER_FILE, MASK_FILE):
        if place_of(arguments.out / name) in given:
            raise UserError(f"{arguments.out / name}: would overwrite an input; give --out another place")


def alignment_of(arguments: argparse.Namespace, seen: Sequence[np.ndarray]) -> Alignment:
    """Registers the second photograph to the first, unless --no-registration was given.

    Args:
        arguments: of the command.
        seen: what is registered of both, float32 [H, W, 3] in [0, 1].

    Raises:
        UserError: when they cannot be registered, or differ in size without registration.
    """
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


def compare(
    arguments: argparse.Namespace,
    dates: Sequence[np.ndarray],
    alignment: Alignment,
    second: np.ndarray,
    find: Callable[[np.ndarray], np.ndarray],
    about: dict[str, Any],
) -> None:
    """Finds the changes, writes the files and prints what was found.

    Args:
        arguments: of the command.
        dates: both photographs, float32 [H, W, 3] in [0, 1].
        alignment: of the second on the first.
        second: what is compared of the second photograph, as it lies.
        find: from the same as it lies on the first photograph to the probability of a change, float32 [H, W].
        about: what else the summary says.
    """
    from kind.detection.change.regions import regions_of
    from kind.reports.writing import write_json

    moved, covered = alignment.aligned(second)
    probability = np.where(covered, find(moved), 0.0)
    mask, regions = regions_of(probability, arguments.threshold, arguments.smallest)
    files = _write(arguments.out, dates, alignment, mask, regions)
    summary = {
        "before": str(arguments.before),
        "after": str(arguments.after),
        **about,
        "shift": alignment.shift,
        "agreement": None if np.isnan(alignment.agreement) else alignment.agreement,
        "matrix": alignment.matrix.tolist(),
        "compared": float(covered.mean()),
        "changed": float(mask.sum() / max(covered.sum(), 1)),
        "regions": len(regions),
        "threshold": arguments.threshold,
    }
    write_json(arguments.out / SUMMARY_FILE, summary)
    print(
        f"{len(regions)} changed regions, {summary['changed']:.1%} of what both show; shift "
        f"{alignment.shift:.1f} pixels"
    )
    for number, region in enumerate(regions, start=1):
        left, top, right, bottom = region.box
        place = f"x {left}-{right}, y {top}-{bottom}"
        print(f"{number:3}  {region.area:8} pixels  {place}  {region.probability:.2f}")
    print(f"written: {', '.join(map(str, [*files, arguments.out / SUMMARY_FILE]))}")


def _write(
    out: Path, dates: Sequence[np.ndarray], alignment: Alignment, mask: np.ndarray, regions: list[Region]
) -> list[Path]:
    from kind.detection.change.regions import draw_outlines, feature_collection
    from kind.reports.writing import write_json

    rings = [ring for region in regions for ring in region.rings]
    there = [alignment.in_second(ring) for ring in rings]
    files = [out / name for name in (BEFORE_FILE, AFTER_FILE, MASK_FILE, POLYGONS_FILE)]
    for path, pixels, outlines in zip(files, dates, (rings, there)):
        write_photo(path, draw_outlines(pixels, outlines))
    write_photo(files[2], np.repeat(mask[..., np.newaxis], 3, axis=-1).astype(np.float32))
    write_json(files[3], feature_collection(regions))
    return files
