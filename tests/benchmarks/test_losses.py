"""The table of what losses are worth."""

import argparse
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from benchmarks.loss_changes import CHANGES, DEFAULT, SEEDS
from benchmarks.loss_table import document
from kind.cli.loss_document import MEASURED
from kind.cli.setting_flags import add_flags, config_from_flags
from kind.cli.stages import STAGES
from kind.images.photo import write_photo
from kind.training.added_losses import added_losses

ROOT = Path(__file__).resolve().parents[2]
SCHEDULE = {"epochs": 2, "steps": 10, "batch": 4, "patch": 64, "learning_rate": 1e-4}


def figures(psnr):
    return {"raw": {"psnr": psnr, "ssim": 0.5, "delta_e2000": 9.0}}


def test_spread_of_the_seeds_and_what_lies_outside_it():
    first, second, *rest = CHANGES
    found = {
        DEFAULT.name: [figures(psnr) for psnr in (20, 21, 22)],
        first.name: [figures(22.9)],
        second.name: [figures(18.9)],
    }
    lines = document(found, SCHEDULE, 24, "lite 0123").splitlines()
    assert lines[0] == MEASURED and "(lite 0123) for 20 steps of" in lines[2]
    table = [line for line in lines if line.startswith("| ")]
    assert table[0] == "| objective | raw: PSNR | raw: SSIM | raw: ΔE2000 |"
    assert table[2] == "| as it is | 21.00 ± 1.00 | 0.5000 ± 0.0000 | 9.00 ± 0.00 |"
    assert table[3] == f"| `{first.flags}` | 22.90 | 0.5000 | 9.00 |"
    assert table[4] == f"| `{second.flags}` | **18.90** | 0.5000 | 9.00 |"
    assert lines[-1].startswith("Not measured yet: ") and lines[-1].count("`") == 2 * len(rest)


def test_at_least_twelve_changes_and_three_seeds_each_as_its_flags_say():
    assert len(SEEDS) == 3 and len(CHANGES) >= 12 and len({change.name for change in CHANGES}) == len(CHANGES)
    entry, parser = STAGES["lite"], argparse.ArgumentParser()
    add_flags(parser, entry.config)
    for change in CHANGES:
        config = config_from_flags(entry.config, parser.parse_args(change.flags.split()), patch=64)
        assert config == entry.config(patch=64, **change.settings), change.name
        assert {field.name for field in fields(config)} >= change.settings.keys()
        if config.loss or config.loss_weight:
            added_losses(entry.spec().stage, config, lambda file, layers: argparse.Namespace(digest=""))


@pytest.mark.parametrize("name", [change.name for change in CHANGES])
def test_names_are_names_of_folders(name):
    assert "/" not in name and " " not in name


@pytest.mark.slow
def test_it_trains_scores_and_goes_on_where_it_was_left(tmp_path):
    for side, brightness in (("low", 0.1), ("high", 0.6)):
        for number in range(4):
            pixels = brightness * np.random.default_rng(number).random((72, 80, 3))
            write_photo(tmp_path / f"pairs/{side}/{number}.png", pixels)
    pairs = str(tmp_path / "pairs")
    line = ["--data", f"lol={pairs}:1", "--pairs", pairs, "--out", str(tmp_path / "runs")]
    line += ["--epochs", "1", "--steps", "1", "--batch", "1"]
    command = [sys.executable, "-m", "benchmarks.losses", *line, "--only", "l2-for-absolute_error"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "l2-for-absolute_error, seed 0" in done.stderr, done.stderr[-2000:]
    figures = (tmp_path / "runs/l2-for-absolute_error-0/figures.json").read_bytes()
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0 and "seed 0" not in again.stderr
    assert (tmp_path / "runs/l2-for-absolute_error-0/figures.json").read_bytes() == figures
