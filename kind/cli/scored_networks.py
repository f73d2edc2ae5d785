"""The enhancement networks that an evaluation scores: which folders of weights, and which variants."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.named_path import NamedPath
from kind.enhancing.variants import DEFAULT_VARIANT, VARIANTS, variant_of

if TYPE_CHECKING:
    from kind.enhancing.enhancer import Enhancer


def add_networks_arguments(parser: argparse.ArgumentParser, default: str = "the weights that ship") -> None:
    """Declares --weights and --variant, both repeatable; `named_networks` reads them."""
    parser.add_argument(
        "--weights",
        type=NamedPath.parse,
        action="append",
        default=[],
        metavar="[NAME=]DIR",
        help=f"folder of weights, repeatable (default: {default})",
    )
    parser.add_argument(
        "--variant",
        choices=VARIANTS,
        action="append",
        help=f"enhancement network, repeatable (default: {DEFAULT_VARIANT}, or those in --weights)",
    )


def add_results_argument(parser: argparse.ArgumentParser) -> None:
    """Declares --pred, repeatable: what other programs made of the dark images."""
    parser.add_argument(
        "--pred",
        type=NamedPath.parse,
        action="append",
        default=[],
        metavar="[NAME=]DIR",
        help="folder of images that another program made, matched by the dark image's file stem; repeatable",
    )


def named_networks(
    weights: Sequence[NamedPath], variants: Sequence[str] | None
) -> Iterator[tuple[str, Path | None, str]]:
    """Every variant with every folder of weights.

    Args:
        weights: folders; none are the shipped weights.
        variants: as the user named them; None leaves it to each folder.

    Yields:
        (what tables call it, folder or None, variant).
    """
    for name, folder in weights or [("shipped weights", None)]:
        chosen = dict.fromkeys(variants or [variant_of(folder)])
        for variant in chosen:
            yield name if len(chosen) == 1 else f"{name}, {variant}", folder, variant


def files_of(enhancer: Enhancer, folder: Path | None) -> dict[str, Path]:
    """The file of each network that an enhancer uses, by its stage: of its exposure head too, if it has one.

    Args:
        enhancer: what `Enhancer.load` made of the folder.
        folder: see `kind.nn.weights_folder.find_weights`.

    Returns:
        Files in the order of `enhancer.digests()`.

    Raises:
        UserError: see `kind.nn.weights_folder.find_weights`.
    """
    from kind.nn.weights_folder import beside, find_weights

    files = find_weights(enhancer.originals, folder)
    first = next(iter(files.values()))
    return {stage: files.get(stage) or beside(first, stage) for stage in enhancer.digests()}
