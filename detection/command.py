"""What `train_stage.py detection` is told besides the settings, and what it makes of that."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kind.data.annotations.flags import add_layout_arguments, read_annotations
from kind.detection.config import DetectionConfig
from kind.enhancing.variants import DEFAULT_VARIANT, add_variant_argument
from kind.errors import UserError

if TYPE_CHECKING:
    from kind.data.annotations.annotated import AnnotatedImage, Annotations
    from kind.data.sources import Progress
    from kind.detection.model import Detector, Proportions
    from kind.detection.sources import Making
    from kind.enhancing.enhancer import Enhancer
    from kind.training.loop import Datasets
    from kind.training.stage import Stage

_PREVIEWS = 4
_QUICK_SCENES, _QUICK_SIDE, _QUICK_DETECTOR = 64, 160, "tiny"


class Parts(NamedTuple):
    """What a detector is trained with.

    Attributes:
        class_names: of the data set, and so of the detector that is trained.
        detector: whose weights to start from, or the proportions of a new one.
        teacher: knows old classes, None without one.
        enhancer: None when the input needs none.
    """

    class_names: tuple[str, ...]
    detector: Detector | Proportions
    teacher: Detector | None = None
    enhancer: Enhancer | None = None


class Prepared(NamedTuple):
    """All that a run needs, see `kind.training.loop.train` and `RunFolder.opened`."""

    make_stage: Callable[[], Stage]
    datasets: Datasets
    data: dict[str, dict[str, str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments that say what is trained on what."""
    add_layout_arguments(parser)
    parser.add_argument(
        "--detector",
        metavar="FILE-OR-SIZE",
        help="start from this .keras file or run folder, or anew: tiny, n, s, m, l, x, yolox-nano … yolox-x",
    )
    parser.add_argument(
        "--enhancer", type=Path, metavar="DIR", help="weights of the enhancer (default: those that ship)"
    )
    add_variant_argument(parser)
    parser.add_argument(
        "--teacher", type=Path, metavar="FILE", help="a detector whose classes shall not be forgotten"
    )


def prepare(
    flags: argparse.Namespace,
    config: DetectionConfig,
    cache: Path,
    replicas: int = 1,
    progress: Progress | None = None,
) -> tuple[Prepared, dict[str, Any]]:
    """Reads the data set and the networks that the flags name.

    Args:
        flags: parsed by a parser that `add_arguments` prepared; `data` and `quick` as of every stage.
        config: of the run.
        cache: folder for decoded and prepared images.
        replicas: how many share each batch.
        progress: see `data.sources`.

    Returns:
        What to train, and what `config.json` records besides the settings.

    Raises:
        UserError: when something is missing, broken or does not fit.
    """
    from kind.data.annotations.layouts import split_images

    annotations = _annotations(flags, cache)
    for problem in annotations.problems:
        print(f"passed over: {problem}", file=sys.stderr)
    parts = _parts(flags, config, annotations.class_names)
    training, validation = split_images(annotations.images, config.validation_every)
    return prepared(parts, config, training, validation, cache, replicas, progress), identity(parts)


def prepared(
    parts: Parts,
    config: DetectionConfig,
    training: Sequence[AnnotatedImage],
    validation: Sequence[AnnotatedImage],
    cache: Path,
    replicas: int = 1,
    progress: Progress | None = None,
) -> Prepared:
    """Makes stage and datasets of networks and images.

    Args:
        parts: the networks.
        config: of the run.
        training: images to learn from.
        validation: images to measure on.
        cache: folder for decoded and prepared images.
        replicas: how many share each batch.
        progress: see `data.sources`.

    Returns:
        What to train.
    """
    from kind.data.batches import images_of_batch, steps_per_epoch
    from kind.data.darkening import PRESETS
    from kind.detection.batches import training_batches, validation_batches
    from kind.detection.sources import make_sources
    from kind.training.loop import Datasets

    making = making_of(config, parts.enhancer)
    kind = config.input if config.prepared else "raw"
    darkness = None if config.prepared else PRESETS.get(config.darken)
    learn = make_sources(training, [kind], making, cache, progress)[kind]
    measure = make_sources(validation, [kind], making._replace(twins=1), cache, progress)[kind]
    whole = validation_batches(measure, config.patch, darkness, config.seed)
    datasets = Datasets(
        batches=lambda epoch, processes, process: training_batches(
            learn,
            config,
            darkness=darkness,
            first_epoch=epoch,
            processes=processes,
            process=process,
            replicas=replicas,
        ),
        steps=steps_per_epoch(learn, config.batch),
        validation=whole,
        previews=list(whole.take(_PREVIEWS)),
        images_of=partial(images_of_batch, learn, config.batch, config.seed),
    )
    data = {"training": learn.digests(), "validation": measure.digests()}
    return Prepared(partial(_make_stage, parts, config), datasets, data)


def making_of(config: DetectionConfig, enhancer: Enhancer | None) -> Making:
    """How the images are made that are read while training."""
    from kind.detection.sources import NOT_DARKENED, Making

    if not config.prepared:
        return Making()
    side = math.ceil(config.patch * (1 + config.scale))  # none is shown larger
    twins = 1 if config.darken == NOT_DARKENED else config.twins
    return Making(config.darken, twins, config.seed, side, enhancer, config.alpha)


def identity(parts: Parts) -> dict[str, Any]:
    """What the result depends on besides settings and data, as `config.json` records it."""
    from kind.nn.saving import weights_digest

    given: dict[str, Any] = {"class_names": parts.class_names, "teacher": None}
    nets = {"detector": parts.detector, "teacher": parts.teacher}
    nets.update(parts.enhancer.originals if parts.enhancer else {})
    for name, net in nets.items():
        if net is not None:
            given[name] = net if isinstance(net, tuple) else weights_digest(net)
    return given


def _make_stage(parts: Parts, config: DetectionConfig) -> Stage:
    """The stage, under the strategy in force; nothing that was given is trained itself."""
    from kind.detection.distillation import DistillingStage, extended
    from kind.detection.joint import copy_of, joint_net
    from kind.detection.model import Proportions, build_detector
    from kind.detection.stage import DetectionStage, preprocessing
    from kind.training.precision import precision

    with precision(config.precision):
        if isinstance(parts.detector, Proportions):
            net = build_detector(parts.detector, parts.class_names)
        else:
            net = extended(parts.detector, parts.class_names)
        net.input_size = config.patch
        preprocess = None if config.prepared else preprocessing(config.input, parts.enhancer, config.alpha)
        if config.joint:
            net = joint_net(copy_of(parts.enhancer.decom), copy_of(parts.enhancer.restoration), net)
        if parts.teacher:
            return DistillingStage(net, config, parts.teacher, preprocess)
        return DetectionStage(net, config, preprocess)


def _annotations(flags: argparse.Namespace, cache: Path) -> Annotations:
    if flags.quick:
        from kind.data.annotations.layouts import read_yolo_folder
        from kind.data.generated_scenes import write_scenes

        folder = cache / "built-in-scenes"
        write_scenes(folder, _QUICK_SCENES, size=_QUICK_SIDE)
        return read_yolo_folder(folder)
    return read_annotations(flags)


def _parts(flags: argparse.Namespace, config: DetectionConfig, class_names: Sequence[str]) -> Parts:
    from kind.detection.inputs import needs_enhancer
    from kind.detection.model import SIZES, Proportions
    from kind.detection.predictor import load_detector

    sizes = {"tiny": Proportions((16, 32, 64, 128), (1, 1, 1, 1), 1), **SIZES}
    name = flags.detector or (_QUICK_DETECTOR if flags.quick else None)
    if name is None:
        raise UserError(f"give --detector: a .keras file, a run folder, or one of {', '.join(sizes)}")
    if config.joint and flags.variant != DEFAULT_VARIANT:
        raise UserError(
            f"--joint trains the networks of --variant {DEFAULT_VARIANT}; received {flags.variant}"
        )
    if config.input == "relit" and flags.variant != DEFAULT_VARIANT:
        raise UserError(
            f"--input relit expects --variant {DEFAULT_VARIANT}: the light network chooses α image by "
            "image; train on its --input reflectance"
        )
    detector = sizes[name] if name in sizes else load_detector(name)
    teacher = load_detector(flags.teacher) if flags.teacher else None
    enhancer = None
    if needs_enhancer(config.input):
        from kind.enhancing.enhancer import Enhancer

        enhancer = Enhancer.load(flags.enhancer, variant=flags.variant)
    return Parts(tuple(class_names), detector, teacher, enhancer)
