"""Results kept on disk image by image, so that an interrupted evaluation continues."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kind.errors import UserError


class Results:
    """One line of JSON for each method and image, in a file that is only ever appended to.

    A line that was cut short by a kill, or damaged otherwise, is skipped and its image scored again.
    """

    def __init__(self, path: Path, *, field: str, parse: Callable[[Any], Any], fresh: bool = False) -> None:
        """Reads what is there.

        Args:
            path: the file; made with its folder when missing.
            field: the key of a line's result.
            parse: makes a result from JSON; raises AttributeError, KeyError, TypeError or ValueError when
                it is not one.
            fresh: forget what is there.

        Raises:
            UserError: when the file cannot be read or written.
        """
        self._path, self._field, self._parse = path, field, parse
        self._kept: dict[str, Any] = {}
        try:
            content = path.read_bytes() if path.is_file() and not fresh else b""
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if fresh or not path.exists():
                path.write_bytes(b"")
            elif content and not content.endswith(b"\n"):
                with path.open("ab") as file:
                    file.write(b"\n")
        except OSError as error:
            raise UserError(f"{path}: cannot be written to: {error.strerror or error}") from error
        for line in content.splitlines():
            try:
                record = json.loads(line)
                self._kept[str(record["key"])] = parse(record[field])
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue

    def __len__(self) -> int:
        """The number of results: methods × images."""
        return len(self._kept)

    def get(self, key: str) -> Any | None:
        """The result of a key, or None."""
        return self._kept.get(key)

    def add(self, key: str, image: str, method: str, kept: Any) -> None:
        """Keeps the result of one method on one image.

        Args:
            key: see `result_key`.
            image: its name, for readers of the file.
            method: its name, likewise.
            kept: what JSON can hold, infinities included, in the form that `parse` takes.

        Raises:
            OSError: when the file cannot be written any more.
        """
        self._kept[key] = self._parse(kept)
        record = {"key": key, "image": image, "method": method, self._field: json_ready(kept)}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, allow_nan=False) + "\n")


def result_key(*identities: str) -> str:
    """SHA-256 of everything that a result depends on."""
    return hashlib.sha256("\n".join(identities).encode()).hexdigest()


def json_ready(value: Any) -> Any:
    """Infinities and NaN as the words "inf", "-inf" and "nan", which JSON lacks; all else as it is."""
    if isinstance(value, dict):
        return {key: json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
