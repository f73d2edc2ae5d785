"""A detector's training run: networks, data and stage from what the user named."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kind.detection.config import DetectionConfig
from kind.enhancing.variants import VARIANTS, variant_of
from kind.errors import UserError

if TYPE_CHECKING:
    from tensorflow import keras

    from kind.data.annotations.annotated import AnnotatedImage, Annotations
    from kind.data.sources import Progress
    from kind.detection.model import Detector
    from kind.detection.sizes import Proportions
    from kind.detection.sources import Making
    from kind.enhancing.enhancer import Enhancer
    from kind.training.loop import Building, Prepared
    from kind.training.stage import Stage

PREVIEWS = 4
"""Validation images that are shown while training."""
_QUICK_SCENES, _QUICK_SIDE = 64, 160

QUICK_DETECTOR = "tiny"
"""Size of the detector that `--quick` trains."""
SHIPPED = "shipped"
"""What `--detector` calls the detector that ships, in training."""


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


def prepare(
    config: DetectionConfig,
    read: Callable[[], Annotations] | None,
    cache: Path,
    *,
    detector: str | Path | None = None,
    teacher: str | Path | None = None,
    enhancer: Path | None = None,
    variant: str | None = None,
    replicas: int = 1,
    progress: Progress | None = None,
    built: Building | None = None,
) -> Prepared:
    """Reads the data set and the networks.

    Args:
        config: of the run.
        read: reads the annotated photographs; None takes generated ones, to try the stage.
        cache: folder for decoded and prepared images.
        detector: to start from, a `.keras` file or run folder, or the size of a new one.
        teacher: file or run folder of a detector whose classes are kept; None without one.
        enhancer: folder of weights; None takes those that ship.
        variant: of the enhancer; None is what `kind.enhancing.variants.variant_of` says.
        replicas: how many share each batch.
        progress: see `data.sources`.
        built: called with what makes the stage before any image is read; returns the same.

    Returns:
        What to train.

    Raises:
        UserError: when something is missing, broken or does not fit.
    """
    detector = detector or (None if read else QUICK_DETECTOR)
    parts = _parts(config, detector, teacher, enhancer, variant)
    class_names, training, validation = divided(config, read, cache)
    parts = parts._replace(class_names=class_names)
    return prepared(parts, config, training, validation, cache, replicas, progress, built)


def divided(
    config: DetectionConfig, read: Callable[[], Annotations] | None, cache: Path
) -> tuple[tuple[str, ...], list[AnnotatedImage], list[AnnotatedImage]]:
    """Reads the data set and says on stderr what is in it.

    Args:
        config: of the run.
        read: see `prepare`.
        cache: likewise.

    Returns:
        Class names, training images, validation images.

    Raises:
        UserError: when it is broken, or either part has no object.
    """
    from kind.data.annotations.annotated import describe_classes, describe_objects, require_objects
    from kind.data.annotations.layouts import split

    annotations = read() if read else _generated(cache)
    for problem in annotations.problems:
        print(f"passed over: {problem}", file=sys.stderr)
    print(f"classes: {describe_classes(annotations)}", file=sys.stderr)
    training, validation = split(annotations, config.validation_every)
    for images, name in ((training, "training"), (validation, "validation")):
        require_objects(images, f"the {name} images", annotations)
        print(f"{name}: {len(images)} images, {describe_objects(images)}", file=sys.stderr)
    return tuple(annotations.class_names), training, validation


def prepared(
    parts: Parts,
    config: DetectionConfig,
    training: Sequence[AnnotatedImage],
    validation: Sequence[AnnotatedImage],
    cache: Path,
    replicas: int = 1,
    progress: Progress | None = None,
    built: Building | None = None,
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
        built: called with what makes the stage before any image is read; returns the same.

    Returns:
        What to train.
    """
    from kind.data.batches import images_of_batch, steps_per_epoch
    from kind.data.darkening import PRESETS
    from kind.detection.batches import training_batches, validation_batches
    from kind.detection.sources import make_sources
    from kind.detection.stage import DetectionStage
    from kind.training.loop import Datasets, Prepared

    make_stage = partial(_make_stage, parts, config)
    make_stage = built(make_stage) if built else make_stage
    making = making_of(config, parts.enhancer)
    kind = config.input if config.prepared else "raw"
    darkness = None if config.prepared else PRESETS.get(config.darken)
    learn = make_sources(training, [kind], making, cache, progress)[kind]
    measure = make_sources(validation, [kind], making._replace(twins=1), cache, progress)[kind]
    whole = validation_batches(measure, config.image_size, darkness, config.seed, config.needs_bright)
    datasets = Datasets(
        batches=lambda epoch, processes, process: training_batches(
            learn,
            config,
            darkness=darkness,
            first_epoch=epoch,
            processes=processes,
            process=process,
            replicas=replicas,
            twins=config.needs_bright,
        ),
        steps=steps_per_epoch(learn, config.batch),
        validation=whole,
        previews=list(whole.take(PREVIEWS)),
        images_of=partial(images_of_batch, learn, config.batch, config.seed),
    )
    data = {"training": learn.digests(), "validation": measure.digests()}
    return Prepared(DetectionStage, make_stage, datasets, data, identity(parts))


def making_of(config: DetectionConfig, enhancer: Enhancer | None) -> Making:
    """How the images are made that are read while training."""
    from kind.detection.sources import NOT_DARKENED, Making

    if not config.prepared:
        return Making()
    side = math.ceil(config.image_size * (1 + config.scale))  # none is shown larger
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
    from kind.detection.distillation import DistillingStage
    from kind.detection.joint import joint_net
    from kind.detection.joint_stage import ReflectanceStage
    from kind.detection.stage import DetectionStage, preprocessing
    from kind.training.given import trainable_copy
    from kind.training.precision import precision

    with precision(config.precision):
        net = student(parts.detector, parts.class_names, config.image_size)
        preprocess = None if config.prepared else preprocessing(config.input, parts.enhancer, config.alpha)
        if config.joint:
            before = (parts.enhancer.decom, parts.enhancer.restoration)
            net = joint_net(*(trainable_copy(given, _builders()) for given in before), net)
        if any(getattr(config, name) for name in config.joint_weights):
            if parts.teacher:
                raise UserError(
                    "--teacher and the weights of --joint are not trained together; leave one out"
                )
            return ReflectanceStage(net, config)
        if parts.teacher:
            return DistillingStage(net, config, parts.teacher, preprocess)
        return DetectionStage(net, config, preprocess)


def _builders() -> dict[str, Callable[[], keras.Model]]:
    """The architectures before the detector in a joint network, by the name of the network."""
    from kind.decom.stage import SPEC as decom
    from kind.restoration.stage import SPEC as restoration

    return {**decom.networks, **restoration.networks}


def _generated(cache: Path) -> Annotations:
    """Built-in scenes, to try the stage without a data set."""
    from kind.data.annotations.layouts import read_yolo_folder
    from kind.data.arrays import writing_to_cache
    from kind.data.generated_scenes import write_scenes

    folder = cache / "built-in-scenes"
    with writing_to_cache(folder):
        write_scenes(folder, _QUICK_SCENES, size=_QUICK_SIDE)
    return read_yolo_folder(folder)


def detector_to_train(detector: str | Path | None) -> Detector | Proportions:
    """The detector of --detector, or the proportions of a new one.

    Raises:
        UserError: when there is none, or it cannot be trained.
    """
    from kind.detection.predictor import load_detector
    from kind.detection.sizes import SIZES, Proportions

    sizes = {QUICK_DETECTOR: Proportions((16, 32, 64, 128), (1, 1, 1, 1), 1), **SIZES}
    if detector is None:
        sources = f"{SHIPPED} for the one that ships, or one of {', '.join(sizes)}"
        raise UserError(f"give --detector: a .keras file, a run folder, {sources}")
    if detector == SHIPPED:
        return _trainable(load_detector(None), detector)
    return sizes[detector] if detector in sizes else _trainable(load_detector(detector), detector)


def student(detector: Detector | Proportions, class_names: Sequence[str], size: int) -> Detector:
    """The detector that is trained: a new one, or the given one for these classes."""
    from kind.detection.distillation import extended
    from kind.detection.model import build_detector
    from kind.detection.sizes import Proportions

    is_new = isinstance(detector, Proportions)
    net = build_detector(detector, class_names) if is_new else extended(detector, class_names)
    net.input_size = size
    return net


def _trainable(net: keras.Model, name: str | Path) -> Detector:
    from kind.detection.model import ARCHITECTURES, Detector

    if isinstance(net, Detector):
        return net
    titles = " or ".join(kind.title for kind in ARCHITECTURES.values())
    raise UserError(f"{name}: a {net.title} finds objects, and is not trained here; give a {titles} detector")


def _parts(
    config: DetectionConfig,
    detector: str | Path | None,
    teacher: str | Path | None,
    enhancer: Path | None,
    variant: str | None,
) -> Parts:
    """The networks; the class names come with the data set."""
    from kind.detection.inputs import needs_enhancer
    from kind.detection.predictor import load_detector
    from kind.enhancing.enhancer import Enhancer

    started = detector_to_train(detector)
    variant = variant or variant_of(enhancer)
    takes_apart = {"decom", "restoration"} <= set(VARIANTS[variant].stages)
    if config.joint and not takes_apart:
        raise UserError(f"--joint trains the networks of --variant kind; received {variant}")
    if config.input == "relit" and not takes_apart:
        raise UserError(
            f"--input relit expects --variant kind, which takes one α for all images; received {variant}: "
            "train on its --input reflectance"
        )
    return Parts(
        (),
        started,
        _trainable(load_detector(teacher), teacher) if teacher else None,
        Enhancer.load(enhancer, variant=variant) if needs_enhancer(config.input) else None,
    )
