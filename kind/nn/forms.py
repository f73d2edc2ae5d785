"""What arrays the detectors of published sizes have, known without building one.

`scripts/write_forms.py` writes the table.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

SHIPPED_WEIGHTS = Path(__file__).parents[1] / "weights"

FORMS = SHIPPED_WEIGHTS / "forms.json.gz"
"""A list of `{"config": description, "shapes": {path: shape}}`, one for each size."""

_OF_ONE_DETECTOR = frozenset({"name", "class_names", "class_channels", "input_size", "canvas"})
"""Settings in which detectors of one size differ; arrays' shapes depend on two of them, see `_form`."""


def shapes_of_published_size(config: object) -> dict[str, tuple[int, ...]]:
    """The shapes of a detector's arrays.

    Args:
        config: what a `.keras` file's `config.json` holds, parsed; unchecked.

    Returns:
        Shapes by path, such as "layers/conv2d/vars/0"; nothing for what is no detector of a published size.
    """
    form, widths = _form(config)
    for known in json.loads(gzip.decompress(FORMS.read_bytes())) if widths else ():
        known_form, known_widths = _form(known["config"])
        if known_form == form:
            width_of = dict(zip(known_widths, widths))
            return {
                name: tuple(width_of.get(size, size) for size in shape)
                for name, shape in known["shapes"].items()
            }
    return {}


def _form(config: object) -> tuple[dict[str, object], tuple[int, ...]]:
    """A detector's architecture and size, and the two widths that differ between detectors of one size.

    These are the number of classes and `class_channels`; in `FORMS` no other width is equal to one of them.
    Other networks have none.
    """
    settings = config.get("config") if isinstance(config, dict) else None
    if not isinstance(settings, dict):
        return {}, ()
    names, channels = settings.get("class_names"), settings.get("class_channels")
    if not isinstance(names, list) or not isinstance(channels, int):
        return {}, ()
    form = {key: value for key, value in settings.items() if key not in _OF_ONE_DETECTOR}
    form["backbone"] = _unnamed(settings.get("backbone"))
    return {"class_name": config.get("class_name"), **form}, (len(names), channels)


def _unnamed(backbone: object) -> object:
    """Without its name, which Keras numbers when a process makes several."""
    settings = backbone.get("config") if isinstance(backbone, dict) else None
    if not isinstance(settings, dict):
        return backbone
    return {**backbone, "config": {key: value for key, value in settings.items() if key != "name"}}
