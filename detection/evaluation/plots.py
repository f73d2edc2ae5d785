"""The curves and the confusion matrix of a report, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kind.detection.evaluation.curves import CONFIDENCES, RECALLS, Confusion, Curves, confusion_of, curves_of
from kind.detection.evaluation.summary import Evaluation
from kind.files import atomic_write

_MOST_MATRICES = 4
Plot = tuple[str, str, Path]


def draw_plots(evaluation: Evaluation, folder: Path) -> list[Plot]:
    """Draws precision over recall and F1 over confidence, and confusion matrices of the first four methods.

    Args:
        evaluation: what was found.
        folder: where the PNGs go.

    Returns:
        Alternative text, caption and file of each; nothing where there is no object to be found.
    """
    search, names = evaluation.search, [line.method.name for line in evaluation.lines]
    if not any(evaluation.counts):
        return []
    classes = len(evaluation.class_names)
    curves = [curves_of(search.objects, found, classes, evaluation.counted) for found in search.found]
    folder.mkdir(parents=True, exist_ok=True)
    plots = [_precision(curves, names, folder), _f1(curves, names, folder)]
    for number, (name, found) in enumerate(zip(names[:_MOST_MATRICES], search.found), 1):
        confusion = confusion_of(search.objects, found, evaluation.class_names, evaluation.confidence)
        plots.append(_matrix(confusion, name, evaluation.confidence, folder / f"plot-confusion-{number}.png"))
    return plots


def _precision(curves: Sequence[Curves], names: Sequence[str], folder: Path) -> Plot:
    figure, axes = _figure(5.6, 4.2)
    for name, each in zip(names, curves):
        axes.plot(RECALLS, each.precision, label=f"{name}, mAP50 {each.precision.mean():.3f}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    path = _saved(figure, axes, folder / "plot-precision-recall.png")
    text = "Precision over recall, mean over classes, at IoU threshold 0.5"
    return f"{text}: {', '.join(names)}", text, path


def _f1(curves: Sequence[Curves], names: Sequence[str], folder: Path) -> Plot:
    figure, axes = _figure(5.6, 4.2)
    for name, each in zip(names, curves):
        axes.plot(CONFIDENCES, each.f1, label="{}, best {:.3f} at {:.2f}".format(name, *each.best))
    axes.set(xlabel="confidence threshold", ylabel="F1", xlim=(0, 1), ylim=(0, 1.02))
    path = _saved(figure, axes, folder / "plot-f1-confidence.png")
    text = "F1 over the confidence threshold, all classes together, at IoU threshold 0.5"
    return f"{text}: {', '.join(names)}", text, path


def _matrix(confusion: Confusion, name: str, confidence: float, path: Path) -> Plot:
    names, counts = confusion
    side = 2.2 + 0.42 * len(names)
    figure, axes = _figure(side, side)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), [*names[:-1], "missed"], rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="found as", ylabel="object")
    for row, column in zip(*np.nonzero(counts)):
        colour = "white" if shares[row, column] > 0.6 else "black"
        axes.text(column, row, counts[row, column], ha="center", va="center", color=colour, fontsize=7)
    text = f"Confusion matrix of {name} at confidence {confidence:g}; the colour is the share of a row"
    return text, text, _saved(figure, None, path)


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _saved(figure: Any, axes: Any, path: Path) -> Path:
    if axes is not None:
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    return path
