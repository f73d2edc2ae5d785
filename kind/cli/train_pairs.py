"""Data and networks of a stage that learns from image pairs, or from a mixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.cli.mixture_feed import is_mixture, open_mixture
from kind.data import batches
from kind.data.arrays import writing_to_cache
from kind.data.decomposing import decomposing
from kind.data.pair_lists import PairGlobs
from kind.data.pairs import find_pairs, split_pairs
from kind.data.samples import quick_pairs
from kind.data.sources import Progress, Source, decomposed_source, pair_source
from kind.errors import UserError
from kind.images.photo import read_photo
from kind.nn.saving import weights_digest
from kind.training.added_losses import smallest_side
from kind.training.callbacks import PHOTOGRAPH
from kind.training.config import TrainingConfig
from kind.training.given import Builders, trainable_copy
from kind.training.loop import Building, Datasets, Prepared
from kind.training.precision import precision
from kind.training.stage import Stage
from kind.training.stage_spec import Prepare, StageSpec

_PREVIEWS = 4
_VALIDATION_SHARE = (
    3  # of a mixture's validation samples one in so many: three large networks take their time
)


def prepare(
    spec: StageSpec,
    config: TrainingConfig,
    given: Mapping[str, keras.Model],
    builders: Builders,
    *,
    data: Sequence[str | PairGlobs] | None,
    quick: bool,
    cache: Path,
    replicas: int,
    progress: Progress | None = None,
    built: Building | None = None,
) -> Prepared:
    """Reads the pairs, decoded or decomposed unless the cache has them.

    Args:
        spec: of the stage.
        config: of the run.
        given: trained networks by stage.
        builders: of the given networks' architectures, by the name of the network.
        data: one folder or list of pairs, two patterns of them, or the parts of a mixture; None with `quick`.
        quick: train on built-in pairs.
        cache: folder for decoded images.
        replicas: how many share each batch.
        progress: see `kind.data.sources`.
        built: see `kind.cli.stages.Surroundings`.

    Returns:
        What to train.

    Raises:
        UserError: when networks do not fit, or pairs are missing, broken, too few or too small.
    """
    make_stage = partial(_make_stage, spec, config, tuple(given.values()), builders)
    make_stage = built(make_stage) if built else make_stage
    weights = {name: weights_digest(net) for name, net in given.items()}
    texts = [str(_built_in(cache))] if quick else list(data)
    if (spec.whole or spec.mixture) and isinstance(texts[0], PairGlobs):
        what = "whole photographs" if spec.whole else "a mixture"
        raise UserError(f"this stage learns from {what}; give --data, not --low and --high")
    if spec.whole or spec.mixture or is_mixture(texts):
        mixture = open_mixture(
            texts,
            config,
            replicas,
            cache,
            progress,
            whole=spec.whole,
            prepare=_last_step(spec, config, given, spec.prepare),
            prepare_validation=_last_step(spec, config, given, spec.prepare_validation),
            validation_share=1 if spec.whole or spec.mixture else _VALIDATION_SHARE,
        )
        # The weights of the parts decide what is drawn, so a resumed run must have the same.
        more = {**weights, "mixture": texts}
        return Prepared(spec.stage, make_stage, mixture.datasets, mixture.digests, more)
    parts = split_pairs(find_pairs(texts[0]), config.validation_every)
    if spec.needs_decom:
        sources = [decomposed_source(part, given["decom"], cache, progress) for part in parts]
    else:
        sources = [pair_source(part, cache, progress) for part in parts]
    training, validation = sources
    return Prepared(
        spec.stage,
        make_stage,
        _datasets(spec, config, training, validation, replicas, [pair.low for pair in parts[1]]),
        {"training": training.digests(), "validation": validation.digests()},
        weights,
    )


def _last_step(
    spec: StageSpec, config: TrainingConfig, given: Mapping[str, keras.Model], then: Prepare | None
) -> Prepare:
    """What a sample of a mixture becomes for the stage."""
    if spec.needs_decom:
        side = config.patch if spec.whole else None
        return decomposing(given["decom"], side, then, exposed=spec.exposed)

    def pair(sample, seed):
        images = {side: sample[side] for side in ("low", "high")}
        return then(images, seed) if then else images

    return pair


def _built_in(cache: Path) -> Path:
    """The built-in pairs, written to the cache."""
    with writing_to_cache(cache):
        return quick_pairs(cache)


def _make_stage(
    spec: StageSpec, config: TrainingConfig, given: tuple[keras.Model, ...], builders: Builders
) -> Stage:
    """The stage with new weights, or those of the networks that it fine-tunes."""
    with precision(config.precision):
        copies = [trainable_copy(net, builders) for net in given] if spec.fine_tunes else []
        return spec.stage(spec.make_net(config, *copies), config)


def _datasets(
    spec: StageSpec,
    config: TrainingConfig,
    training: Source,
    validation: Source,
    replicas: int,
    photographs: Sequence[Path],
) -> Datasets:
    smallest = smallest_side(config)
    batches.check_patch(training, config.patch, smallest)
    batches.check_patch(validation, 1, smallest)  # which is not cropped
    stream = {"batch": config.batch, "patch": config.patch, "seed": config.seed}
    whole = batches.whole_images(validation, spec.prepare_validation)
    return Datasets(
        batches=lambda epoch, processes, process: batches.training_batches(
            training,
            first_epoch=epoch,
            processes=processes,
            process=process,
            replicas=replicas,
            prepare=spec.prepare,
            **stream,
        ),
        steps=batches.steps_per_epoch(training, config.batch),
        validation=whole,
        previews=[
            {**sample, PHOTOGRAPH: tf.constant(read_photo(path).pixels[np.newaxis])}
            for sample, path in zip(whole.take(_PREVIEWS), photographs)
        ],
        training_part=_training_part(spec, config, training),
        images_of=partial(batches.images_of_batch, training, config.batch, config.seed),
    )


def _training_part(spec: StageSpec, config: TrainingConfig, training: Source) -> tf.data.Dataset | None:
    """Evenly spaced training samples, whole, that are scored as well; None when the config wants none."""
    if not config.training_scores:
        return None
    every = -(-len(training) // config.training_scores)
    return batches.whole_images(training, spec.prepare_validation).shard(every, 0)
