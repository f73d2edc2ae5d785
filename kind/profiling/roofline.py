"""A profile as a roofline plot (Williams, Waterman and Patterson, CACM 2009)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kind.files import atomic_write
from kind.profiling.device import Machine
from kind.profiling.measuring import Row
from kind.profiling.roofs import Roofs

_GIGA = 1e9
_MARKERS = "osD^vPX*"
_ROOFS = {"float32": "-", "bfloat16": "--", "int8": ":"}


def draw_roofline(rows: Sequence[Row], roofs: Roofs, machine: Machine, path: Path) -> None:
    """Draws arithmetic per second over arithmetic intensity, with a point for each line of a profile.

    Args:
        rows: lines without a count of operations are left out.
        roofs: of this machine.
        machine: for the title.
        path: the PNG to write.

    Raises:
        OSError: when it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    points = [row for row in rows if row.intensity]
    figure = Figure(figsize=(8.6, 5.2))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_yscale("log")
    _draw_roofs(axes, roofs, [row.intensity for row in points])
    _draw_points(axes, points)
    axes.set_xlabel("arithmetic intensity in FLOP/byte")
    axes.set_ylabel("GFLOP/s")
    axes.set_title(f"{machine.device}; {machine.engine}", fontsize=9)
    axes.grid(alpha=0.3)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png", bbox_inches="tight")


def _draw_roofs(axes, roofs: Roofs, intensities: Sequence[float]) -> None:
    ridges = [peak / roofs.bandwidth for peak in roofs.arithmetic.values()]
    left, right = min([*intensities, *ridges]) / 3, max([*intensities, *ridges]) * 4
    for precision, peak in roofs.arithmetic.items():
        ends = [left, peak / roofs.bandwidth, right]
        heights = [roofs.bandwidth * left / _GIGA, peak / _GIGA, peak / _GIGA]
        axes.plot(ends, heights, _ROOFS[precision], color="black", linewidth=1.2)
        text = f"{precision}: {peak / _GIGA:,.0f} {'GOP/s' if precision == 'int8' else 'GFLOP/s'}"
        place = {"xytext": (-2, 3), "textcoords": "offset points", "ha": "right", "fontsize": 8}
        axes.annotate(text, (right, peak / _GIGA), **place)
    place = {"xytext": (-6, 2), "textcoords": "offset points", "ha": "right", "fontsize": 8}
    middle = min(ridges) * 0.7
    axes.annotate(
        f"memory: {roofs.bandwidth / _GIGA:.1f} GB/s", (middle, roofs.bandwidth * middle / _GIGA), **place
    )
    axes.set_xlim(left, right)


def _draw_points(axes, rows: Sequence[Row]) -> None:
    """Colours are networks, markers sizes; points in bfloat16 are hollow."""
    networks = list(dict.fromkeys(row.network for row in rows))
    sizes = list(dict.fromkeys((row.height, row.width) for row in rows))
    for row in rows:
        colour = f"C{networks.index(row.network) % 10}"
        axes.plot(
            [row.intensity],
            [row.flops / row.seconds / _GIGA],
            _MARKERS[sizes.index((row.height, row.width)) % len(_MARKERS)],
            markeredgecolor=colour,
            markerfacecolor=colour if row.precision == "float32" else "none",
            markersize=7,
        )
    for number, network in enumerate(networks):
        axes.plot([], [], "s", color=f"C{number % 10}", label=network)
    for number, (height, width) in enumerate(sizes):
        axes.plot([], [], _MARKERS[number % len(_MARKERS)], color="grey", label=f"{height}x{width}")
    if any(row.precision != "float32" for row in rows):
        axes.plot([], [], "o", color="grey", markerfacecolor="none", label="hollow: bfloat16")
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
