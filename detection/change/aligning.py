"""Registers a second photograph to the first: where each of its pixels lies there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from skimage.transform import AffineTransform, resize, warp

from kind.data.pair_checks import UNRELATED
from kind.data.registration import FARTHEST, SMALLEST_SIDE, estimate_shift
from kind.errors import UserError

_COARSE_SIDE, _FINE_SIDE = 512, 1024  # pixels of the longer side
_WINDOWS = 3  # along each axis
_FEWEST_WINDOWS = 5
_OUTLIER = 3.0  # pixels from the plane through the other windows' shifts
_ASPECTS = 0.02  # relative difference up to which one photograph is scaled to the other's size
_LARGEST_DISTORTION = 0.1


class Alignment(NamedTuple):
    """How two photographs lie on one another.

    Attributes:
        matrix: float64 [2, 3]: (x, y, 1) of a pixel of the first → (x, y) in the second.
        agreement: of the structure of both, see `kind.data.registration.Shift`.
        size: height and width of the first.
    """

    matrix: np.ndarray
    agreement: float
    size: tuple[int, int]

    @property
    def shift(self) -> float:
        """How far the middle of the photograph is moved, in pixels of the second."""
        height, width = self.size
        middle = np.array([(width - 1) / 2, (height - 1) / 2, 1.0])
        return float(np.hypot(*(self.matrix @ middle - middle[:2])))

    def aligned(self, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The second photograph as it lies on the first.

        Args:
            second: float32 [H', W', 3].

        Returns:
            float32 [H, W, 3], its border repeated outside; and bool [H, W], where there is something of it.
        """
        transform = AffineTransform(matrix=np.vstack([self.matrix, [0, 0, 1]]))
        second = np.require(second, requirements="W")  # scikit-image refuses read-only memory
        moved = warp(second, transform, output_shape=self.size, order=1, mode="edge", preserve_range=True)
        y, x = np.indices(self.size)
        places = np.einsum("ij,jhw->ihw", self.matrix, np.stack([x, y, np.ones_like(x)]).astype(np.float64))
        ends = np.array(second.shape[1::-1]).reshape(2, 1, 1) - 0.5
        return moved.astype(np.float32), ((places >= -0.5) & (places <= ends)).all(axis=0)

    def in_second(self, points: np.ndarray) -> np.ndarray:
        """Points (x, y) of the first photograph, float [N, 2], in the second one."""
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]


def unmoved(size: tuple[int, int]) -> Alignment:
    """The alignment of photographs that are in register already."""
    return Alignment(np.eye(2, 3), float("nan"), size)


def align(first: np.ndarray, second: np.ndarray) -> Alignment:
    """Registers two photographs of one place by a shift, turn, zoom and shear.

    A shift of the whole is found on a small copy, within 6 % of the longer side; then shifts of nine windows,
    to which an affine map is fitted. Where few windows agree, as at night, it is the shift alone.

    Args:
        first: gray, float32 [H, W] in [0, 1].
        second: likewise; of about the same aspect ratio.

    Returns:
        The alignment.

    Raises:
        UserError: when they differ in aspect ratio, are too small, or have no structure in common.
    """
    _check(first.shape, second.shape)
    scaled = np.array(second.shape) / np.array(first.shape)  # of second to first, down and right
    second = _resized(second, first.shape)
    coarse, shrunk = _shrunk(first, second, _COARSE_SIDE)
    shift = estimate_shift(*coarse)
    if shift.agreement < UNRELATED:
        raise UserError(
            "the photographs cannot be registered: no structure in common within "
            f"{FARTHEST / shrunk:.0f} pixels (agreement {shift.agreement:.2f}, expected {UNRELATED:g} or "
            "more); do they show one place from one point of view?"
        )
    whole = np.array([shift.right, shift.down]) / shrunk
    fitted = _fitted(first, second, whole)
    matrix = np.eye(2, 3) if fitted is None else fitted
    if fitted is None:
        matrix[:, 2] = whole
    # From pixels of the scaled second photograph to its own: centres, not corners, lie on one another.
    scale = scaled[::-1, np.newaxis]
    own = matrix * scale
    own[:, 2] += 0.5 * scale[:, 0] - 0.5
    return Alignment(own, shift.agreement, first.shape)


def _check(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    sizes = [f"{shape[1]}x{shape[0]}" for shape in (first, second)]
    aspects = [shape[1] / shape[0] for shape in (first, second)]
    if abs(aspects[0] / aspects[1] - 1) > _ASPECTS:
        raise UserError(
            f"the photographs cannot be registered: {sizes[0]} and {sizes[1]} pixels have other aspect "
            "ratios; crop one of them to the other's"
        )
    if (
        min(*first, *second) < SMALLEST_SIDE
        or min(first) * min(1.0, _COARSE_SIDE / max(first)) < SMALLEST_SIDE
    ):
        raise UserError(
            f"the photographs cannot be registered: {sizes[0]} and {sizes[1]} pixels; expected "
            f"{SMALLEST_SIDE} or more, and a longer side of at most four shorter ones; --no-registration "
            "compares them as they lie"
        )


def _fitted(first: np.ndarray, second: np.ndarray, whole: np.ndarray) -> np.ndarray | None:
    """An affine map through the shifts of windows, float [2, 3]; None where too few agree."""
    (first, second), scale = _shrunk(first, second, _FINE_SIDE)
    sides = np.array([max(SMALLEST_SIDE, length // 2) for length in first.shape])
    last = np.array(first.shape) - sides
    points, shifts = [], []
    for place in np.ndindex(_WINDOWS, _WINDOWS):
        start = last * place // (_WINDOWS - 1)
        there = np.clip(start + np.rint(whole[::-1] * scale).astype(int), 0, last)
        found = estimate_shift(_window(first, start, sides), _window(second, there, sides))
        if found.agreement >= UNRELATED:
            points.append([*(start + sides / 2)[::-1], 1.0])
            shifts.append((there - start + [found.down, found.right])[::-1])
    fit = _plane(np.array(points), np.array(shifts))
    if fit is None or np.abs(fit[:, :2]).max() > _LARGEST_DISTORTION:
        return None
    fit = fit + np.eye(2, 3)
    fit[:, 2] /= scale
    return fit


def _window(image: np.ndarray, start: np.ndarray, sides: np.ndarray) -> np.ndarray:
    return image[start[0] : start[0] + sides[0], start[1] : start[1] + sides[1]]


def _plane(points: np.ndarray, shifts: np.ndarray) -> np.ndarray | None:
    """Shifts as a linear function of places, outliers left out one by one: float [2, 3]."""
    while len(points) >= _FEWEST_WINDOWS:
        fit, *_ = np.linalg.lstsq(points, shifts, rcond=None)
        distances = np.hypot(*(points @ fit - shifts).T)
        if distances.max() <= _OUTLIER:
            return fit.T
        keep = np.arange(len(points)) != distances.argmax()
        points, shifts = points[keep], shifts[keep]
    return None


def _shrunk(first: np.ndarray, second: np.ndarray, side: int) -> tuple[list[np.ndarray], float]:
    """Both at a longer side of at most `side`, and the factor."""
    scale = min(1.0, side / max(first.shape))
    size = tuple(round(length * scale) for length in first.shape)
    return [_resized(image, size) for image in (first, second)], scale


def _resized(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    if image.shape == tuple(size):
        return image
    return resize(image, size, order=1, anti_aliasing=True).astype(np.float32)
