"""Trains one stage; the same command resumes a run that was stopped."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kind.cli.options import add_cache_argument, add_old_name
from kind.cli.setting_flags import add_flags, check_useful, config_from_flags
from kind.cli.stages import STAGES, Surroundings
from kind.cli.terminal import run_guarded
from kind.data.pair_lists import PairGlobs
from kind.errors import UserError
from kind.reports.progress import Progress
from kind.training.config import OLD_NAMES, StageConfig, flag_of
from kind.training.interruption import Interruption, Terminated

if TYPE_CHECKING:
    from kind.training.added_losses import AddedLosses
    from kind.training.initial import InitialWeights
    from kind.training.loop import Prepared

_DONE, _USER_ERROR, _INTERRUPTED, _TERMINATED = 0, 2, 130, 128 + signal.SIGTERM
_RESUME = "the same command resumes from the last checkpoint"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares a subcommand for each stage; needs no TensorFlow."""
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    for name, entry in STAGES.items():
        text = entry.config.__doc__
        stage = stages.add_parser(name, help=text, description=text, allow_abbrev=False)
        _add_run_arguments(stage)
        entry.add_arguments(stage)
        add_flags(stage, entry.config)
        _add_old_names(stage, entry.config)


def run(arguments: argparse.Namespace, command: str = "kind train") -> int:
    """Trains until the last epoch.

    Args:
        arguments: parsed by a parser that `add_arguments` prepared.
        command: what the user typed, for messages.

    Returns:
        The exit code: 0, 130 when interrupted, 143 when terminated.

    Raises:
        UserError: when the user has to mend something.
    """
    interruption = Interruption()
    with interruption.caught():
        try:
            _train(arguments, interruption)
        except Terminated:
            print(f"{command}: terminated; {_RESUME}", file=sys.stderr)
            return _TERMINATED
        except KeyboardInterrupt:
            print(f"{command}: interrupted; {_RESUME}", file=sys.stderr)
            return _INTERRUPTED
    return _DONE


def main(arguments: list[str] | None = None) -> int:
    """Runs `train_stage.py`.

    Args:
        arguments: the command line after the program's name; None takes the process's own.

    Returns:
        The exit code: 0; 2 when the user has to mend something; 130 when interrupted, 143 when terminated.
    """
    return run_guarded(lambda: _main(arguments))


def _main(arguments: list[str] | None) -> int:
    flags = make_parser().parse_args(arguments)
    try:
        return run(flags, "train_stage.py")
    except UserError as error:
        print(f"train_stage.py: {error}", file=sys.stderr)
        return _USER_ERROR


def make_parser() -> argparse.ArgumentParser:
    """The parser of `train_stage.py`."""
    parser = argparse.ArgumentParser(prog="train_stage.py", description=__doc__, allow_abbrev=False)
    add_arguments(parser)
    return parser


def _add_run_arguments(stage: argparse.ArgumentParser) -> None:
    stage.add_argument(
        "--run",
        type=Path,
        required=True,
        dest="run_folder",
        metavar="DIR",
        help="run folder; the same command resumes the run in it",
    )
    add_cache_argument(stage)
    stage.add_argument("--quick", action="store_true", help="train for about a minute on built-in samples")
    stage.add_argument(
        "--init-from", type=Path, metavar="RUN", help="run folder or .keras file with the initial weights"
    )
    stage.add_argument(
        "--init-partly",
        action="store_true",
        help="with --init-from: re-initialise layers whose weights do not fit",
    )
    stage.add_argument(
        "--remark", default="", metavar="TEXT", help="note kept in the run folder and shown by `kind runs`"
    )
    stage.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="config.json of a run, or its folder: its settings hold where no flag says otherwise",
    )
    stage.add_argument(
        "--callback",
        action="append",
        choices=("wandb", "mlflow"),
        default=[],
        help="also report every epoch to Weights & Biases or MLflow, if installed; repeatable",
    )
    stage.add_argument(
        "--strategy",
        choices=("auto", "mirrored", "multiworker"),
        default="auto",
        help="distribution strategy (default: auto, all workers of TF_CONFIG or all GPUs of this machine)",
    )


def _add_old_names(stage: argparse.ArgumentParser, config: type[StageConfig]) -> None:
    add_old_name(stage, "--fork", "--init-from")
    add_old_name(stage, "--fork-partly", "--init-partly")
    for old, new in OLD_NAMES.items():
        if hasattr(config, new) and not hasattr(config, old):
            add_old_name(stage, flag_of(old), flag_of(new))


def _train(flags: argparse.Namespace, interruption: Interruption) -> None:
    entry = STAGES[flags.stage]
    recorded = _recorded(flags, entry.config)
    _check_data(flags)
    if flags.init_partly and not flags.init_from:
        raise UserError("--init-partly expects --init-from RUN; received no --init-from")
    if not _is_recorded(flags.run_folder):  # a run that was begun with such flags goes on
        check_useful(entry.config, flags)
    config = config_from_flags(entry.config, flags, recorded, **(entry.quick if flags.quick else {}))
    config = _as_long_as_begun(config, flags.run_folder)

    import tensorflow as tf

    from kind.data.arrays import default_cache
    from kind.data.batches import check_shared
    from kind.training.distribution import choose_strategy, is_chief, rejoining
    from kind.training.initial import build_early
    from kind.training.loop import train
    from kind.training.run_folder import RunFolder
    from kind.training.trackers import make_trackers

    strategy = choose_strategy(flags.strategy)
    check_shared(config.batch, strategy.num_replicas_in_sync)
    added = _added_losses(entry, config)  # before the seed: weights do not depend on what is read here
    tf.keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()

    surroundings = Surroundings(
        flags.data,
        flags.quick,
        flags.cache or default_cache(),
        strategy.num_replicas_in_sync,
        _shown(),
        partial(build_early, strategy=strategy, initial=_initial_weights(flags), added=added),
    )
    folder, chief = RunFolder(flags.run_folder), is_chief(strategy)
    with contextlib.ExitStack() as stack:
        stack.enter_context(rejoining(strategy))
        prepared = entry.prepare(flags, config, surroundings)
        if chief:
            description = _description(flags, config, prepared, added)
            trackers = make_trackers(flags.callback, folder.path.name, description)
            stack.enter_context(folder.opened(description, prepared.data))
        own = folder if chief else RunFolder(stack.enter_context(tempfile.TemporaryDirectory()))
        train(
            prepared.make_stage,
            prepared.datasets,
            own,
            strategy=strategy,
            checkpoints_of=folder,
            interruption=interruption,
            command=shlex.join(sys.argv),
            remark=flags.remark,
            trackers=trackers if chief else (),
        )
    if chief:
        done = max((record["epoch"] for record in folder.read_metrics()), default=config.epochs)
        verb = "is" if folder.best_file.is_file() else "is missing:"
        print(f"{folder.path}: {done} epochs done; the best network {verb} {folder.best_file}")


def _recorded(flags: argparse.Namespace, config: type[StageConfig]) -> dict[str, Any]:
    """The settings of `--config`; what else it says goes to flags that were not given."""
    if not flags.config:
        return {}
    from kind.training.recorded_config import read_recorded

    settings, more = read_recorded(flags.config, flags.stage, config)
    if not flags.init_from and "init_from" in more:
        flags.init_from, flags.init_partly = Path(more["init_from"]), more.get("init_partly", False)
    if flags.data is None and not flags.quick and "mixture" in more:
        flags.data = list(more["mixture"])
    return settings


def _is_recorded(path: Path) -> bool:
    from kind.training.run_folder import RunFolder

    return RunFolder(path).config_file.is_file()


def _as_long_as_begun(config: StageConfig, path: Path) -> StageConfig:
    """The settings of a run that may have been begun with fewer epochs; see `with_recorded_cycle`."""
    from kind.training.run_changes import with_recorded_cycle
    from kind.training.run_folder import RunFolder, read_json

    folder = RunFolder(path)
    if not folder.config_file.is_file() or not folder.has_begun():
        return config
    longer = with_recorded_cycle(config, read_json(folder.config_file))
    cycle = longer.schedule_epochs
    if longer is not config and cycle:
        length, first = max(1, cycle - config.warmup_epochs), config.warmup_epochs
        ends = first + length * round((longer.epochs - first) / length)
        if ends == longer.epochs:
            return longer
        text = f"the cosine schedule begins anew every {length} epochs; --epochs {ends} ends at rate 0"
        print(f"{path}: {text}", file=sys.stderr)
    return longer


def _check_data(flags: argparse.Namespace) -> None:
    """Sets `data` to what `--low` and `--high` say; refuses none, or several, of the ways to give data."""
    globs = [getattr(flags, side, None) for side in ("low", "high")]
    if any(globs):
        if not all(globs) or flags.data or flags.quick:
            raise UserError("give --low GLOB and --high GLOB together, and neither --data nor --quick")
        flags.data = [PairGlobs(*globs)]
    if (flags.data is None) != flags.quick:
        raise UserError("give --data DIR to train on, or --quick to try the built-in samples, not both")


def _added_losses(entry: object, config: StageConfig) -> AddedLosses | None:
    """What `--loss` and `--loss-weight` add, checked before any data is read."""
    if not getattr(config, "loss", ()) and not getattr(config, "loss_weight", ()):
        return None
    from kind.cli.feature_files import load_features
    from kind.training.added_losses import added_losses

    return added_losses(entry.spec().stage, config, load_features)


def _initial_weights(flags: argparse.Namespace) -> InitialWeights | None:
    """The network of `--init-from`; None without one."""
    from kind.training.initial import InitialWeights
    from kind.training.run_folder import best_weights

    if not flags.init_from:
        return None
    net = STAGES[flags.stage].read_initial(flags.init_from, flags.stage)
    return InitialWeights(best_weights(flags.init_from), net, flags.init_partly)


def _description(
    flags: argparse.Namespace, config: StageConfig, prepared: Prepared, added: AddedLosses | None
) -> dict:
    """What `config.json` records: settings, where the weights come from, what counts as best."""
    from kind.training.run_folder import describe

    return describe(
        flags.stage,
        config,
        init_from=str(flags.init_from) if flags.init_from else None,
        init_partly=flags.init_partly,
        **prepared.given,
        **({"loss_networks": added.digests} if added and added.digests else {}),
        monitor=prepared.stage.monitor,
        higher_is_better=prepared.stage.higher_is_better,
    )


def _shown() -> Callable[[str, int, int, str], None]:
    """Shows each part of the preparation on a bar of its own."""
    bars: dict[str, Progress] = {}

    def show(what: str, done: int, total: int, unit: str) -> None:
        if done == 1 or what not in bars:
            bars[what] = Progress(unit, what)
        bars[what](done, total)

    return show
