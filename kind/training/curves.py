"""Every logged value over the epochs, as one picture: of one run, or of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kind.files import atomic_write

_COLUMNS = 4


def draw_curves(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Draws one small plot a term, training and validation together.

    Args:
        records: lines of `metrics.jsonl`: "epoch", terms, and the same terms with "val_" in front;
            scores of training images with "train_".
        path: the PNG to write.
    """
    figure, plots = _figure(_terms(records))
    for name, axes in plots.items():
        _plot(axes, records, name, label="training", color="C0")
        _plot(axes, records, f"train_{name}", label="part of the training set", color="C0")
        _plot(axes, records, f"val_{name}", label="validation", color="C1")
        axes.legend(fontsize=7)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=100)


def draw_comparison(
    runs: Mapping[str, Sequence[dict[str, Any]]], path: Path, *, skip_epochs: int = 0, log: bool = False
) -> None:
    """Draws one small plot a term with a colour for each run, validation in dashes.

    Args:
        runs: lines of `metrics.jsonl` by the name of the run.
        path: the PNG to write.
        skip_epochs: leave out so many epochs at the start.
        log: logarithmic scale, where all values of a term are above 0.
    """
    kept = {
        run: [record for record in records if record["epoch"] > skip_epochs] for run, records in runs.items()
    }
    figure, plots = _figure(_terms([record for records in kept.values() for record in records]))
    for name, axes in plots.items():
        for number, (run, records) in enumerate(kept.items()):
            colour = f"C{number % 10}"
            _plot(axes, records, name, label=run, color=colour)
            _plot(axes, records, f"train_{name}", label=f"{run}, training set", color=colour, linestyle=":")
            _plot(axes, records, f"val_{name}", label=f"{run}, validation", color=colour, linestyle="--")
        if log and all((line.get_ydata() > 0).all() for line in axes.get_lines()):
            axes.set_yscale("log")
        axes.legend(fontsize=6)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png")


def _terms(records: Sequence[dict[str, Any]]) -> list[str]:
    """Names of what was logged, without "val_" and "train_"."""
    names = {name for record in records for name in record} - {"epoch"}
    return sorted({name.removeprefix("val_").removeprefix("train_") for name in names})


def _figure(names: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """An empty figure, and its plots by name."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = max(1, -(-len(names) // _COLUMNS))
    figure = Figure(figsize=(3.2 * _COLUMNS, 2.4 * rows))
    FigureCanvasAgg(figure)
    # Margins by hand: Matplotlib's own layout takes longer than an epoch of a small data set.
    figure.subplots_adjust(
        left=0.06, right=0.99, bottom=0.2 / rows, top=1 - 0.12 / rows, hspace=0.5, wspace=0.32
    )
    plots = {}
    for number, name in enumerate(names, start=1):
        plots[name] = axes = figure.add_subplot(rows, _COLUMNS, number)
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("epoch", fontsize=7)
        axes.set_ylabel(f"{name} (dB)" if name.startswith("psnr") else name, fontsize=7)
        axes.tick_params(labelsize=7)
    return figure, plots


def _plot(axes: Any, records: Sequence[dict[str, Any]], key: str, **style: Any) -> None:
    points = [(record["epoch"], record[key]) for record in records if key in record]
    if points:
        axes.plot(*zip(*points), linewidth=1, marker="." if len(points) == 1 else None, **style)
