"""Optimisers and learning-rate schedules by name."""

from __future__ import annotations

import math

import tensorflow as tf
from tensorflow import keras

from kind.training.config import TrainingConfig


class EpochSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate by epoch: linear warm-up, then constant, stepwise or cosine.

    Args:
        config: of the run.
        steps_per_epoch: optimiser steps an epoch.
    """

    def __init__(self, config: TrainingConfig, steps_per_epoch: int) -> None:
        """Keeps the numbers that the schedule is made of."""
        self.config = config
        self.steps_per_epoch = steps_per_epoch

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """The rate at an optimiser step, float32 scalar."""
        config = self.config
        epoch = tf.cast(step, tf.float32) / self.steps_per_epoch
        rate = tf.constant(config.learning_rate, tf.float32)
        if config.schedule == "step":
            passed = tf.reduce_sum([tf.cast(epoch >= step, tf.float32) for step in config.step_epochs])
            rate *= config.step_factor**passed
        elif config.schedule == "cosine":
            length = max(1, config.epochs - config.warmup_epochs)
            passed = tf.clip_by_value((epoch - config.warmup_epochs) / length, 0.0, 1.0)
            rate *= 0.5 * (1.0 + tf.cos(math.pi * passed))
        if config.warmup_epochs:
            rate *= tf.minimum(
                1.0, (epoch * self.steps_per_epoch + 1) / (config.warmup_epochs * self.steps_per_epoch)
            )
        return rate

    def get_config(self) -> dict:
        """The numbers that the schedule is made of."""
        return {"config": self.config, "steps_per_epoch": self.steps_per_epoch}


def make_optimiser(config: TrainingConfig, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Adam (β 0.9, 0.999) with the config's schedule and gradient clipping."""
    return keras.optimizers.Adam(
        EpochSchedule(config, steps_per_epoch), global_clipnorm=config.clip_norm or None
    )
