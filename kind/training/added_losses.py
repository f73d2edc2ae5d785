"""The losses that a user adds to a stage, and the weights that she gives its own terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow import keras

from kind.errors import UserError, listed
from kind.losses import catalogue
from kind.losses.catalogue import CATALOGUE, Entry
from kind.training.objective import (
    LOSS,
    Added,
    FeatureLoader,
    check_weights,
    parse_losses,
    parse_weights,
)

Comparison = Mapping[str, tuple[Any, ...]]
"""What a stage offers of one of its results: for each kind of inputs (`catalogue.PAIR`) the tensors."""

IMAGE_INPUTS = frozenset({catalogue.PAIR, catalogue.IMAGE, catalogue.FEATURES})
"""What `compared_images` offers without a source."""


def compared_images(output: tf.Tensor, target: tf.Tensor, source: tf.Tensor | None = None) -> Comparison:
    """What losses take of a result, its target and the dark image it was made of."""
    offered = {
        catalogue.PAIR: (output, target),
        catalogue.IMAGE: (output,),
        catalogue.FEATURES: (output, target),
    }
    return offered if source is None else {**offered, catalogue.SOURCE: (output, source)}


class AddedLosses:
    """The part of a stage's objective that the command line decides."""

    def __init__(
        self,
        losses: Sequence[Added],
        weights: Mapping[str, float],
        compared: Mapping[str, frozenset[str]],
        features: Mapping[str, Any],
    ) -> None:
        """Keeps what has been checked; see `added_losses`.

        Args:
            losses: to add.
            weights: of the stage's own terms, where they are not its config's.
            compared: what the stage offers, by the name of its result.
            features: φ by the term's name.
        """
        self._losses, self._weights, self._features = losses, weights, features
        self._compared = compared
        self.digests = {term: network.digest for term, network in features.items()}
        self.names = tuple(name for loss in losses for name, _ in self._places(loss))

    def total(
        self,
        terms: dict[str, tf.Tensor],
        own_weights: Mapping[str, float],
        comparisons: Mapping[str, Comparison],
        net: keras.Model,
    ) -> dict[str, tf.Tensor]:
        """The stage's terms and the added ones, unweighted, and "loss", the total of both.

        Args:
            terms: the stage's own, and their total "loss".
            own_weights: of the stage's own terms by its config.
            comparisons: by the names in `compared`.
            net: the network that learns.
        """
        total = terms["loss"]
        if self._weights:
            weights = {**own_weights, **self._weights}
            total = tf.add_n([tf.constant(0.0), *(w * terms[name] for name, w in weights.items() if w)])
        added = {}
        for loss in self._losses:
            for name, place in self._places(loss):
                inputs = (_kernels(net),) if place is None else self._inputs(loss, comparisons[place])
                added[name] = CATALOGUE[loss.name](*inputs)
                total += loss.weight * added[name]
        return {**terms, "loss": total, **added}

    def _places(self, loss: Added) -> list[tuple[str, str | None]]:
        """(name of the term, name of the result that it is of), for each; None for the weights."""
        kind = CATALOGUE[loss.name].inputs
        if kind == catalogue.WEIGHTS:
            return [(loss.term, None)]
        places = [place for place, offered in self._compared.items() if kind in offered]
        alone = len(self._compared) == 1
        return [(loss.term if alone else f"{loss.term}_{place}", place) for place in places]

    def _inputs(self, loss: Added, comparison: Comparison) -> tuple[Any, ...]:
        inputs = comparison[CATALOGUE[loss.name].inputs]
        if loss.term not in self._features:
            return inputs
        output, target = map(self._features[loss.term], inputs)
        return output, [tf.stop_gradient(part) for part in target]


def added_losses(stage: type, config: Any, load_features: FeatureLoader) -> AddedLosses | None:
    """Reads and checks the `loss` and `loss_weight` of a config.

    Args:
        stage: the class of the stage, a `kind.training.stage.Stage`.
        config: of the run.
        load_features: reads φ for losses of features.

    Returns:
        The losses and weights; None where the config changes nothing.

    Raises:
        UserError: when a loss or term is not known or not one for this stage, crops are too small for it, or
            a network cannot be read.
    """
    losses, weights = parse_losses(config.loss), parse_weights(config.loss_weight)
    if not losses and not weights:
        return None
    own = stage.term_weights(config)
    check_weights(weights, tuple(own), stage.__name__)
    for loss in losses:
        _check(loss, stage, config, own)
    features = {
        loss.term: load_features(loss.file, (loss.layer,) if loss.layer else ())
        for loss in losses
        if CATALOGUE[loss.name].inputs == catalogue.FEATURES
    }
    added = AddedLosses(losses, weights, stage.compared, features)
    return added


def smallest_side(config: Any) -> int:
    """Least side of the images that the losses of a config, its own and added ones, can be computed on."""
    return max(config.smallest_patch, smallest_added_side(config))


def smallest_added_side(config: Any) -> int:
    """The same of the added losses alone."""
    return max([1, *(CATALOGUE[loss.name].smallest for loss in parse_losses(config.loss))])


def _check(loss: Added, stage: type, config: Any, own: Mapping[str, float]) -> None:
    entry = CATALOGUE.get(loss.name)
    if entry is None:
        raise UserError(f"{LOSS} {loss.name}: no such loss; `kind losses` lists them")
    if loss.term in own:
        raise UserError(
            f"{LOSS} {loss.name}: {loss.term} is a built-in term; give --loss-weight {loss.term}=…"
        )
    if (loss.file or loss.layer) and entry.inputs != catalogue.FEATURES:
        raise UserError(f"{LOSS} {loss.name}: compares no features of a network; give {loss.name}=WEIGHT")
    _check_inputs(loss, entry, stage)
    if config.patch < entry.smallest:
        raise UserError(
            f"{LOSS} {loss.name} expects --patch of at least {entry.smallest}, received {config.patch}"
        )


def _check_inputs(loss: Added, entry: Entry, stage: type) -> None:
    offered = frozenset().union(*stage.compared.values(), {catalogue.WEIGHTS})
    if entry.inputs not in offered:
        raise UserError(
            f"{LOSS} {loss.name}: takes {entry.inputs}; {stage.__name__} offers {listed(sorted(offered), 12)}"
        )
    if entry.channels not in (None, stage.channels):
        raise UserError(
            f"{LOSS} {loss.name}: expects RGB images; those of {stage.__name__} have {stage.channels} channel"
        )


def _kernels(net: keras.Model) -> list[tf.Variable]:
    """The weights that penalties are for: biases and normalisations are left alone."""
    return [variable for variable in net.trainable_variables if "kernel" in variable.name]
