"""Imports published weights as networks of this package: `kind import SOURCE`."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from kind.enhancing.variants import VARIANTS
from kind.errors import UserError

if TYPE_CHECKING:
    from tensorflow import keras

    from kind.detection.model import Detector

_MOST_NAMED = 5
_STAGES = VARIANTS["kind"].stages
_FAMILIES = {"kind": "KinD (ACM MM 2019)", "kind-plus": "KinD++ (IJCV 2021)"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares one sub-command for each source of weights."""
    sources = parser.add_subparsers(dest="source", metavar="SOURCE", required=True)
    for family, title in _FAMILIES.items():
        text = f"Imports TensorFlow 1 checkpoints of {title}"
        _add_checkpoint_arguments(sources.add_parser(family, help=text, description=text, allow_abbrev=False))
    text = "Imports a YOLOv8 detector, sizes n to x, from a PyTorch file"
    yolov8 = sources.add_parser("yolov8", help=text, description=text, allow_abbrev=False)
    yolov8.add_argument(
        "file", metavar="FILE.pt", help="file written by torch.save; no code in it is executed"
    )
    _add_detector_arguments(yolov8, "the file's")
    text = "Imports a YOLOX detector, sizes nano to x, from its authors' ONNX file"
    yolox = sources.add_parser("yolox", help=text, description=text, allow_abbrev=False)
    yolox.add_argument(
        "file",
        metavar="FILE.onnx",
        help="ONNX file, read without the onnx package; no code in it is executed",
    )
    _add_detector_arguments(yolox, "COCO's", "FILE.keras or DIR")
    text = "Imports a KerasCV preset with a YOLOv8 backbone by name; it is downloaded at the first use"
    preset = sources.add_parser("keras-cv", help=text, description=text, allow_abbrev=False)
    preset.add_argument("preset", metavar="PRESET", help="preset's name, such as yolo_v8_s_backbone_coco")
    _add_detector_arguments(preset, "Pascal VOC's")


def _add_checkpoint_arguments(parser: argparse.ArgumentParser) -> None:
    for stage in _STAGES:
        parser.add_argument(
            f"--{stage}",
            metavar="PREFIX",
            help=f"checkpoint of the {stage} network: its prefix (dir/model.ckpt), its .index file, or a "
            "folder that holds only this checkpoint",
        )
    parser.add_argument("--out", metavar="DIR", required=True, help="output folder for the .keras files")


def _add_detector_arguments(parser: argparse.ArgumentParser, classes: str, out: str = "FILE.keras") -> None:
    where = "output file for the detector" + (", or a folder for detector.keras" if "DIR" in out else "")
    parser.add_argument("--out", metavar=out, required=True, help=where)
    parser.add_argument(
        "--classes",
        metavar="NAME",
        nargs="+",
        help="give the detector these classes instead; its last layers must then be trained "
        f"(default: {classes})",
    )


def run(arguments: argparse.Namespace) -> int:
    """Imports from the chosen source and prints where each network comes from.

    Returns:
        The exit code 0.

    Raises:
        UserError: when anything about the given weights is wrong; then no file has been written.
    """
    if arguments.source == "yolov8":
        _import_yolov8(arguments.file, arguments.classes, arguments.out)
    elif arguments.source == "yolox":
        _import_yolox(arguments.file, arguments.classes, arguments.out)
    elif arguments.source == "keras-cv":
        _import_preset(arguments.preset, arguments.classes, arguments.out)
    else:
        given = {stage: getattr(arguments, stage) for stage in _STAGES if getattr(arguments, stage)}
        _import_checkpoints(arguments.source, given, Path(arguments.out))
    return 0


def _import_yolov8(file: str, classes: list[str] | None, out: str) -> None:
    path = _detector_file(out)
    from kind.detection.published import detector_from_yolov8

    _write_detector(detector_from_yolov8(file, classes), path, file)


def _import_yolox(file: str, classes: list[str] | None, out: str) -> None:
    path = _detector_file(out, folder=True)
    from kind.detection.published import detector_from_yolox

    _write_detector(detector_from_yolox(file, classes), path, file)


def _import_preset(preset: str, classes: list[str] | None, out: str) -> None:
    path = _detector_file(out)
    from kind.detection.published import detector_from_preset

    _write_detector(detector_from_preset(preset, classes), path, preset)


def _detector_file(name: str, folder: bool = False) -> Path:
    """The --out of a detector, also a folder if so said; checked before anything slow is imported."""
    if folder and (Path(name).is_dir() or not Path(name).suffix):
        return Path(name) / "detector.keras"
    if Path(name).suffix != ".keras" or Path(name).is_dir():
        raise UserError(f"{name}: expected a file that ends in .keras for --out")
    return Path(name)


def _write_detector(net: Detector, out: Path, source: str) -> None:
    from kind.detection.model import size_name
    from kind.nn.saving import save_net

    try:
        save_net(net, out)
    except OSError as error:
        raise UserError(f"{out}: the detector cannot be written there: {error.strerror or error}") from error
    names = net.class_names
    shown = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
    print(f"detector: {out} ({size_name(net)}, {len(names)} classes: {shown}), from {source}")


def _import_checkpoints(family: str, given: dict[str, str], out: Path) -> None:
    """Imports the checkpoints of some stages, each given by its prefix."""
    if not given:
        flags = ", ".join(f"--{stage}" for stage in _STAGES)
        raise UserError(f"import {family} expects at least one of {flags}; received none")
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: expected a folder for --out; this is a file")
    nets, prefixes = _read(family, given)
    _write(out, nets)
    _report(out, nets, prefixes)


def _read(family: str, given: dict[str, str]) -> tuple[dict[str, keras.Model], dict[str, Path]]:
    """Builds and fills the networks; the problems of all checkpoints come in one error."""
    from kind.checkpoints.names import PUBLISHED
    from kind.checkpoints.tensorflow1 import load_checkpoint

    nets, prefixes, problems = {}, {}, []
    for stage, path in given.items():
        nets[stage] = _build(family, stage)
        try:
            prefixes[stage] = load_checkpoint(nets[stage], path, PUBLISHED[family][stage])
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError("; ".join(problems))
    return nets, prefixes


def _build(family: str, stage: str) -> keras.Model:
    from kind.decom.model import decomposition_net
    from kind.illumination.model import adjustment_net
    from kind.restoration.msia import msia
    from kind.restoration.unet import unet

    restoration = {"kind": unet, "kind-plus": msia}[family]
    return dict(zip(_STAGES, (decomposition_net, restoration, adjustment_net)))[stage]()


def _write(out: Path, nets: dict[str, keras.Model]) -> None:
    """Writes all files under temporary names and puts them in place only when all are complete."""
    from kind.files import atomic_write
    from kind.nn.saving import save_net

    try:
        with contextlib.ExitStack() as stack:
            for stage, net in nets.items():
                save_net(net, stack.enter_context(atomic_write(out / f"{stage}.keras")))
    except OSError as error:
        raise UserError(f"{out}: the networks cannot be written there: {error.strerror or error}") from error


def _report(out: Path, nets: dict[str, keras.Model], prefixes: dict[str, Path]) -> None:
    """Prints, for each stage, whose weights `--weights DIR` stands for from now on."""
    from kind.nn.saving import SHIPPED_WEIGHTS
    from kind.nn.weights_folder import find_weights

    for stage, path in find_weights(_STAGES, out).items():
        if stage in nets:
            print(f"{stage}: {path} ({nets[stage].name}), from {prefixes[stage]}")
        elif SHIPPED_WEIGHTS in path.parents:
            print(f"{stage}: not given; the network that ships with kind is used")
            if stage == "restoration" and "decom" in nets:
                print(
                    "restoration: note that the shipped network was trained on the shipped decomposition's "
                    "reflectance, not on that of the imported one: expect less of it here"
                )
        else:
            print(f"{stage}: not given; {path} was there already and is used")
    print(f"use them with: kind enhance --weights {out} …")
