"""Changed regions of a mask: their outlines as polygons, and pictures of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from skimage.measure import approximate_polygon, find_contours, label, regionprops

_TOLERANCE = 0.75  # pixels that a simplified outline may lie off
_PIXELS_A_LINE = 250
_LINE, _RIM = (255, 214, 10), (0, 0, 0)


class Region(NamedTuple):
    """A connected changed region.

    Attributes:
        outline: float [K, 2], (x, y) in pixels, the first point last again.
        holes: outlines of what lies inside and has not changed.
        area: in pixels.
        box: left, top, right, bottom in pixels.
        probability: mean over the region.
    """

    outline: np.ndarray
    holes: list[np.ndarray]
    area: int
    box: tuple[int, int, int, int]
    probability: float

    @property
    def rings(self) -> tuple[np.ndarray, ...]:
        """The outline and the holes."""
        return (self.outline, *self.holes)


def regions_of(probability: np.ndarray, threshold: float, smallest: int) -> tuple[np.ndarray, list[Region]]:
    """Finds the regions in which something has changed.

    Args:
        probability: of a change, float32 [H, W].
        threshold: pixels above it have changed.
        smallest: regions of fewer pixels are left out.

    Returns:
        The mask of the regions, bool [H, W], and the regions, the largest first.
    """
    numbered = label(probability > threshold, connectivity=1)
    mask, found = np.zeros(probability.shape, bool), []
    for part in regionprops(numbered):
        if part.area < smallest:
            continue
        top, left, bottom, right = part.bbox
        mask[top:bottom, left:right] |= part.image
        padded = np.pad(part.image, 1)
        rings = [ring[:, ::-1] + [left - 1, top - 1] for ring in find_contours(padded.astype(float), 0.5)]
        rings.sort(key=lambda ring: -abs(_signed_area(ring)))
        outline, *holes = (approximate_polygon(ring, _TOLERANCE) for ring in rings)
        box = (int(left), int(top), int(right), int(bottom))
        mean = float(probability[top:bottom, left:right][part.image].mean())
        found.append(Region(outline, holes, int(part.area), box, mean))
    return mask, sorted(found, key=lambda region: -region.area)


def feature_collection(regions: Sequence[Region]) -> dict[str, Any]:
    """The regions like GeoJSON (RFC 7946), with pixels for coordinates: x to the right, y down."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [np.round(ring, 2).tolist() for ring in one.rings],
                },
                "properties": {
                    "number": number,
                    "area": one.area,
                    "box": list(one.box),
                    "probability": round(one.probability, 4),
                },
            }
            for number, one in enumerate(regions, start=1)
        ],
    }


def draw_outlines(pixels: np.ndarray, rings: Sequence[np.ndarray]) -> np.ndarray:
    """Draws outlines onto a copy of a picture, yellow with a black rim: seen by day and by night.

    Args:
        pixels: float [H, W, 3] in [0, 1].
        rings: float [K, 2] each, (x, y) in pixels.

    Returns:
        float32 [H, W, 3] in [0, 1].
    """
    picture = Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    width = max(1, round(max(picture.size) / _PIXELS_A_LINE))
    for colour, extra in ((_RIM, 2 * max(1, width // 2)), (_LINE, 0)):
        for ring in rings:
            draw.line([tuple(point) for point in ring], colour, width + extra, joint="curve")
    return np.asarray(picture, np.float32) / 255


def _signed_area(ring: np.ndarray) -> float:
    x, y = ring.T
    return float(0.5 * np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))
