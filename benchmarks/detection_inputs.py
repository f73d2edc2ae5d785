"""What should a detector see of a dark photograph? `python -m benchmarks.detection_inputs --help`.

Detectors on photographs, and on dark twins of them at three noise levels and two exposures, through every
kind of input: mAP50 and mAP50-95, paired differences to the dark photograph itself, and how much of what
darkness took comes back. With --fine-tune, detectors trained for each input as well. A stopped run goes on.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.detection_cells import (
    CONFIDENCE,
    MAX_DETECTIONS,
    Cell,
    Finder,
    is_kept,
    kept,
    load_finder,
    measure,
)
from benchmarks.detection_pictures import (
    AS_TAKEN,
    EXPOSURES,
    LIGHTS,
    NOISES,
    RAW,
    RULE,
    Input,
    Light,
    Pictures,
    digest_of,
    divided,
    inputs_of,
    known_to,
)
from benchmarks.detection_tables import Block, counted_words, figures_table, targets_table
from kind.constants import DARKENING_PRESETS, IOU
from kind.enhancing.variants import VARIANTS, shipped_variants, variant_of, variants_in
from kind.errors import UserError, listed

if TYPE_CHECKING:
    from kind.data.annotations.annotated import AnnotatedImage, Annotations
    from kind.enhancing.enhancer import Enhancer

MARKERS = "detection_inputs"
SHIPPED_DETECTOR = "yolox-nano"
_DIGITS = 12


class Networks(NamedTuple):
    """An enhancer as the command line names it; `folder` is None for what ships."""

    name: str
    folder: Path | None
    variant: str


class Named(NamedTuple):
    """A detector as the command line names it; `path` is None for what ships."""

    name: str
    path: Path | None


class Row(NamedTuple):
    """A detector on an input, as one row of a table."""

    name: str
    input: Input
    finder: Named


class Photographs(NamedTuple):
    """A data set, and the lights it is measured in.

    Attributes:
        name: its folder's.
        data: all of it.
        lights: bright and twins; or as taken, all photographs, where they are dark already.
    """

    name: str
    data: Annotations
    lights: Sequence[Light]

    @property
    def is_bright(self) -> bool:
        """Whether the photographs were taken in normal light."""
        return AS_TAKEN not in self.lights


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
    content = _report(bench, blocks, tuned)
    from kind.reports.writing import write_text

    write_text(flags.out / "table.md", content + "\n")
    print(content)
    if flags.document:
        Place(flags.document, MARKERS).write(content)


def parse_enhancer(text: str) -> Networks:
    """Reads `NAME`, `NAME=DIR` or `NAME=DIR:VARIANT`.

    Raises:
        UserError: when it is none of these.
    """
    name, _, place = text.partition("=")
    if not place:
        if name not in shipped_variants():
            raise UserError(
                f"--enhancer expects NAME=DIR, or one of {', '.join(shipped_variants())}; got {text!r}"
            )
        return Networks(name, None, name)
    folder, _, variant = place.rpartition(":")
    if folder and variant in VARIANTS:
        return Networks(name, Path(folder), variant)
    held = variants_in(place)
    return Networks(name, Path(place), name if name in held else variant_of(place))


def parse_detector(text: str, flag: str = "--detector") -> Named:
    """Reads `NAME=FILE`, or the name of the detector that ships.

    Raises:
        UserError: when it is neither.
    """
    name, _, path = text.partition("=")
    if not name or not (path or name == SHIPPED_DETECTOR):
        raise UserError(f"{flag} expects NAME=FILE; received {text!r}")
    return Named(name, Path(path) if path else None)


class Bench:
    """What is compared, and where it is kept; networks are read when something is first made by them."""

    def __init__(self, flags: argparse.Namespace) -> None:
        """Reads annotations and names; refuses two of one name."""
        self.flags = flags
        self.cache = flags.cache or flags.out / "cache"
        lights = [LIGHTS[name] for name in LIGHTS if name in flags.lights]
        self.sets = [Photographs(folder.resolve().name, _read(folder), lights) for folder in flags.data]
        self.sets += [
            Photographs(folder.resolve().name, _read(folder), [AS_TAKEN]) for folder in flags.test_dark
        ]
        self.detectors = [parse_detector(text) for text in flags.detector or [SHIPPED_DETECTOR]]
        self.networks = [parse_enhancer(text) for text in flags.enhancer or shipped_variants()]
        self.adapted = [parse_detector(text, "--adapted") for text in flags.adapted]
        self.joint = [parse_detector(text, "--joint") for text in flags.joint]
        names = [named.name for named in (*self.detectors, *self.networks, *self.adapted, *self.joint)]
        for found in (names, [photographs.name for photographs in self.sets]):
            if twice := [name for name in found if found.count(name) > 1]:
                raise UserError(f"two are called {twice[0]!r}; give them names of their own: NAME=PATH")
        of_joint = [Networks(name, path, "kind") for name, path in self.joint]
        self.enhancers: dict[str, Callable[[], Enhancer]] = {
            name: functools.partial(_enhancer, folder, variant)
            for name, folder, variant in (*self.networks, *of_joint)
        }

    def pairs(self) -> list[tuple[Photographs, Named]]:
        """Every detector with every data set, detector by detector."""
        return [(photographs, detector) for detector in self.detectors for photographs in self.sets]

    def rows(self, detector: Named) -> list[Row]:
        """What is compared: the detector on every input; with the first also those trained from it."""
        rows = [Row(made.name, made, detector) for made in inputs_of([entry.name for entry in self.networks])]
        if detector == self.detectors[0]:
            rows += [Row(entry.name, RAW, entry) for entry in self.adapted]
            rows += [
                Row(entry.name, Input(f"{entry.name} reflectance", "reflectance", entry.name), entry)
                for entry in self.joint
            ]
        return rows

    def tested(self, photographs: Photographs, data: Annotations) -> list[AnnotatedImage]:
        """The test photographs."""
        if not photographs.is_bright:
            return list(data.images)
        return divided(data.images, self.flags.photographs).test

    def pictures(
        self,
        photographs: Photographs,
        images: Sequence[AnnotatedImage],
        light: Light,
        seed: int | None = None,
    ) -> Pictures:
        """Pictures of a data set in one light, by default the test twins."""
        seed = self.flags.seed if seed is None else seed
        return Pictures(photographs.name, images, light, self.cache / "pictures", self.enhancers, seed)

    def measured(self, photographs: Photographs, detector: Named) -> Block:
        """Measures what is not kept yet."""
        from kind.detection.evaluation.class_matching import match_classes

        data = known_to(photographs.data, self.finder(detector).class_names, detector.name)
        images, rows = self.tested(photographs, data), []
        for row in self.rows(detector):
            if unknown := match_classes(
                self.finder(row.finder).class_names, data.class_names, row.name
            ).unknown:
                print(
                    f"{row.name}: left out on {photographs.name}: does not know {listed(unknown)}",
                    file=sys.stderr,
                )
            else:
                rows.append(row)
        cells = {}
        for light in photographs.lights:
            pictures = self.pictures(photographs, images, light)
            found = self.cells(
                f"{photographs.name} {light.name} {detector.name}", pictures, rows, data.class_names
            )
            cells.update({(light.name, name): cell for name, cell in found.items()})
        return Block(photographs.name, detector.name, photographs.lights, [row.name for row in rows], cells)

    def cells(
        self, title: str, pictures: Pictures, rows: Sequence[Row], class_names: Sequence[str]
    ) -> dict[str, Cell]:
        """The figures of rows on one set of pictures, by the row's name; missing pictures are made."""
        from kind.reports.progress import Progress

        folder = self.flags.out / "cells"
        identities = {
            row.name: f"{pictures.identity(row.input)} {class_names} {self.finder(row.finder).identity}"
            for row in rows
        }
        missing = [row for row in rows if not is_kept(folder, f"{title} {row.name}", identities[row.name])]
        if self.flags.kept_only:
            rows, missing = [row for row in rows if row not in missing], []
        if missing:
            with Progress("photographs", f"{title}: making pictures,") as progress:
                pictures.of(list(dict.fromkeys(row.input for row in missing)), progress)
        searched: dict[tuple[str, str], Cell] = {}

        def make(row: Row) -> Cell:
            seen, finder = pictures.of([row.input])[row.input.name], self.finder(row.finder)
            key = finder.identity, digest_of([image.path for image in seen])
            if key not in searched:  # relit and reflectance of the light network are one image
                with Progress("photographs", f"{title} {row.name}:") as progress:
                    searched[key] = measure(finder, seen, class_names, progress)
            return searched[key]

        return {
            row.name: kept(folder, f"{title} {row.name}", identities[row.name], functools.partial(make, row))
            for row in rows
        }

    def finder(self, named: Named) -> Finder:
        """The detector at work."""
        return _finder(*named)

    @property
    def judged(self) -> list[str]:
        """Names of the rows that the targets are about."""
        restored = [
            made.name
            for made in inputs_of([entry.name for entry in self.networks])
            if made.kind == "reflectance"
        ]
        return [*restored, *(entry.name for entry in (*self.adapted, *self.joint))]


@functools.cache
def _enhancer(folder: Path | None, variant: str) -> Enhancer:
    from kind.enhancing.enhancer import Enhancer

    return Enhancer.load(folder, variant=variant)


@functools.cache
def _finder(name: str, path: Path | None) -> Finder:
    return load_finder(name, path)


def _read(folder: Path) -> Annotations:
    from kind.data.annotations.layouts import read_yolo_folder

    annotations = read_yolo_folder(folder)
    for problem in annotations.problems:
        print(f"passed over: {problem}", file=sys.stderr)
    return annotations


def _report(bench: Bench, blocks: Sequence[Block], tuned: Sequence) -> str:
    """Everything that was measured, in Markdown."""
    from kind.reports.table import markdown_list, markdown_table

    parts = [markdown_list(_facts(bench))]
    for block in blocks:
        parts += [
            f"**{block.detector}, unchanged, on {block.photographs}:**",
            markdown_table(figures_table(block)),
        ]
    twins = [block for block in blocks if AS_TAKEN not in block.lights]
    tables = [targets_table(twins, bench.judged)]
    if tuned:
        from benchmarks.detection_tables import tuned_table, tuned_targets_table
        from benchmarks.fine_tuning import SEE_BY_THEMSELVES

        parts += ["**Fine-tuned for each input:**", markdown_table(tuned_table(tuned))]
        tables.append(tuned_targets_table(tuned, [row.name for row in SEE_BY_THEMSELVES]))
    parts += [f"**Targets**, by the figure itself, whatever its interval: {counted_words(tables)}."]
    parts += [markdown_table(table) for table in tables]
    if not tuned:
        parts.append("Fine-tuned detectors were not measured in this run.")
    return "\n\n".join(parts)


def _facts(bench: Bench) -> list[tuple[str, str]]:
    """What the figures were made with, so that the tables say so themselves."""
    from kind.data.annotations.annotated import describe_objects

    facts = []
    for photographs in bench.sets:
        images = bench.tested(photographs, photographs.data)
        text = f"{len(images)} of {len(photographs.data.images)} photographs, {describe_objects(images)}"
        facts.append((photographs.name, f"{text}, {len(photographs.data.class_names)} classes"))
    facts.append(("Test photographs", RULE))
    if bench.flags.photographs:
        facts.append(
            ("Subset", f"at most {bench.flags.photographs} of them a data set, evenly spaced by name")
        )
    facts += _light_facts(bench)
    for name, _, variant in bench.networks:
        digests = bench.enhancers[name]().digests().items()
        text = ", ".join(f"{stage} {digest[:_DIGITS]}" for stage, digest in digests)
        facts.append((f"Enhancer {name}", f"variant {variant}: {text}; α of relit is its own choice"))
    for named in (*bench.detectors, *bench.adapted, *bench.joint):
        facts.append((f"Detector {named.name}", _detector_fact(bench, named)))
    facts.append(("Inputs", "in 8 bits; CLAHE of HSV's value by scikit-image, clip limit 0.01"))
    facts.append(
        (
            "Figures",
            f"COCO's, of boxes with scores over {CONFIDENCE:g}, IoU threshold of non-maximum suppression "
            f"{IOU:g}, at most {MAX_DETECTIONS} an image; recovered: (input - raw) / (bright - raw), mAP50",
        )
    )
    facts.append(
        (
            "95 %",
            "percentile bootstrap over photographs, 1,000 sets, the same for all; recovered has one where "
            "bright minus raw has one above 0",
        )
    )
    return facts


def _light_facts(bench: Bench) -> list[tuple[str, str]]:
    from kind.data.darkening import PRESETS

    exposures = "; ".join(
        "{}: normal({:g}, {:g}) in [{:g}, {:g}]".format(
            name, *PRESETS[preset].light, *PRESETS[preset].light_range
        )
        for name, preset in EXPOSURES.items()
    )
    noises = "; ".join(
        "{}: {:g} to {:g}".format(name, *PRESETS[preset].shot_noise) for name, preset in NOISES.items()
    )
    return [
        (
            "Twins",
            f"of the dark ISP (kind.data.darkening) at full size in 8 bits, seed {bench.flags.seed}, one "
            "for each photograph and light",
        ),
        ("Exposure", f"share of the light that is left; {exposures}"),
        ("Noise", f"variance of shot noise for a value of 1, log-uniform; {noises}; read noise follows it"),
    ]


def _detector_fact(bench: Bench, named: Named) -> str:
    from kind.detection.evaluation.class_matching import match_classes

    finder = bench.finder(named)
    unknown = {
        photographs.name: match_classes(finder.class_names, photographs.data.class_names, named.name).unknown
        for photographs in bench.sets
    }
    left_out = "".join(
        f"; not counted in {name}: {', '.join(names)}" for name, names in unknown.items() if names
    )
    identity = finder.identity[:_DIGITS]
    return f"{len(finder.class_names)} classes, longer side {finder.size}, digest {identity}{left_out}"


if __name__ == "__main__":
    import kind  # noqa: F401  (sets TensorFlow's environment before it is imported)

    sys.exit(main())
