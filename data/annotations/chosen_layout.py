"""An annotated data set in the form that the user names, or that its folders have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kind.data.annotations import layouts
from kind.data.annotations.annotated import Annotations
from kind.data.annotations.chosen_classes import only_classes as with_only
from kind.errors import UserError

_READERS = {
    "coco": layouts.read_coco_folder,
    "dark_face": layouts.read_dark_face_folder,
    "exdark": layouts.read_exdark_folder,
    "voc": layouts.read_voc_folder,
    "wider_face": layouts.read_wider_face_folder,
    "yolo": layouts.read_yolo_folder,
}
_WITH_CLASS_NAMES = ("voc", "yolo")  # of the user's
_FOLDERS = {
    "voc": ("JPEGImages", "Annotations"),
    "exdark": ("ExDark", "ExDark_Anno"),
    "dark_face": ("image", "label"),
    "yolo": ("images", "labels"),
}


def read_annotations(
    folder: Path,
    layout: str = "yolo",
    file: Path | None = None,
    *,
    classes: Sequence[str] | None = None,
    only_classes: Sequence[str] | None = None,
    repair: bool = False,
    boxes_on: str | None = None,
) -> Annotations:
    """Reads a data set.

    Args:
        folder: of the data set.
        layout: "yolo", "voc", "exdark", "dark_face", "coco" or "wider_face".
        file: the annotations of the last two.
        classes: names of the classes, of YOLO's and VOC's annotations only; None for the data set's own.
        only_classes: leave out the objects of all other classes; None for none.
        repair: cut or leave out broken annotations instead of refusing them.
        boxes_on: one of `kind.data.annotations.orientation.BOXES_ON`, see there; None when nobody said.

    Returns:
        Its images with their boxes.

    Raises:
        UserError: when folders are missing, names of classes do not fit, or annotations are broken.
    """
    if classes and layout not in _WITH_CLASS_NAMES:
        raise UserError("--classes is for YOLO's and VOC's annotations; the others bring their classes")
    own = [classes] if layout in _WITH_CLASS_NAMES else [file] if file else []
    annotations = _READERS[layout](folder, *own, repair=repair, boxes_on=boxes_on)
    return with_only(annotations, only_classes) if only_classes else annotations


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
