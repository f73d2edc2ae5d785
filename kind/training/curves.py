"""Every logged value over the epochs, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kind.files import atomic_write

_COLUMNS = 4


def draw_curves(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Draws one small plot a term, training and validation together.

    Args:
        records: lines of `metrics.jsonl`: "epoch", terms, and the same terms with "val_" in front.
        path: the PNG to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = sorted({name.removeprefix("val_") for record in records for name in record} - {"epoch"})
    rows = max(1, -(-len(names) // _COLUMNS))
    figure = Figure(figsize=(3.2 * _COLUMNS, 2.4 * rows))
    FigureCanvasAgg(figure)
    # Margins by hand: Matplotlib's own layout takes longer than an epoch of a small data set.
    figure.subplots_adjust(
        left=0.04, right=0.99, bottom=0.12 / rows, top=1 - 0.12 / rows, hspace=0.3, wspace=0.22
    )
    for number, name in enumerate(names, start=1):
        axes = figure.add_subplot(rows, _COLUMNS, number)
        for key, label, colour in ((name, "training", "C0"), (f"val_{name}", "validation", "C1")):
            points = [(record["epoch"], record[key]) for record in records if key in record]
            if points:
                dot = "." if len(points) == 1 else None
                axes.plot(*zip(*points), label=label, color=colour, linewidth=1, marker=dot)
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.legend(fontsize=7)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=100)
