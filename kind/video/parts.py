"""The finished parts of a video that is being made, from which an interrupted run goes on."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kind.errors import UserError
from kind.files import atomic_write, fitted_name, lock

SECONDS = 10.0
"""Of a part, about."""

_PLAN, _VIDEO, _RECORDS = "plan.json", "nut", "jsonl"


class Parts:
    """A hidden folder beside the video: a file of frames and one of records for each part.

    Attributes:
        folder: where they lie.
    """

    def __init__(self, target: Path, plan: Mapping[str, Any]) -> None:
        """Takes up the parts of an earlier run with the same plan; others are removed.

        Args:
            target: the video that is being made.
            plan: everything that the frames depend on; JSON values.

        Raises:
            OSError: the folder cannot be made.
            UserError: another process is making this video.
        """
        self.folder = target.with_name(fitted_name(f".{target.name}", ".parts"))
        try:
            self._opened = _locked(self.folder)
        except BlockingIOError:
            raise UserError(f"{target}: another process is making it; let it finish") from None
        text = json.dumps(plan, sort_keys=True)
        if self._read(_PLAN) != text:
            for path in self.folder.iterdir():
                path.unlink()
            with atomic_write(self.folder / _PLAN) as temporary:
                temporary.write_text(text, encoding="utf-8")

    def video(self, number: int) -> Path:
        """The file of a part's frames."""
        return self.folder / f"{number:06}.{_VIDEO}"

    def is_done(self, number: int) -> bool:
        """Whether a part is there: its records are written last."""
        return self.video(number).is_file() and self._records(number).is_file()

    def write_records(self, number: int, records: Sequence[Any]) -> None:
        """Finishes a part: what is to be kept of its frames besides the pixels, JSON values."""
        with atomic_write(self._records(number)) as temporary:
            temporary.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")

    def records(self, number: int) -> list[Any]:
        """The records of a part that is done."""
        return [json.loads(line) for line in self._records(number).read_text(encoding="utf-8").splitlines()]

    def remove(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Leaves the folder, if it is still there, to the next run."""
        if self._opened is not None:
            os.close(self._opened)
            self._opened = None

    def _records(self, number: int) -> Path:
        return self.folder / f"{number:06}.{_RECORDS}"

    def _read(self, name: str) -> str | None:
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None


def _locked(folder: Path) -> int | None:
    """Makes a folder and opens it for this process alone, where the system can do that.

    Raises:
        BlockingIOError: another process has it.
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            opened = os.open(folder, os.O_RDONLY)
        except PermissionError:  # Windows opens no folders
            return None
        try:
            if not lock(opened):
                os.close(opened)
                return None
        except BlockingIOError:
            os.close(opened)
            raise
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(opened), folder.stat()):
                return opened
        os.close(opened)  # whoever had it has finished, and removed it
