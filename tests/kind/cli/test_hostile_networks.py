"""Every command that reads a network, with hostile files in its place: one line, at once, and exit code 2."""

import io
import json
import re
import resource
import zipfile

import h5py
import numpy as np
import pytest

from kind.cli.main import main
from kind.data.generated_scenes import write_scenes
from kind.detection.predictor import load_detector
from kind.errors import UserError
from kind.images.photo import write_photo
from kind.nn.saving import SHIPPED_WEIGHTS, load_net

ATTACKS = ("code", "bomb", "nan", "swapped", "garbled", "cut", "list")
EXECUTED = "EXECUTED"


def call_of_tensorflow(marker):
    """A built-in layer's name over a call of any TensorFlow function, kept by its shared id, and its use."""
    operation = {
        "class_name": "Dense", "module": "keras.src.layers.core.tf_op_layer",
        "registered_name": "TFOpLambda", "shared_object_id": 1,
        "config": {"name": "op", "function": "io.write_file"},
    }  # fmt: skip
    use = {
        "class_name": "After", "module": "kind.nn.layers", "registered_name": "kind>After",
        "shared_object_id": 1, "config": {}, "name": "op",
        "inbound_nodes": [["_CONSTANT_VALUE", -1, str(marker), {"contents": "x"}]],
    }  # fmt: skip
    return operation, use


def with_code(config, marker):
    operation, use = call_of_tensorflow(marker)
    if "layers" in config["config"]:
        config["config"]["layers"][:0] = [operation, use]
    else:  # a detector's
        config["config"]["backbone"] = [operation, use]


def with_nan(content):
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        arrays = []
        file.visititems(lambda name, item: arrays.append(item) if isinstance(item, h5py.Dataset) else None)
        values = arrays[0][()]
        values.flat[0] = np.nan
        arrays[0][...] = values
    return buffer.getvalue()


def spoil(source, other, target, attack, marker):
    """Writes a hostile copy of a network's file."""
    with zipfile.ZipFile(source) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(entries["config.json"])
    if attack == "code":
        with_code(config, marker)
    elif attack == "garbled":
        config["config"]["name"] = "night\n\x1b[31mred"
    elif attack == "list":
        config = []
    elif attack == "nan":
        entries["model.weights.h5"] = with_nan(entries["model.weights.h5"])
    elif attack == "bomb":
        entries["metadata.json"] = b" " * (64 << 20)
    entries["config.json"] = json.dumps(config)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    if attack == "swapped":
        target.write_bytes(other.read_bytes())
    elif attack == "cut":
        target.write_bytes(target.read_bytes()[:5000])


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A folder of hostile weights for each attack, and good data."""
    folder = tmp_path_factory.mktemp("hostile")
    write_photo(folder / "photo.png", np.random.default_rng(0).random((24, 32, 3), np.float32))
    for side in ("low", "high"):
        for number in range(4):
            write_photo(folder / f"pairs/{side}/{number}.png", np.full((24, 24, 3), number / 4))
    write_scenes(folder / "scenes", 4, size=64)
    others = {"decom": "restoration", "lite": "decom", "detector": "illumination"}
    for attack in ATTACKS:
        (folder / attack).mkdir()
        for stem, other in others.items():
            paths = (SHIPPED_WEIGHTS / f"{name}.keras" for name in (stem, other))
            spoil(*paths, folder / attack / f"{stem}.keras", attack, folder / EXECUTED)
    return folder


COMMANDS = {
    "enhance": "enhance {photo} --weights {weights} --variant kind --out {out}",
    "enhance lite": "enhance {photo} --weights {weights} --variant lite --out {out}",
    "detect": "detect {photo} --detector {detector} --out {out}",
    "pack": "pack --decom {decom} --out {out}",
    "pack detector": "pack --detector {detector} --out {out}",
    "export": "export --weights {weights} --variant kind --no-detector --out {out}",
    "export lite": "export --weights {weights} --variant lite --format tflite --out {out}",
    "export detector": "export --detector {detector} --out {out}",
    "evaluate enhance": "evaluate enhance --photos {photo} --weights {weights} --variant kind --out {out}",
    "evaluate detect": "evaluate detect --data {scenes} --detector {detector} --inputs raw --out {out}",
    "profile": "profile --weights {weights} --sizes 16x16 --rounds 1 --no-memory",
    "train --decom": "train restoration --data {pairs} --cache {out}/c --decom {decom} --run {out}",
    "train --init-from": "train decom --data {pairs} --cache {out}/c --init-from {decom} --run {out}",
    "train --detector": "train detection --data {scenes} --cache {out}/c --detector {detector} --run {out}",
    "train --teacher": "train detection --data {scenes} --cache {out}/c --detector tiny --teacher {detector} "
    "--run {out}",
    "train --enhancer": "train detection --data {scenes} --cache {out}/c --detector tiny "
    "--enhancer {weights} --run {out}",
}


@pytest.fixture(scope="module")
def imported(places):
    """All that the commands need is imported, and is no part of what a hostile file takes."""
    main(filled(COMMANDS["evaluate detect"], places, "list", places / "warm"))


@pytest.mark.parametrize("stage", ["decom", "lite", "detector"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_network_is_refused_within_a_second(places, imported, computing_seconds, stage, attack):
    path = places / attack / f"{stage}.keras"

    def refuse():
        with pytest.raises(UserError, match=re.escape(str(path))):
            load_detector(path) if stage == "detector" else load_net(path, stage)

    assert computing_seconds(refuse) < 1


def filled(words, places, attack, out):
    weights = places / attack
    names = {"photo": places / "photo.png", "pairs": places / "pairs", "scenes": places / "scenes"}
    names |= {"weights": weights, "decom": weights / "decom.keras", "detector": weights / "detector.keras"}
    return [word.format(out=out, **names) for word in words.split()]


@pytest.mark.parametrize(
    "attack", [pytest.param(name, marks=() if name == "code" else pytest.mark.slow) for name in ATTACKS]
)
@pytest.mark.parametrize("command", COMMANDS)
def test_hostile_networks_end_in_one_line(places, imported, tmp_path, capsys, command, attack):
    out = tmp_path / "out"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code = main(filled(COMMANDS[command], places, attack, out))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10
    note = "kind: computing in "  # where the enhancer was read before the detector
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(note)]
    assert code == 2 and len(lines) == 1 and lines[0].isprintable(), lines
    assert lines[0].startswith("kind: ") and f"/{attack}/" in lines[0]
    assert not (places / EXECUTED).exists() and not [path for path in out.rglob("*") if path.is_file()]
