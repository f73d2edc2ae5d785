"""Frames of a video, enhanced with global statistics that somebody has smoothed over time."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from kind.enhancing.computation import Wanted
from kind.enhancing.enhancer import Enhancer

Statistics = tuple[np.ndarray, ...]
"""What a frame's result depends on besides its own pixels: float32 [1, …] each."""


class FrameEnhancer:
    """An enhancer of frames, in two steps between which the statistics can be changed.

    Statistics of several frames of one size may be averaged, which is a mean of α in stops where the variant
    suggests log α; but for those in the places `own_statistics`.

    Example:
        >>> enhance = FrameEnhancer(Enhancer.load())
        >>> relit, alpha = enhance(frame, enhance.statistics(frame))
    """

    at_once = 1  # TensorFlow computes one frame with all processors

    def __init__(
        self,
        enhancer: Enhancer,
        alpha: float | None = None,
        *,
        brightness: float | None = None,
        fusion: str = "plain",
        strength: float = 1.0,
        part: str = "relit",
    ) -> None:
        """Chooses what becomes of frames.

        Args:
            enhancer: the networks.
            alpha: see `Enhancer.__call__`.
            brightness: mean luma of each frame, in place of α; see `Enhancer.alpha_for_brightness`.
            fusion: see `Enhancer.__call__`.
            strength: see `Enhancer.__call__`.
            part: one of `kind.enhancing.enhanced.PARTS`.
        """
        self._enhancer, self._brightness, self._part = enhancer, brightness, part
        self.own_statistics = enhancer.own_statistics
        self._blend = {"fusion": fusion, "strength": strength}
        self._alpha = math.nan if alpha is None else alpha
        self._wanted = Wanted(fusion, (part,), strength, levels=True)

    def statistics(self, frame: np.ndarray) -> Statistics:
        """Looks at a whole frame.

        Args:
            frame: uint8 [H, W, 3], RGB.

        Returns:
            Its statistics; the last is log α, NaN where α is left to the variant.
        """
        if self._enhancer.needs_tiles(1, *frame.shape[:2]):
            seen = self._enhancer.collect_statistics_of(frame[np.newaxis])
        else:
            seen = self._enhancer.statistics_graph()(frame[np.newaxis])
        alpha = self._alpha
        if self._brightness is not None:
            alpha = self._enhancer.alpha_for_brightness(frame, self._brightness, **self._blend)
        log_alpha = math.log(alpha) if alpha > 0 else -math.inf if alpha == 0 else math.nan
        return *(np.asarray(each, np.float32) for each in seen), np.float32([log_alpha])

    def __call__(self, frame: np.ndarray, statistics: Statistics) -> tuple[np.ndarray, float]:
        """Enhances a frame.

        Args:
            frame: uint8 [H, W, 3], RGB.
            statistics: of frames of this size.

        Returns:
            The part, uint8 [H, W, 3] or [H, W, 1], and α.
        """
        *seen, log_alpha = statistics
        seen, alpha = tuple(map(tf.constant, seen)), tf.constant(np.exp(log_alpha))
        if self._enhancer.needs_tiles(1, *frame.shape[:2]):
            made = self._enhancer.tiled(frame[np.newaxis], alpha, self._wanted, seen=seen)
            return np.asarray(getattr(made, self._part))[0], float(made.alpha[0])
        graph, shares = self._enhancer.frame_graph(self._wanted, seen)
        made = graph(frame[np.newaxis], alpha, *shares, *seen)
        return np.asarray(made[self._part])[0], float(made["alpha"][0])
