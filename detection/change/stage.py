"""Training of change detection: two dates, in any light → where something has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.detection.change.config import ChangeConfig
from kind.detection.change.loss import change_loss, objective_terms
from kind.detection.inputs import detector_input
from kind.enhancing.enhancer import Enhancer
from kind.metrics.binary_masks import Counts, figures_of, total_of
from kind.training.stage import Stage

Preprocess = Callable[[tf.Tensor], tf.Tensor]
"""Photographs, float32 [N, H, W, 3] in [0, 1] → what is compared of them, the same shape."""

_HIT, _MISS, _FALSE_ALARM = (1.0, 1.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


class ChangeStage(Stage):
    """Learns from batches `{before, after, label}`; the best net has the highest validation F1."""

    loss_names = ("loss",)
    monitor = "val_f1"
    higher_is_better = True
    shown = ("before", "after", "compared: before", "compared: after", "true", "found")
    config: ChangeConfig

    def __init__(self, net: keras.Model, config: ChangeConfig, preprocess: Preprocess | None = None) -> None:
        """Wraps a network.

        Args:
            net: see `detection.change.model.change_net`.
            config: the run's settings.
            preprocess: see `preprocessing`; None compares the photographs as they are.
        """
        self.loss_names = ("loss", *objective_terms(config))
        super().__init__(net, config)
        self.seen = preprocess or preprocessing("raw")

    def losses(self, sample, training):
        """The weighted total and each term of the objective."""
        return change_loss(self._logits(sample, training), sample["label"], self.config)

    def validation_values(self, sample):
        """Losses of a pair, and its numbers of right and wrong pixels, int64 [4], see `Counts`."""
        logits = self._logits(sample, training=False)
        found, true = logits[0] > 0.0, sample["label"] > 0.5
        parts = (found & true, found & ~true, ~found & true, ~found & ~true)
        counts = tf.stack([tf.math.count_nonzero(part) for part in parts])
        return {**change_loss(logits, sample["label"], self.config), "counts": counts}

    def validation_metrics(self, values: Sequence[dict[str, tf.Tensor]]) -> dict[str, float]:
        """Means of the loss terms, and the figures of the whole set."""
        counts = [Counts(*map(int, value["counts"])) for value in values]
        means = {name: float(np.mean([value[name] for value in values])) for name in self.loss_names}
        return {**means, **figures_of(total_of(counts))._asdict()}

    def complaints(self, values):
        """Says when everything is predicted 0, which is right for most pixels and of no use."""
        total = total_of([Counts(*map(int, value["counts"])) for value in values])
        if total.hits + total.false_alarms or not total.misses:
            return []
        return [
            f"everything is predicted 0 (unchanged) in all {len(values)} validation pairs: raise "
            "--focal-alpha, or lower --learning-rate"
        ]

    def visualisations(self, sample):
        """What `shown` names; of what is found: right pixels white, missed ones red, wrong ones green."""
        seen = [self.seen(sample[date]) for date in ("before", "after")]
        found = self.net(seen, training=False)
        found = tf.nest.flatten(found)[0] > 0.0
        drawn = draw_verdict(found[0, ..., 0].numpy(), sample["label"][0, ..., 0].numpy() > 0.5)
        shown = [sample["before"], sample["after"], *seen, sample["label"]]
        return [*shown, tf.constant(drawn)[tf.newaxis]]

    def _logits(self, sample: dict[str, tf.Tensor], training: bool) -> list[tf.Tensor]:
        """Of each mask, the finest first; both dates go through the networks before at once."""
        both = self.seen(tf.concat([sample["before"], sample["after"]], axis=0))
        outputs = self.net(tf.split(both, 2, axis=0), training=training)
        return tf.nest.flatten(outputs)


def preprocessing(kind: str, enhancer: Enhancer | None = None) -> Preprocess:
    """A function from photographs to what is compared, through which no gradient reaches the enhancer.

    Args:
        kind: see `detection.inputs.INPUTS`.
        enhancer: see `detection.inputs.detector_input`; it chooses α itself.
    """

    def preprocess(images: tf.Tensor) -> tf.Tensor:
        return tf.stop_gradient(detector_input(enhancer, images, kind))

    return (lambda images: images) if kind == "raw" else preprocess


def draw_verdict(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Two masks, bool [H, W], as one picture, float32 [H, W, 3]: right white, missed red, wrong green."""
    drawn = np.zeros([*true.shape, 3], np.float32)
    for mask, colour in ((found & true, _HIT), (~found & true, _MISS), (found & ~true, _FALSE_ALARM)):
        drawn[mask] = colour
    return drawn


def make_stage(config: ChangeConfig, enhancer: Enhancer | None) -> ChangeStage:
    """The stage with new weights, under the strategy in force."""
    from kind.detection.change.model import change_net
    from kind.training.precision import precision

    with precision(config.precision):
        return ChangeStage(change_net(config.architecture), config, preprocessing(config.input, enhancer))


def maker(config: ChangeConfig, enhancer: Enhancer | None) -> Callable[[], ChangeStage]:
    """What makes the stage."""
    return partial(make_stage, config, enhancer)
