"""`export` as a user meets it."""

from types import SimpleNamespace

import numpy as np
import pytest

from kind.cli import export
from kind.cli.main import main
from kind.detection import predictor
from kind.errors import UserError
from kind.export import onnx_file
from kind.images.photo import write_photo


@pytest.fixture(autouse=True)
def ships_none(monkeypatch, tmp_path):
    """No detector ships, and the built-in photographs are small."""
    monkeypatch.setattr(predictor, "SHIPPED_DETECTOR", tmp_path / "none.keras")
    pictures = [np.random.default_rng(seed).random((24, 32, 3)).astype(np.float32) / 5 for seed in (0, 1)]
    monkeypatch.setattr(export, "_dark_photographs", lambda: pictures)


@pytest.fixture
def run(bright_networks, tmp_path):
    """(more words) → the exit code of `export` into out/night."""

    def run(*words):
        settings = ["--out", str(tmp_path / "out/night"), "--weights", str(bright_networks)]
        return main(["export", *settings, *map(str, words)])

    return run


def test_a_model_is_written_compared_and_its_start_commands_printed(run, tmp_path, capsys):
    assert run() == 0
    output = capsys.readouterr()
    assert "no detector ships with this installation: exporting without objects" in output.err
    folder = tmp_path / "out/night"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["1", "models.config", "batching_params.pbtxt", "monitoring.config", "docker-compose.yml"]
    )
    assert (folder / "1/saved_model.pb").is_file()
    assert (folder / "1/assets.extra/tf_serving_warmup_requests").is_file()
    assert f"written to {folder / '1'}, " in output.out
    assert f"\n  python -m kind serve {folder}\n" in output.out and "\n  docker run --rm " in output.out
    compared = [line.split()[:2] for line in output.out.splitlines()[1:10]]
    assert compared == [
        ["serving_default", "enhanced_bytes"],
        ["enhance", "enhanced_bytes"],
        ["enhance_to_brightness", "enhanced_bytes"],
        ["blend", "enhanced_bytes"],
        ["decompose", "reflectance_bytes"],
        ["decompose", "illumination_bytes"],
        ["serving_default", "alpha"],
        ["enhance_to_brightness", "alpha"],
        ["enhance_tensor", "relit"],
    ]


def test_a_detector_is_part_of_it(run, tmp_path, capsys, painted_detector, monkeypatch):
    monkeypatch.setattr(predictor, "load_detector", lambda path: painted_detector)
    settings = [
        "--input",
        "raw",
        "--detector-image-size",
        "64",
        "--max-detections",
        "3",
        "--confidence",
        "0.1",
    ]
    assert run("--detector", "mine.keras", *settings) == 0
    output = capsys.readouterr()
    lines = [line.split() for line in output.out.splitlines() if line.startswith("detect ")]
    assert [line[1] for line in lines] == ["number", "boxes", "scores"] and output.err == ""
    import tensorflow as tf

    signature = tf.saved_model.load(str(tmp_path / "out/night/1")).signatures["detect"]
    assert signature.structured_outputs["boxes"].shape.as_list() == [None, 3, 4]


def test_what_differs_is_not_published(run, tmp_path, capsys, monkeypatch):
    from kind.export import saved_model
    from kind.export.parity import Deviation

    wrong = [Deviation("enhance", "enhanced_bytes", 7.0, "grey levels", 1.0)]
    monkeypatch.setattr(saved_model, "deviations", lambda *_: wrong)
    assert run("--no-detector") == 2
    output = capsys.readouterr()
    assert "enhance enhanced_bytes 7 grey levels" in " ".join(output.out.split())
    assert output.err == (
        "kind: enhance/enhanced_bytes: differs too much from the pipeline; nothing was published\n"
    )
    assert list((tmp_path / "out/night").iterdir()) == []


@pytest.mark.parametrize("at", ["check_operations", "write_warmup_requests"])
def test_what_cannot_be_published_is_one_line(run, tmp_path, capsys, monkeypatch, at):
    import tensorflow as tf

    from kind.export import saved_model
    from kind.export.operations import ForeignOperations

    error, message = {
        "check_operations": (ForeignOperations({"Elu"}), "no export of kind holds: Elu"),
        "write_warmup_requests": (
            tf.errors.ResourceExhaustedError(None, None, "x; No space left on device\nat …"),
            "cannot be written (x; No space left on device)",
        ),
    }[at]

    def fail(*_):
        raise error

    monkeypatch.setattr(saved_model, at, fail)
    signatures = SimpleNamespace(save=lambda folder: None)
    monkeypatch.setattr(saved_model, "make_signatures", lambda *_: signatures)
    monkeypatch.setattr(saved_model, "read_graph", lambda folder: None)
    if at != "check_operations":
        monkeypatch.setattr(saved_model, "check_operations", lambda graph: None)
    assert run("--no-detector") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and message in lines[0] and str(tmp_path / "out/night") in lines[0]
    assert list((tmp_path / "out/night").iterdir()) == []


def test_tensorflow_lite_is_written_and_measured(tmp_path, capsys):
    write_photo(tmp_path / "dark" / "one.png", np.random.default_rng(0).random((30, 40, 3)) / 5)
    words = ["--format", "tflite", "--image-size", "16x24", "--calibrate", str(tmp_path / "dark")]
    assert main(["export", "--out", str(tmp_path / "out/night"), *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = ["night-16x24-float16.tflite", "night-16x24-int8.tflite"]
    assert sorted(path.name for path in (tmp_path / "out/night").iterdir()) == names
    for name, line in zip(names, lines[-2:]):
        assert line.startswith(f"{tmp_path / 'out/night' / name}: ") and "PSNR" in line


def test_a_file_that_is_refused_costs_no_other(run, tmp_path, capsys, monkeypatch):
    from kind.export import tflite

    def write(path, portable, photographs, calibration, write=tflite.write_tflite):
        if len(calibration):
            raise UserError(f"{path}: not written: too far from the pipeline")
        return write(path, portable, photographs)

    monkeypatch.setattr(tflite, "write_tflite", write)
    write_photo(tmp_path / "dark" / "one.png", np.random.default_rng(0).random((30, 40, 3)) / 5)
    words = ["--variant", "kind", "--format", "tflite", "--image-size", "16x24"]
    assert run(*words, "--calibrate", tmp_path / "dark") == 1
    output = capsys.readouterr()
    assert [path.name for path in (tmp_path / "out/night").iterdir()] == ["night-16x24-float16.tflite"]
    assert "night-16x24-float16.tflite: " in output.out
    assert "kind: " in output.err and "int8.tflite: not written: too far" in output.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--max-pixels", "0"], "--max-pixels expects 1 or more, received 0"),
        (["--calibrate", "x"], "--calibrate is for --format tflite only"),
        (
            ["--format", "onnx", "--precision", "bfloat16"],
            "--precision bfloat16 is for --format saved_model",
        ),
        (["--change", "--format", "onnx"], "--change is for --format saved_model only"),
        (["--detector", "x", "--no-detector"], "--detector and --no-detector exclude each other"),
        (["--detector-image-size", "65"], "image size expects a multiple of 32, received 65"),
        (["--weights", "none"], "none: no such folder of weights"),
        (["--detector", "none.keras"], "none.keras: expected a .keras file or a run folder"),
        (["--out", "my model"], "my model: its name becomes the model's"),
        (["--out", "/proc/none/kind"], "/proc/none: cannot be written"),
        (["--format", "tflite", "--calibrate", "none"], "none: no such file or folder"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(run, capsys, words, message):
    assert run(*words) == 2
    output = capsys.readouterr()
    errors = [line for line in output.err.splitlines() if "no detector ships" not in line]
    assert output.out == "" and len(errors) == 1 and message in errors[0]


def test_without_the_extra_packages_onnx_says_how_to_get_them(run, capsys, monkeypatch):
    monkeypatch.setattr(onnx_file, "_PYTHON", (3, 0))
    monkeypatch.setattr(onnx_file, "_PACKAGES", ("no_such_package",))
    assert run("--format", "onnx") == 2
    assert "needs no_such_package: install with pip install 'kind[onnx]'\n" in capsys.readouterr().err


def test_a_size_is_two_numbers(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["export", "--out", "kind", "--image-size", "400"])
    assert "expects HEIGHTxWIDTH such as 400x600, received '400'" in capsys.readouterr().err
