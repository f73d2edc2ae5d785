"""`import kind` and `import kind-plus`, from checkpoints to the files that `--weights DIR` reads."""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kind.checkpoints.names import PUBLISHED
from kind.cli import import_command
from kind.enhancing.enhancer import Enhancer
from kind.errors import UserError
from kind.nn.saving import load_net
from kind.nn.weights_folder import find_weights

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def run():
    """(arguments as words) → the command's exit code."""

    def run(*words):
        parser = argparse.ArgumentParser()
        import_command.add_arguments(parser)
        return import_command.run(parser.parse_args([str(word) for word in words]))

    return run


@pytest.fixture
def checkpoint(random_variables, write_checkpoint, tmp_path):
    """(family, stage) → the prefix of a checkpoint with random values, and these values."""

    def write(family, stage):
        variables = random_variables(family, stage)
        return write_checkpoint(tmp_path / family / stage / "model.ckpt", variables), variables

    return write


def assert_holds(net, variables, family, stage):
    for layer, names in PUBLISHED[family][stage].layers.items():
        for name, value in zip(names, net.get_layer(layer).get_weights()):
            assert np.array_equal(value, variables[name]), name


def test_importing_needs_no_tensorflow_until_it_runs():
    script = "import sys; import kind.cli.import_command; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=REPOSITORY)


@pytest.mark.parametrize(
    ("family", "variant"),
    [
        pytest.param("kind", "restoration_unet", marks=pytest.mark.slow),
        ("kind-plus", "restoration_msia"),
    ],
)
def test_all_three_networks_become_an_enhancer(run, checkpoint, tmp_path, capsys, family, variant):
    given = {stage: checkpoint(family, stage) for stage in PUBLISHED[family]}
    out = tmp_path / "deep/out"
    flags = [word for stage, (prefix, _) in given.items() for word in (f"--{stage}", prefix)]
    assert run(family, *flags, "--out", out) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    for stage, (prefix, _) in given.items():
        assert f"{stage}: {out / stage}.keras" in printed.out
        assert f"from {prefix}\n" in printed.out
    assert "ships" not in printed.out
    enhancer = Enhancer.load(out)
    assert enhancer.restoration.name == variant
    for stage, (_, variables) in given.items():
        assert_holds(getattr(enhancer, stage), variables, family, stage)
    assert sorted(path.name for path in out.iterdir()) == sorted(f"{stage}.keras" for stage in given)


def test_what_is_not_given_ships_and_the_command_says_so(run, checkpoint, tmp_path, capsys):
    prefix, variables = checkpoint("kind-plus", "decom")
    out = tmp_path / "out"
    assert run("kind-plus", "--decom", f"{prefix}.index", "--out", out) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"decom: {out / 'decom.keras'} (decomposition), from {prefix}"
    assert lines[1] == "restoration: not given; the network that ships with kind is used"
    assert "shipped network was trained on the shipped decomposition's reflectance" in lines[2]
    assert lines[3] == "illumination: not given; the network that ships with kind is used"
    assert lines[4] == f"use them with: kind enhance --weights {out} …"
    assert [path.name for path in out.iterdir()] == ["decom.keras"]
    assert_holds(load_net(find_weights(("decom",), out)["decom"]), variables, "kind-plus", "decom")


def test_no_warning_about_the_shipped_restoration_when_its_decomposition_ships_too(
    run, checkpoint, tmp_path, capsys
):
    prefix, _ = checkpoint("kind", "illumination")
    run("kind", "--illumination", prefix.parent, "--out", tmp_path / "out")
    assert "trained on" not in capsys.readouterr().out


def test_networks_that_were_there_already_stay_and_are_named(run, checkpoint, tmp_path, capsys):
    prefix, variables = checkpoint("kind", "illumination")
    run("kind", "--illumination", prefix, "--out", tmp_path / "out")
    capsys.readouterr()
    run("kind-plus", "--decom", checkpoint("kind-plus", "decom")[0], "--out", tmp_path / "out")
    kept = tmp_path / "out/illumination.keras"
    assert f"illumination: not given; {kept} was there already and is used" in capsys.readouterr().out
    assert_holds(load_net(kept), variables, "kind", "illumination")


def test_one_bad_checkpoint_and_nothing_is_written(run, checkpoint, tmp_path, capsys):
    good, _ = checkpoint("kind", "decom")
    other, _ = checkpoint("kind-plus", "illumination")
    out = tmp_path / "out"
    with pytest.raises(UserError) as caught:
        words = ("--decom", good, "--illumination", other, "--restoration", tmp_path / "nothing")
        run("kind", *words, "--out", out)
    message = str(caught.value)
    assert "\n" not in message
    assert "missing Illumination_adjust_net/en_conv_1/biases" in message
    assert f"{tmp_path / 'nothing'}: no such checkpoint" in message
    assert not out.exists()
    assert capsys.readouterr().out == ""


def test_a_failed_write_leaves_what_was_there(run, checkpoint, tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / "decom.keras").write_text("old")
    saved = []

    def save_net(net, path):
        path.write_text("new")
        saved.append(net.name)
        if len(saved) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("kind.nn.saving.save_net", save_net)
    words = [f"--{stage}={checkpoint('kind', stage)[0]}" for stage in ("decom", "illumination")]
    with pytest.raises(UserError, match="cannot be written there: No space left on device"):
        run("kind", *words, "--out", out)
    assert saved == ["decomposition", "adjustment"]
    assert [path.name for path in out.iterdir()] == ["decom.keras"]
    assert (out / "decom.keras").read_text() == "old"


def test_usage_mistakes(run, tmp_path, capsys):
    with pytest.raises(UserError, match="at least one of --decom, --restoration, --illumination"):
        run("kind", "--out", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="expected a folder for --out; this is a file"):
        run("kind", "--decom", "x", "--out", tmp_path / "file")
    for words in ((), ("unknown",), ("kind",)):
        with pytest.raises(SystemExit) as caught:
            run(*words)
        assert caught.value.code == 2
    assert "--out" in capsys.readouterr().err
