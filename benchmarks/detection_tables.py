"""The tables of `benchmarks.detection_inputs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.detection_cells import FIGURES, Cell, Estimate, difference, mean_difference, recovered
from benchmarks.detection_pictures import BRIGHT, RAW, Light
from kind.reports.table import NOTHING, Table

HALF, DARK_LOSS, BRIGHT_LOSS = 0.5, 0.005, 0.01
"""Targets: least share of what darkness took that comes back; most loss at little noise, and when bright."""

_MAIN = "map_50"
ON_DARK, ON_NEW_TWINS, WITH_BRIGHT = "raw", "raw, new twins", "raw, new twins and bright"
"""The rows that fine-tuned detectors are compared with: fine-tuned on the dark twins as they are, which are
made once for all time; on new ones in every epoch, as detectors that see by themselves are; and on these and
the bright photographs, which adapted ones see as well: what they have more is by reflectance."""
_FINE_TUNED = {
    ON_DARK: "fine-tuned on dark",
    ON_NEW_TWINS: "fine-tuned on new dark twins",
    WITH_BRIGHT: "fine-tuned on new dark twins and bright",
}


class Block(NamedTuple):
    """One detector on one set of photographs.

    Attributes:
        photographs: name of the set.
        detector: its name.
        lights: in the order of the table.
        rows: names of inputs, raw first.
        cells: by light's name and row's name; those that were not measured are missing.
    """

    photographs: str
    detector: str
    lights: Sequence[Light]
    rows: Sequence[str]
    cells: Mapping[tuple[str, str], Cell]


def figures_table(block: Block) -> Table:
    """One line for each light and input: figures, differences to raw, and what is recovered."""
    head = ["light", "input", "mAP50", "minus raw", "95 %", "recovered", "95 %"]
    head += ["mAP50-95", "minus raw", "95 %"]
    lines = []
    for light in block.lights:
        raw = block.cells.get((light.name, RAW.name))
        bright = block.cells.get((BRIGHT.name, RAW.name))
        for row in block.rows:
            cell, is_raw = block.cells.get((light.name, row)), row == RAW.name
            if cell is None or raw is None:
                continue
            cells = [light.title if is_raw else "", row]
            for key in FIGURES:
                less = None if is_raw else difference(cell, raw, key)
                cells += [_figure(cell.figures[key]), *_estimated(less, "+.3f")]
                if key == _MAIN:
                    is_asked = not is_raw and light.noise and bright is not None
                    cells += _estimated(
                        _clear(recovered(cell, raw, bright, key), cell) if is_asked else None, "+.2f"
                    )
            lines.append(cells)
    return Table(head, lines, range(2))


def _clear(found: Estimate | None, cell: Cell) -> Estimate | None:
    """A share of what darkness took, if it took anything for sure; of few photographs nobody knows."""
    unsure = found is not None and found.interval is None and cell.drawn[_MAIN] is not None
    return None if unsure else found


class Verdict(NamedTuple):
    """One target at one input: what was measured, and whether it was reached; None where nothing was."""

    measured: Estimate | None
    reached: bool | None


def judged(block: Block, light: Light, row: str) -> Verdict:
    """Compares one input with the target for a light.

    At moderate and strong noise: `HALF` of what darkness took is recovered. At little noise, and on bright
    photographs: mAP50 is lower than raw by no more than `DARK_LOSS` and `BRIGHT_LOSS`.
    """
    cell, raw = (block.cells.get((light.name, name)) for name in (row, RAW.name))
    if cell is None or raw is None:
        return Verdict(None, None)
    if light.noise in ("moderate", "strong"):
        bright = block.cells.get((BRIGHT.name, RAW.name))
        measured, least = (recovered(cell, raw, bright, _MAIN) if bright else None), HALF
    else:
        measured, least = difference(cell, raw, _MAIN), -(DARK_LOSS if light.noise else BRIGHT_LOSS)
    return Verdict(measured, None if measured is None else measured.value >= least)


def targets_table(blocks: Sequence[Block], rows: Sequence[str]) -> Table:
    """One line for each target, detector, set and light; two columns for each input that is judged.

    Args:
        blocks: what was measured.
        rows: names of the inputs: restored reflectances, and detectors that see by themselves.
    """
    head = ["target (mAP50)", "photographs", "detector", "light"]
    head += [title for row in rows for title in (row, "reached")]
    lines = []
    for block in blocks:
        for light in block.lights:
            target = {"moderate": f"recovers ≥ {HALF:g}", "strong": f"recovers ≥ {HALF:g}"}.get(
                light.noise, f"minus raw ≥ -{DARK_LOSS if light.noise else BRIGHT_LOSS:g}"
            )
            cells = [target, block.photographs, block.detector, light.title]
            for row in rows:
                verdict = judged(block, light, row)
                form = "+.2f" if "recovers" in target else "+.3f"
                cells += [_text(verdict.measured, form), _word(verdict.reached)]
            lines.append(cells)
    return Table(head, lines, range(4))


class Tuned(NamedTuple):
    """Detectors fine-tuned for each input, on one set of photographs in one light.

    Attributes:
        photographs: name of the set.
        detector: what was fine-tuned.
        light: of the test photographs.
        cells: by row's name, one cell for each seed; rows that were not measured by every seed are missing.
    """

    photographs: str
    detector: str
    light: Light
    cells: Mapping[str, Sequence[Cell]]


def tuned_table(tuned: Sequence[Tuned]) -> Table:
    """One line for each set, light and row: mean and spread over seeds, differences to fine-tuned on dark."""
    head = ["photographs", "detector", "light", "fine-tuned", "mAP50", "lowest", "highest"]
    references = [row for row in _FINE_TUNED if any(row in part.cells for part in tuned)]
    compared = [title for row in references for title in (f"minus {row}", "95 %")]
    head += [*compared, "mAP50-95"]
    lines = []
    for part in tuned:
        for row, cells in part.cells.items():
            values = [cell.figures[_MAIN] for cell in cells]
            line = [part.photographs, part.detector, part.light.title, row]
            line += [_mean(values), _figure(min(values, default=None)), _figure(max(values, default=None))]
            for reference in references:
                is_other = row != reference and reference in part.cells
                less = mean_difference(cells, part.cells[reference], _MAIN) if is_other else None
                line += _estimated(less, "+.3f")
            others = [key for key in FIGURES if key != _MAIN]
            lines.append([*line, *(_mean([cell.figures[key] for cell in cells]) for key in others)])
    return Table(head, lines, range(4))


def tuned_targets_table(tuned: Sequence[Tuned], rows: Sequence[str]) -> Table:
    """Whether a detector that sees by itself is above those fine-tuned on dark, interval clear of 0."""
    lines = []
    for part in tuned:
        for row in rows:
            for reference, words in _FINE_TUNED.items():
                if row in part.cells and reference in part.cells:
                    less = mean_difference(part.cells[row], part.cells[reference], _MAIN)
                    reached = None if less is None or less.interval is None else less.interval[0] > 0
                    cells = [part.photographs, part.detector, part.light.title, row]
                    target = f"above {words}, 95 % > 0"
                    lines.append([target, *cells, _text(less, "+.3f"), _word(reached)])
    head = ["target (mAP50)", "photographs", "detector", "light", "fine-tuned", "measured", "reached"]
    return Table(head, lines, range(5))


def counted_words(tables: Sequence[Table]) -> str:
    """How many of the judged targets were reached, such as "12 of 28 reached"."""
    words = [
        cell
        for table in tables
        for line in table.lines
        for cell, title in zip(line, table.head)
        if title == "reached"
    ]
    return f"{words.count('yes')} of {words.count('yes') + words.count('no')} reached"


def _mean(values: Sequence[float | None]) -> str:
    return NOTHING if not values or None in values else _figure(float(np.mean(values)))


def _figure(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _estimated(found: Estimate | None, form: str) -> list[str]:
    """Cells with a value and its interval."""
    if found is None:
        return [NOTHING, NOTHING]
    ends = found.interval
    return [f"{found.value:{form}}", " to ".join(f"{end:{form}}" for end in ends) if ends else NOTHING]


def _text(found: Estimate | None, form: str) -> str:
    """One cell with both."""
    value, interval = _estimated(found, form)
    return value if interval == NOTHING else f"{value} ({interval})"


def _word(reached: bool | None) -> str:
    return NOTHING if reached is None else "yes" if reached else "no"
