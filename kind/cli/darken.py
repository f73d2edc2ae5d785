"""Darkens photographs as they are darkened for training, to look at the result."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from kind.cli.jobs import Job, plan
from kind.cli.options import add_format_argument, add_inputs_argument, add_seed_argument
from kind.constants import DARKENING_PRESETS, DEFAULT_DARKENING, TWIN_PRESETS
from kind.images.photo import read_photo, write_photo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_inputs_argument(parser, "a bright photograph, or a folder of them")
    parser.add_argument(
        "--out", type=Path, required=True, help="output folder; for a single photograph also a file"
    )
    parser.add_argument(
        "--preset",
        choices=(*DARKENING_PRESETS, *TWIN_PRESETS),
        default=DEFAULT_DARKENING,
        help="distribution of darkening and noise: the dark ISP that detectors are trained with "
        f"({', '.join(DARKENING_PRESETS)}), or underexposure in linear light ({', '.join(TWIN_PRESETS)}) "
        "(default: %(default)s)",
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
    jobs = plan(arguments.inputs, arguments.out, arguments.format, all_or_nothing=True)
    darken = _underexpose if arguments.preset in TWIN_PRESETS else _darken_by_isp
    darken(jobs, arguments.preset, arguments.seed)
    return 0


def _darken_by_isp(jobs: Sequence[Job], preset: str, seed: int) -> None:
    import tensorflow as tf

    from kind.data.darkening import PRESETS, darken_with_parameters

    width = max(len("photograph"), *(len(job.source.name) for job in jobs))
    print(f"{'photograph':{width}}  light  shot noise     γ  written to", flush=True)
    for number, job in enumerate(jobs):
        photo = read_photo(job.source)
        key = tf.constant([seed, number])
        dark, drawn = darken_with_parameters(tf.constant(photo.pixels), key, PRESETS[preset])
        write_photo(job.target, dark.numpy(), like=photo)
        print(
            f"{job.source.name:{width}}  {drawn.light:5.3f}  {drawn.shot_noise:10.6f}  {drawn.gamma:4.2f}  "
            f"{job.target}",
            flush=True,
        )


def _underexpose(jobs: Sequence[Job], preset: str, seed: int) -> None:
    import tensorflow as tf

    from kind.data.dark_twins import PRESETS, twin

    width = max(len("photograph"), *(len(job.source.name) for job in jobs))
    print(f"{'photograph':{width}}  mean  of its twin  written to", flush=True)
    for number, job in enumerate(jobs):
        photo = read_photo(job.source)
        dark = twin(tf.constant(photo.pixels), tf.constant([seed, number]), PRESETS[preset]).numpy()
        write_photo(job.target, dark, like=photo)
        means = f"{photo.pixels.mean():4.2f}  {dark.mean():11.2f}"
        print(f"{job.source.name:{width}}  {means}  {job.target}", flush=True)
