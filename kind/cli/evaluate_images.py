"""The images that `kind evaluate enhance` scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kind.evaluation.methods import Sample


class Images(NamedTuple):
    """Images to score, what the header says of them, and what a reader must know."""

    samples: list[Sample]
    facts: list[tuple[str, str]]
    notes: list[str]


def pairs(
    folder: Path, split_name: str | None, validation_every: int | None, networks: Mapping[str, Path]
) -> Images:
    """The pairs of a split, with a note when networks may have been trained on some of them.

    Args:
        folder: see `kind.data.splits.choose_split`.
        split_name: likewise.
        validation_every: the rule of the split that the user asks for, None for the networks' own.
        networks: for each network's name its file.

    Returns:
        The pairs, sorted by name.

    Raises:
        UserError: when there is no such split, or a file is missing.
    """
    from kind.constants import VALIDATION_EVERY
    from kind.data.splits import choose_split, display_names
    from kind.evaluation.held_out import held_out_images
    from kind.evaluation.methods import Sample
    from kind.metrics.protocols import DEFINITIONS

    held_out = held_out_images(networks, VALIDATION_EVERY, validation_every)
    split = choose_split(folder, split_name, held_out.every, held_out.scenes)
    count = len(split.pairs)
    samples = [
        Sample(name, pair.low, pair.high) for name, pair in zip(display_names(split.pairs), split.pairs)
    ]
    of = "" if count == split.total else f" of {split.total}"
    facts = [("Data", f"{folder.resolve().name}, split {split.name}: {count}{of} pairs")]
    notes = []
    if split.name != "test":
        facts.append(("Held out of training", held_out.fact))
        notes += held_out.notes
    facts += [(f"Protocol {name}", definition) for name, definition in DEFINITIONS.items()]
    if split.trained:
        notes.append(
            f"{split.trained} of these {count} pairs are training pairs: training on this folder holds out "
            f"{held_out.rule}. For weights that were trained on them these are not figures on "
            "unseen images; --split validation leaves them out."
        )
    return Images(samples, facts, notes)


def photographs(inputs: Sequence[Path]) -> Images:
    """Photographs without targets, from files and folders of them.

    Raises:
        UserError: when one is missing.
    """
    from kind.evaluation.methods import Sample
    from kind.images.finding import find_photos
    from kind.reports.names import distinct_names

    paths = list(dict.fromkeys(find_photos(inputs)))
    names = distinct_names([path.name for path in paths], [str(path.parent) for path in paths])
    samples = [Sample(name, path) for name, path in zip(names, paths)]
    folders = ", ".join(path.resolve().name for path in inputs)
    return Images(samples, [("Data", f"{folders}: {len(samples)} photographs without targets")], [])
