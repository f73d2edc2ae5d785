"""An adaptation's training run: networks, data and stage from what the user named."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kind.detection.adaptation.config import AdaptationConfig
from kind.detection.command import PREVIEWS, QUICK_DETECTOR, detector_to_train, divided, student

if TYPE_CHECKING:
    from tensorflow import keras

    from kind.data.annotations.annotated import Annotations
    from kind.data.sources import Progress
    from kind.detection.adaptation.stage import AdaptationStage
    from kind.detection.model import Detector
    from kind.detection.sizes import Proportions
    from kind.training.loop import Building, Prepared


def prepare(
    config: AdaptationConfig,
    read: Callable[[], Annotations] | None,
    cache: Path,
    *,
    detector: str | Path | None = None,
    decom: Path | None = None,
    replicas: int = 1,
    progress: Progress | None = None,
    built: Building | None = None,
) -> Prepared:
    """Reads the data set and the networks; see `kind.detection.command.prepare`.

    Args:
        config: of the run.
        read: reads the annotated bright photographs; None takes generated ones.
        cache: folder for decoded images.
        detector: to start from, a `.keras` file or run folder, or the size of a new one.
        decom: file or run folder of the decomposition that the reference comes from; None is the shipped one.
        replicas: how many share each batch.
        progress: see `data.sources`.
        built: called with what makes the stage before any image is read; returns the same.

    Returns:
        What to train.

    Raises:
        UserError: when something is missing, broken or does not fit.
    """
    from kind.data.batches import images_of_batch, steps_per_epoch
    from kind.data.darkening import PRESETS
    from kind.detection.adaptation.stage import AdaptationStage
    from kind.detection.batches import training_batches, validation_batches
    from kind.detection.sources import Making, make_sources
    from kind.training.loop import Datasets, Prepared

    start = detector_to_train(detector or (None if read else QUICK_DETECTOR))
    decomposition = _decomposition(decom) if config.reference == "retinex" else None
    class_names, training, validation = divided(config, read, cache)
    make_stage = partial(_make_stage, start, class_names, decomposition, config)
    make_stage = built(make_stage) if built else make_stage
    learn, measure = (
        make_sources(images, ["raw"], Making(), cache, progress)["raw"] for images in (training, validation)
    )
    darkness = PRESETS[config.darken]
    whole = validation_batches(measure, config.image_size, darkness, config.seed, twins=True)
    datasets = Datasets(
        batches=lambda epoch, processes, process: training_batches(
            learn,
            config,
            darkness=darkness,
            first_epoch=epoch,
            processes=processes,
            process=process,
            replicas=replicas,
            twins=True,
        ),
        steps=steps_per_epoch(learn, config.batch),
        validation=whole,
        previews=list(whole.take(PREVIEWS)),
        images_of=partial(images_of_batch, learn, config.batch, config.seed),
    )
    data = {"training": learn.digests(), "validation": measure.digests()}
    return Prepared(AdaptationStage, make_stage, datasets, data, _identity(start, class_names, decomposition))


def _decomposition(path: Path | None) -> keras.Model:
    from kind.nn.weights_folder import find_weights
    from kind.training.given import load_given

    return load_given(path or find_weights(["decom"])["decom"], "decom")


def _identity(
    detector: Detector | Proportions, class_names: tuple[str, ...], decomposition: keras.Model | None
) -> dict[str, Any]:
    """What the result depends on besides settings and data, as `config.json` records it."""
    from kind.nn.saving import weights_digest

    nets = {"detector": detector, "decom": decomposition}
    given = {
        name: net if isinstance(net, tuple) else weights_digest(net) for name, net in nets.items() if net
    }
    return {"class_names": class_names, **given}


def _make_stage(
    detector: Detector | Proportions,
    class_names: tuple[str, ...],
    decomposition: keras.Model | None,
    config: AdaptationConfig,
) -> AdaptationStage:
    """The stage, under the strategy in force; nothing that was given is trained itself."""
    from kind.detection.adaptation.model import adaptation_net, early_feature, reflectance_decoder
    from kind.detection.adaptation.stage import AdaptationStage, frozen
    from kind.training.precision import precision

    with precision(config.precision):
        net = student(detector, class_names, config.image_size)
        decoder = reflectance_decoder(early_feature(net).shape[-1], config.reference)
        decompose = frozen(decomposition) if decomposition else None
        return AdaptationStage(adaptation_net(net, decoder), config, decompose)
