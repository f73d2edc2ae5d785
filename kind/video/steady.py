"""No flicker: what a frame's enhancement depends on is averaged over its neighbours, within a scene."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple, TypeVar

import numpy as np

Frame = TypeVar("Frame")

HALF_SECONDS = 0.5
"""How far the average reaches on each side."""

_MOST_FRAMES = 15  # on each side, all of which are held in memory
_MOST_BYTES = 200 << 20  # of these
_SIDE = 16  # cells of a glance
_SEEN_SIDE = 128  # pixels of a frame that a glance looks at, along its shorter side
_CUT = 0.35  # share of the light that differs
_DARKEST = 1 / 255


class Looked(NamedTuple):
    """A frame, its global statistics, and a glance at it.

    Attributes:
        frame: anything.
        statistics: arrays that may be averaged over frames.
        glance: of `glance`.
    """

    frame: object
    statistics: tuple[np.ndarray, ...]
    glance: np.ndarray


def glance(pixels: np.ndarray) -> np.ndarray:
    """What scene cuts are found by: the mean colours of 16×16 cells.

    Args:
        pixels: uint8 [H, W, 3].

    Returns:
        float32 [16, 16, 3] in [0, 1].
    """
    step = max(1, min(pixels.shape[:2]) // _SEEN_SIDE)
    sums = pixels[::step, ::step].astype(np.float32) / 255
    for axis in (0, 1):
        length = sums.shape[axis]
        starts = np.arange(_SIDE) * length // _SIDE
        counts = np.maximum(np.diff(starts, append=length), 1).astype(np.float32)
        sums = np.add.reduceat(sums, starts, axis=axis)
        sums /= counts[:, None, None] if axis == 0 else counts[:, None]
    return sums


def is_cut(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether two neighbouring frames show different scenes, or one under another light.

    The mean difference of cells is compared with their mean brightness, so that dark videos count like bright
    ones: noise averages out over a cell, and a camera that moves changes little from frame to frame.

    Args:
        before: glance at a frame.
        after: glance at the next one.
    """
    light = (before.mean() + after.mean()) / 2 + _DARKEST
    return bool(np.abs(after - before).mean() > _CUT * light)


def frames_on_each_side(rate: float, size: tuple[int, int]) -> int:
    """How many frames the average reaches on each side: half a second, within what memory allows.

    Args:
        rate: frames in a second.
        size: height and width.
    """
    fitting = _MOST_BYTES // (size[0] * size[1] * 3)
    return max(1, min(round(HALF_SECONDS * rate), _MOST_FRAMES, fitting))


def steadied(
    looked: Iterable[Looked], half: int, own: Collection[int] = ()
) -> Iterator[tuple[object, tuple[np.ndarray, ...]]]:
    """Averages the statistics of each frame over the frames before and after it, in its scene.

    The weights are a triangle: 1 for the frame itself, falling to 0 beyond `half` frames. Because they end, a
    frame's average is the same wherever one begins to read, from `half` frames before it on.

    Args:
        looked: one frame after another.
        half: frames on each side.
        own: places of statistics that are each frame's own, and are not averaged.

    Yields:
        Each frame with its average. `half` frames are read ahead.
    """
    past: deque[Looked] = deque(maxlen=half)
    ahead: deque[tuple[Looked, bool]] = deque()  # and whether a scene begins with it
    previous = None
    source = iter(looked)
    is_over = False
    while True:
        while not is_over and len(ahead) <= half:
            entry = next(source, None)
            if entry is None:
                is_over = True
                break
            ahead.append((entry, previous is not None and is_cut(previous, entry.glance)))
            previous = entry.glance
        if not ahead:
            return
        entry, begins = ahead.popleft()
        if begins:
            past.clear()
        future = []
        for later, begins_scene in ahead:
            if begins_scene:
                break
            future.append(later)
        yield entry.frame, _averaged(entry, list(past)[::-1], future, half, own)
        past.append(entry._replace(frame=None))


def _averaged(
    entry: Looked, past: list[Looked], future: list[Looked], half: int, own: Collection[int]
) -> tuple[np.ndarray, ...]:
    neighbours = [(entry, half + 1)]
    for side in (past, future):
        neighbours += [(other, half - distance) for distance, other in enumerate(side)]
    total = sum(weight for _, weight in neighbours)
    return tuple(
        entry.statistics[place]
        if place in own
        else sum(other.statistics[place] * np.float32(weight / total) for other, weight in neighbours)
        for place in range(len(entry.statistics))
    )


def relative_changes(means: Iterable[float]) -> np.ndarray:
    """Flicker: how much the mean of each frame differs from that of the one before it, as a share of it."""
    values = np.asarray(list(means), np.float64)
    return np.abs(np.diff(values)) / np.maximum(values[:-1], 1e-9)
