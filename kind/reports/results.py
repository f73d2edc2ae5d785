"""Figures kept on disk image by image, so that an evaluation goes on where it was stopped."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kind.errors import UserError
from kind.evaluation.scoring import Figures


def figures_by_protocol(content: Any) -> dict[str, Figures]:
    """What `Results` keeps of an enhanced image, from JSON.

    Raises:
        ValueError: when it is something else; likewise AttributeError and TypeError.
    """
    return {
        protocol: {name: None if value is None else float(value) for name, value in row.items()}
        for protocol, row in content.items()
    }


class Results:
    """One line of JSON for each method and image, in a file that is only ever appended to.

    A line that was cut short by a kill, or damaged otherwise, is passed over and its image scored again.
    """

    def __init__(
        self,
        path: Path,
        fresh: bool = False,
        field: str = "figures",
        parse: Callable[[Any], Any] = figures_by_protocol,
    ) -> None:
        """Reads what is there.

        Args:
            path: the file; made with its folder when missing.
            fresh: forget what is there.
            field: what a line calls that which is kept.
            parse: makes it from JSON; raises AttributeError, KeyError, TypeError or ValueError otherwise.

        Raises:
            UserError: when the place cannot be read or written to.
        """
        self._path, self._field, self._parse = path, field, parse
        self._kept: dict[str, Any] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            content = path.read_bytes() if path.is_file() and not fresh else b""
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
            except (ValueError, KeyError, TypeError, AttributeError):
                continue

    def __len__(self) -> int:
        """How many methods × images are kept."""
        return len(self._kept)

    def get(self, key: str) -> Any | None:
        """What is kept, by default figures by protocol, or None."""
        return self._kept.get(key)

    def add(self, key: str, image: str, method: str, kept: Any) -> None:
        """Keeps what one method made of one image.

        Args:
            key: see `result_key`.
            image: its name, for readers of the file.
            method: its name, likewise.
            kept: what JSON can hold, infinities included, in the form that `parse` takes.

        Raises:
            OSError: when the file cannot be written to any more.
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
