"""Names of images in tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path


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


def distinct_paths(paths: Sequence[Path]) -> list[str]:
    """File names, with as many folders in front as it takes to tell those of one name apart.

    Args:
        paths: of different images.

    Returns:
        One for each image, in the same order.
    """
    names = [path.name for path in paths]
    for depth in range(2, max((len(path.parts) for path in paths), default=0) + 1):
        times = Counter(names)
        if max(times.values()) == 1:
            break
        names = [
            "/".join(path.parts[-depth:]) if times[name] > 1 else name for name, path in zip(names, paths)
        ]
    return names
