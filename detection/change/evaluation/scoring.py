"""What networks find in pairs, counted pixel by pixel, under each light."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kind.detection.change.predictor import ChangePredictor
from kind.metrics.binary_masks import Counts, count_pixels


class Method(NamedTuple):
    """What is scored.

    Attributes:
        name: in the tables.
        input: what it compares, see `detection.inputs.INPUTS`.
        find: two photographs, float32 [H, W, 3] in [0, 1] → probability of a change, float32 [H, W].
    """

    name: str
    input: str
    find: ChangePredictor | Callable[[np.ndarray, np.ndarray], np.ndarray]


class Set(NamedTuple):
    """Pairs under one light.

    Attributes:
        lighting: its name.
        names: of the pairs.
        pairs: batches of one `{before, after, label}`; the same ones each time.
    """

    lighting: str
    names: Sequence[str]
    pairs: Iterable[dict[str, tf.Tensor]]


class Scored(NamedTuple):
    """What one method found under one light.

    Attributes:
        lighting: name of the light.
        method: what found it.
        names: of the pairs.
        counts: of each pair.
    """

    lighting: str
    method: Method
    names: Sequence[str]
    counts: Sequence[Counts]


def score(
    sets: Sequence[Set],
    methods: Sequence[Method],
    threshold: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Scored]:
    """Lets every method look at every pair.

    Args:
        sets: pairs, light by light.
        methods: what is scored.
        threshold: probabilities above this are changes.
        progress: called with the number of pairs that are done, and how many there are.

    Returns:
        One entry for each light and method, in the order of the lights.
    """
    total, done, found = sum(len(one.names) for one in sets), 0, []
    for one in sets:
        counts: list[list[Counts]] = [[] for _ in methods]
        for sample in one.pairs:
            before, after, label = (sample[key][0].numpy() for key in ("before", "after", "label"))
            for kept, method in zip(counts, methods):
                kept.append(count_pixels(method.find(before, after) > threshold, label[..., 0] > 0.5))
            done += 1
            progress(done, total)
        found += [Scored(one.lighting, method, one.names, kept) for method, kept in zip(methods, counts)]
    return found
