"""What is called when something is measured: random images, always the same, and how long a call takes."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np


def timed(call: Callable[[], object]) -> float:
    """The seconds that one call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def random_inputs(height: int, width: int, *channels: int) -> list[np.ndarray]:
    """For each number of channels C one array, float32 [1, height, width, C] in [0, 1), always the same."""
    generator = np.random.default_rng(0)
    return [generator.random((1, height, width, count), np.float32) for count in channels]


def dark_image(height: int, width: int) -> np.ndarray:
    """A random image, float32 [1, height, width, 3] in [0, 0.1).

    Bright ones take longer by the light variant: it darkens its own suggestion for them.
    """
    return random_inputs(height, width, 3)[0] * np.float32(0.1)
