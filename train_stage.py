"""Trains one stage: python train_stage.py STAGE --data DIR --run DIR. The same command as `kind train`."""

import sys

from kind.cli.train import main, make_parser

__all__ = ["main", "make_parser"]

if __name__ == "__main__":
    sys.exit(main())
