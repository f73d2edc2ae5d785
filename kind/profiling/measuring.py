"""Measures subjects against each other in one run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from kind.enhancing.enhancer import Enhancer
from kind.profiling.subjects import WHOLE, OurSubjects, Subject, operations, parameters


class Row(NamedTuple):
    """One line of a profile.

    Attributes:
        height, width: of the image in pixels.
        network, implementation, precision: see `kind.profiling.subjects.Subject`.
        parameters: number of weights; None for a reference, whose weights are not counted.
        flops: for one image, see `kind.profiling.operations`; None likewise.
        peak_mib: peak memory of a process that does nothing else, in MiB above that of the interpreter's
            start; None when it was not measured.
        seconds: for one image, the median of all rounds.
        frames_per_second: its inverse.
        speed_up: the reference's seconds divided by these, the median over rounds; None without a reference.
    """

    height: int
    width: int
    network: str
    implementation: str
    precision: str
    parameters: int | None
    flops: int | None
    peak_mib: float | None
    seconds: float
    frames_per_second: float
    speed_up: float | None


class Plan(NamedTuple):
    """What is to be measured.

    Attributes:
        sizes: (height, width) of the images.
        precisions: "float32" or "bfloat16" each.
        variants: each in every precision.
        weights: see `Enhancer.load`.
        rounds: each subject runs once a round, one after another.
        with_memory: whether memory is measured.
    """

    sizes: Sequence[tuple[int, int]]
    precisions: Sequence[str]
    variants: Sequence[str]
    weights: Path | None
    rounds: int
    with_memory: bool


class Reference(NamedTuple):
    """Another implementation, which every line is compared with.

    Attributes:
        implementation: its name in the table; `subjects` have it.
        heading: of the column of ratios.
        description: one sentence for the notes.
        subjects: makes its subjects for images of one height and width; one of them is `WHOLE`.
    """

    implementation: str
    heading: str
    description: str
    subjects: Callable[[int, int], list[Subject]]


def profile(plan: Plan, progress: Callable[[str], None], reference: Reference | None = None) -> list[Row]:
    """Measures everything of a plan.

    Args:
        plan: what.
        progress: called with a line that says what is measured next.
        reference: measured too, in the same rounds.

    Returns:
        For each size the reference's rows, then those of the variants.

    Raises:
        UserError: when weights cannot be used.
    """
    enhancers = [
        Enhancer.load(plan.weights, precision, variant)
        for variant in plan.variants
        for precision in plan.precisions
    ]
    makers = [OurSubjects(enhancer, plan.weights) for enhancer in enhancers]
    rows = []
    for height, width in plan.sizes:
        compared = reference.subjects(height, width) if reference else []
        ours = [subject for make in makers for subject in make(height, width)]
        progress(f"{height}x{width}: {plan.rounds} rounds of {len(compared) + len(ours)} measurements")
        seconds = _seconds([*compared, *ours], plan.rounds)
        scale = {subject.network: times for subject, times in zip(compared, seconds)}
        counted, sizes = {}, {}
        for enhancer in enhancers[:: len(plan.precisions)]:
            counted |= operations(enhancer, height, width)
            sizes |= parameters(enhancer)
        for index, (subject, times) in enumerate(zip([*compared, *ours], seconds)):
            is_ours = index >= len(compared)
            if plan.with_memory:
                progress(f"{height}x{width}: memory of {' '.join(subject[:3])}")
            median = statistics.median(times)
            rows.append(
                Row(
                    height,
                    width,
                    *subject[:3],
                    parameters=sizes[subject.network] if is_ours else None,
                    flops=counted[subject.network] if is_ours else None,
                    peak_mib=subject.peak() if plan.with_memory else None,
                    seconds=median,
                    frames_per_second=1 / median,
                    speed_up=_ratio(scale.get(subject.network, scale[WHOLE]), times) if scale else None,
                )
            )
    return rows


def _seconds(subjects: Sequence[Subject], rounds: int) -> list[list[float]]:
    """Of every subject in every round; all take turns, so that a machine that slows down does so for all."""
    for subject in subjects:
        subject.seconds()  # builds graphs and kernels
    times: list[list[float]] = [[] for _ in subjects]
    for _ in range(rounds):
        for subject, found in zip(subjects, times):
            found.append(subject.seconds())
    return times


def _ratio(scale: Sequence[float], times: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(scale, times))
