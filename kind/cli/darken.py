"""Darkens photographs as they are darkened for the training of a detector, to look at the result."""

from __future__ import annotations

import argparse
from pathlib import Path

from kind.cli.jobs import plan
from kind.cli.options import add_format_argument, add_inputs_argument, add_seed_argument
from kind.constants import DARKENING_PRESETS, DEFAULT_DARKENING
from kind.images.photo import read_photo, write_photo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_inputs_argument(parser, "a bright photograph, or a folder of them")
    parser.add_argument(
        "--out", type=Path, required=True, help="output folder; for a single photograph also a file"
    )
    parser.add_argument(
        "--preset",
        choices=DARKENING_PRESETS,
        default=DEFAULT_DARKENING,
        help="strength of darkening and noise (default: %(default)s)",
    )
    add_seed_argument(parser, "photograph number i is darkened with (SEED, i)")
    add_format_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Darkens the photographs and prints what each was darkened with.

    Returns:
        The exit code 0.

    Raises:
        UserError: when a photograph cannot be read or its twin cannot be written; those before it are
            complete.
    """
    jobs = plan(arguments.inputs, arguments.out, arguments.format)

    import tensorflow as tf

    from kind.data.darkening import PRESETS, darken_with_parameters

    width = max(len("photograph"), *(len(job.source.name) for job in jobs))
    print(f"{'photograph':{width}}  light  shot noise     γ  written to", flush=True)
    for number, job in enumerate(jobs):
        photo = read_photo(job.source)
        seed = tf.constant([arguments.seed, number])
        dark, drawn = darken_with_parameters(tf.constant(photo.pixels), seed, PRESETS[arguments.preset])
        write_photo(job.target, dark.numpy(), like=photo)
        print(
            f"{job.source.name:{width}}  {drawn.light:5.3f}  {drawn.shot_noise:10.6f}  {drawn.gamma:4.2f}  "
            f"{job.target}",
            flush=True,
        )
    return 0
