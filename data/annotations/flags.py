"""An annotated data set on a command line: in which form the annotations of `--data DIR` are."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kind.data.annotations.orientation import BOXES_ON
from kind.errors import UserError

if TYPE_CHECKING:
    from kind.data.annotations.annotated import Annotations


_FOLDERS = {
    "voc": ("JPEGImages", "Annotations"),
    "exdark": ("ExDark", "ExDark_Anno"),
    "dark_face": ("image", "label"),
    "yolo": ("images", "labels"),
}


def add_layout_arguments(parser: argparse.ArgumentParser, *, repair: bool = True) -> None:
    """Declares the form of the annotations, which is YOLO's by default, and what is particular to some.

    Args:
        parser: gets the flags.
        repair: whether the user says what happens to broken annotations.
    """
    layout = parser.add_mutually_exclusive_group()
    layout.add_argument(
        "--coco", type=Path, metavar="FILE", help="COCO's JSON; its images are in DIR/images or DIR"
    )
    layout.add_argument(
        "--voc", action="store_true", help="DIR has Pascal VOC's JPEGImages/ and Annotations/"
    )
    layout.add_argument("--exdark", action="store_true", help="DIR has ExDark/ and ExDark_Anno/")
    layout.add_argument("--dark-face", action="store_true", help="DIR has DARK FACE's image/ and label/")
    layout.add_argument(
        "--wider-face",
        type=Path,
        metavar="FILE",
        help="WIDER FACE's text, such as wider_face_train_bbx_gt.txt; its images are in DIR/images or DIR",
    )
    parser.add_argument(
        "--classes",
        nargs="+",
        metavar="NAME",
        help="class names of YOLO or VOC annotations (default: those of DIR/data.yaml or "
        "DIR/labels/classes.txt; else COCO's or VOC's own)",
    )
    parser.add_argument(
        "--only-classes",
        nargs="+",
        metavar="NAME",
        help="leave out the objects of all other classes (default: all classes)",
    )
    if repair:
        text = "cut or leave out broken annotations instead of refusing them"
        parser.add_argument("--repair", action="store_true", help=text)
    parser.add_argument(
        "--annotations",
        choices=BOXES_ON,
        help="whether boxes are on the pixels as stored, or on the images turned upright by their EXIF "
        "orientation (default: upright; refused when the stated sizes are those of the stored pixels)",
    )


def read_annotations(flags: argparse.Namespace) -> Annotations:
    """Reads the data set.

    Args:
        flags: parsed, see `add_layout_arguments`; `data` is the folder.

    Returns:
        Its images with their boxes.

    Raises:
        UserError: when folders are missing, flags disagree, or annotations are broken.
    """
    from kind.data.annotations.chosen_classes import only_classes

    annotations = _read(flags)
    return only_classes(annotations, flags.only_classes) if flags.only_classes else annotations


def _read(flags: argparse.Namespace) -> Annotations:
    from kind.data.annotations import layouts

    if flags.classes and (flags.coco or flags.exdark or flags.dark_face or flags.wider_face):
        raise UserError("--classes is for YOLO's and VOC's annotations; the others bring their classes")
    rules = {"repair": flags.repair, "boxes_on": flags.annotations}
    if flags.coco:
        return layouts.read_coco_folder(flags.data, flags.coco, **rules)
    if flags.voc:
        return layouts.read_voc_folder(flags.data, flags.classes, **rules)
    if flags.exdark:
        return layouts.read_exdark_folder(flags.data, **rules)
    if flags.dark_face:
        return layouts.read_dark_face_folder(flags.data, **rules)
    if flags.wider_face:
        return layouts.read_wider_face_folder(flags.data, flags.wider_face, **rules)
    return layouts.read_yolo_folder(flags.data, flags.classes, **rules)


def find_layout(folder: Path) -> str | None:
    """The form of a folder's annotations by its folders: "voc", "exdark", "dark_face" or "yolo"; or None.

    COCO's files may be anywhere, and are named by the user.
    """
    for layout, names in _FOLDERS.items():
        if all((folder / name).is_dir() for name in names):
            return layout
    is_yaml = folder.suffix.lower() in (".yaml", ".yml") and folder.is_file()
    described = is_yaml or any((folder / name).is_file() for name in ("data.yaml", "dataset.yaml"))
    return "yolo" if described else None
