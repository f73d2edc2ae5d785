"""A detector at work, without any download: what is found in the built-in dark photographs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.detect import search
from kind.cli.gallery import Entry
from kind.cli.planning import plan
from kind.images.photo import read_photo

if TYPE_CHECKING:
    from kind.enhancing.enhancer import Enhancer

FOLDER = "found"


def find_objects(out: Path, photographs: Sequence[Path], enhancer: Enhancer) -> list[Entry]:
    """Finds objects in photographs, and writes them with their boxes to `found/` below a folder.

    Args:
        out: the folder.
        photographs: the files, dark.
        enhancer: makes the reflectance that the shipped detector works on.

    Returns:
        An entry of the gallery for each photograph.

    Raises:
        UserError: when something cannot be read or written.
    """
    from kind.detection.predictor import Thresholds, load_detector

    found = out / FOLDER
    jobs = plan(photographs, found, None, also=("sheet",))
    search(jobs, found, load_detector(), Thresholds(), enhancer, sheets=True)
    note = "objects that the detector finds in the restored reflectance"
    return [
        Entry(
            found / photograph.name,
            [("photograph", photograph), ("found objects", found / photograph.name)],
            read_photo(photograph).pixels.shape[:2],
            note,
        )
        for photograph in photographs
    ]
