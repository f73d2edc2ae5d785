"""The second part of `benchmarks.detection_inputs`: a detector fine-tuned for each input, on equal terms.

All trainings of one data set begin with the same detector and take as many steps over the same photographs.
Detectors that see by themselves are trained beside them: adapted by both references, and joint. The last
network is scored, not the best one, and no test photograph is looked at before.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.detection_cells import Cell, is_kept, kept, load_finder, measure
from benchmarks.detection_pictures import LIGHTS, RAW, Division, Input, Light, Pictures, divided, inputs_of
from benchmarks.detection_tables import ON_NEW_TWINS, WITH_BRIGHT, Tuned
from kind.errors import UserError

if TYPE_CHECKING:
    from benchmarks.detection_bench import Bench, Photographs
    from kind.data.annotations.annotated import AnnotatedImage, Annotations
    from kind.detection.config import DetectionConfig
    from kind.enhancing.enhancer import Enhancer
    from kind.training.loop import Prepared

_VERSION = 2  # raise it when trainings give other weights: kept ones are then made again
_MOST_VALIDATED = 8  # their figures choose nothing
# Relative to the detector: the decoder starts anew and has some hundred steps. At the published tenth, which
# goes with SGD and a hundred times as many, it would stay as random as it began.
_DECODER_RATE = 10.0
_TRAINING_LIGHTS = {"dusk": "dim-little", "moderate": "dark-moderate", "published": "dark-strong"}


class Training(NamedTuple):
    """What is trained for one row.

    Attributes:
        name: of the row.
        stage: "detection" or "adapt".
        input: what the detector is given when it is tested.
        reference: of the stage adapt; without one no term is about reflectance, and what is left is the
            detection loss of the dark twin and of the bright photograph.
        joint: of the stage detection.
        new_twins: of the stage detection: as those that see by themselves, but nothing else is learned.
    """

    name: str
    stage: str
    input: Input
    reference: str = ""
    joint: bool = False
    new_twins: bool = False

    @property
    def needs_networks(self) -> bool:
        """Whether it learns from, or with, the three networks."""
        return self.joint or self.stage == "adapt"

    @property
    def learns_reflectance(self) -> bool:
        """Whether the targets are about it."""
        return self.joint or bool(self.reference)

    @property
    def darkens(self) -> bool:
        """Whether photographs are made dark in every step, instead of once for all time."""
        return self.needs_networks or self.new_twins


WITH_NEW_TWINS = (
    Training(ON_NEW_TWINS, "detection", RAW, new_twins=True),
    Training(WITH_BRIGHT, "adapt", RAW),
    Training("adapted, retinex", "adapt", RAW, reference="retinex"),
    Training("adapted, ciconv", "adapt", RAW, reference="ciconv"),
    Training("joint", "detection", Input("joint reflectance", "reflectance", "joint"), joint=True),
)


def trainings(enhancers: Sequence[str], chosen: Sequence[str] | None = None) -> list[Training]:
    """What is trained: for raw always, and for all other rows or the chosen ones.

    Raises:
        UserError: when a chosen row is none.
    """
    rows = [*(Training(made.name, "detection", made) for made in inputs_of(enhancers)), *WITH_NEW_TWINS]
    names = [row.name for row in rows]
    if unknown := [name for name in chosen or () if name not in names]:
        raise UserError(f"--fine-tuned expects some of {'; '.join(names)}; received {unknown[0]!r}")
    return [row for row in rows if not chosen or row.name in (RAW.name, *chosen)]


def fine_tuned(bench: Bench) -> list[Tuned]:
    """Trains and measures what is not kept yet, with the first detector.

    Returns:
        For every data set with training photographs and every light, the figures of each row and seed.
    """
    flags, found = bench.flags, []
    rows = trainings([entry.name for entry in bench.networks], flags.fine_tuned)
    lights = [LIGHTS[name] for name in LIGHTS if name in flags.tuned_lights]
    for photographs in bench.sets:
        if not photographs.is_bright:
            continue
        cells: dict[tuple[str, str], list[Cell]] = {}
        for seed in flags.fine_tune:
            for row in rows:
                measured = FineTuning(bench, photographs, row, seed).cells(lights)
                for light, cell in measured.items():
                    cells.setdefault((light, row.name), []).append(cell)
        for light in lights:
            of_light = {row.name: cells.get((light.name, row.name), []) for row in rows}
            of_light = {name: seeds for name, seeds in of_light.items() if len(seeds) == len(flags.fine_tune)}
            found.append(Tuned(photographs.name, bench.detectors[0].name, light, of_light))
    return found


class FineTuning:
    """One row of one data set by one seed."""

    def __init__(self, bench: Bench, photographs: Photographs, row: Training, seed: int) -> None:
        """Trains nothing yet."""
        self.bench, self.photographs, self.row, self.seed = bench, photographs, row, seed
        self.division: Division = divided(photographs.data.images, bench.flags.photographs)
        self.config = config_of(bench.flags, row, seed)
        name = row.name.replace(", ", "-").replace(" ", "-")
        self.title = f"{photographs.name} fine-tuned {bench.detectors[0].name} {name} seed {seed}"
        settings = f"{_VERSION} {self.config} {bench.flags.darken} {bench.flags.twins}"
        digest = hashlib.sha256(settings.encode()).hexdigest()[:8]
        self.run = bench.flags.out / "runs" / f"{self.title.replace(' ', '-')}-{digest}"

    def cells(self, lights: Sequence[Light]) -> dict[str, Cell]:
        """The figures by the light's name; trains only where one is missing."""
        folder, data = self.bench.flags.out / "cells", self.photographs.data
        tested = {light.name: self._pictures(self.division.test, light) for light in lights}
        identities = {name: self._identity(pictures) for name, pictures in tested.items()}
        missing = [name for name in tested if not is_kept(folder, f"{self.title} {name}", identities[name])]
        if self.bench.flags.kept_only:
            tested, missing = {name: tested[name] for name in tested if name not in missing}, []
        last = self._trained() if missing else None

        def make(pictures: Pictures) -> Cell:
            file = last or self._trained()  # a kept figure may be unreadable
            seen = pictures.of([self.row.input])[self.row.input.name]
            return measure(load_finder(self.title, file), seen, data.class_names)

        return {
            name: kept(folder, f"{self.title} {name}", identities[name], functools.partial(make, pictures))
            for name, pictures in tested.items()
        }

    def _identity(self, pictures: Pictures) -> str:
        """All that a figure depends on, without having trained."""
        learned = hashlib.sha256()
        for image in self.division.training:
            learned.update(image.path.read_bytes() + image.boxes.tobytes() + image.classes.tobytes())
        own = "" if self.row.joint else pictures.identity(self.row.input)
        networks = self._start().digests() if self.row.needs_networks else {}
        parts = [
            _VERSION,
            self.row,
            json.dumps(asdict(self.config)),
            self.bench.finder(self.bench.detectors[0]).identity,
        ]
        flags = self.bench.flags
        parts += [flags.darken, flags.twins, learned.hexdigest(), networks, own, pictures.identity(RAW)]
        return " ".join(map(str, parts))

    def _start(self) -> Enhancer:
        """The three networks that a joint training and the reference start from."""
        from kind.enhancing.enhancer import Enhancer

        given = [entry.name for entry in self.bench.networks if entry.variant == "kind"]
        return self.bench.enhancers[given[0]]() if given else Enhancer.load(variant="kind")

    def _start_folder(self) -> Path | None:
        """Where these are; None where they ship."""
        return next((entry.folder for entry in self.bench.networks if entry.variant == "kind"), None)

    def _pictures(self, images: Sequence[AnnotatedImage], light: Light, seed: int | None = None) -> Pictures:
        pictures = self.bench.pictures(self.photographs, images, light, seed)
        if self.row.joint:
            pictures.enhancers = {self.row.input.enhancer: functools.partial(_joint_enhancer, self.run)}
        return pictures

    def _trained(self) -> Path:
        """Trains, or goes on where it was stopped; the file of the last detector."""
        import tensorflow as tf

        from kind.training.loop import train
        from kind.training.run_folder import RunFolder, describe

        print(f"fine-tuning: {self.title}", file=sys.stderr)
        tf.keras.utils.set_random_seed(self.seed)
        prepared, folder = self._prepared(), RunFolder(self.run)
        description = describe(self.row.stage, self.config, **prepared.given)
        with folder.opened(description, prepared.data):
            done = [record["epoch"] for record in folder.read_metrics()][-1:]
            if done != [self.config.epochs] or not folder.last_file.is_file():
                train(prepared.make_stage, prepared.datasets, folder)
        del prepared
        gc.collect()  # datasets and graphs refer to each other, and the next training needs their memory
        return _joint_parts(self.run) / "detector.keras" if self.row.joint else folder.last_file

    def _prepared(self) -> Prepared:
        from kind.detection import command
        from kind.detection.adaptation import command as adaptation
        from kind.detection.predictor import SHIPPED_DETECTOR
        from kind.nn.weights_folder import find_weights

        detector = str(self.bench.detectors[0].path or SHIPPED_DETECTOR)
        cache, progress = self.bench.cache, _show_progress
        if self.row.stage == "adapt":
            decom = find_weights(["decom"], self._start_folder())["decom"]
            return adaptation.prepare(
                self.config, self._annotations, cache, detector=detector, decom=decom, progress=progress
            )
        start = {"enhancer": self._start_folder(), "variant": "kind"} if self.row.joint else {}
        return command.prepare(
            self.config, self._annotations, cache, detector=detector, progress=progress, **start
        )

    def _annotations(self) -> Annotations:
        """What is trained on and validated: photographs, or pictures of their twins."""
        training = self.division.training
        # A data set of a dozen photographs holds none out.
        validation = [image for image in self.division.validation if len(image.boxes)] or training[:1]
        validation = validation[:_MOST_VALIDATED]
        training = [image for image in training if image not in validation]
        if not self.row.darkens:
            flags = self.bench.flags
            light = LIGHTS[_TRAINING_LIGHTS[flags.darken]]
            training = [
                image
                for twin in range(flags.twins)
                for image in self._made(training, light, flags.seed + 1 + twin)
            ]
            validation = self._made(validation, light, flags.seed + 1)
        data = self.photographs.data
        return data._replace(
            images=(*training, *validation),
            validation=frozenset(image.path for image in validation),
            problems=(),
        )

    def _made(self, images: Sequence[AnnotatedImage], light: Light, seed: int) -> list[AnnotatedImage]:
        from kind.reports.progress import Progress

        with Progress("photographs", f"{self.title}: making pictures,") as progress:
            return self._pictures(images, light, seed).of([self.row.input], progress)[self.row.input.name]


def config_of(flags, row: Training, seed: int) -> DetectionConfig:
    """The settings of one training: equal steps for all rows.

    Args:
        flags: of the command.
        row: what is trained; what makes new twins in every epoch takes more epochs.
        seed: random seed.
    """
    from kind.detection.adaptation.config import WEIGHTS, AdaptationConfig
    from kind.detection.config import DetectionConfig

    times = flags.twins if row.darkens else 1
    settings = dict(
        input=row.input.kind if row.joint else "raw",
        darken=flags.darken if row.darkens else "none",
        seed=seed,
        epochs=flags.epochs * times,
        validate_epochs=flags.epochs * times,
        warmup_epochs=times,
        batch=flags.batch,
        image_size=flags.image_size,
        optimizer="adamw",
        learning_rate=flags.learning_rate,
        average_decay=0.99,
        mosaic=0.0,
        plain_epochs=0,
        scale=0.25,
    )
    if row.stage == "adapt":
        given = {"reference": row.reference or "ciconv", "decoder_rate": _DECODER_RATE}
        if not row.reference:
            given |= dict.fromkeys(set(WEIGHTS) - {"dark_weight", "bright_weight"}, 0.0)
        return AdaptationConfig(**{**AdaptationConfig.defaults(given), **settings, **given})
    return DetectionConfig(joint=row.joint, **settings)


@functools.cache
def _joint_enhancer(run: Path) -> Enhancer:
    """Two of the networks inside the last joint one of a run as an enhancer."""
    from kind.enhancing.enhancer import Enhancer

    return Enhancer.load(_joint_parts(run), variant="kind")


@functools.cache
def _joint_parts(run: Path) -> Path:
    """A folder with the networks inside the last joint one of a run, each in a file of its own."""
    from kind.detection.joint import parts_of
    from kind.nn.saving import load_net, save_net

    folder = run / "last"
    for name, net in parts_of(load_net(run / "last.keras")).items():
        save_net(net, folder / f"{name}.keras")
    return folder


def _show_progress(what: str, done: int, total: int, unit: str = "") -> None:
    if done == total or done % 20 == 0:
        print(f"{what}: {done} of {total} {unit}", file=sys.stderr, flush=True)
