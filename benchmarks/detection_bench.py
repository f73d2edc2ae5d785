"""The parts of `benchmarks.detection_inputs`: data sets, detectors and enhancers, and the loop over them."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.detection_cells import Cell, Finder, is_kept, kept, load_finder, measure
from benchmarks.detection_pictures import (
    AS_TAKEN,
    LIGHTS,
    RAW,
    Input,
    Light,
    Pictures,
    digest_of,
    divided,
    inputs_of,
    known_to,
)
from benchmarks.detection_tables import Block
from kind.enhancing.variants import VARIANTS, shipped_variants, variant_of, variants_in
from kind.errors import UserError, listed

if TYPE_CHECKING:
    from kind.data.annotations.annotated import AnnotatedImage, Annotations
    from kind.enhancing.enhancer import Enhancer

SHIPPED_DETECTOR = "yolox-nano"


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
                Row(entry.name, Input(f"{entry.name} reflectance", "reflectance", entry.name), _alone(entry))
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
        for entry in (detector, *self.adapted, *self.joint):
            _warn_of_known(entry, images)
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


def _alone(joint: Named) -> Named:
    """The detector of a joint run, which lies beside the network that sees by itself."""
    return joint._replace(path=joint.path / "detector.keras") if joint.path.is_dir() else joint


def _warn_of_known(entry: Named, tested: Sequence[AnnotatedImage]) -> None:
    """Says how many test photographs a run was trained on or chosen by."""
    from kind.training.run_folder import RunFolder, read_json

    file = RunFolder(entry.path).data_file if entry.path else None
    if file is None or not file.is_file():
        return
    known = {Path(word).name for part in read_json(file).values() for name in part for word in name.split()}
    if seen := sum(image.path.name in known for image in tested):
        print(
            f"{entry.name}: its run knew {seen} of {len(tested)} test photographs: these are no figures "
            "on unseen photographs",
            file=sys.stderr,
        )


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
