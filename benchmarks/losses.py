"""What losses are worth: the light network trained with each, on one short schedule, and scored.

`python -m benchmarks.losses --data lol=DIR:1 --pairs DIR --out FOLDER --markdown docs/losses_measured.md`

Every network starts from the weights that ship and is trained for the same steps: with its own objective
(several seeds, which say what chance does) and with one term added, exchanged or switched off. It is scored
on the validation pairs, which no run trains on. The same command goes on where it was stopped; networks that
are trained and scored are left alone. The table has all that is finished, whatever came out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.loss_changes import CHANGES, DEFAULT, SEEDS, Change
from benchmarks.loss_table import document
from kind.cli.stages import STAGES, Surroundings
from kind.files import atomic_write
from kind.training.run_folder import RunFolder, describe

if TYPE_CHECKING:
    import numpy as np

    from kind.data.pairs import Pair
    from kind.lite.config import LiteConfig

_FIGURES = "figures.json"
_DIGITS = 12  # of a digest that is shown


def main() -> int:
    """Trains and scores what is missing, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--data", action="append", required=True, metavar="NAME=DIR:WEIGHT", help="as of `kind train lite`"
    )
    parser.add_argument(
        "--pairs", type=Path, required=True, metavar="DIR", help="pairs whose validation split is scored"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="run folders and figures")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="folder for decoded images")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="train and score these alone")
    for name, default, text in (
        ("--epochs", 4, "passes"),
        ("--steps", 40, "steps an epoch"),
        ("--batch", 4, "samples a step"),
        ("--patch", 64, "side of the samples, in pixels"),
    ):
        parser.add_argument(name, type=int, default=default, help=f"{text} (default: %(default)s)")
    parser.add_argument(
        "--learning-rate", type=float, default=2e-4, help="at the start (default: %(default)s)"
    )
    flags = parser.parse_args()
    runs = [(DEFAULT, seed) for seed in SEEDS] + [(change, SEEDS[0]) for change in CHANGES]
    for change, seed in runs:
        if flags.only and change.name not in flags.only:
            continue
        folder = flags.out / f"{change.name}-{seed}"
        if not (folder / _FIGURES).is_file():
            print(f"{change.name}, seed {seed}", file=sys.stderr, flush=True)
            _train(flags, _config(flags, change, seed), folder)
            with atomic_write(folder / _FIGURES) as temporary:
                temporary.write_text(json.dumps(_scored(folder, flags.pairs)))
        _write(flags, runs)
    return 0


def _config(flags: argparse.Namespace, change: Change, seed: int) -> LiteConfig:
    return STAGES["lite"].config(
        seed=seed,
        epochs=flags.epochs,
        steps=flags.steps,
        batch=flags.batch,
        patch=flags.patch,
        learning_rate=flags.learning_rate,
        warmup_epochs=0,
        average_decay=0.99,
        validate_epochs=flags.epochs,
        loader_threads=1,
        **change.settings,
    )


def _train(flags: argparse.Namespace, config: LiteConfig, path: Path) -> None:
    """Trains one network, or goes on with it."""
    import tensorflow as tf

    from kind.cli.feature_files import load_features
    from kind.nn.saving import SHIPPED_WEIGHTS
    from kind.training.added_losses import added_losses
    from kind.training.initial import InitialWeights, build_early
    from kind.training.loop import train

    tf.keras.backend.clear_session()
    entry, file = STAGES["lite"], SHIPPED_WEIGHTS / "lite.keras"
    added = added_losses(entry.spec().stage, config, load_features)
    tf.keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    initial = InitialWeights(file, entry.read_initial(file, "lite"))

    def built(make_stage):
        return build_early(make_stage, tf.distribute.get_strategy(), initial, added)

    surroundings = Surroundings(flags.data, False, flags.cache or flags.out / "cache", built=built)
    prepared = entry.prepare(argparse.Namespace(), config, surroundings)
    # One picture is enough while training: the networks are scored afterwards, as they are saved.
    datasets = replace(
        prepared.datasets,
        validation=prepared.datasets.validation.take(1),
        previews=prepared.datasets.previews[:1],
    )
    folder = RunFolder(path)
    monitor = {"monitor": prepared.stage.monitor, "higher_is_better": prepared.stage.higher_is_better}
    description = describe("lite", config, init_from=_start(), **prepared.given, **monitor)
    with folder.opened(description, prepared.data):
        train(prepared.make_stage, datasets, folder)


def _start() -> str:
    """The weights that every network starts from, by name and digest as in other tables."""
    from kind import Enhancer

    ((name, digest),) = Enhancer.load(variant="lite").digests().items()
    return f"{name} {digest[:_DIGITS]}"


def _scored(path: Path, pairs: Path) -> dict[str, dict[str, float]]:
    """Mean figures over the validation pairs by protocol, of the network in a run folder."""
    import numpy as np

    from kind.enhancing.light_network import LiteEnhancer
    from kind.evaluation.methods import Network, Sample
    from kind.evaluation.scoring import outputs_by_protocol, read_sample
    from kind.nn.saving import load_net

    method = Network(LiteEnhancer(load_net(path / "last.keras", "lite")), name="lite")
    found: dict[str, list[dict[str, float]]] = {}
    for pair in _validation_pairs(pairs):
        sample = Sample(pair.name, pair.low, pair.high)
        dark, target = read_sample(sample)
        for protocol, output in outputs_by_protocol(method, sample, dark, target).items():
            found.setdefault(protocol, []).append(_figures(output.image, target))
    return {
        protocol: {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        for protocol, rows in found.items()
    }


def _figures(output: np.ndarray, target: np.ndarray) -> dict[str, float]:
    from kind.metrics.delta_e import delta_e2000
    from kind.metrics.psnr import psnr
    from kind.metrics.ssim import ssim

    return {metric.__name__: float(metric(output, target)) for metric in (psnr, ssim, delta_e2000)}


def _validation_pairs(folder: Path) -> Sequence[Pair]:
    from kind.data.photographs import Part, training_pairs

    return training_pairs(Part("pairs", folder, 1.0))[1]


def _write(flags: argparse.Namespace, runs: Sequence[tuple[Change, int]]) -> None:
    """Writes the table of all networks that are scored."""
    if not flags.markdown:
        return
    figures = {}
    for change, seed in runs:
        file = flags.out / f"{change.name}-{seed}" / _FIGURES
        if file.is_file():
            figures.setdefault(change.name, []).append(json.loads(file.read_text()))
    schedule = {name: getattr(flags, name) for name in ("epochs", "steps", "batch", "patch", "learning_rate")}
    count = len(_validation_pairs(flags.pairs))
    with atomic_write(flags.markdown) as temporary:
        temporary.write_text(document(figures, schedule, count, _start()), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
