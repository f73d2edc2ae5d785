"""The table of `benchmarks.losses` as the last section of docs/losses.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.loss_changes import CHANGES, DEFAULT, SEEDS
from kind.cli.loss_document import MEASURED

Figures = Mapping[str, Mapping[str, float]]
"""A network's mean figures, by protocol and name."""

_COLUMNS = {
    "psnr": ("PSNR", "{:.2f}"),
    "ssim": ("SSIM", "{:.4f}"),
    "delta_e2000": ("ΔE2000", "{:.2f}"),
}
_TEXT = f"""{MEASURED}

The light network, trained from the weights that ship for {{steps}} steps of {{batch}} crops of
{{patch}}×{{patch}} pixels (learning rate {{rate:g}}, cosine), with its own objective and with one change
of it, and scored on {{pairs}} photographs that no run here saw: LOL's validation split, whole, under each
protocol ([evaluation](evaluation.md)). Higher PSNR and SSIM are better, a lower ΔE2000 is. The first row is
the mean of {{seeds}} ± their standard deviation; figures in bold are further than two of these from it.

The schedule is short, and the weights that ship were trained with the default objective. So the table says
what a term pulls the network towards, not what a full training with it would reach. Added terms are weighed
to be about a third of the objective without them at the start. Every network that was trained is in the
table. `ms-ssim` is not: it needs crops of 176×176 pixels, which take seven times as long.

```shell
python -m benchmarks.losses --data lol=LOL:1 --pairs LOL --out runs/losses --markdown measured.md
python -m kind losses markdown --out docs/losses.md --measured measured.md
```

"""


def document(figures: Mapping[str, Sequence[Figures]], schedule: Mapping[str, float], pairs: int) -> str:
    """The section in Markdown.

    Args:
        figures: of each network that is scored, by the name of its change; several of the default.
        schedule: settings by name.
        pairs: how many photographs were scored.

    Returns:
        Text and table; the table alone lacks what is not scored yet.
    """
    text = _TEXT.format(
        steps=schedule["epochs"] * schedule["steps"],
        batch=schedule["batch"],
        patch=schedule["patch"],
        rate=schedule["learning_rate"],
        pairs=pairs,
        seeds=_seeds(len(figures.get(DEFAULT.name, SEEDS))),
    )
    if DEFAULT.name not in figures:
        return text
    default = figures[DEFAULT.name]
    keys = [(protocol, name) for protocol in default[0] for name in _COLUMNS]
    heads = [f"{protocol}: {_COLUMNS[name][0]}" for protocol, name in keys]
    lines = [["objective", *heads], ["---", *["---:"] * len(keys)]]
    values = np.array([[run[protocol][name] for protocol, name in keys] for run in default])
    mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(len(keys))
    cells = [f"{_shown(key, m)} ± {_shown(key, s)}" for key, m, s in zip(keys, mean, spread)]
    lines.append(["as it is", *cells])
    for change in CHANGES:
        for run in figures.get(change.name, ()):
            row = [run[protocol][name] for protocol, name in keys]
            far = np.abs(np.array(row) - mean) > 2 * spread
            cells = [f"**{_shown(k, v)}**" if f else _shown(k, v) for k, v, f in zip(keys, row, far)]
            lines.append([f"`{change.flags}`", *cells])
    return text + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"{count} seeds"


def _shown(key: tuple[str, str], value: float) -> str:
    return _COLUMNS[key[1]][1].format(value)
