"""An annotated data set on a command line: in which form the annotations of `--data DIR` are."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kind.data.annotations.orientation import BOXES_ON

if TYPE_CHECKING:
    from kind.data.annotations.annotated import Annotations

_FILES = ("coco", "wider_face")
_SWITCHES = ("voc", "exdark", "dark_face")


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


def given_layout(flags: argparse.Namespace) -> str | None:
    """The form that the flags of `add_layout_arguments` name; None leaves it to the folder or is YOLO's."""
    return next((name for name in (*_FILES, *_SWITCHES) if getattr(flags, name)), None)


def annotations_of(flags: argparse.Namespace, layout: str | None = None) -> Annotations:
    """Reads the data set that the flags name.

    Args:
        flags: parsed, see `add_layout_arguments`; `data` is the folder.
        layout: the form where the flags name none.

    Returns:
        See `kind.data.annotations.chosen_layout.read_annotations`.

    Raises:
        UserError: likewise.
    """
    from kind.data.annotations.chosen_layout import read_annotations

    return read_annotations(
        flags.data,
        given_layout(flags) or layout or "yolo",
        flags.coco or flags.wider_face,
        classes=flags.classes,
        only_classes=flags.only_classes,
        repair=flags.repair,
        boxes_on=flags.annotations,
    )
