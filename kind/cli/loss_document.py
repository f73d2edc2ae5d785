"""`docs/losses.md`: the catalogue as a document, made from the docstrings."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from kind.cli.loss_gallery import REFERENCE, SUFFIX, Record
from kind.cli.loss_pictures import DEGRADATIONS
from kind.losses.catalogue import CATALOGUE, Entry

MEASURED = "## What they are worth"
"""Heading of the section that `benchmarks.losses` makes."""

_HEAD = f"""# Losses

*Commands need `source .venv/bin/activate` in the checkout, or `kind` [installed](../README.md#install).*

Every loss of `kind.losses`: what it computes, what it takes, what its values mean and where it comes from.
This page is made from the docstrings:

```shell
kind losses markdown --out docs/losses.md
```

`kind losses` lists the names, and `--loss NAME=WEIGHT` adds one to a training stage
([training](training.md#other-losses)). Under each loss stand its gradients on eight degradations of a
photograph, red where less light lowers the loss and blue where more does, and its values. The photograph:

![The degraded photograph](FOLDER/{REFERENCE}{SUFFIX})

Each degradation in three strengths, larger:

```shell
kind losses show charbonnier --out losses
```

From Python, a loss is a function of tensors, a Keras loss where it takes a target and a prediction, and an
entry of a table:

```python
import tensorflow as tf

import kind

output, target = tf.zeros([1, 32, 32, 3]), tf.ones([1, 32, 32, 3])
charbonnier = kind.losses.CATALOGUE["charbonnier"]
charbonnier(output, target)
kind.losses.CharbonnierLoss(epsilon=1e-3)(target, output)
```

Images are float32 RGB in [0, 1], NHWC. `output` is what a network made, `target` what it should be.
"""
_SECTION = re.compile(r"^(Args|Returns|Raises|Example):\n", re.MULTILINE)


def document(pictures: Record, folder: str, measured: str = "") -> str:
    """The whole page in Markdown.

    Args:
        pictures: the record of the pictures, see `kind.cli.loss_gallery`.
        folder: of the pictures, beside the document.
        measured: the section that ends it.
    """
    groups: dict[str, list[str]] = {}
    for name, entry in CATALOGUE.items():
        section = _section(name, entry)
        if name in pictures:
            section += "\n" + _picture(name, folder, pictures[name]["losses"])
        groups.setdefault(entry.group, []).append(section)
    head = _HEAD.replace("FOLDER", folder)
    parts = [head, *(f"## {group}\n\n" + "\n".join(sections) for group, sections in groups.items())]
    return "\n".join([*parts, measured] if measured else parts)


def measured_in(path: Path) -> str:
    """The section with which a document that was written before ends; empty where it has none."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    _, found, rest = text.partition(f"\n{MEASURED}\n")
    return f"{MEASURED}\n{rest}" if found else ""


def _picture(name: str, folder: str, losses: list[float]) -> str:
    """The gradients, and the losses of the photograph itself and its degradations."""
    values = ", ".join(f"{what} {loss:g}" for what, loss in zip(("none", *DEGRADATIONS), losses))
    return f"![Gradients of {name}]({folder}/{name}{SUFFIX})\n\nLosses: {values}.\n"


def _section(name: str, entry: Entry) -> str:
    first, *rest = _SECTION.split(inspect.getdoc(entry.function))
    parts = dict(zip(rest[::2], rest[1::2]))
    formula, *paragraphs = first.strip().split("\n\n")
    lines = [f"### {name}", "", _escaped(formula), ""]
    for paragraph in paragraphs:
        lines += [_escaped(paragraph), ""]
    lines += [f"- Takes {entry.inputs}."]
    lines += [f"- `{key}`: {text}" for key, text in _arguments(parts.get("Args", ""), entry)]
    lines += [f"- Returns: {_one_line(parts['Returns'])}"]
    function = f"{entry.function.__module__}.{entry.function.__name__}"
    where = f"`{function}`"
    if entry.settings:
        where += f" with {', '.join(f'`{key}={value}`' for key, value in entry.settings.items())}"
    if entry.keras:
        where += f", `kind.losses.{entry.keras.__name__}`"
    return "\n".join([*lines, f"- In Python: {where}", ""])


def _arguments(text: str, entry: Entry) -> list[tuple[str, str]]:
    """Names and texts of an `Args:` section, with the defaults."""
    defaults = inspect.signature(entry.function).parameters
    found = []
    for name, words in re.findall(r"^    (\w+): ((?:.+\n?)(?:      .+\n?)*)", text, re.MULTILINE):
        default = defaults[name].default
        shown = "" if default is inspect.Parameter.empty else f" (default: {default})"
        found.append((name, _one_line(words).rstrip(".") + shown + "."))
    return found


def _one_line(text: str) -> str:
    return _escaped(" ".join(text.split()))


def _escaped(text: str) -> str:
    """Docstring text as Markdown: `*` and `_` are no emphasis, `<` no tag, and lines stay as they are."""
    return re.sub(r"(?<!`)([*_<])", r"\\\1", text)
