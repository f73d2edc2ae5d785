"""Checks a folder of photographs, with or without annotations, before training or evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kind.constants import BT601
from kind.data.annotations.annotated import Annotations, describe_classes, describe_objects
from kind.data.pair_checks import Finding, is_constant, pixel_digest, read_image
from kind.data.pairs import SUFFIXES
from kind.data.parallel_checks import Progress, check_all
from kind.data.scenes import scene_signature
from kind.data.severity import ERROR, WARNING, Kind
from kind.errors import UserError
from kind.images.finding import entries_of

SMALL = 128
"""Shorter sides in pixels below which an image says little about photographs."""
ALIKE = 0.9
"""Correlation of two scenes' layouts from which on one is a near-duplicate of the other: scaled, brightened
or compressed again."""
DRAWN = 0.6
"""Share of equal neighbours from which on a picture is no photograph: noise makes neighbours differ. 254
photographs, day and night, have 0.34 at most; screenshots, drawings and masks more than 0.7."""

KINDS = {
    "annotation": Kind(ERROR, "mend the line, or give training and evaluation --repair"),
    "unreadable": Kind(ERROR, "copy or export the file again, or remove it"),
    "no objects": Kind(ERROR, "nothing to learn from or to measure on: check the folders and class numbers"),
    "note": Kind(WARNING, "the reader goes on; see whether that is what you mean"),
    "archive": Kind(WARNING, "unpack it: what is inside is not read"),
    "empty folder": Kind(WARNING, "fill it or remove it"),
    "passed over": Kind(WARNING, f"not an image by its suffix ({' '.join(SUFFIXES)}): convert or remove it"),
    "too small": Kind(WARNING, f"shorter side below {SMALL} pixels: take the photograph in its full size"),
    "constant": Kind(WARNING, "remove it, unless it is there on purpose"),
    "not a photograph": Kind(WARNING, "a drawing, a mask or a screenshot? remove it"),
    "doubtful": Kind(WARNING, "look at the picture; export it again when a part of it is missing"),
    "duplicate": Kind(WARNING, "keep one: the others only weigh it more"),
    "near-duplicate": Kind(WARNING, "keep one, or see that all are on one side of the split"),
}

_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")
_LUMA = np.array(BT601, np.float32)
_DARK = 16  # levels: what is darker has few of them, in photographs too
_LEAST_LIT = 0.02  # share of the pixels


class MeasuredImage(NamedTuple):
    """The measurements of one image.

    Attributes:
        path: its file.
        size: height and width in pixels; None when it is unreadable, like the others.
        mean: of the luma, in [0, 1].
        digest: of its pixels; None of a constant one too.
        signature: of its scene, see `data.scenes`; likewise.
        findings: about this image alone.
    """

    path: Path
    size: tuple[int, int] | None
    mean: float | None
    digest: str | None
    signature: np.ndarray | None
    findings: list[Finding]


class ImageExamination(NamedTuple):
    """The result of `examine_images`.

    Attributes:
        folder: of the data set.
        content: what it holds, in words.
        measured: every image.
        findings: errors first, then in the order of `KINDS` and of the file names.
    """

    folder: Path
    content: str
    measured: list[MeasuredImage]
    findings: list[Finding]

    def count(self, severity: str) -> int:
        """Number of findings of one severity."""
        return sum(KINDS[finding.kind].severity == severity for finding in self.findings)


def examine_images(
    folder: str | Path,
    annotations: Annotations | None = None,
    show_progress: Progress = lambda done, total: None,
) -> ImageExamination:
    """Checks every image of a folder, and what its annotations say.

    Args:
        folder: holds photographs, perhaps in `images/`; their own folders are looked into.
        annotations: of the folder, read with `repair`, so that all problems are named; None without any.
        show_progress: called with the number of images done and the total.

    Returns:
        The findings.

    Raises:
        UserError: when the folder holds no images.
    """
    folder, findings = Path(folder), []
    if annotations is None:
        root = folder / "images" if (folder / "images").is_dir() else folder
        paths = list(_images_below(root, findings))
        if not paths:
            raise UserError(f"{root}: holds no photographs ({', '.join(SUFFIXES)})")
        content = f"{len(paths)} photographs"
    else:
        paths = [image.path for image in annotations.images]
        list(_images_below(folder, findings, known=True))
        content = f"{len(paths)} images, {describe_objects(annotations.images)}"
        content += f"; {describe_classes(annotations)}"
        findings += _of_annotations(annotations)
    measured = check_all(paths, check_image, show_progress)
    findings += [finding for one in measured for finding in one.findings]
    findings += _duplicates(measured)
    order = list(KINDS)
    findings.sort(key=lambda finding: (order.index(finding.kind), finding.files, finding.detail))
    return ImageExamination(folder, content, measured, findings)


def check_image(path: Path) -> MeasuredImage:
    """Checks the pixels of one image.

    Args:
        path: its file.

    Returns:
        What was measured, and findings of the kinds unreadable, doubtful, too small, constant and not a
        photograph.
    """
    findings: list[Finding] = []
    pixels = read_image(path, findings)
    if pixels is None:
        return MeasuredImage(path, None, None, None, None, findings)
    gray = pixels @ _LUMA
    height, width = gray.shape
    if min(height, width) < SMALL:
        findings.append(Finding("too small", (path,), f"{width}x{height}"))
    constant = is_constant(path, pixels, findings)
    share = 0.0 if constant else equal_neighbours(pixels)
    if share > DRAWN:
        findings.append(
            Finding("not a photograph", (path,), f"{share:.0%} of the neighbours are equal", {"equal": share})
        )
    return MeasuredImage(
        path,
        (height, width),
        float(gray.mean()),
        None if constant else pixel_digest(pixels),
        None if constant else scene_signature(gray),
        findings,
    )


def equal_neighbours(pixels: np.ndarray) -> float:
    """Share of the pixels, but for dark ones, that are like the ones below and to the right, in 8 bits.

    Args:
        pixels: float32 [H, W, 3] in [0, 1].

    Returns:
        0 to 1; 0 when nearly all is dark, which noise need not show in.
    """
    levels = np.rint(pixels * 255).astype(np.uint8)
    own = levels[:-1, :-1]
    equal = ((own == levels[1:, :-1]) & (own == levels[:-1, 1:])).all(axis=2)
    lit = own.max(axis=2, initial=0) > _DARK
    return float(equal[lit].mean()) if lit.size and lit.mean() > _LEAST_LIT else 0.0


def _images_below(folder: Path, findings: list[Finding], known: bool = False) -> Iterator[Path]:
    """The images of a folder and its folders; what is no image becomes a finding, unless `known`.

    With annotations many files are no images: only archives and empty folders are odd then.
    """
    entries = [entry for entry in entries_of(folder) if not entry.name.startswith(".")]
    if not entries:
        findings.append(Finding("empty folder", (folder,), "holds no files"))
    for entry in entries:
        suffix = entry.suffix.lower()
        if entry.is_dir():
            yield from _images_below(entry, findings, known)
        elif suffix in SUFFIXES:
            yield entry
        elif suffix in _ARCHIVES:
            findings.append(Finding("archive", (entry,), f"{entry.stat().st_size / 1e6:.1f} MB"))
        elif not known:
            findings.append(Finding("passed over", (entry,), "another suffix"))


def _of_annotations(annotations: Annotations) -> Iterator[Finding]:
    """What the reader of annotations found, line by line as training and evaluation print it."""
    for number, line in enumerate(annotations.problems):
        yield Finding("annotation" if number < annotations.broken else "note", (), line)
    if not any(image.counted.any() for image in annotations.images):
        yield Finding("no objects", (), annotations.found or "no object that counts")


def _duplicates(measured: Sequence[MeasuredImage]) -> list[Finding]:
    """Images of the same pixels, and others whose scene is laid out alike."""
    groups: dict[str, list[Path]] = {}
    for one in measured:
        if one.digest:
            groups.setdefault(one.digest, []).append(one.path)
    findings = [
        Finding("duplicate", tuple(paths), f"{len(paths)} files with the same pixels")
        for paths in groups.values()
        if len(paths) > 1
    ]
    firsts = {paths[0] for paths in groups.values()}
    kept = [one for one in measured if one.path in firsts]
    if not kept:
        return findings
    signatures = np.stack([one.signature.ravel() for one in kept])
    for number, one in enumerate(kept[1:], 1):
        alike = signatures[:number] @ signatures[number]
        best = int(alike.argmax())
        if alike[best] >= ALIKE:
            files = (one.path, kept[best].path)
            findings.append(
                Finding(
                    "near-duplicate", files, f"likeness {alike[best]:.2f}", {"likeness": float(alike[best])}
                )
            )
    return findings
