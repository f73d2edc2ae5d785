"""A training run of change detection: networks, data and stage from what the user named."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kind.detection.change.config import ChangeConfig
from kind.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

    from kind.data.sources import Progress
    from kind.detection.change.batches import Pairs
    from kind.enhancing.enhancer import Enhancer
    from kind.training.loop import Building, Prepared

PREVIEWS = 6
"""Validation pairs that are shown while training."""

_QUICK_PHOTOGRAPHS, _QUICK_SIDE = 32, 128


def prepare(
    config: ChangeConfig,
    data: Sequence[str] | None,
    cache: Path,
    *,
    enhancer: Path | None = None,
    variant: str | None = None,
    replicas: int = 1,
    progress: Progress | None = None,
    built: Building | None = None,
) -> Prepared:
    """Reads the data set and the networks.

    Args:
        config: of the run.
        data: one folder with `A/`, `B/` and `label/`, or folders of photographs to make pairs of; None takes
            generated photographs, to try the stage.
        cache: folder for decoded images.
        enhancer: folder of weights; None takes those that ship.
        variant: of the enhancer; None is what `kind.enhancing.variants.variant_of` says.
        replicas: how many share each batch.
        progress: see `kind.data.sources`.
        built: called with what makes the stage before any image is read; returns the same.

    Returns:
        What to train.

    Raises:
        UserError: when something is missing, broken or does not fit.
    """
    from kind.data.batches import images_of_batch
    from kind.detection.change.batches import training_batches
    from kind.detection.change.stage import ChangeStage, maker
    from kind.training.loop import Datasets, Prepared

    network = load_enhancer(config.input, enhancer, variant)
    make_stage = maker(config, network)
    make_stage = built(make_stage) if built else make_stage
    learn, whole, data_digests = _datasets(config, data or [str(_generated(cache))], cache, progress)
    datasets = Datasets(
        batches=lambda epoch, processes, process: training_batches(
            learn,
            batch=config.batch,
            seed=config.seed,
            darken=config.darken,
            first_epoch=epoch,
            processes=processes,
            process=process,
            replicas=replicas,
        ),
        steps=learn.steps,
        validation=whole,
        previews=list(whole.take(PREVIEWS)),
        images_of=partial(images_of_batch, learn.source, config.batch, config.seed),
    )
    return Prepared(ChangeStage, make_stage, datasets, data_digests, identity(network))


def load_enhancer(kind: str, weights: Path | None, variant: str | None) -> Enhancer | None:
    """The enhancer that makes what is compared; None where none is needed.

    Raises:
        UserError: when its networks cannot be read.
    """
    from kind.detection.inputs import needs_enhancer
    from kind.enhancing.enhancer import Enhancer
    from kind.enhancing.variants import variant_of

    if not needs_enhancer(kind):
        return None
    return Enhancer.load(weights, variant=variant or variant_of(weights))


def identity(enhancer: Enhancer | None) -> dict[str, Any]:
    """What the result depends on besides settings and data, as `config.json` records it."""
    from kind.nn.saving import weights_digest

    if enhancer is None:
        return {}
    nets = {name: weights_digest(net) for name, net in enhancer.originals.items() if net is not None}
    return {"variant": enhancer.variant, **nets}


def is_labelled(folders: Sequence[str]) -> bool:
    """Whether the data are pairs with labels, and not photographs to make pairs of.

    Raises:
        UserError: when they are both, or several folders of pairs.
    """
    from kind.detection.change.folders import is_change_folder

    labelled = [folder for folder in folders if is_change_folder(folder)]
    if labelled and len(folders) > 1:
        raise UserError(
            f"{labelled[0]}: holds pairs with labels; give one such folder alone, or only folders of "
            "photographs"
        )
    return bool(labelled)


def _datasets(
    config: ChangeConfig, folders: Sequence[str], cache: Path, progress: Progress | None
) -> tuple[Pairs, tf.data.Dataset, dict[str, dict[str, str]]]:
    """Where training pairs come from, the validation pairs, and the digests of both."""
    from kind.detection.change.batches import MadePairs, ReadPairs, made_batches, read_batches
    from kind.detection.change.folders import split_triplets
    from kind.detection.change.sources import find_photographs, make_material, triplet_source

    if is_labelled(folders):
        parts = split_triplets(folders[0], config.validation_every)
        learn, measure = (triplet_source(part, cache, progress) for part in parts)
        pairs: Pairs = ReadPairs(learn, config.patch, config.batch)
        whole = read_batches(measure, config.seed, darken=config.darken)
        counts, digests = [len(part) for part in parts], measure.digests()
        print(f"pairs with labels: {counts[0]} for training, {counts[1]} for validation", file=sys.stderr)
    else:
        found = [find_photographs(folders, part) for part in ("training", "validation")]
        materials = [make_material(*one, cache, progress) for one in found]
        pairs = MadePairs(materials[0], config.patch, config.steps)
        held_out = MadePairs(materials[1], config.patch)
        whole = made_batches(held_out, config.validation_pairs, config.seed, darken=config.darken)
        counts, digests = [len(one.photographs) for one in materials], held_out.digests()
        print(
            f"photographs to make pairs of: {counts[0]} for training, {counts[1]} for validation",
            file=sys.stderr,
        )
    return pairs, whole, {"training": pairs.digests(), "validation": digests}


def _generated(cache: Path) -> Path:
    """Built-in scenes, to try the stage without photographs."""
    from kind.data.arrays import writing_to_cache
    from kind.data.generated_scenes import write_scenes

    folder = cache / "built-in-places"
    with writing_to_cache(folder):
        write_scenes(folder, _QUICK_PHOTOGRAPHS, size=_QUICK_SIDE)
    return folder
