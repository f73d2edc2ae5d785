"""Dark photographs in, relit photographs out: the loop that `enhance` and `demo` share."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kind.cli.enhancer_options import add_enhancer_arguments
from kind.cli.gallery import refresh_galleries
from kind.cli.jobs import Job, PhotographTable
from kind.cli.options import (
    add_alpha_argument,
    add_brightness_argument,
    add_fusion_argument,
    add_strength_argument,
    add_workers_argument,
    add_writing_arguments,
)
from kind.cli.pipelined import Worked
from kind.cli.tile_progress import TileProgress
from kind.enhancing.alpha_text import alpha_text
from kind.images.photo import StoredPhoto, holds_sixteen_bits, write_photo

if TYPE_CHECKING:
    from kind.enhancing.enhancer import Enhanced, Enhancer

MOST_NOISE = 0.032
"""α times the `kind.images.noise.shot_noise` of a raw photograph, at most.

The strongest noise that `lite` learnt to take away (`kind.data.dark_twins.PRESETS["deep"]`: 6 stops under, a
variance of 2e-3 times the light) measures 5e-4 once it is cut off at black and demosaiced, the median of four
photographs; under 64 times the light that is 0.032.
"""

_TINY = 1e-12


def add_relighting_arguments(parser: argparse.ArgumentParser, *, int8: bool = False) -> None:
    """Declares how photographs are relit and written; `int8` as of `add_precision_argument`."""
    add_alpha_argument(parser, "brightening factor of the illumination; 1 keeps it")
    add_brightness_argument(parser)
    add_strength_argument(parser)
    add_fusion_argument(parser)
    add_enhancer_arguments(parser, int8=int8)
    add_writing_arguments(parser)
    add_workers_argument(parser)


def relighting_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `relight` takes of the options of `add_relighting_arguments`."""
    names = ("alpha", "brightness", "fusion", "strength", "quality", "workers")
    return {name: getattr(arguments, name) for name in names}


def relight(
    jobs: Sequence[Job],
    enhancer: Enhancer,
    *,
    alpha: float | None = None,
    brightness: float | None = None,
    fusion: str = "plain",
    strength: float = 1.0,
    quality: int | None = None,
    workers: int = 1,
    parts: Collection[str] = (),
    write_more: Callable[[Job, StoredPhoto, Enhanced], None] | None = None,
    then: Callable[[Job, StoredPhoto, str], None] | None = None,
) -> int:
    """Relights one photograph after another and prints a table; one that fails does not stop the rest.

    Args:
        jobs: see `kind.cli.planning.plan`.
        enhancer: the networks.
        alpha: see `Enhancer.__call__`.
        brightness: mean luma of each result, in place of α; see `Enhancer.alpha_for_brightness`.
        fusion: see `Enhancer.__call__`.
        strength: see `Enhancer.__call__`.
        quality: see `kind.images.photo.write_photo`.
        workers: see `kind.cli.pipelined.Pipeline`.
        parts: names of parts, beside the relit photograph, that `write_more` needs.
        write_more: called with each photograph and these parts once it is written, in another thread.
        then: called with each photograph and its α when all of it is written, in the order of `jobs`.

    Returns:
        0 when all were relit, 1 when some could not be, 2 when none could.
    """
    with PhotographTable(jobs, "α", workers, Job.read) as table:
        for task in table:
            with task, TileProgress(task.job.source.name) as progress:
                is_deep = task.read.bits == 16 and holds_sixteen_bits(task.job.target.suffix)
                colours = task.read.colours
                wanted = alpha
                if brightness is not None:
                    wanted = enhancer.alpha_for_brightness(
                        colours, brightness, fusion=fusion, strength=strength
                    )
                if wanted is None and task.read.is_raw:
                    wanted, task.read = alpha_within_noise(enhancer, task.read)
                enhanced = enhancer(
                    colours,
                    wanted,
                    fusion,
                    parts={"relit", *parts},
                    progress=progress,
                    strength=strength,
                    levels=not is_deep,
                )
                del colours
                if not write_more:
                    task.read = task.read.without_colours()
                cell = alpha_text(float(enhanced.alpha))
                task.worked = Worked(
                    cell,
                    functools.partial(_write, task.job, task.read, enhanced, quality, write_more),
                    functools.partial(then, task.job, task.read, cell) if then else None,
                )
                del enhanced  # what is large lives until it is written, not until the next one is made
    refresh_galleries(job.target for job in jobs)
    return table.exit_code


def alpha_within_noise(enhancer: Enhancer, photo: StoredPhoto) -> tuple[float | None, StoredPhoto]:
    """α of a raw photograph: the variant's own, as long as its noise stays within what was trained on.

    Args:
        enhancer: the networks.
        photo: raw.

    Returns:
        None, the variant's own α, and the photograph; or the largest α that keeps the noise down, and the
        photograph with a note that says so.
    """
    from kind.images.noise import shot_noise

    largest = max(1.0, MOST_NOISE / max(shot_noise(photo.colours), _TINY))
    suggested = enhancer.suggested_alpha(photo.colours)
    if suggested <= largest:
        return None, photo
    note = f"noise allows α {alpha_text(largest)}, not the suggested {alpha_text(suggested)}; --alpha decides"
    return largest, replace(photo, notes=(*photo.notes, note))


def _write(
    job: Job,
    photo: StoredPhoto,
    enhanced: Enhanced,
    quality: int | None,
    write_more: Callable[[Job, StoredPhoto, Enhanced], None] | None,
) -> None:
    # `numpy()` would copy what may be a large image.
    write_photo(job.target, np.asarray(enhanced.relit), like=photo, quality=quality)
    if write_more:
        write_more(job, photo, enhanced)
