"""Figures kept on disk image by image, so that an evaluation goes on where it was stopped."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from kind.errors import UserError
from kind.evaluation.scoring import Figures


class Results:
    """One line of JSON for each method and image, in a file that is only ever appended to.

    A line that was cut short by a kill, or damaged otherwise, is passed over and its image scored again.
    """

    def __init__(self, path: Path, fresh: bool = False) -> None:
        """Reads what is there.

        Args:
            path: the file; made with its folder when missing.
            fresh: forget what is there.

        Raises:
            UserError: when the place cannot be read or written to.
        """
        self._path = path
        self._kept: dict[str, dict[str, Figures]] = {}
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
            record = _parsed(line)
            if record:
                self._kept[record["key"]] = record["figures"]

    def __len__(self) -> int:
        """How many methods × images are kept."""
        return len(self._kept)

    def get(self, key: str) -> dict[str, Figures] | None:
        """Figures by protocol, or None."""
        return self._kept.get(key)

    def add(self, key: str, image: str, method: str, figures: dict[str, Figures]) -> None:
        """Keeps the figures of one image.

        Args:
            key: see `result_key`.
            image: its name, for readers of the file.
            method: its name, likewise.
            figures: by protocol.

        Raises:
            OSError: when the file cannot be written to any more.
        """
        self._kept[key] = figures
        record = {"key": key, "image": image, "method": method, "figures": json_ready(figures)}
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


def _parsed(line: bytes) -> dict[str, Any] | None:
    """One record, or None when the line is not wholly one."""
    try:
        record = json.loads(line)
        figures = {
            protocol: {name: None if value is None else float(value) for name, value in row.items()}
            for protocol, row in record["figures"].items()
        }
        return {"key": str(record["key"]), "figures": figures}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
