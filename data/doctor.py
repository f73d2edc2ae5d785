"""Checks a paired data set before training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kind.data.pair_checks import Finding, Measured, check_pair
from kind.data.pair_folders import PARTS, PairFolder, pair_folder, part_root
from kind.data.pair_lists import read_pair_list
from kind.data.pairs import SUFFIXES, Pair, is_pair_list, no_images, same_stems, split_pairs
from kind.data.parallel_checks import Progress, check_all
from kind.data.scenes import likeness
from kind.data.severity import ERROR, WARNING, Kind
from kind.errors import UserError
from kind.images.finding import entries_of

SAME_SCENE = 0.5
"""Likeness from which on two photographs count as one scene, see `data.scenes.likeness`."""


KINDS = {
    "unreadable": Kind(ERROR, "copy or export the file again, or remove the pair"),
    "unmatched": Kind(ERROR, "give the file its partner of the same stem, or remove it"),
    "same stem": Kind(ERROR, "keep one of the files"),
    "size": Kind(ERROR, "export both at one size; never scale one to fit"),
    "too few": Kind(ERROR, "training needs two pairs at least: one of them is held out for validation"),
    "too small": Kind(
        ERROR, "smaller than the smallest crops that every stage can learn from: remove the pair"
    ),
    "brighter": Kind(WARNING, "low and high may be swapped"),
    "unrelated": Kind(WARNING, "a wrong partner, or a low image that holds nothing but noise"),
    "not compared": Kind(WARNING, "too small to tell whether it is a pair: look at it yourself"),
    "shifted": Kind(WARNING, "register the pair or remove it: its edges teach blur"),
    "constant": Kind(WARNING, "remove the pair, unless it is there on purpose (black pairs are)"),
    "doubtful": Kind(WARNING, "look at the picture; export it again when a part of it is missing"),
    "clipped": Kind(WARNING, "what is clipped cannot be learned: expose again, or remove the pair"),
    "duplicate": Kind(WARNING, "keep one: the others only weigh it more"),
    "same scene": Kind(
        WARNING, "held out, but training sees the scene: figures on it are too good; train on it"
    ),
    "passed over": Kind(WARNING, f"not an image by its suffix ({' '.join(SUFFIXES)}): convert or remove it"),
}


class Examination(NamedTuple):
    """The result of `examine`.

    Attributes:
        folder: the data set.
        parts: number of pairs whose two files are there, by "training", "validation" and "test".
        measured: every one of these pairs.
        findings: errors first, then in the order of `KINDS` and of the file names.
    """

    folder: Path
    parts: dict[str, int]
    measured: list[Measured]
    findings: list[Finding]

    def count(self, severity: str) -> int:
        """Number of findings of one severity."""
        return sum(KINDS[finding.kind].severity == severity for finding in self.findings)


def examine(
    folder: str | Path, show_progress: Progress = lambda done, total: None, smallest_patch: int = 1
) -> Examination:
    """Checks every file of a paired data set.

    Args:
        folder: see `data.pairs.find_pairs`.
        show_progress: called with the number of pairs done and the total.
        smallest_patch: side of the smallest crops that every stage can learn from, in pixels.

    Returns:
        The findings; validation is every tenth pair, as in training.

    Raises:
        UserError: when there is no such folder, it lacks `low/` and `high/`, or they are empty.
    """
    folder = Path(folder)
    findings: list[Finding] = []
    parts = _pairs_by_part(folder, findings)
    if len(parts.get("training", [])) > 1:
        parts["training"], parts["validation"] = split_pairs(parts["training"])
    elif parts.get("training"):
        (pair,) = parts["training"]
        findings.append(Finding("too few", (pair.low, pair.high), "the only pair to train on"))
    measured = check_all([pair for pairs in parts.values() for pair in pairs], check_pair, show_progress)
    findings += [finding for one in measured for finding in one.findings]
    trained = {pair for part in ("training", "validation") for pair in parts.get(part, [])}
    findings += [
        _too_small(one) for one in measured if one.pair in trained and _is_below(one, smallest_patch)
    ]
    findings += _duplicates(measured)
    findings += _seen_scenes(parts, measured)
    order = list(KINDS)
    findings.sort(key=lambda finding: (order.index(finding.kind), finding.files))
    return Examination(folder, {name: len(pairs) for name, pairs in parts.items()}, measured, findings)


def _pairs_by_part(folder: Path, findings: list[Finding]) -> dict[str, list[Pair]]:
    """The pairs of each part whose two files are there; what has no partner becomes a finding."""
    if is_pair_list(folder):
        return {"training": sorted(Pair(*one) for one in read_pair_list(folder))}
    parts = {part: pair_folder(folder, part) for part in PARTS if part_root(folder, part)}
    parts = parts or {"training": pair_folder(folder, "training")}
    pairs = {name: _matched(sides, findings) for name, sides in parts.items()}
    if not any(pairs.values()) and not findings:
        raise UserError(no_images(next(iter(parts.values()))))
    return pairs


def _matched(sides: PairFolder, findings: list[Finding]) -> list[Pair]:
    """Pairs whose two files are there, sorted by name; what has no partner becomes a finding."""
    low, high = same_stems(sides, *(_by_stem(folder, findings) for folder in sides))
    for files, others, side in ((low, high, sides.high), (high, low, sides.low)):
        for stem in files.keys() - others.keys():
            findings.append(Finding("unmatched", (files[stem],), f"no partner in {side.name}/"))
    return [Pair(stem, low[stem], high[stem]) for stem in sorted(low.keys() & high.keys())]


def _by_stem(folder: Path, findings: list[Finding]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in entries_of(folder):
        if path.name.startswith("."):
            continue
        if path.suffix.lower() not in SUFFIXES:
            findings.append(
                Finding("passed over", (path,), "a folder" if path.is_dir() else "another suffix")
            )
        elif path.stem in found:
            findings.append(Finding("same stem", (found[path.stem], path), "two files, one stem"))
        else:
            found[path.stem] = path
    return found


def _is_below(one: Measured, side: int) -> bool:
    return one.shorter_side is not None and one.shorter_side < side


def _too_small(one: Measured) -> Finding:
    return Finding(
        "too small", (one.pair.low, one.pair.high), f"its shorter side has {one.shorter_side} pixels"
    )


def _duplicates(measured: Iterable[Measured]) -> list[Finding]:
    """Groups of pictures with the same pixels; pairs that are equal on both sides are named once."""
    groups: dict[tuple[str, str], list[Measured]] = {}
    for one in measured:
        for side, digest in one.digests.items():
            groups.setdefault((side, digest), []).append(one)
    findings = []
    named: set[tuple[str, ...]] = set()
    for (side, _), group in groups.items():
        names = tuple(str(one.pair.high) for one in group)
        if len(group) > 1 and names not in named:
            named.add(names)
            files = tuple(getattr(one.pair, side) for one in group)
            findings.append(Finding("duplicate", files, f"{len(files)} files with the same pixels"))
    return findings


def _seen_scenes(parts: dict[str, list[Pair]], measured: Sequence[Measured]) -> list[Finding]:
    """Held-out pairs with a twin among the training pairs."""
    signatures = {one.pair: one.signature for one in measured if one.signature is not None}
    trained = [pair for pair in parts.get("training", []) if pair in signatures]
    if not trained:
        return []
    known = np.stack([signatures[pair] for pair in trained])
    findings = []
    for part in ("validation", "test"):
        for pair in parts.get(part, []):
            if pair not in signatures:
                continue
            alike = likeness(signatures[pair], known)
            best = int(alike.argmax())
            if alike[best] >= SAME_SCENE:
                others = int((alike >= SAME_SCENE).sum()) - 1
                more = f", and {others} more of them" if others else ""
                detail = f"{part} {pair.name} is like training {trained[best].name} ({alike[best]:.2f}){more}"
                files = (pair.high, trained[best].high)
                findings.append(Finding("same scene", files, detail, {"likeness": float(alike[best])}))
    return findings
