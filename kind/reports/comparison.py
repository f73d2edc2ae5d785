"""Enhancers side by side: what they cost and how good they are, as tables, CSV, JSON and a scatter plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kind.files import atomic_write
from kind.reports.table import NOTHING, Table


class Cost(NamedTuple):
    """What one image of some size costs.

    Attributes:
        flops: see `kind.profiling.operations`; None where they are not counted.
        seconds: median; None where it was not measured.
        peak_mib: peak memory of a process of its own; None likewise.
    """

    flops: float | None
    seconds: float | None
    peak_mib: float | None

    @property
    def frames_per_second(self) -> float | None:
        """The inverse of `seconds`."""
        return 1 / self.seconds if self.seconds else None


class Score(NamedTuple):
    """A figure over images.

    Attributes:
        mean: None where no image has it.
        interval: the bootstrap 95 % interval of the mean; None over too few images.
        count: how many images have it.
    """

    mean: float | None
    interval: tuple[float, float] | None
    count: int


class Line(NamedTuple):
    """One enhancer, or a chain of networks.

    Attributes:
        name: in the table.
        parameters: number of trained weights; None of other programs' images.
        costs: by the size of the image, such as "400x600".
        scores: by (images, protocol, figure), such as ("pairs", "raw", "psnr").
    """

    name: str
    parameters: int | None
    costs: dict[str, Cost]
    scores: dict[tuple[str, str, str], Score]


class Comparison(NamedTuple):
    """The content of the report.

    Attributes:
        device: that the costs were measured on.
        facts: name and value: data, weights, definitions.
        notes: what a reader must know before quoting a figure.
        sizes: of the images whose cost is measured.
        lines: one for each enhancer.
    """

    device: str
    facts: Sequence[tuple[str, str]]
    notes: Sequence[str]
    sizes: Sequence[str]
    lines: Sequence[Line]

    @property
    def figures(self) -> list[tuple[str, str, str]]:
        """Keys of all scores, in the order in which they first appear."""
        return list(dict.fromkeys(key for line in self.lines for key in line.scores))


_HEADINGS = {"psnr": "PSNR ↑", "ssim": "SSIM ↑", "loe": "LOE ↓", "niqe": "NIQE ↓", "lpips": "LPIPS ↓"}
_DECIMALS = {"psnr": 2, "ssim": 4, "loe": 1, "niqe": 2}


_COSTS = (*Cost._fields, "frames_per_second")


def cost_table(comparison: Comparison) -> Table:
    """One line for each enhancer: parameters, and for each size GFLOP, MiB, seconds and frames a second."""
    head = ["enhancer", "parameters"]
    for size in comparison.sizes:
        head += [f"GFLOP {size}", f"MiB {size}", f"s {size}", f"frames/s {size}"]
    lines = []
    for line in comparison.lines:
        cells = [line.name, _cell(line.parameters, "{:,}")]
        for size in comparison.sizes:
            cost = line.costs.get(size, Cost(None, None, None))
            cells += [
                _cell(cost.flops and cost.flops / 1e9, "{:.3g}"),
                _cell(cost.peak_mib, "{:.0f}"),
                _cell(cost.seconds, "{:.3f}"),
                _cell(cost.frames_per_second, "{:.1f}"),
            ]
        lines.append(cells)
    return Table(head, lines, (0,))


def score_table(comparison: Comparison) -> Table:
    """One line for each enhancer: each figure with its interval."""
    head = ["enhancer", *map(heading, comparison.figures)]
    lines = []
    for line in comparison.lines:
        if line.scores:
            lines.append([line.name, *(_scored(line.scores.get(key), key[2]) for key in comparison.figures)])
    return Table(head, lines, (0,))


def heading(key: tuple[str, str, str]) -> str:
    """A figure's name: "PSNR ↑ GT-mean", or with the images when they have no targets."""
    images, protocol, figure = key
    return f"{_HEADINGS.get(figure, figure)} {protocol if images == 'pairs' else images}"


def as_records(comparison: Comparison) -> dict[str, Any]:
    """All figures unrounded, for JSON."""
    return {
        "device": comparison.device,
        "facts": dict(comparison.facts),
        "notes": list(comparison.notes),
        "lines": [
            {
                "name": line.name,
                "parameters": line.parameters,
                "costs": {size: dict(zip(_COSTS, _costs(cost))) for size, cost in line.costs.items()},
                "scores": [
                    {**dict(zip(("images", "protocol", "figure"), key)), **score._asdict()}
                    for key, score in line.scores.items()
                ],
            }
            for line in comparison.lines
        ],
    }


def as_csv(comparison: Comparison) -> tuple[list[str], list[list[Any]]]:
    """Headings and lines, unrounded, with the ends of each interval in columns of their own."""
    head = ["enhancer", "parameters", "device"]
    for size in comparison.sizes:
        head += [f"{name} {size}" for name in _COSTS]
    for key in comparison.figures:
        head += [" ".join(key), f"{' '.join(key)} low", f"{' '.join(key)} high"]
    lines = []
    for line in comparison.lines:
        cells: list[Any] = [line.name, line.parameters, comparison.device if line.costs else None]
        for size in comparison.sizes:
            cells += _costs(line.costs.get(size, Cost(None, None, None)))
        for key in comparison.figures:
            score = line.scores.get(key, Score(None, None, 0))
            cells += [score.mean, *(score.interval or (None, None))]
        lines.append(cells)
    return head, lines


def draw_scatter(
    comparison: Comparison, size: str, key: tuple[str, str, str], path: Path, title: str = ""
) -> bool:
    """Draws quality against seconds, with intervals, and the names beside the points.

    Args:
        comparison: of which lines with both figures are drawn.
        size: of the images whose seconds are taken.
        key: of the score.
        path: the PNG to write.
        title: above the plot.

    Returns:
        Whether there was anything to draw; otherwise nothing is written.
    """
    points = [
        (line.name, line.costs[size].seconds, line.scores[key])
        for line in comparison.lines
        if size in line.costs and line.costs[size].seconds and key in line.scores
    ]
    points = [point for point in points if point[2].mean is not None]
    if not points:
        return False

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number, (name, seconds, score) in enumerate(points):
        low, high = score.interval or (score.mean, score.mean)
        spread = [[max(score.mean - low, 0.0)], [max(high - score.mean, 0.0)]]
        axes.errorbar([seconds], [score.mean], yerr=spread, fmt="o", color=f"C{number % 10}", capsize=3)
        axes.annotate(name, (seconds, score.mean), xytext=(6, 4), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel(f"seconds for one image of {size}")
    axes.set_ylabel(heading(key))
    axes.set_title(title, fontsize=9)
    axes.grid(alpha=0.3)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png", bbox_inches="tight")
    return True


def _costs(cost: Cost) -> list[float | None]:
    """In the order of `_COSTS`."""
    return [getattr(cost, name) for name in _COSTS]


def _cell(value: float | None, form: str) -> str:
    return NOTHING if value is None else form.format(value)


def _scored(score: Score | None, figure: str) -> str:
    if score is None or score.mean is None:
        return NOTHING
    decimals = _DECIMALS.get(figure, 4)
    mean = f"{score.mean:.{decimals}f}"
    if score.interval is None:
        return mean
    return f"{mean} [{'–'.join(f'{end:.{decimals}f}' for end in score.interval)}]"
