"""How bad a finding about a data set is."""

from typing import NamedTuple

ERROR, WARNING = "error", "warning"
"""An error stops training and evaluation; with a warning they run, and the result suffers."""


class Kind(NamedTuple):
    """A kind of finding: how bad it is, and what to do about it."""

    severity: str
    advice: str
