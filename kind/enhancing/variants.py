"""Which networks enhance an image; without TensorFlow, for parsers."""

import argparse

VARIANTS = ("kind", "lite")
"""KinD's three networks, and one small network that does all of it in a fraction of the time."""

DEFAULT_VARIANT = VARIANTS[0]


def add_variant_argument(parser: argparse.ArgumentParser) -> None:
    """Declares which networks enhance."""
    parser.add_argument(
        "--variant",
        choices=VARIANTS,
        default=DEFAULT_VARIANT,
        help="kind: the three networks of the paper; lite: one small network that does all of it in a "
        f"fraction of the time (default: {DEFAULT_VARIANT})",
    )
