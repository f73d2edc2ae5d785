"""Change detection at work, without any download: two things put into a built-in photograph, at night."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kind.cli.gallery import Entry, write_parts
from kind.images.photo import write_photo

if TYPE_CHECKING:
    from kind.enhancing.enhancer import Enhancer

FILE = "changes.jpg"
TITLES = ("before", "after", "changes in its reflectance")

_PLACE, _OTHER = "motorcycle", "coffee"
_OBJECT = (85, 10, 495, 385)  # the cup: left, top, right, bottom
_CORNERS = ((365, 20), (10, 165))  # row and column at which it is put into the photograph
_EXPOSURE = 1 / 16


def find_changes(out: Path, enhancer: Enhancer) -> Entry:
    """Finds changes in a pair whose truth is known, and writes before, after and what was found.

    Args:
        out: the folder of the demo.
        enhancer: makes the reflectance that is compared.

    Returns:
        An entry of the gallery.

    Raises:
        UserError: when something cannot be read or written.
    """
    from kind.constants import CHANGE_THRESHOLD, SMALLEST_CHANGE
    from kind.detection.change.predictor import ChangePredictor, input_of, load_change_net
    from kind.detection.change.regions import draw_outlines, regions_of
    from kind.images.contact_sheet import contact_sheet

    before, after = _two_dates()
    find = ChangePredictor(load_change_net(), input_of(None), enhancer)
    seen = [find.seen(date) for date in (before, after)]
    _, regions = regions_of(find.compare(*seen), CHANGE_THRESHOLD, SMALLEST_CHANGE)
    rings = [ring for region in regions for ring in region.rings]
    row = [before, after, draw_outlines(seen[1], rings)]
    write_photo(out / FILE, contact_sheet([row], TITLES, longest_side=480))
    parts = write_parts(out / FILE, list(zip(TITLES, row)))
    note = "the same place with two things more, at night: what the network of change detection finds"
    print(f"\n{len(regions)} changes between two photographs of one place, the second at night: {out / FILE}")
    return Entry(out / FILE, parts, before.shape[:2], note)


def _two_dates() -> list[np.ndarray]:
    """A built-in photograph, and the same with something put into it and taken again with less light."""
    from kind.data.samples import bright_photographs, darken
    from kind.detection.change.cutouts import cut_outs

    photographs = dict(bright_photographs())
    random = np.random.default_rng(0)
    place, other = (photographs[name] / np.float32(255) for name in (_PLACE, _OTHER))
    (pasted,) = cut_outs(other, np.float32([_OBJECT]), random)
    after = place.copy()
    for row, column in _CORNERS:
        part = after[row : row + len(pasted), column : column + pasted.shape[1]]
        part[:] = part * (1 - pasted[..., 3:]) + pasted[..., :3]
    dark = darken(np.rint(after * 255).astype(np.uint8), _EXPOSURE, random)
    return [place, dark / np.float32(255)]
