"""Trains one stage: python train_stage.py {decom|restoration|illumination} --data DIR --run DIR."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from decom import config as decom_config
from illumination import config as illumination_config
from kind.errors import UserError
from kind.training.config import TrainingConfig, add_flags, config_from_flags
from restoration import config as restoration_config

if TYPE_CHECKING:
    from data.sources import Source
    from kind.training.recipe import Recipe

_PREVIEWS = 4
_QUICK_TILE = 192

STAGES = {
    "decom": (decom_config.DecompositionConfig, decom_config.QUICK),
    "restoration": (restoration_config.RestorationConfig, restoration_config.QUICK),
    "illumination": (illumination_config.AdjustmentConfig, illumination_config.QUICK),
}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command.

    Args:
        arguments: the command line after the program's name; None takes the process's own.

    Returns:
        The exit code: 0, or 2 when something must be mended by the user.
    """
    flags = _parser().parse_args(arguments)
    try:
        _train(flags)
    except UserError as error:
        print(f"train_stage.py: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    for name, (config_class, _) in STAGES.items():
        text = config_class.__doc__
        stage = stages.add_parser(name, help=text, description=text, allow_abbrev=False)
        stage.add_argument(
            "--data", type=Path, help="folder with low/ and high/, or LOL's our485/ and eval15/"
        )
        stage.add_argument(
            "--run", type=Path, required=True, help="run folder; the same command goes on in it"
        )
        stage.add_argument("--cache", type=Path, help="folder for decoded images (default: ~/.cache/kind)")
        stage.add_argument("--quick", action="store_true", help="a minute on the built-in samples")
        if name != "decom":
            stage.add_argument(
                "--decom", type=Path, required=True, help="run folder or .keras of stage decom"
            )
        add_flags(stage, config_class)
    return parser


def _train(flags: argparse.Namespace) -> None:
    config_class, quick = STAGES[flags.stage]
    config = config_from_flags(config_class, flags, **(quick if flags.quick else {}))
    if (flags.data is None) != flags.quick:
        raise UserError("give --data DIR to train on pairs, or --quick to try the built-in samples, not both")

    import tensorflow as tf

    from data import batches
    from kind.training.loop import train
    from kind.training.run_folder import RunFolder, describe

    tf.keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()

    recipe = _recipe(flags.stage)
    training, validation = _sources(flags, config, recipe.needs_decom)
    folder = RunFolder(flags.run)
    folder.open(describe(flags.stage, config, training=training.digest, validation=validation.digest))

    stream = {"batch": config.batch, "patch": config.patch, "seed": config.seed}
    whole = batches.whole_images(validation, recipe.prepare_validation)
    train(
        recipe.make_stage(config),
        folder,
        batches_from=lambda epoch: batches.training_batches(
            training, first_epoch=epoch, prepare=recipe.prepare, **stream
        ),
        steps=batches.steps_per_epoch(training, config.batch),
        validation=whole,
        previews=list(whole.take(_PREVIEWS)),
        names_of_batch=lambda epoch, step: batches.names_of_batch(
            training, config.batch, config.seed, epoch, step
        ),
    )
    print(f"{folder.path}: {config.epochs} epochs done; the best network is {folder.best_file}")


def _recipe(stage: str) -> Recipe:
    """The stage's recipe, imported now: it brings TensorFlow, which `--help` does without."""
    if stage == "decom":
        from decom.stage import RECIPE
    elif stage == "restoration":
        from restoration.stage import RECIPE
    else:
        from illumination.stage import RECIPE
    return RECIPE


def _sources(flags: argparse.Namespace, config: TrainingConfig, needs_decom: bool) -> tuple[Source, Source]:
    """Training and validation samples, decoded or decomposed unless the cache has them."""
    from data.arrays import default_cache
    from data.pairs import find_pairs, split_pairs
    from data.samples import write_pairs
    from data.sources import decomposed_source, pair_source
    from kind.network_files import load_net
    from kind.training.run_folder import best_weights

    cache = flags.cache or default_cache()
    pairs = find_pairs(write_pairs(cache / "built-in", tile=_QUICK_TILE) if flags.quick else flags.data)
    parts = split_pairs(pairs, config.validation_every)
    if not needs_decom:
        return tuple(pair_source(part, cache, _show_progress) for part in parts)
    decom = load_net(best_weights(flags.decom))
    return tuple(decomposed_source(part, decom, cache, _show_progress) for part in parts)


def _show_progress(what: str, done: int, total: int) -> None:
    if done == total:
        print(f"{what}: {total} done", file=sys.stderr, flush=True)
    elif sys.stderr.isatty():
        print(f"{what} {done}/{total}", end="\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
