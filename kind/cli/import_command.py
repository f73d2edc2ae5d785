"""`python -m kind import SOURCE`: other people's trained weights become ours."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from kind.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tensorflow import keras

    from kind.detection.model import Detector

_MOST_NAMED = 5
_STAGES = ("decom", "restoration", "illumination")
_FAMILIES = {"kind": "KinD (ACM MM 2019)", "kind-plus": "KinD++ (IJCV 2021)"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares one sub-command for each source of weights; each names the function that imports it."""
    sources = parser.add_subparsers(dest="source", metavar="SOURCE", required=True)
    for family, title in _FAMILIES.items():
        text = f"TensorFlow 1 checkpoints of {title}"
        _add_checkpoint_arguments(sources.add_parser(family, help=text, description=text))
    text = "a YOLOv8 detector, sizes n to x, from a PyTorch file"
    parser = sources.add_parser("yolov8", help=text, description=text)
    parser.add_argument("file", metavar="FILE.pt", help="what torch.save wrote; nothing in it is executed")
    _add_detector_arguments(parser, "those of the file", _import_yolov8)
    text = "a YOLOX detector, sizes nano to x, from its authors' ONNX file"
    parser = sources.add_parser("yolox", help=text, description=text)
    parser.add_argument("file", metavar="FILE.onnx", help="read without the onnx package; nothing in it runs")
    _add_detector_arguments(parser, "COCO's", _import_yolox, "FILE.keras or DIR")
    text = "a KerasCV preset with YOLOv8's backbone, by name; the first time it is downloaded"
    parser = sources.add_parser("keras-cv", help=text, description=text)
    parser.add_argument("preset", metavar="PRESET", help="for example yolo_v8_s_backbone_coco")
    _add_detector_arguments(parser, "Pascal VOC's", _import_preset)


def run(arguments: argparse.Namespace) -> int:
    """Imports from the chosen source and prints where each network comes from.

    Returns:
        The exit code 0.

    Raises:
        UserError: when anything about the given weights is wrong; then no file has been written.
    """
    return arguments.import_source(arguments)


def _add_checkpoint_arguments(parser: argparse.ArgumentParser) -> None:
    for stage in _STAGES:
        parser.add_argument(
            f"--{stage}",
            metavar="PREFIX",
            help=f"checkpoint of the {stage} network: its prefix (dir/model.ckpt), its .index file, or the "
            "folder it is alone in",
        )
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for the .keras files")
    parser.set_defaults(import_source=_import_checkpoints)


def _add_detector_arguments(
    parser: argparse.ArgumentParser,
    classes: str,
    function: Callable[[argparse.Namespace], int],
    out: str = "FILE.keras",
) -> None:
    where = "the detector's file" + (", or a folder for detector.keras" if "DIR" in out else "")
    parser.add_argument("--out", metavar=out, required=True, help=where)
    parser.add_argument(
        "--classes",
        metavar="NAME",
        nargs="+",
        help=f"a detector of other classes, whose last layers are still to be trained (default: {classes})",
    )
    parser.set_defaults(import_source=function)


def _import_yolov8(arguments: argparse.Namespace) -> int:
    out = _detector_file(arguments.out)
    from kind.detection.published import detector_from_yolov8

    return _write_detector(detector_from_yolov8(arguments.file, arguments.classes), out, arguments.file)


def _import_yolox(arguments: argparse.Namespace) -> int:
    out = _detector_file(arguments.out, folder=True)
    from kind.detection.published import detector_from_yolox

    return _write_detector(detector_from_yolox(arguments.file, arguments.classes), out, arguments.file)


def _import_preset(arguments: argparse.Namespace) -> int:
    out = _detector_file(arguments.out)
    from kind.detection.published import detector_from_preset

    return _write_detector(detector_from_preset(arguments.preset, arguments.classes), out, arguments.preset)


def _detector_file(name: str, folder: bool = False) -> Path:
    """The --out of a detector, also a folder if so said; checked before anything slow is imported."""
    if folder and (Path(name).is_dir() or not Path(name).suffix):
        return Path(name) / "detector.keras"
    if Path(name).suffix != ".keras" or Path(name).is_dir():
        raise UserError(f"{name}: expected a file that ends in .keras for --out")
    return Path(name)


def _write_detector(net: Detector, out: Path, source: str) -> int:
    from kind.detection.model import proportions_of, size_name
    from kind.nn.saving import save_net

    try:
        save_net(net, out)
    except OSError as error:
        raise UserError(f"{out}: the detector cannot be written there: {error.strerror or error}") from error
    names = net.class_names
    shown = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
    size = size_name(proportions_of(net))
    print(f"detector: {out} ({size}, {len(names)} classes: {shown}), from {source}")
    return 0


def _import_checkpoints(arguments: argparse.Namespace) -> int:
    given = {stage: getattr(arguments, stage) for stage in _STAGES if getattr(arguments, stage)}
    if not given:
        flags = ", ".join(f"--{stage}" for stage in _STAGES)
        raise UserError(f"import {arguments.source} expects at least one of {flags}; received none")
    out = Path(arguments.out)
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: expected a folder for --out; this is a file")
    nets, prefixes = _read(arguments.source, given)
    _write(out, nets)
    _report(out, nets, prefixes)
    return 0


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
    return {"decom": decomposition_net, "restoration": restoration, "illumination": adjustment_net}[stage]()


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
    from kind.nn.saving import SHIPPED_WEIGHTS, find_weights

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
    print(f"use them with: python -m kind enhance --weights {out} …")
