"""How one part of a training mixture is written: what the command line takes and `config.json` keeps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple


class Part(NamedTuple):
    """One part of a mixture, as the command line gives it.

    Attributes:
        name: a word of the user's own.
        folder: holds pairs, see `data.pairs.find_pairs`, or photographs, perhaps in `images/`.
        weight: how often samples are drawn from it, relative to the other parts.
        held_out: validation scenes are held out; otherwise all of it is trained on.
        twins: preset of the dark twins, a key of `data.dark_twins.PRESETS`; half of their frames are crops.
            "" takes all in their shares, and no crops.
    """

    name: str
    folder: Path
    weight: float
    held_out: bool = True
    twins: str = ""


def read_part(text: str) -> Part | None:
    """Reads "NAME=DIR:WEIGHT", then ":all" where nothing is to be held out and ":PRESET".

    Args:
        text: as it was given; no file is looked at.

    Returns:
        The part; None when the text has another form or the weight is not above 0.
    """
    match = re.fullmatch(r"([\w.-]+)=(.+?):([0-9.eE+-]+)(:all)?(?::([a-z][a-z-]*))?", text)
    if match is None:
        return None
    try:
        weight = float(match[3])
    except ValueError:
        return None
    if not weight > 0:
        return None
    return Part(match[1], Path(match[2]), weight, held_out=match[4] is None, twins=match[5] or "")
