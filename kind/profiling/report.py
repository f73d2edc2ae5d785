"""A profile as a table, as JSON and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kind.enhancing.precision import INT8
from kind.profiling.device import Machine
from kind.profiling.layers import Layer
from kind.profiling.measuring import Reference, Row
from kind.profiling.operations import CONVENTION, TRAFFIC
from kind.profiling.roofs import Roofs
from kind.reports.table import NOTHING, Table, markdown_table
from kind.reports.table import text_table as aligned

HEADINGS = (
    "size",
    "network",
    "computed by",
    "precision",
    "parameters",
    "GFLOP",
    "GB",
    "FLOP/byte",
    "peak MiB",
    "seconds",
    "frames/s",
)
_GPU = "GPU MiB"
_WORDS = 4  # columns that are not numbers
_LAYERS = ("size", "network", "precision", "layer", "operation", "seconds", "share", "GFLOP/s")


def notes(
    rows: Sequence[Row],
    rounds: int,
    machine: Machine,
    reference: Reference | None = None,
    roofs: Roofs | None = None,
) -> list[str]:
    """What must be known to read the figures.

    Args:
        rows: the profile.
        rounds: how often each figure was taken.
        machine: where.
        reference: what the rows are compared with.
        roofs: the most that the machine reached.

    Returns:
        One line each.
    """
    said = [
        f"device: {machine.device}; engine: {machine.engine}",
        f"size: height x width; seconds: median of {rounds} rounds, in which all lines of a size take turns",
        CONVENTION,
        TRAFFIC,
        "whole and lite: a dark image to the relit one, stretch included; other lines: one network alone",
        "of branches that an image decides about, the one with more arithmetic is counted",
    ]
    if any("detector" in row.network for row in rows):
        said.append(
            "detector: from the image to boxes; … + detector: to the relit image and boxes on the restored "
            "reflectance; resizing to the detector's input and suppression take time and are not counted"
        )
    if any(row.precision == INT8 for row in rows):
        said.append("int8: by OpenVINO on a graph of its own, whose operations are not counted")
    if any(row.peak_mib is not None for row in rows):
        said.append("peak MiB: of a process for the line alone, above that of the interpreter's start")
    if any(row.gpu_mib is not None for row in rows):
        said.append(f"{_GPU}: the most that TensorFlow held on the first GPU, with everything that is loaded")
    if roofs:
        said.append(f"roofs: {_roofs(roofs)}")
    if any(row.layers for row in rows):
        said.append(
            "layers: by TensorFlow's profiler, of int8 by OpenVINO's, with what is done outside its graphs; "
            "what runs side by side counts fully; "
            "GFLOP/s: of convolutions"
        )
    if reference:
        said.append(
            f"{reference.implementation}: {reference.description}; "
            f"{reference.heading}: its seconds divided by the line's"
        )
    return said


def _roofs(roofs: Roofs) -> str:
    peaks = [f"{name} {_three_digits(peak / 1e9)} GFLOP/s" for name, peak in roofs.arithmetic.items()]
    return (
        f"{', '.join(peaks)} (products of large matrices; int8 by ONNX Runtime), "
        f"memory {_three_digits(roofs.bandwidth / 1e9)} GB/s (a large copy)"
    )


def text_table(rows: Sequence[Row], reference: Reference | None = None) -> str:
    """Aligned columns for a terminal, layers below; ratios have a column where there is a reference."""
    return "\n\n".join(map(aligned, _tables(rows, reference)))


def markdown(rows: Sequence[Row], said: Sequence[str], reference: Reference | None = None) -> str:
    """The same tables in Markdown, and the notes below."""
    tables = "\n\n".join(map(markdown_table, _tables(rows, reference)))
    return "\n".join([tables, "", *(f"- {note}" for note in said)])


def as_json(rows: Sequence[Row], said: Sequence[str], machine: Machine, roofs: Roofs | None = None) -> str:
    """All figures unrounded, and the notes; roofs in FLOP/s and bytes per second."""
    content = {
        **machine._asdict(),
        "roofs": roofs and roofs._asdict(),
        "notes": list(said),
        "rows": [{**row._asdict(), "layers": [layer._asdict() for layer in row.layers]} for row in rows],
    }
    return json.dumps(content, indent=1) + "\n"


def _tables(rows: Sequence[Row], reference: Reference | None) -> list[Table]:
    headings, cells = [*HEADINGS], list(map(_cells, rows))
    if any(row.gpu_mib is not None for row in rows):
        headings.append(_GPU)
        for row, line in zip(rows, cells):
            line.append(_whole_number(row.gpu_mib))
    if reference:
        headings.append(reference.heading)
        for row, line in zip(rows, cells):
            line.append(f"{row.speed_up:.2f}")
    tables = [Table(headings, cells, range(_WORDS))]
    if layers := [_layer_cells(row, layer) for row in rows for layer in row.layers]:
        tables.append(Table(_LAYERS, layers, range(5)))
    return tables


def _cells(row: Row) -> list[str]:
    return [
        f"{row.height}x{row.width}",
        row.network,
        row.implementation,
        row.precision,
        NOTHING if row.parameters is None else f"{row.parameters:,}",
        NOTHING if row.flops is None else _three_digits(row.flops / 1e9),
        NOTHING if row.bytes is None else _three_digits(row.bytes / 1e9),
        NOTHING if row.intensity is None else _three_digits(row.intensity),
        _whole_number(row.peak_mib),
        f"{row.seconds:.3f}",
        f"{row.frames_per_second:.2f}",
    ]


def _layer_cells(row: Row, layer: Layer) -> list[str]:
    return [
        f"{row.height}x{row.width}",
        row.network,
        row.precision,
        layer.name,
        layer.type,
        f"{layer.seconds:.4f}",
        f"{layer.share:.1%}",
        NOTHING if layer.flops is None else _three_digits(layer.flops / layer.seconds / 1e9),
    ]


def _whole_number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0f}"


def _three_digits(value: float) -> str:
    """At least three significant digits, without an exponent: 9.31, 29.1, 1,102."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
