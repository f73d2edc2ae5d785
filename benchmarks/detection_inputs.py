"""What should a detector see of a dark photograph? `python -m benchmarks.detection_inputs --help`.

Detectors on photographs, and on dark twins of them at three noise levels and two exposures, through every
kind of input: mAP50 and mAP50-95, paired differences to the dark photograph itself, and how much of what
darkness took comes back. With --fine-tune, detectors trained for each input as well. A stopped run goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.detection_bench import SHIPPED_DETECTOR, Bench
from benchmarks.detection_pictures import LIGHTS
from benchmarks.detection_report import report
from kind.constants import DARKENING_PRESETS
from kind.enhancing.variants import shipped_variants
from kind.errors import UserError

MARKERS = "detection_inputs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the experiment.

    Args:
        arguments: the command line after the program's name; None takes the process's own.

    Returns:
        The exit code: 0; 2 when something must be mended by the user.
    """
    flags = _parser().parse_args(arguments)
    try:
        _run(flags)
    except UserError as error:
        print(f"detection_inputs: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection_inputs", description=__doc__)
    parser.add_argument(
        "--data", type=Path, action="append", required=True, metavar="DIR",
        help="folder with bright photographs, images/ and labels/ (YOLO text); several times for several",
    )  # fmt: skip
    parser.add_argument(
        "--test-dark", type=Path, action="append", default=[], metavar="DIR",
        help="folder of the same layout with photographs that are dark already, all of them for testing",
    )  # fmt: skip
    parser.add_argument(
        "--detector", action="append", metavar="NAME[=FILE]",
        help=f"a .keras file or run folder; {SHIPPED_DETECTOR} alone is the one that ships (default); "
        "several times for several",
    )  # fmt: skip
    parser.add_argument(
        "--enhancer", action="append", metavar="NAME[=DIR[:VARIANT]]",
        help="folder of weights; a variant's name alone is what ships; several times for several (default: "
        f"{', '.join(shipped_variants())})",
    )  # fmt: skip
    parser.add_argument(
        "--adapted", action="append", default=[], metavar="NAME=RUN",
        help="run of `kind train adapt` from the first --detector: sees the dark photograph as it is",
    )  # fmt: skip
    parser.add_argument(
        "--joint", action="append", default=[], metavar="NAME=RUN",
        help="run of `kind train detection --joint` from the first --detector: sees its own reflectance",
    )  # fmt: skip
    parser.add_argument(
        "--lights", nargs="+", choices=tuple(LIGHTS), default=tuple(LIGHTS),
        help=f"which lights: {', '.join(LIGHTS)} (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--photographs",
        type=int,
        metavar="N",
        help="test photographs a data set, evenly spaced by name (default: all)",
    )
    parser.add_argument(
        "--kept-only",
        action="store_true",
        help="measure nothing: tables of what --out has, the rest left out",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for figures, runs and tables")
    parser.add_argument(
        "--cache", type=Path, help="folder for pictures and prepared images (default: OUT/cache)"
    )
    parser.add_argument("--document", type=Path, help=f"Markdown file to write between its {MARKERS} markers")
    parser.add_argument(
        "--seed", type=int, default=0, help="random seed of the test twins (default: %(default)s)"
    )
    _add_training_arguments(parser)
    return parser


def _add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the second part."""
    group = parser.add_argument_group("detectors fine-tuned for each input")
    group.add_argument(
        "--fine-tune", type=int, nargs="+", default=[], metavar="SEED",
        help="random seeds of fine-tuning: each input, adapted by both references, and joint",
    )  # fmt: skip
    group.add_argument(
        "--fine-tuned",
        nargs="+",
        metavar="ROW",
        help="rows to fine-tune beside raw, such as stretched (default: all)",
    )
    group.add_argument(
        "--tuned-lights", nargs="+", choices=tuple(LIGHTS), default=("dark-moderate", "dark-strong"),
        help="lights of their test photographs (default: dark-moderate dark-strong)",
    )  # fmt: skip
    group.add_argument(
        "--darken",
        choices=DARKENING_PRESETS,
        default="published",
        help="twins to train on (default: %(default)s)",
    )
    group.add_argument(
        "--twins", type=int, default=3, help="of each training photograph (default: %(default)s)"
    )
    group.add_argument(
        "--image-size", type=int, default=320, help="of the detector in training (default: %(default)s)"
    )
    group.add_argument("--epochs", type=int, default=4, help="passes over all twins (default: %(default)s)")
    group.add_argument("--batch", type=int, default=8, help="global batch size (default: %(default)s)")
    group.add_argument("--learning-rate", type=float, default=5e-5, help="AdamW's (default: %(default)s)")


def _run(flags: argparse.Namespace) -> None:
    if flags.document:
        from kind.reports.document import Place

        Place(flags.document, MARKERS).check()
    bench = Bench(flags)
    blocks = [bench.measured(*pair) for pair in bench.pairs()]
    tuned = []
    if flags.fine_tune:
        from benchmarks.fine_tuning import fine_tuned

        tuned = fine_tuned(bench)
    content = report(bench, blocks, tuned)
    from kind.reports.writing import write_text

    write_text(flags.out / "table.md", content + "\n")
    print(content)
    if flags.document:
        Place(flags.document, MARKERS).write(content)


if __name__ == "__main__":
    import kind  # noqa: F401  (sets TensorFlow's environment before it is imported)

    sys.exit(main())
