"""Names of images in tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def distinct_names(names: Sequence[str], folders: Sequence[str]) -> list[str]:
    """Names, as FOLDER/NAME where a name occurs twice.

    Args:
        names: of images.
        folders: of the same images; tell those of one name apart.

    Returns:
        One for each image, in the same order.
    """
    times = Counter(names)
    return [f"{folder}/{name}" if times[name] > 1 else name for name, folder in zip(names, folders)]
