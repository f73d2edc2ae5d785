"""Writes `kind/weights/forms.json.gz`: what arrays a detector of each published size has.

    .venv/bin/python scripts/write_forms.py

A file that claims such a size is held against this table before its network is built, see `kind.nn.forms`.
Needed after a change of `detection/sizes.py` or of a detector's graph; a slow test says so.
"""

from __future__ import annotations

import gzip
import json

from kind.detection.model import build_detector
from kind.detection.sizes import SIZES
from kind.nn.forms import FORMS
from kind.nn.saving import plain_config, variables_by_path

CLASSES, CLASS_CHANNELS = 83, 89
"""Of the detectors in the table: numbers that no other width is equal to."""


def form_of_size(size: str) -> dict:
    """The description of a detector of a published size, and the shapes of its arrays by path."""
    names = [str(number) for number in range(CLASSES)]
    net = build_detector(size, names, class_channels=CLASS_CHANNELS)
    shapes = {path: list(variable.shape) for path, variable in variables_by_path(net).items()}
    return {"config": plain_config(net), "shapes": shapes}


if __name__ == "__main__":
    content = json.dumps([form_of_size(size) for size in SIZES]).encode()
    FORMS.write_bytes(gzip.compress(content, mtime=0))
    print(f"{FORMS}: {FORMS.stat().st_size:,} bytes")
