"""`python -m kind`, and the console script."""

from __future__ import annotations

import sys

_INTERRUPTED = 130


def main() -> int:
    """Runs one command; an interruption while its modules are imported ends in one line, too."""
    try:
        from kind.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("kind: interrupted; nothing was done\n")
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
