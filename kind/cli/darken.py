"""Makes the dark twins of photographs that networks are trained on, to look at them."""

from __future__ import annotations

import argparse
from pathlib import Path

from kind.cli.jobs import FORMATS, plan
from kind.errors import UserError
from kind.images.photo import read_photo, write_photo

_ISP_PRESETS = ("dusk", "moderate", "published")
_TWIN_PRESETS = ("none", "slight", "under", "deep", "backlit", "lamps")
_LARGEST_SEED = 2**31 - 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "inputs", nargs="+", type=Path, metavar="INPUT", help="a bright photograph, or a folder of them"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="a folder; or for a single photograph also a file"
    )
    parser.add_argument(
        "--preset",
        choices=(*_ISP_PRESETS, *_TWIN_PRESETS),
        default="moderate",
        help="how dark and noisy: the dark ISP that detectors are trained with (dusk, moderate, published), "
        "or one of the distributions that the light variant is trained with (default: moderate)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="photograph number i is darkened with (SEED, i) (default: 0)"
    )
    parser.add_argument("--format", choices=FORMATS, default=None, help="of the twins (default: the input's)")


def run(arguments: argparse.Namespace) -> int:
    """Darkens the photographs and prints what each was darkened with.

    Returns:
        The exit code 0.

    Raises:
        UserError: when a photograph cannot be read or its twin cannot be written; those before it are
            complete.
    """
    if not 0 <= arguments.seed <= _LARGEST_SEED:
        raise UserError(f"--seed expects a number from 0 to {_LARGEST_SEED}, received {arguments.seed}")
    jobs = plan(arguments.inputs, arguments.out, arguments.format)

    if arguments.preset in _TWIN_PRESETS:
        return _make_twins(arguments, jobs)

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


def _make_twins(arguments: argparse.Namespace, jobs: list) -> int:
    """The same with the presets of `kind.data.dark_twins`."""
    import tensorflow as tf

    from kind.data.dark_twins import PRESETS, twin

    width = max(len("photograph"), *(len(job.source.name) for job in jobs))
    print(f"{'photograph':{width}}  mean  of its twin  written to", flush=True)
    for number, job in enumerate(jobs):
        photo = read_photo(job.source)
        seed = tf.constant([arguments.seed, number])
        dark = twin(tf.constant(photo.pixels), seed, PRESETS[arguments.preset]).numpy()
        write_photo(job.target, dark, like=photo)
        means = f"{photo.pixels.mean():4.2f}  {dark.mean():11.2f}"
        print(f"{job.source.name:{width}}  {means}  {job.target}", flush=True)
    return 0
