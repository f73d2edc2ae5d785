"""What libraries write to the process's own stdout and stderr, past Python."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def native_output_kept() -> Iterator[None]:
    """Keeps what C++ code prints in a `with` block to itself; when the block fails, it comes out after all.

    Nothing that Python prints in the block is shown either.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream:
            stream.flush()
    with tempfile.TemporaryFile() as kept:
        saved = {number: os.dup(number) for number in (1, 2)}
        try:
            for number in saved:
                os.dup2(kept.fileno(), number)
            yield
        except BaseException:
            kept.seek(0)
            os.write(saved[2], kept.read())
            raise
        finally:
            for number, copy in saved.items():
                os.dup2(copy, number)
                os.close(copy)
