"""Places in Markdown documents that reports are written to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from kind.errors import UserError
from kind.reports.writing import write_text


class Place(NamedTuple):
    """What stands in `document` between `<!-- NAME begin -->` and `<!-- NAME end -->`."""

    document: Path
    name: str

    @classmethod
    def parse(cls, text: str, default: str) -> Place:
        """Reads `FILE[#NAME]`, with the name to use where none is given."""
        document, _, name = text.partition("#")
        return cls(Path(document), name or default)

    def check(self) -> None:
        """Refuses a document that has no such place, before any work is done.

        Raises:
            UserError: when the document is missing or lacks the markers.
        """
        self._split()

    def write(self, content: str) -> None:
        """Replaces what stands between the markers.

        Args:
            content: Markdown without markers.

        Raises:
            UserError: when the document is missing, lacks the markers or cannot be written.
        """
        before, after = self._split()
        write_text(self.document, f"{before}\n{content}\n{after}")

    def _split(self) -> tuple[str, str]:
        """The text to the first marker and from the second one on, both included."""
        begin, end = f"<!-- {self.name} begin -->", f"<!-- {self.name} end -->"
        try:
            text = self.document.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"{self.document}: expected a Markdown document with {begin} and {end}: {error}"
            ) from error
        match = re.search(f"(.*{re.escape(begin)}).*({re.escape(end)}.*)", text, re.DOTALL)
        if not match:
            raise UserError(
                f"{self.document}: expected the lines {begin} and {end}, between which the table goes"
            )
        return match[1], match[2]
