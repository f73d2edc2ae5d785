"""The experiment from end to end, on a few small scenes and networks that know nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.detection_inputs import ARMS, main
from kind.data.drawn_objects import CLASSES
from kind.data.generated_scenes import write_scenes
from kind.decom.model import decomposition_net
from kind.detection.model import build_detector
from kind.detection.sizes import Proportions
from kind.illumination.model import adjustment_net
from kind.nn.saving import save_net
from kind.restoration.unet import unet

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = ["--train", "a", "--test", "a", "--detector", "b", "--out", "c"]


def test_help_needs_no_tensorflow():
    code = (
        "import sys; from benchmarks.detection_inputs import main\n"
        "try: main(['--help'])\nexcept SystemExit: print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--test-dark" in done.stdout and done.stdout.strip().endswith("False")


def test_a_document_without_markers_is_refused_before_anything_is_trained(tmp_path, capsys):
    (tmp_path / "page.md").write_text("nothing\n")
    assert main([*REQUIRED, "--document", str(tmp_path / "page.md")]) == 2
    assert "detection_inputs begin" in capsys.readouterr().err


@pytest.mark.slow
def test_it_compares_all_inputs_and_goes_on_where_it_was_left(tmp_path, capsys):
    write_scenes(tmp_path / "scenes", 12, size=64)
    write_scenes(tmp_path / "dark", 4, size=64, develop=lambda pixels, index: pixels / 8)
    nets = {"decom": decomposition_net, "restoration": unet, "illumination": adjustment_net}
    for name, make in nets.items():
        save_net(make(), tmp_path / "weights" / f"{name}.keras")
    save_net(build_detector(Proportions((8, 8, 16, 16), (1, 1, 1, 1), 1), CLASSES), tmp_path / "net.keras")
    (tmp_path / "page.md").write_text("<!-- detection_inputs begin -->\n<!-- detection_inputs end -->\n")
    places = {"train": "scenes", "test": "scenes", "test-dark": "dark", "detector": "net.keras"}
    places.update(weights="weights", out="out", document="page.md")
    words = [word for flag, name in places.items() for word in (f"--{flag}", str(tmp_path / name))]
    words += ["--size", "64", "--epochs", "1", "--batch", "3", "--twins", "1"]
    assert main(words) == 0
    first = capsys.readouterr()
    lines = (tmp_path / "page.md").read_text().splitlines()
    for arm in ARMS:
        assert sum(line.startswith(f"| {arm.name} |") for line in lines) == 1 + arm.is_dark
    assert "3 images" in first.out and "4 images" in first.out
    assert len((tmp_path / "out" / "found.jsonl").read_text().splitlines()) == 2 * (5 * 3 + 4 * 4)

    assert main(words) == 0
    again = capsys.readouterr()
    assert again.out == first.out and "epoch 1/1" in first.err and "epoch 1/1" not in again.err
