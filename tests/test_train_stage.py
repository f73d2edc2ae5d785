"""The training command, from the outside: real runs, real kills, real clusters."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow import keras

import kind.detection.predictor  # noqa: F401  (so that detectors load)
import train_stage
from kind.cli.main import main as kind_main
from kind.cli.stages import STAGES
from kind.data.generated_scenes import write_scenes
from kind.enhancing.enhancer import Enhancer
from kind.guided.model import NAMES as GUIDED
from kind.nn.saving import load_net, save_net
from kind.training.manifest import checkpoint_epochs

ROOT = Path(__file__).resolve().parent.parent
SMALL = ["--batch", "2", "--patch", "16", "--validation-every", "3"]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Seven pairs of different sizes, and networks to start from, as they are before training."""
    from kind.decom.model import decomposition_net
    from kind.illumination.model import adjustment_net
    from kind.restoration.unet import unet

    folder = tmp_path_factory.mktemp("training")
    generator = np.random.default_rng(0)
    for number in range(7):
        high = generator.integers(0, 256, (20 + number, 26 - number, 3), np.uint8)
        for side, image in (("low", high // 8), ("high", high)):
            (folder / "data" / side).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / "data" / side / f"{number}.png")
    keras.utils.set_random_seed(1)
    nets = {"decom": decomposition_net, "restoration": unet, "illumination": adjustment_net}
    for name, make in nets.items():
        save_net(make(), folder / f"{name}.keras")
    write_scenes(folder / "scenes", 8, size=64)
    return folder


def arguments(work, stage, run, *more):
    if stage in ("detection", "adapt"):
        data = ["--data", str(work / "scenes"), "--detector", "tiny"]
        data += ["--input", "reflectance", "--twins", "1"] if stage == "detection" else []
        common = ["--cache", str(work / "cache"), "--run", str(run), "--batch", "2", "--image-size", "32"]
        return [stage, *data, *common, *more]
    if stage == "change":
        common = ["--quick", "--cache", str(work / "cache"), "--run", str(run), "--batch", "2"]
        return [stage, *common, "--input", "raw", "--steps", "2", "--patch", "32", *more]
    names = getattr(STAGES.get(stage), "given", ())
    given = [part for name in names for part in (f"--{name}", str(work / f"{name}.keras"))]
    if stage in ("lite", "exposure", *GUIDED):
        common = ["--quick", "--cache", str(work / "cache"), "--run", str(run), "--batch", "2"]
        network = ["guided", "--network", stage] if stage in GUIDED else [stage]
        return [*network, *common, *given, "--steps", "2", "--patch", "64", *more]
    common = ["--data", str(work / "data"), "--cache", str(work / "cache"), "--run", str(run)]
    return [stage, *common, *given, *SMALL, *more]


def start(command, **environment):
    return subprocess.Popen(
        [sys.executable, "train_stage.py", *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process):
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return output


def records(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def outcome(run):
    """Everything that two runs have to agree on, bit by bit: weights, optimizer state, metrics."""
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(run / "backup")))
    names = [name for name in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in name]
    state = {
        name: np.asarray(reader.get_tensor(name)).tobytes() for name in names if "save_counter" not in name
    }
    nets = {
        file: [weights.tobytes() for weights in load_net(run / file).get_weights()]
        for file in ("best.keras", "last.keras")
    }
    return {**state, **nets, "metrics": (run / "metrics.jsonl").read_bytes()}


def differences(first, second):
    return {name for name in {*first, *second} if first.get(name) != second.get(name)}


def kill_at_random(work, stage, run, settings, kills, chance):
    """Runs the command again and again, killing it with SIGKILL; returns how often that hit it alive."""
    hits = 0
    while hits < kills:
        before = len(records(run)) if (run / "metrics.jsonl").is_file() else 0
        process = start(arguments(work, stage, run, *settings))
        if chance.random() < 0.8:  # the rest dies on its way to the first epoch
            while process.poll() is None and len(lines_of(run)) <= before:
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 1.0))
        else:
            time.sleep(chance.uniform(0, 5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode != -signal.SIGKILL:
            break
        hits += 1
    return hits


def lines_of(run):
    file = run / "metrics.jsonl"
    return file.read_text().splitlines() if file.is_file() else []


@pytest.mark.slow
def test_a_killed_run_ends_like_an_undisturbed_one(work, tmp_path):
    settings = ["--epochs", "40", "--validate-epochs", "4"]
    whole = start(arguments(work, "illumination", tmp_path / "whole", *settings))
    finish(whole)
    seed = random.randrange(2**32)
    hits = kill_at_random(work, "illumination", tmp_path / "killed", settings, 1, random.Random(seed))
    assert hits == 1, f"seed {seed}: it was too quick to be killed"
    finish(start(arguments(work, "illumination", tmp_path / "killed", *settings)))
    assert differences(outcome(tmp_path / "whole"), outcome(tmp_path / "killed")) == set(), f"seed {seed}"


@pytest.mark.slow
def test_a_terminated_run_says_so_and_resumes(work, tmp_path):
    settings = ["--epochs", "4000", "--validate-epochs", "1"]
    process = start(arguments(work, "illumination", tmp_path / "run", *settings))
    while process.poll() is None and len(lines_of(tmp_path / "run")) < 2:
        time.sleep(0.01)
    process.terminate()
    output, _ = process.communicate()
    assert process.returncode == 143 and "Traceback" not in output
    assert "train_stage.py: terminated; the same command resumes from the last checkpoint" in output
    assert not list((tmp_path / "run").rglob(".*.keras"))
    assert max(checkpoint_epochs(tmp_path / "run" / "backup")) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("stage", [*STAGES, *GUIDED[1:]])
def test_fifty_kills(work, tmp_path, stage):
    """KIND_KILLS, 50 by default, over all stages; of the guided stage, each of its networks."""
    kills = -(-int(os.environ.get("KIND_KILLS", "50")) // len(STAGES))
    settings = ["--epochs", "100", "--validate-epochs", "3", "--average-decay", "0.9", "--clip-norm", "1"]
    finish(start(arguments(work, stage, tmp_path / "whole", *settings)))
    seed = random.randrange(2**32)
    hits = kill_at_random(work, stage, tmp_path / "killed", settings, kills, random.Random(seed))
    print(f"{stage}: {hits} kills, seed {seed}", file=sys.stderr)
    assert hits >= kills // 2, f"seed {seed}: finished after {hits} kills"
    finish(start(arguments(work, stage, tmp_path / "killed", *settings)))
    assert differences(outcome(tmp_path / "whole"), outcome(tmp_path / "killed")) == set(), f"seed {seed}"


def test_help_needs_no_tensorflow():
    script = "import sys, train_stage\ntry: train_stage.main(['joint', '--help'])\nexcept SystemExit: pass\n"
    script += "sys.exit('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    assert all(
        flag in done.stdout for flag in ("--decom", "--strategy", "--precision", "--init-from", "--freeze")
    )


def refused(capsys, command):
    assert train_stage.main(command) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("train_stage.py: ")]
    assert len(lines) == 1 and "Traceback" not in captured.err
    return lines[0]


def test_mistakes_are_one_line_and_exit_2(work, tmp_path, capsys):
    run = ["--run", str(tmp_path / "run")]
    data = ["--data", str(work / "data"), *run]
    assert "give --data DIR" in refused(capsys, ["decom", *run])
    assert "not both" in refused(capsys, ["decom", "--quick", *data])
    assert "--epochs expects at least 1" in refused(capsys, ["decom", *data, "--epochs", "0"])
    assert "--init-partly expects --init-from" in refused(capsys, ["decom", *data, "--init-partly"])
    assert "expected a .keras file" in refused(capsys, ["restoration", *data, "--decom", str(tmp_path)])
    assert "no such folder" in refused(capsys, ["decom", *run, "--data", str(tmp_path / "none")])
    assert not (tmp_path / "run").exists()


def test_a_refused_setting_leaves_nothing_behind(work, tmp_path, capsys):
    run = tmp_path / "run"
    command = arguments(work, "decom", run, "--epochs", "1")
    smallest = work / "data" / "low" / "1.png"  # of those that are not held out
    message = refused(capsys, [*command, "--patch", "22"])
    assert message.endswith(f"shorter side of the smallest image, {smallest}; use at most 21")
    assert "matches no layer" in refused(capsys, [*command, "--freeze", "nothing"])
    missing = str(tmp_path / "none.keras")
    assert "expected a .keras file or a run folder" in refused(capsys, [*command, "--init-from", missing])
    assert not run.exists()


def test_networks_are_looked_at_before_any_data(work, tmp_path, capsys):
    """The folder of the data is not even there."""
    nowhere = str(tmp_path / "none")
    given = arguments(work, "illumination", tmp_path / "run")
    command = [nowhere if word == str(work / "data") else word for word in given]
    assert "holds 'decomposition'; expected 'adjustment': " in refused(
        capsys, [*command, "--init-from", str(work / "decom.keras")]
    )
    restoration = str(work / "restoration.keras")
    assert "holds 'restoration_unet' (3+1" in refused(capsys, [*command, "--decom", restoration])
    assert "no such folder" in refused(capsys, command)


@pytest.fixture(scope="module")
def decom_run(work):
    run = work / "decom_run"
    assert train_stage.main(arguments(work, "decom", run, "--epochs", "2")) == 0
    return run


@pytest.mark.parametrize("stage", STAGES)
def test_both_commands_know_every_stage_and_old_flags(stage, capsys):
    for command in (train_stage.main, lambda words: kind_main(["train", *words])):
        with pytest.raises(SystemExit) as ended:
            command([stage, "--help"])
        text = capsys.readouterr().out
        assert ended.value.code == 0 and "--init-from" in text and "--learning-rate-multipliers" in text
        assert not any(old in text for old in ("--fork", "--rates", "--optimiser"))
    flags = train_stage.make_parser().parse_args(
        [stage, "--run", "r", "--fork", "f", "--fork-partly", "--rates", "a=1", "b=2", "--optimiser", "adamw"]
        + [part for name in getattr(STAGES[stage], "given", ()) for part in (f"--{name}", "x")]
    )
    assert (flags.init_from, flags.init_partly) == (Path("f"), True)
    assert (flags.learning_rate_multipliers, flags.optimizer) == (["a=1", "b=2"], "adamw")
    assert "--rates is deprecated; use --learning-rate-multipliers" in capsys.readouterr().err


def test_the_old_flags_of_one_stage_are_not_those_of_another():
    flags = train_stage.make_parser().parse_args(["detection", "--run", "r", "--patch", "64"])
    assert flags.image_size == 64
    given = ["restoration", "--run", "r", "--decom", "d"]
    flags = train_stage.make_parser().parse_args([*given, "--variant", "msia", "--patch", "64"])
    assert (flags.network, flags.patch) == ("msia", 64)


def test_a_network_in_anothers_place_is_one_line(work, tmp_path, capsys):
    run = ["--run", str(tmp_path / "run")]
    decom, restoration, illumination = (f"{work}/{name}.keras" for name in STAGES["joint"].given)
    message = refused(capsys, [*arguments(work, "restoration", tmp_path / "run"), "--decom", restoration])
    assert message.endswith(
        "restoration.keras: holds 'restoration_unet' (3+1 → 3 channels); expected decom (3 → 3+1 channels)"
    )
    swapped = ["--restoration", illumination, "--illumination", restoration]
    message = refused(capsys, [*arguments(work, "joint", tmp_path / "run"), *swapped])
    assert message.endswith("holds 'adjustment' (1+1 → 1 channels); expected restoration (3+1 → 3 channels)")
    scenes = ["--data", str(work / "scenes"), "--teacher", decom, "--detector", "tiny"]
    assert "expected a detector" in refused(capsys, ["detection", *run, *scenes])
    assert kind_main(["train", *arguments(work, "decom", tmp_path / "run", "--epochs", "0")]) == 2
    assert capsys.readouterr().err.startswith("kind: --epochs expects at least 1")
    assert not (tmp_path / "run").exists()


def test_another_config_or_data_set_is_refused_with_what_changed(work, decom_run, tmp_path, capsys):
    same = arguments(work, "decom", decom_run, "--epochs", "2")
    assert "epochs was 2, now 1" in refused(capsys, [*same, "--epochs", "1"])
    assert "stage was 'decom', now 'illumination'" in refused(
        capsys, arguments(work, "illumination", decom_run)
    )
    copy = tmp_path / "data"
    for side in ("low", "high"):
        (copy / side).mkdir(parents=True)
        for path in (work / "data" / side).iterdir():
            name = "5b.png" if path.name == "5.png" else path.name
            (copy / side / name).write_bytes(path.read_bytes())
    Image.fromarray(np.zeros((21, 25, 3), np.uint8)).save(copy / "low" / "1.png")
    message = refused(capsys, [str(copy) if word == str(work / "data") else word for word in same])
    assert "training data: 1 added (5b), 1 removed (5), 1 changed (1)" in message
    assert f"--run NEW --init-from {decom_run}" in message
    assert train_stage.main(same) == 0


def test_a_fork_starts_from_the_best_weights(work, decom_run, tmp_path, capsys):
    command = arguments(
        work, "decom", tmp_path / "fork", "--init-from", str(decom_run), "--learning-rate", "1e-30"
    )
    assert train_stage.main([*command, "--epochs", "1"]) == 0
    fork, origin = (load_net(run / "best.keras").get_weights() for run in (tmp_path / "fork", decom_run))
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(fork, origin))
    assert json.loads((tmp_path / "fork" / "config.json").read_text())["init_from"] == str(decom_run)
    capsys.readouterr()
    command = arguments(work, "illumination", tmp_path / "other", "--init-from", str(decom_run))
    message = refused(capsys, command)
    assert f"{decom_run / 'best.keras'}: holds 'decomposition'; expected 'adjustment': " in message
    assert "do not fit adjustment: conv_1" in message


@pytest.mark.slow
def test_joint_training_leaves_networks_that_the_enhancer_loads(work, tmp_path):
    run = tmp_path / "joint"
    settings = [
        "--epochs",
        "1",
        "--freeze",
        "adjustment/*",
        "--learning-rate-multipliers",
        "decomposition/*=0.1",
    ]
    assert train_stage.main(arguments(work, "joint", run, *settings, "--learning-rate", "1e-3")) == 0
    enhancer = Enhancer.load(run)
    for name in ("decom", "restoration", "illumination"):
        before, after = load_net(work / f"{name}.keras"), getattr(enhancer, name)
        same = [np.array_equal(a, b) for a, b in zip(before.get_weights(), after.get_weights())]
        assert all(same) if name == "illumination" else not any(same)
    image = np.random.default_rng(0).random((1, 17, 14, 3), np.float32)
    enhanced = enhancer(image, alpha=2.0)
    alpha = np.full((1, 17, 14, 1), 2.0, np.float32)
    relit = load_net(run / "best.keras")([enhanced.stretched, alpha], training=False)
    np.testing.assert_allclose(relit, enhanced.relit, atol=1e-6)


def free_ports(count):
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def cluster(command, ports, index):
    workers = [f"localhost:{port}" for port in ports]
    config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
    return start(command, TF_CONFIG=json.dumps(config))


@pytest.mark.slow
def test_two_workers_have_the_loss_curve_of_one(work, tmp_path):
    """Of the same global batch; gradients are normalised by image, as a batch is cut in two."""
    settings = ["--epochs", "6", "--validate-epochs", "3", "--per-image", "--learning-rate", "1e-3"]
    finish(start(arguments(work, "decom", tmp_path / "one", *settings)))
    command = arguments(work, "decom", tmp_path / "two", *settings)
    ports = free_ports(2)
    outputs = [finish(process) for process in [cluster(command, ports, index) for index in (0, 1)]]
    assert "6 epochs done" in outputs[0] and "6 epochs done" not in outputs[1]
    one, two = records(tmp_path / "one"), records(tmp_path / "two")
    assert len(one) == len(two) == 6
    for alone, shared in zip(one, two):
        assert shared == pytest.approx(alone, rel=1e-4)
    assert load_net(tmp_path / "two" / "best.keras").name == "decomposition"


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_worker_that_dies_and_comes_back_goes_on_from_the_backup(work, tmp_path, lost):
    settings = ["--epochs", "30", "--validate-epochs", "2", "--per-image"]  # longer ones amplify rounding
    run, ports = tmp_path / "run", free_ports(2)
    command = arguments(work, "decom", run, *settings)
    processes = [cluster(command, ports, index) for index in (0, 1)]
    while len(lines_of(run)) < 4 and all(process.poll() is None for process in processes):
        time.sleep(0.05)
    processes[lost].send_signal(signal.SIGKILL)
    processes[lost].communicate()
    assert processes[lost].returncode == -signal.SIGKILL
    processes[lost] = cluster(command, ports, lost)
    outputs = [finish(process) for process in processes]
    assert "lost a worker" in outputs[1 - lost]
    assert [record["epoch"] for record in records(run)] == list(range(1, 31))
    finish(start(arguments(work, "decom", tmp_path / "one", *settings)))
    for alone, shared in zip(records(tmp_path / "one"), records(run)):
        assert shared == pytest.approx(alone, rel=1e-4)
