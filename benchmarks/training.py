"""Images a second of each stage's training, against a plain loop: `python -m benchmarks.training`.

Both train the same network with the same losses on the same random arrays of LOL's size, all in memory.
The plain loop does what the published code does: NumPy cuts and turns each sample in Python, the batch is
handed to one compiled step, and the loss is fetched after each step. Rounds alternate, so that a machine
that gets slower does so for both; medians are compared. Our loop goes on from round to round, as a training
does: beginning one, which fills the input pipeline's buffers, costs as much as a third of a step of the
restoration and is no part of a round.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kind.cli.stages import STAGES
from kind.enhancing.variants import VARIANTS

if TYPE_CHECKING:
    import tensorflow as tf

    from kind.data.sources import Source
    from kind.training.stage import Stage
    from kind.training.stage_spec import StageSpec

_SIZE = (400, 600)
_SAMPLES = 16
_AT_ONCE = 32  # steps in one call into TensorFlow, as in training
_STAGES = VARIANTS["kind"].stages
_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
_KEYS = {
    "decom": {"low": 3, "high": 3},
    "decomposed": {
        "reflectance_low": 3,
        "illumination_low": 1,
        "reflectance_high": 3,
        "illumination_high": 1,
    },
}


def main() -> int:
    """Measures the stages and prints a table in images a second."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--stage", choices=_STAGES, action="append", help="repeatable (default: all)")
    parser.add_argument(
        "--precision",
        choices=_POLICIES,
        action="append",
        help="precision of our loop, repeatable (default: both)",
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="repetitions, of which the median counts (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="approximate length of a round (default: %(default)s)"
    )
    flags = parser.parse_args()

    import kind  # noqa: F401  (sets TensorFlow's environment before it is imported)

    import tensorflow as tf  # isort: skip

    tf.config.experimental.enable_op_determinism()  # as in training
    print(f"images/s, median of {flags.rounds} rounds; {tf.config.list_logical_devices()[-1].device_type}")
    print("stage         precision         plain    ours  ratio   input alone: plain    ours   step alone")
    for stage in flags.stage or _STAGES:
        for precision in flags.precision or _POLICIES:
            rates = _measure(stage, precision, flags.rounds, flags.seconds)
            print(
                f"{stage:<14}{precision:<15}{rates['plain']:8.1f}{rates['ours']:8.1f}"
                f"{rates['ours'] / rates['plain']:7.2f}{rates['plain input']:21.0f}{rates['our input']:8.0f}"
                f"{rates['our step']:13.1f}",
                flush=True,
            )
    return 0


def _measure(stage: str, precision: str, rounds: int, seconds: float) -> dict[str, float]:
    """Images a second of everything that is compared, at the published batch and patch size."""
    config = replace(STAGES[stage].config(), precision=_POLICIES[precision])
    with tempfile.TemporaryDirectory() as folder:
        source, arrays = _random_source(Path(folder), _KEYS.get(stage, _KEYS["decomposed"]))
        spec = STAGES[stage].spec()
        runs = {
            **_plain(spec, replace(config, precision="float32"), arrays),
            **_ours(spec, config, source),
        }
        found: dict[str, list[float]] = {name: [] for name in runs}
        steps = {name: _steps_in(run, seconds) for name, run in runs.items()}
        for number in range(rounds):
            for name, run in runs.items():
                print(f"\r{stage} {precision} round {number + 1} {name:<12}", end="", file=sys.stderr)
                found[name].append(steps[name] * config.batch / _timed(run, steps[name]))
    print("\r" + " " * 60, end="\r", file=sys.stderr)
    return {name: statistics.median(values) for name, values in found.items()}


def _timed(run: Callable[[int], None], steps: int) -> float:
    started = time.perf_counter()
    run(steps)
    return time.perf_counter() - started


def _steps_in(run: Callable[[int], None], seconds: float) -> int:
    """How many steps take about so long; compiles everything on the way."""
    run(2)
    return max(2, round(seconds / (_timed(run, 2) / 2)))


def _random_source(folder: Path, channels: dict[str, int]) -> tuple[Source, dict[str, list[np.ndarray]]]:
    """Random samples as cached files, and as the float32 arrays that the published code holds in memory."""
    from kind.data.arrays import write_array
    from kind.data.sources import Source

    generator = np.random.default_rng(0)
    arrays: dict[str, list[np.ndarray]] = {key: [] for key in channels}
    files: dict[str, list[str]] = {key: [] for key in channels}
    for number in range(_SAMPLES):
        for key, count in channels.items():
            arrays[key].append(generator.random((*_SIZE, count), np.float32))
            files[key].append(str(folder / f"{number}.{key}.u16"))
            write_array(Path(files[key][-1]), arrays[key][-1])
    names = tuple(map(str, range(_SAMPLES)))
    return Source(names, names, {key: tuple(paths) for key, paths in files.items()}, channels), arrays


def _stage(spec: StageSpec, config) -> Stage:
    from kind.training.precision import precision

    with precision(config.precision):
        return spec.stage(spec.make_net(config), config)


def _ours(spec: StageSpec, config, source: Source) -> dict[str, Callable[[int], None]]:
    """The training command's loop, its input pipeline alone and its step alone on one batch."""
    import tensorflow as tf

    from kind.data.batches import training_batches

    stream = {"batch": config.batch, "patch": config.patch, "seed": 0}
    batches = training_batches(source, prepare=spec.prepare, **stream)
    stage = _stage(spec, config)
    stage.set_up(steps_per_epoch=50)  # that of LOL's 485 pairs at batch 10
    datasets, training = iter(batches), iter(batches)
    alone = iter(tf.data.Dataset.from_tensors(next(datasets)).repeat())

    def read(steps: int) -> None:
        for _ in range(steps):
            next(datasets)

    return {"ours": _trains(stage, training), "our input": read, "our step": _trains(stage, alone)}


def _trains(stage: Stage, batches: Iterator[dict[str, tf.Tensor]]) -> Callable[[int], None]:
    """What `fit` runs between two callbacks, on batches that go on: up to 32 steps in one call."""
    train = stage.make_train_function()

    def run(steps: int) -> None:
        for first in range(0, steps, _AT_ONCE):
            # `fit` sets this for the last steps of an epoch; Keras has no public way.
            stage._steps_per_execution.assign(min(_AT_ONCE, steps - first))  # noqa: SLF001
            logs = train(batches)
        logs["loss"].numpy()

    return run


def _plain(spec: StageSpec, config, arrays: dict[str, list[np.ndarray]]) -> dict[str, Callable[[int], None]]:
    """A loop as the published code has it: NumPy in Python, one compiled step a batch, the loss fetched.

    Also its NumPy alone.
    """
    import tensorflow as tf

    stage = _stage(spec, config)
    optimizer = tf.keras.optimizers.Adam(config.learning_rate)
    optimizer.build(stage.net.trainable_variables)
    batches = _numpy_batches(arrays, config.batch, config.patch, np.random.default_rng(0))

    @tf.function
    def step(sample):
        if spec.prepare:
            seeds = tf.range(2 * config.batch, dtype=tf.int32)
            pieces = [
                spec.prepare({key: value[n] for key, value in sample.items()}, seeds[2 * n : 2 * n + 2])
                for n in range(config.batch)
            ]
            sample = {key: tf.stack([piece[key] for piece in pieces]) for key in pieces[0]}
        with tf.GradientTape() as tape:
            loss = stage.losses(sample, training=True)["loss"]
        variables = stage.net.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return loss

    def run(steps: int) -> None:
        for _ in range(steps):
            step({key: tf.constant(value) for key, value in next(batches).items()}).numpy()

    def read(steps: int) -> None:
        for _ in range(steps):
            next(batches)

    return {"plain": run, "plain input": read}


def _numpy_batches(
    arrays: dict[str, list[np.ndarray]], batch: int, patch: int, generator: np.random.Generator
) -> Iterator[dict[str, np.ndarray]]:
    """Endless batches: random crops, turned one of eight ways."""
    while True:
        pieces: dict[str, list[np.ndarray]] = {key: [] for key in arrays}
        for number in generator.integers(0, _SAMPLES, batch):
            top, left = (generator.integers(0, side - patch + 1) for side in _SIZE)
            turn = generator.integers(0, 8)
            for key, images in arrays.items():
                crop = np.rot90(images[number][top : top + patch, left : left + patch], turn % 4)
                pieces[key].append(crop[:, ::-1] if turn >= 4 else crop)
        yield {key: np.stack(crops) for key, crops in pieces.items()}


if __name__ == "__main__":
    sys.exit(main())
