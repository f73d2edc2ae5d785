"""Darkens photographs as they are darkened for training, to look at the result."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from kind.cli.batch import add_batch_arguments, carry_out
from kind.cli.jobs import Job, work_one_by_one
from kind.cli.json_lines import emit, photograph_record
from kind.cli.options import add_format_argument, add_seed_argument
from kind.constants import DARKENING_PRESETS, DEFAULT_DARKENING, TWIN_PRESETS
from kind.errors import one_line
from kind.images.photo import Photo, write_photo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_batch_arguments(parser, ending="-dark", stdout=True)
    parser.add_argument(
        "--preset",
        choices=(*DARKENING_PRESETS, *TWIN_PRESETS),
        default=DEFAULT_DARKENING,
        help="distribution of darkening and noise: the dark ISP that detectors are trained with "
        f"({', '.join(DARKENING_PRESETS)}), or the dark twins that enhancers are trained with "
        f"({', '.join(TWIN_PRESETS)}) (default: %(default)s)",
    )
    add_seed_argument(parser, "photograph number i is darkened with (SEED, i)")
    add_format_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Darkens the photographs and prints what each was darkened with.

    Returns:
        0 when all were darkened, 1 when some could not be, 2 when none could.

    Raises:
        UserError: when nothing can be done, before anything is.
    """
    darken = _make_twins if arguments.preset in TWIN_PRESETS else _darken_by_isp
    work = partial(darken, preset=arguments.preset, seed=arguments.seed)
    return carry_out(arguments, work, format=arguments.format)


def _darken_by_isp(jobs: Sequence[Job], preset: str, seed: int) -> int:
    import tensorflow as tf

    from kind.data.darkening import PRESETS, darken_with_parameters

    def work(_: int, job: Job) -> None:
        started = time.perf_counter()
        photo = job.read_floats()
        key = tf.constant([seed, job.number])
        dark, drawn = darken_with_parameters(tf.constant(photo.pixels), key, PRESETS[preset])
        write_photo(job.target, dark.numpy(), like=photo)
        _print_row(width, job, f"{drawn.light:5.3f}  {drawn.shot_noise:10.6f}  {drawn.gamma:4.2f}")
        told = {name: float(getattr(drawn, name)) for name in ("light", "shot_noise", "gamma")}
        _emit(job, photo, started, told)

    width = _width(jobs)
    print(f"{'photograph':{width}}  light  shot noise     γ  written to", flush=True)
    return work_one_by_one(jobs, work)


def _make_twins(jobs: Sequence[Job], preset: str, seed: int) -> int:
    import tensorflow as tf

    from kind.data.dark_twins import PRESETS, twin

    def work(_: int, job: Job) -> None:
        started = time.perf_counter()
        photo = job.read_floats()
        dark = twin(tf.constant(photo.pixels), tf.constant([seed, job.number]), PRESETS[preset]).numpy()
        write_photo(job.target, dark, like=photo)
        _print_row(width, job, f"{photo.pixels.mean():4.2f}  {dark.mean():11.2f}")
        _emit(job, photo, started, {"mean": float(photo.pixels.mean()), "twin_mean": float(dark.mean())})

    width = _width(jobs)
    print(f"{'photograph':{width}}  mean  of its twin  written to", flush=True)
    return work_one_by_one(jobs, work)


def _width(jobs: Sequence[Job]) -> int:
    return max(len("photograph"), *(len(one_line(job.source.name)) for job in jobs))


def _print_row(width: int, job: Job, cells: str) -> None:
    print(f"{one_line(job.source.name):{width}}  {cells}  {one_line(str(job.target))}", flush=True)


def _emit(job: Job, photo: Photo, started: float, told: dict[str, Any]) -> None:
    record = photograph_record(
        job.shown,
        job.target,
        size=photo.pixels.shape[:2],
        seconds=time.perf_counter() - started,
        notes=photo.notes,
    )
    emit({**record, **{name: round(value, 6) for name, value in told.items()}})
