"""Writes kind/weights/*.int8.json: the ranges that the shipped networks are rounded to 8 bits by.

Run it when networks in kind/weights have changed; it needs the extra `fast`, and takes a minute. The files
are made of the photographs that scikit-image brings, so that everyone can make them again, and belong to the
weights whose digest they hold. Other weights are calibrated in the same way whenever they are loaded.
"""

import sys

from kind.enhancing.fast.kind import FastKind
from kind.enhancing.fast.lite import FastLite


def main() -> int:
    """Calibrates and writes."""
    for fast in (FastLite, FastKind):
        enhancer = fast.from_files()
        enhancer.calibrate()
        enhancer.write_ranges(fast.ranges_file)
        print(
            f"{fast.ranges_file}: {len(enhancer.ranges)} tensors, {fast.ranges_file.stat().st_size:,} bytes"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
