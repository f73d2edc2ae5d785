"""The light variant's data, a mixture of sets, and its frozen features."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.mixture_feed import open_mixture
from kind.lite.config import LiteConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tensorflow import keras

    from kind.data.sources import Progress
    from kind.lite.stage import LiteStage
    from kind.training.loop import Building, Prepared


def prepare(
    config: LiteConfig,
    *,
    data: Sequence[str] | None,
    quick: bool,
    cache: Path,
    replicas: int,
    progress: Progress | None = None,
    built: Building | None = None,
) -> Prepared:
    """Reads the parts of the mixture, decoded unless the cache has them.

    Args:
        config: of the run.
        data: the parts, as `kind.data.photographs.parse_part` reads them; None with `quick`.
        quick: train on built-in pairs.
        cache: folder for decoded images.
        replicas: how many share each batch.
        progress: see `kind.data.sources`.
        built: see `kind.cli.stages.Surroundings`; called last, because the data say what is validated.

    Returns:
        What to train.

    Raises:
        UserError: when a part is missing, broken or too small.
    """
    from kind.data.arrays import writing_to_cache
    from kind.data.samples import quick_pairs
    from kind.lite.stage import SPEC
    from kind.training.loop import Prepared

    with writing_to_cache(cache):
        texts = [str(quick_pairs(cache))] if quick else list(data)
    features = _features(config)
    datasets, digests, groups = open_mixture(texts, config, replicas, cache, progress)
    # The weights of the parts decide what is drawn, so a resumed run must have the same.
    make_stage = partial(_make_stage, config, groups, features)
    make_stage = built(make_stage) if built else make_stage
    given = {"mixture": texts}
    if features:
        from kind.nn.saving import weights_digest

        given["features"] = weights_digest(features)
    return Prepared(SPEC.stage, make_stage, datasets, digests, given)


def _features(config: LiteConfig) -> keras.Model | None:
    """The frozen network whose features the restored image should keep, when its weight is not 0."""
    if not config.feature_weight:
        return None
    from kind.detection.predictor import load_detector
    from kind.detection.reuse import feature_network

    return feature_network(load_detector(config.feature_detector or None))


def _make_stage(config: LiteConfig, groups: Sequence[str], features: keras.Model | None) -> LiteStage:
    """The stage with new weights."""
    from kind.lite.stage import make_stage
    from kind.training.precision import precision

    with precision(config.precision):
        return make_stage(config, groups, features)
