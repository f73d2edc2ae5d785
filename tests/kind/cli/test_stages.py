"""The table of stages, and what the documents say of it."""

import subprocess
import sys
from pathlib import Path

from kind.cli.stages import STAGES

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "training.md"


def test_the_document_has_the_defaults_of_every_stage():
    table = ["| stage | epochs | batch | pixels | optimizer | learning rate | schedule |"]
    table.append("| --- | ---: | ---: | ---: | --- | ---: | --- |")
    for name, entry in STAGES.items():
        config = entry.config()
        side = getattr(config, "patch", None) or config.image_size
        table.append(
            f"| `{name}` | {config.epochs} | {config.batch} | {side} | {config.optimizer} | "
            f"{config.learning_rate:g} | {config.schedule} |"
        )
    assert "\n".join(["", *table, ""]) in DOCUMENT.read_text(encoding="utf-8"), "\n".join(table)


def test_the_table_needs_no_tensorflow():
    script = "import sys, kind.cli.stages; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
