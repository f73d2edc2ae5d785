"""Writes kind/weights/lite.int8.json: the ranges that the shipped light network is rounded to 8 bits by.

Run it when kind/weights/lite.keras has changed; it needs the extra `fast`, and takes some seconds. The file
is made of the photographs that scikit-image brings, so that everyone can make it again, and belongs to the
weights whose digest it holds. Other weights are calibrated in the same way whenever they are loaded.
"""

import sys

from kind.enhancing.fast.calibration import write_extremes
from kind.enhancing.fast.lite import RANGES, FastLite
from kind.enhancing.fast.lite_file import digest_of, read_lite
from kind.nn.forms import SHIPPED_WEIGHTS


def main() -> int:
    """Calibrates and writes."""
    weights = read_lite(SHIPPED_WEIGHTS / "lite.keras")
    extremes = FastLite(weights, None, rounded=()).extremes()
    write_extremes(RANGES, digest_of(weights), extremes)
    print(f"{RANGES}: {len(extremes)} layers, {RANGES.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
