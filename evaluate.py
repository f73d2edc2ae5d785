"""Scores enhanced images and detectors: the same command as `kind evaluate`."""

import sys

from kind.cli.evaluate import main, make_parser

__all__ = ["main", "make_parser"]

if __name__ == "__main__":
    sys.exit(main())
