"""The command from flags to files, in one process."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.metrics import peak_signal_noise_ratio
from tensorflow import keras

import evaluate
from kind.images.photo import read_photo
from kind.nn.saving import save_net

REPOSITORY = Path(__file__).resolve().parents[1]


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def pairs(tmp_path):
    """Twelve pairs of 24×20; validation are the first and the eleventh."""
    for number in range(12):
        low = np.random.default_rng(number).integers(0, 60, (20, 24, 3), np.uint8)
        write(tmp_path / "pairs/low" / f"{number:02d}.png", low)
        write(tmp_path / "pairs/high" / f"{number:02d}.png", low * 4)
    return tmp_path / "pairs"


@pytest.fixture
def weights(tmp_path):
    """A folder with three small networks: R = S and L = mean(S)·scale, both passed on."""

    def make(name="weights", scale=0.5):
        image, reflectance = keras.Input((None, None, 3)), keras.Input((None, None, 3))
        illumination, alpha = keras.Input((None, None, 1)), keras.Input((None, None, 1))
        mean = keras.layers.Conv2D(
            1, 1, use_bias=False, kernel_initializer=keras.initializers.Constant(scale / 3)
        )
        same = keras.layers.Activation("linear")
        nets = {
            "decom": keras.Model(image, [same(image), mean(image)]),
            "restoration": keras.Model([reflectance, illumination], same(reflectance)),
            "illumination": keras.Model(
                [illumination, alpha], keras.layers.Multiply()([illumination, alpha])
            ),
        }
        for stage, net in nets.items():
            save_net(net, tmp_path / name / f"{stage}.keras")
        return tmp_path / name

    return make


@pytest.fixture
def run(tmp_path, capsys):
    """(words after `enhance`) → exit code, stdout, stderr."""

    def run(*words, command="enhance"):
        code = evaluate.main([command, *map(str, words)])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return run


def table(out):
    """(method, protocol) → line of summary.json."""
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    return {(line["method"], line["protocol"]): line for line in summary["table"]}


def test_help_is_there_without_tensorflow():
    for words in (["--help"], ["enhance", "--help"], ["fit-niqe", "--help"], ["detect", "--help"]):
        script = (
            "import sys, evaluate\n"
            f"try: evaluate.main({words})\n"
            "except SystemExit: assert 'tensorflow' not in sys.modules"
        )
        done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True)
        assert done.returncode == 0 and "usage: " in done.stdout, done.stderr


def test_networks_on_pairs_under_three_protocols(run, pairs, weights, tmp_path):
    out = tmp_path / "out"
    code, printed, errors = run(
        "--data", pairs, "--weights", f"mine={weights()}", "--baselines", "--out", out
    )
    assert code == 0 and "12 of 12 images" in errors
    found = table(out)
    assert list(found)[:3] == [("mine", "raw"), ("mine", "GT-mean"), ("mine", "GT-ratio")]
    assert [key for key in found if key[0] == "input"] == [("input", "raw"), ("input", "GT-mean")]
    for words in (
        "Protocol GT-mean: gray mean, as in LLFlow",
        "Protocol GT-ratio: KinD's: α =",
        "mine: decom ",
    ):
        assert words in printed
    assert "NOTE: 10 of these 12 pairs are training pairs" in printed
    images = [
        [read_photo(pairs / side / f"{number:02d}.png").pixels for side in ("low", "high")]
        for number in range(12)
    ]
    expected = np.mean([peak_signal_noise_ratio(high, low, data_range=1) for low, high in images])
    assert found["input", "raw"]["figures"]["psnr"]["mean"] == pytest.approx(expected, abs=1e-6)
    for name in ("report.html", "per_image.csv", "summary.json"):
        assert (out / name).is_file() and name in printed
    with (out / "per_image.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.reader(file))) == 1 + 12 * (3 + 2 * 3)


def test_written_outputs_score_as_the_networks_do(run, pairs, weights, tmp_path):
    from kind.enhancing.enhancer import Enhancer
    from kind.images.photo import write_photo

    folder = weights()
    enhancer = Enhancer.load(folder)
    for path in (pairs / "low").iterdir():
        write_photo(tmp_path / "made" / path.name, enhancer(read_photo(path).pixels[None]).relit[0])
    run("--data", pairs, "--weights", folder, "--pred", tmp_path / "made", "--out", tmp_path / "out")
    found = table(tmp_path / "out")
    for protocol in ("raw", "GT-mean"):
        assert found["weights", protocol]["figures"] == found["made", protocol]["figures"]
    assert ("made", "GT-ratio") not in found


def test_splits(run, pairs, tmp_path):
    command = ("--data", pairs, "--pred", pairs / "high", "--out", tmp_path / "out")
    _, printed, _ = run(*command, "--split", "validation")
    assert "split validation: 2 of 12 pairs" in printed and "NOTE" not in printed
    assert table(tmp_path / "out")["high", "raw"]["images"] == 2
    _, printed, _ = run(*command)
    assert "split all: 12 pairs" in printed
    code, _, errors = run(*command, "--split", "test")
    assert code == 2 and "has no eval15/" in errors


def record(folder, **validation_every):
    """Notes beside weights how they were trained, as packing does."""
    records = {stage: {"validation_every": every} for stage, every in validation_every.items()}
    (folder / "training.json").write_text(json.dumps(records))


def test_validation_is_what_the_training_of_the_weights_held_out(run, pairs, weights, tmp_path):
    folder = weights("runs")
    for stage in ("decom", "restoration", "illumination"):
        (folder / stage).mkdir()
        (folder / f"{stage}.keras").rename(folder / stage / "best.keras")
        (folder / stage / "config.json").write_text('{"validation_every": 4}')
    command = ("--data", pairs, "--weights", folder, "--out", tmp_path / "out")
    code, printed, _ = run(*command, "--split", "validation")
    assert code == 0 and "split validation: 3 of 12 pairs" in printed and "NOTE" not in printed
    assert "Held out of training: one pair in 4, by sorted name, as the weights record" in printed
    with (tmp_path / "out/per_image.csv").open(newline="", encoding="utf-8") as file:
        assert {line["image"] for line in csv.DictReader(file)} == {"00", "04", "08"}
    _, printed, _ = run(*command, "--split", "training")
    assert "split training: 9 of 12 pairs" in printed and "NOTE: 9 of these 9 pairs are training" in printed
    _, printed, _ = run(*command)
    assert "NOTE: 9 of these 12 pairs are training pairs" in printed and "holds out one pair in 4" in printed


def test_different_validation_splits_are_told(run, pairs, weights, tmp_path):
    first, second = weights("first"), weights("second", scale=0.2)
    record(first, decom=4, restoration=4, illumination=4)
    record(second, decom=6)
    command = ("--data", pairs, "--split", "validation", "--out", tmp_path / "out")
    _, printed, _ = run(*command, "--weights", first, "--weights", second)
    assert "split validation: 1 of 12 pairs" in printed  # one in 12
    assert "NOTE: the weights were trained with different splits (first: decom one pair in 4, " in printed
    assert "second: decom one pair in 6); validation is one pair in 12" in printed
    assert "NOTE: no split is recorded for second: restoration, second: illumination" in printed
    _, printed, _ = run(*command, "--weights", first, "--validation-every", 3)
    assert "split validation: 4 of 12 pairs" in printed
    assert "NOTE: --validation-every 3 is not how the weights were trained" in printed


@pytest.mark.parametrize("command", [["-m", "kind", "evaluate"], ["evaluate.py"]])
def test_messages_name_the_command_that_was_typed(command, tmp_path):
    words = [sys.executable, *command, "fit-niqe", "none", "--out", str(tmp_path / "model.npz")]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    name = command[0] if command[0] != "-m" else "kind"
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith(f"{name}: none: no such file")


def test_kind_evaluate_is_the_same_command(pairs, tmp_path, capsys):
    from kind.cli.main import main

    path = pairs / "low/03.png"
    path.write_bytes(path.read_bytes()[:200])
    command = ["enhance", "--data", str(pairs), "--pred", str(pairs / "high"), "--out", str(tmp_path / "out")]
    assert main(["evaluate", *command]) == 1
    one = capsys.readouterr()
    assert f"kind: left out: {path}" in one.err
    assert evaluate.main(command) == 1
    other = capsys.readouterr()
    assert f"evaluate.py: left out: {path}" in other.err and other.out == one.out
    (tmp_path / "file").write_text("")
    assert main(["evaluate", *command[:-1], str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_old_results_are_used_and_never_mixed(run, pairs, weights, tmp_path):
    first, second = weights("first"), weights("second", scale=0.2)
    command = ("--data", pairs, "--split", "validation", "--out", tmp_path / "out")
    run(*command, "--weights", f"m={first}")
    before = (tmp_path / "out/summary.json").read_bytes()
    _, _, errors = run(*command, "--weights", f"m={first}")
    assert "2 kept from before" in errors
    assert (tmp_path / "out/summary.json").read_bytes() == before
    _, _, errors = run(*command, "--weights", f"m={second}")
    assert "kept" not in errors
    other = table(tmp_path / "out")
    run(*command[:-1], tmp_path / "alone", "--weights", f"m={second}")
    assert {key: line["figures"] for key, line in other.items()} == {
        key: line["figures"] for key, line in table(tmp_path / "alone").items()
    }
    _, _, errors = run(*command, "--weights", f"m={first}", "--fresh")
    assert "kept" not in errors and (tmp_path / "out/summary.json").read_bytes() == before


def test_photographs_without_targets(run, weights, tmp_path):
    photograph = data.astronaut()[:200, :300] // 4
    write(tmp_path / "photos/one.png", photograph)
    write(tmp_path / "photos/small.png", photograph[:40, :50])
    run(tmp_path / "clean", "--out", tmp_path / "niqe.npz", command="fit-niqe")  # no such folder yet
    write(tmp_path / "clean/noise.png", np.random.default_rng(0).integers(0, 255, (672, 672, 3), np.uint8))
    code, printed, errors = run(tmp_path / "clean", "--out", tmp_path / "niqe.npz", command="fit-niqe")
    assert code == 0 and "NIQE model of clean (1 photographs, 49 blocks, T = 0.75)" in printed
    assert errors.startswith("1 of 1 photographs, ")
    code, printed, _ = run(
        *("--photos", tmp_path / "photos", "--weights", weights()),
        *("--niqe-model", tmp_path / "niqe.npz", "--out", tmp_path / "out"),
    )
    assert code == 0 and "NIQE model: clean (1 photographs" in printed
    assert "NIQE: over 1 of 2 images" in printed
    figures = table(tmp_path / "out")["weights", "raw"]["figures"]
    assert list(figures) == ["loe", "blown", "hue", "noise", "halo", "niqe", "seconds"]
    assert figures["seconds"]["mean"] > 0
    assert "target" not in (tmp_path / "out/report.html").read_text(encoding="utf-8").split("<h2>")[1]


def test_one_pair_has_figures_and_no_interval(run, pairs, tmp_path):
    for path in [*(pairs / "low").iterdir(), *(pairs / "high").iterdir()]:
        if path.stem != "00":
            path.unlink()
    code, _, _ = run("--data", pairs, "--pred", f"same={pairs / 'low'}", "--out", tmp_path / "out")
    assert code == 0
    assert table(tmp_path / "out")["same", "raw"]["figures"]["psnr"]["interval"] is None


def test_the_table_goes_into_a_document(run, pairs, tmp_path):
    document = tmp_path / "results.md"
    document.write_text("# R\n<!-- here begin -->\n<!-- here end -->\nend\n")
    run("--data", pairs, "--pred", pairs / "high", "--out", tmp_path / "o", "--markdown", f"{document}#here")
    text = document.read_text(encoding="utf-8")
    assert "| high | raw | 12 |" in text and text.startswith("# R\n") and text.endswith("\nend\n")


def test_a_damaged_image_is_left_out_said_and_told_by_the_exit_code(run, pairs, tmp_path):
    path = pairs / "low/03.png"
    path.write_bytes(path.read_bytes()[:200])
    code, printed, errors = run("--data", pairs, "--pred", pairs / "high", "--out", tmp_path / "out")
    assert code == 1 and f"left out: {path}" in errors
    assert "NOTE: left out, because they could not be scored: 03" in printed
    assert table(tmp_path / "out")["high", "raw"]["images"] == 11


SCORED = "--data pairs --pred pairs/high --out out"
MISTAKES = {
    "no such data": ("--data none --out out", "none: no such folder"),
    "no weights": ("--data pairs --weights none --out out", "none: no such folder of weights"),
    "a rule that holds out all": (f"{SCORED} --validation-every 1", "--validation-every expects at least 2"),
    "rule of photographs": ("--photos pairs/low --validation-every 3 --out out", "is a part of --data"),
    "broken record": ("--data pairs --weights broken --out out", "broken/training.json: expected JSON"),
    "split of photographs": ("--photos pairs/low --split all --out out", "--split is a part of --data"),
    "alpha without networks": (f"{SCORED} --alpha 2", "settings of the networks"),
    "out is a file": (f"{SCORED} --out file", "cannot be written to"),
    "same name twice": (f"{SCORED} --pred pairs/high", "two methods are called 'high'"),
    "no NIQE model": (f"{SCORED} --niqe-model x.npz", "x.npz: no such NIQE model"),
    "no LPIPS": (f"{SCORED} --lpips-weights x.npz", "x.npz: no such LPIPS weights"),
    "no markers": (f"{SCORED} --markdown file", "expected the lines"),
    "incomplete outputs": (f"{SCORED} --pred few", "few: holds no output of the stem 01, 02"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_line_and_exit_2(run, pairs, weights, tmp_path, monkeypatch, mistake):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    if "broken" in mistake:
        (weights("broken") / "training.json").write_text("{")
    write(tmp_path / "few/00.png", np.zeros((20, 24, 3), np.uint8))
    words, expected = MISTAKES[mistake]
    code, printed, errors = run(*words.split())
    assert (code, printed) == (2, "")
    assert errors.startswith("evaluate.py: ") and errors.count("\n") == 1 and expected in errors
    assert not (tmp_path / "out/report.html").exists()


def test_pairs_that_do_not_match_are_named(run, pairs, tmp_path):
    (pairs / "high/05.png").unlink()
    code, _, errors = run("--data", pairs, "--pred", pairs / "low", "--out", tmp_path / "out")
    assert code == 2 and f"no partner of the same name for {pairs / 'low/05.png'}" in errors
    write(pairs / "high/05.png", np.zeros((20, 25, 3), np.uint8))
    code, _, errors = run("--data", pairs, "--pred", pairs / "low", "--out", tmp_path / "out")
    assert code == 2 and "05.png (24x20) and" in errors and "(25x20)" in errors


def test_a_report_that_cannot_be_written_is_one_line(run, pairs, tmp_path):
    (tmp_path / "out/report.html").mkdir(parents=True)
    code, _, errors = run("--data", pairs, "--pred", pairs / "high", "--out", tmp_path / "out")
    assert code == 2 and "out/report.html: cannot be written: Is a directory" in errors


def test_an_interruption_keeps_what_is_done(run, pairs, weights, tmp_path, monkeypatch):
    from kind.evaluation.methods import Folder

    whole, calls = Folder.enhance, []

    def interrupt(self, sample, dark):
        calls.append(sample.name)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return whole(self, sample, dark)

    monkeypatch.setattr(Folder, "enhance", interrupt)
    command = ("--data", pairs, "--pred", pairs / "high", "--out", tmp_path / "out")
    code, _, errors = run(*command)
    assert code == 130 and "the same command goes on" in errors
    code, _, errors = run(*command)
    assert code == 0 and "12 of 12 images, 4 kept from before" in errors


@pytest.mark.parametrize("alpha", ["nan", "-1", "inf"])
def test_alpha_is_a_number_from_0_on(alpha, run, pairs):
    code, _, errors = run("--data", pairs, "--out", "out", f"--alpha={alpha}")
    assert code == 2 and "--alpha expects a number from 0 on" in errors


def test_a_niqe_model_needs_its_suffix(run, tmp_path):
    code, _, errors = run(tmp_path, "--out", tmp_path / "model.mat", command="fit-niqe")
    assert code == 2 and "written as .npz" in errors
