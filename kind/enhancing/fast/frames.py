"""Frames of a video in 8 bits: as `kind.enhancing.frames`."""

from __future__ import annotations

import math
import queue

import numpy as np

from kind.enhancing.fast.enhancer import FastEnhancer
from kind.enhancing.processors import processors
from kind.errors import UserError

Statistics = tuple[np.ndarray, ...]


class FastFrames:
    """Enhances frames in two steps between which the statistics can be changed; see `FrameEnhancer`.

    Attributes:
        at_once: frames that are enhanced at the same time, each by a share of the processors: threads that
            share a frame spend a fifth of their time on waiting for each other.
    """

    own_statistics = ()

    def __init__(
        self,
        enhancer: FastEnhancer,
        alpha: float | None = None,
        *,
        brightness: float | None = None,
        fusion: str = "plain",
        strength: float = 1.0,
    ) -> None:
        """Chooses what becomes of frames; arguments as of `FrameEnhancer`.

        Raises:
            UserError: on another fusion than "plain".
        """
        if fusion != "plain":
            raise UserError("int8 has fusion plain alone: take precision float32 or bfloat16")
        self._enhancer, self._alpha = enhancer, alpha
        self._brightness, self._strength = brightness, strength
        self.at_once = min(processors(), enhancer.frames_at_once)
        self._free: queue.SimpleQueue[FastEnhancer] = queue.SimpleQueue()
        for one in enhancer.copies(self.at_once):
            self._free.put(one)

    def statistics(self, frame: np.ndarray) -> Statistics:
        """Looks at a whole frame, uint8 [H, W, 3]; the last statistic is the given log₂ α, or NaN."""
        with self._enhancer.computing():
            *arrays, stops = self._enhancer.judged(frame)
        alpha = self._alpha
        if self._brightness is not None:
            alpha = self._enhancer.alpha_for_brightness(frame, self._brightness, strength=self._strength)
        given = math.nan if alpha is None else math.log2(alpha) if alpha > 0 else -math.inf
        return *arrays, np.float32([stops]), np.float32([given])

    def __call__(self, frame: np.ndarray, statistics: Statistics) -> tuple[np.ndarray, float]:
        """Enhances a frame, uint8 [H, W, 3], with statistics of such frames: uint8 [H, W, 3], and α."""
        *arrays, (stops,), (given,) = statistics
        seen = self._enhancer.seen_as(*arrays, float(stops))
        alpha = float(2.0 ** (stops if math.isnan(given) else given))
        free = self._free.get()
        try:
            return free.relit(frame, seen, alpha, self._strength), alpha
        finally:
            self._free.put(free)
