"""Trains one stage: python train_stage.py STAGE --data DIR --run DIR.

Stages: decom, restoration, illumination, joint, lite, detection.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kind.decom import config as decom_config
from kind.detection import command as detection_command
from kind.detection import config as detection_config
from kind.errors import UserError
from kind.illumination import config as illumination_config
from kind.joint import config as joint_config
from kind.lite import config as lite_config
from kind.restoration import config as restoration_config
from kind.training.config import TrainingConfig, add_flags, config_from_flags

if TYPE_CHECKING:
    from tensorflow import keras

    from kind.data.sources import Source
    from kind.detection.command import Prepared
    from kind.training.loop import Datasets
    from kind.training.stage import Stage
    from kind.training.stage_spec import StageSpec

_PREVIEWS = 4
_QUICK_TILE = 192

STAGES = {
    "decom": (decom_config.DecompositionConfig, decom_config.QUICK),
    "restoration": (restoration_config.RestorationConfig, restoration_config.QUICK),
    "illumination": (illumination_config.AdjustmentConfig, illumination_config.QUICK),
    "joint": (joint_config.JointConfig, joint_config.QUICK),
    "lite": (lite_config.LiteConfig, lite_config.QUICK),
    "detection": (detection_config.DetectionConfig, detection_config.QUICK),
}
#: Which trained networks each stage on pairs is given.
GIVEN = {
    "decom": (),
    "restoration": ("decom",),
    "illumination": ("decom",),
    "joint": ("decom", "restoration", "illumination"),
    "lite": (),
}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command.

    Args:
        arguments: the command line after the program's name; None takes the process's own.

    Returns:
        The exit code: 0; 2 when something must be mended by the user; 130 when interrupted.
    """
    flags = make_parser().parse_args(arguments)
    try:
        _train(flags)
    except UserError as error:
        print(f"train_stage.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("train_stage.py: interrupted; the same command goes on from the last backup", file=sys.stderr)
        return 130
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The command line's parser; `--help` needs no TensorFlow."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    for name, (config_class, _) in STAGES.items():
        text = config_class.__doc__
        stage = stages.add_parser(name, help=text, description=text, allow_abbrev=False)
        _add_run_flags(stage, name)
        if name == "detection":
            detection_command.add_arguments(stage)
        for given in GIVEN.get(name, ()):
            text = f"run folder or .keras of stage {given}"
            stage.add_argument(f"--{given}", type=Path, required=True, help=text)
        add_flags(stage, config_class)
    return parser


def _add_run_flags(stage: argparse.ArgumentParser, name: str) -> None:
    if name == "lite":
        stage.add_argument(
            "--data",
            action="append",
            metavar="NAME=DIR:WEIGHT",
            help="one part of the training mixture, given once for each: pairs (low/ and high/) or bright "
            "photographs; :all after the weight holds nothing out; one DIR alone is the whole mixture",
        )
    else:
        stage.add_argument(
            "--data",
            type=Path,
            help="folder with low/ and high/, or LOL's our485/ and eval15/; detection: images/ and labels/",
        )
    stage.add_argument("--run", type=Path, required=True, help="run folder; the same command goes on in it")
    stage.add_argument("--cache", type=Path, help="folder for decoded images (default: ~/.cache/kind)")
    stage.add_argument("--quick", action="store_true", help="a minute on the built-in samples")
    stage.add_argument(
        "--fork", type=Path, metavar="RUN", help="start from the weights of another run folder or .keras file"
    )
    stage.add_argument(
        "--fork-partly", action="store_true", help="with --fork: layers that do not fit start anew"
    )
    stage.add_argument(
        "--strategy",
        choices=("auto", "mirrored", "multiworker"),
        default="auto",
        help="how accelerators share the work (default: auto, all of TF_CONFIG or of this machine)",
    )


def _train(flags: argparse.Namespace) -> None:
    config = _config(flags)

    import tensorflow as tf

    from kind.training.distribution import choose_strategy, is_chief, rejoining
    from kind.training.loop import train
    from kind.training.run_folder import RunFolder

    strategy = choose_strategy(flags.strategy)
    tf.keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()

    prepare = {"detection": _prepare_detection, "lite": _prepare_lite}.get(flags.stage, _prepare)
    run, description = prepare(flags, config, strategy.num_replicas_in_sync)
    folder, chief = RunFolder(flags.run), is_chief(strategy)
    with contextlib.ExitStack() as stack:
        stack.enter_context(rejoining(strategy))
        if chief:
            stack.enter_context(folder.opened(description, run.data))
        own = folder if chief else RunFolder(stack.enter_context(tempfile.TemporaryDirectory()))
        make_stage = partial(_forked, run.make_stage, flags)
        train(make_stage, run.datasets, own, strategy=strategy, backup_folder=folder.backup)
    if chief:
        print(f"{folder.path}: {config.epochs} epochs done; the best network is {folder.best_file}")


def _config(flags: argparse.Namespace) -> TrainingConfig:
    config_class, quick = STAGES[flags.stage]
    if (flags.data is None) != flags.quick:
        raise UserError("give --data DIR to train on, or --quick to try the built-in samples, not both")
    if flags.fork_partly and not flags.fork:
        raise UserError("--fork-partly expects --fork RUN; received no --fork")
    return config_from_flags(config_class, flags, **(quick if flags.quick else {}))


def _prepare(
    flags: argparse.Namespace, config: TrainingConfig, replicas: int
) -> tuple[Prepared, dict[str, Any]]:
    """What a stage on pairs is trained with, and what `config.json` records."""
    from kind.detection.command import Prepared
    from kind.nn.saving import load_net, weights_digest
    from kind.training.run_folder import best_weights

    given = {name: load_net(best_weights(getattr(flags, name))) for name in GIVEN[flags.stage]}
    spec = _spec(flags.stage, given)
    training, validation = _sources(flags, config, given["decom"] if spec.needs_decom else None)
    datasets = _datasets(spec, config, training, validation, replicas)
    data = {"training": training.digests(), "validation": validation.digests()}
    digests = {name: weights_digest(net) for name, net in given.items()}
    run = Prepared(partial(_stage, spec, config), datasets, data)
    return run, _description(flags, config, spec.stage, digests)


def _prepare_detection(
    flags: argparse.Namespace, config: TrainingConfig, replicas: int
) -> tuple[Prepared, dict[str, Any]]:
    """The same for the detector."""
    from kind.data.arrays import default_cache
    from kind.detection.stage import DetectionStage

    cache = flags.cache or default_cache()
    run, given = detection_command.prepare(flags, config, cache, replicas, _show_progress)
    return run, _description(flags, config, DetectionStage, given)


def _prepare_lite(
    flags: argparse.Namespace, config: TrainingConfig, replicas: int
) -> tuple[Prepared, dict[str, Any]]:
    """The same for the light variant, which learns from a mixture."""
    from kind.data.arrays import default_cache
    from kind.data.photographs import parse_part
    from kind.data.samples import write_pairs
    from kind.detection.command import Prepared
    from kind.lite.datasets import mixture_feed
    from kind.lite.stage import LiteStage, make_stage
    from kind.training.precision import precision

    cache = flags.cache or default_cache()
    texts = [str(write_pairs(cache / "built-in", tile=_QUICK_TILE))] if flags.quick else flags.data
    datasets, digests, groups = mixture_feed(
        [parse_part(text) for text in texts], config, replicas, cache, _show_progress
    )

    features = None
    if config.feature_weight:
        from kind.detection.features import frozen_features

        features = frozen_features(config.feature_detector or None)

    def make():
        with precision(config.precision):
            return make_stage(config, groups, features)

    # The weights of the parts decide what is drawn, so a resumed run must have the same.
    return Prepared(make, datasets, digests), _description(flags, config, LiteStage, {"mixture": texts})


def _spec(stage: str, given: dict[str, keras.Model]) -> StageSpec:
    """The stage's spec, imported now: it brings TensorFlow, which `--help` does without."""
    if stage == "decom":
        from kind.decom.stage import SPEC
    elif stage == "restoration":
        from kind.restoration.stage import SPEC
    elif stage == "illumination":
        from kind.illumination.stage import SPEC
    else:
        from kind.joint.stage import spec

        return spec(lambda: [_copy(given[name]) for name in GIVEN["joint"]])
    return SPEC


def _copy(net: keras.Model) -> keras.Model:
    """A trainable copy of a network, under the precision and the strategy in force."""
    from kind.decom.model import decomposition_net
    from kind.illumination.model import adjustment_net
    from kind.restoration.msia import msia
    from kind.restoration.unet import unet
    from kind.training.layer_names import take_weights

    builders = {
        "decomposition": decomposition_net,
        "restoration_unet": unet,
        "restoration_msia": msia,
        "adjustment": adjustment_net,
    }
    if net.name not in builders:
        raise UserError(f"a network named {net.name} cannot be trained; expected {', '.join(builders)}")
    copy = builders[net.name]()
    take_weights(copy, net)
    return copy


def _stage(spec: StageSpec, config: TrainingConfig) -> Stage:
    """The stage with new weights, or those of the networks that it is given."""
    from kind.training.precision import precision

    with precision(config.precision):
        return spec.stage(spec.make_net(config), config)


def _forked(make_stage: Callable[[], Stage], flags: argparse.Namespace) -> Stage:
    """The stage with the weights to start from."""
    from kind.nn.saving import load_net
    from kind.training.layer_names import take_weights
    from kind.training.run_folder import best_weights

    stage = make_stage()
    if flags.fork:
        left = take_weights(stage.net, load_net(best_weights(flags.fork)), partly=flags.fork_partly)
        if left:
            print(f"--fork-partly: anew start {', '.join(left)}", file=sys.stderr)
    return stage


def _description(
    flags: argparse.Namespace,
    config: TrainingConfig,
    stage: type[Stage],
    given: dict[str, Any],
) -> dict[str, Any]:
    """What `config.json` records besides the settings: where the weights come from, what counts as best."""
    from kind.training.run_folder import describe

    return describe(
        flags.stage,
        config,
        fork=str(flags.fork) if flags.fork else None,
        fork_partly=flags.fork_partly,
        **given,
        monitor=stage.monitor,
        higher_is_better=stage.higher_is_better,
    )


def _sources(
    flags: argparse.Namespace, config: TrainingConfig, decom: keras.Model | None
) -> tuple[Source, Source]:
    """Training and validation samples, decoded or decomposed unless the cache has them."""
    from kind.data.arrays import default_cache
    from kind.data.pairs import find_pairs, split_pairs
    from kind.data.samples import write_pairs
    from kind.data.sources import decomposed_source, pair_source

    cache = flags.cache or default_cache()
    pairs = find_pairs(write_pairs(cache / "built-in", tile=_QUICK_TILE) if flags.quick else flags.data)
    parts = split_pairs(pairs, config.validation_every)
    if decom is None:
        return tuple(pair_source(part, cache, _show_progress) for part in parts)
    return tuple(decomposed_source(part, decom, cache, _show_progress) for part in parts)


def _datasets(
    spec: StageSpec, config: TrainingConfig, training: Source, validation: Source, replicas: int
) -> Datasets:
    from kind.data import batches
    from kind.training.loop import Datasets

    stream = {"batch": config.batch, "patch": config.patch, "seed": config.seed}
    whole = batches.whole_images(validation, spec.prepare_validation)
    return Datasets(
        batches=lambda epoch, processes, process: batches.training_batches(
            training,
            first_epoch=epoch,
            processes=processes,
            process=process,
            replicas=replicas,
            prepare=spec.prepare,
            **stream,
        ),
        steps=batches.steps_per_epoch(training, config.batch),
        validation=whole,
        previews=list(whole.take(_PREVIEWS)),
        images_of=partial(batches.images_of_batch, training, config.batch, config.seed),
    )


def _show_progress(what: str, done: int, total: int) -> None:
    if done == total:
        print(f"{what}: {total} done", file=sys.stderr, flush=True)
    elif sys.stderr.isatty():
        print(f"{what} {done}/{total}", end="\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
