"""The objective of change detection: losses of the catalogue over a mask, and over the coarser masks."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from kind.detection.change.config import OBJECTIVES, ChangeConfig
from kind.losses.catalogue import CATALOGUE


def objective_terms(config: ChangeConfig) -> tuple[str, ...]:
    """The names of the terms that a run's objective adds up."""
    return OBJECTIVES[config.objective]


def change_loss(logits: Sequence[tf.Tensor], label: tf.Tensor, config: ChangeConfig) -> dict[str, tf.Tensor]:
    """The weighted total, and each term by its name and without its weight.

    With several masks each term is that of the first, plus `side_weight` times the mean over the others.

    Args:
        logits: of each mask, float32 [N, H, W, 1], the finest first.
        label: float32 [N, H, W, 1], 0 or 1.
        config: of the run.

    Returns:
        Float32 scalars, "loss" first.
    """
    found = {}
    for name in objective_terms(config):
        first, *others = (_term(name, one, label, config) for one in logits)
        found[name] = first + config.side_weight * tf.add_n(others) / len(others) if others else first
    weights = {
        "focal": config.focal_weight,
        "cross_entropy": config.cross_entropy_weight,
        "iou_cross_entropy": config.cross_entropy_weight,
        "lovasz": config.lovasz_weight,
    }
    total = tf.add_n([weights[name] * term for name, term in found.items()])
    return {"loss": total, **found}


def _term(name: str, logits: tf.Tensor, label: tf.Tensor, config: ChangeConfig) -> tf.Tensor:
    if name == "focal":
        return CATALOGUE["focal"](logits, label, alpha=config.focal_alpha)
    if name == "cross_entropy":
        return CATALOGUE["binary-cross-entropy"](logits, label)
    if name == "lovasz":
        return CATALOGUE["lovasz-hinge"](logits, label)
    return iou_cross_entropy(logits, label)


def iou_cross_entropy(logits: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
    """Mean (2 - IoU)·BCE, pair by pair: pairs whose mask is poor count up to twice.

    IoU = Σ p·y / Σ (p + y - p·y) of probabilities p; it weighs and is not differentiated. Of a pair without
    any change it is that of "unchanged".

    Args:
        logits: float32 [N, H, W, 1].
        label: y, the same shape, 0 or 1.

    Returns:
        float32 scalar, from 0.
    """
    axes = [1, 2, 3]
    changed = tf.reduce_max(label, axis=axes, keepdims=True)
    truth = changed * label + (1.0 - changed) * (1.0 - label)
    odds = changed * logits - (1.0 - changed) * logits
    probability = tf.sigmoid(odds)
    both = tf.reduce_sum(probability * truth, axis=axes)
    either = tf.reduce_sum(probability + truth - probability * truth, axis=axes)
    weight = tf.stop_gradient(2.0 - both / either)
    return tf.reduce_mean(weight * CATALOGUE["binary-cross-entropy"](logits, label, per_image=True))
