"""Which folders a data set's images and annotations are in, format by format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kind.data.annotations.annotated import AnnotatedImage, Annotations
from kind.data.annotations.class_names import COCO
from kind.data.annotations.coco_json import read_coco_json
from kind.data.annotations.dark_face_text import read_dark_face_text
from kind.data.annotations.exdark_text import read_exdark_text
from kind.data.annotations.voc_xml import read_voc_xml
from kind.data.annotations.yolo_text import read_yolo_text
from kind.errors import UserError

VALIDATION_EVERY = 4

_CLASSES_FILES = ("labels/classes.txt", "classes.txt")


def read_yolo_folder(
    folder: str | Path, class_names: Sequence[str] | None = None, *, repair: bool = False
) -> Annotations:
    """Reads `images/` and `labels/`.

    Args:
        folder: holds both.
        class_names: in the order of the class numbers; by default the lines of `labels/classes.txt` or
            `classes.txt` where there is one, otherwise COCO's 80 classes.
        repair: cut or leave out what is broken, and name it in `problems`, instead of refusing.

    Returns:
        The data set.

    Raises:
        UserError: see `read_yolo_text`.
    """
    folder = Path(folder)
    names = class_names or _listed_classes(folder) or COCO
    return read_yolo_text(folder / "images", folder / "labels", names, repair=repair)


def read_coco_folder(folder: str | Path, file: str | Path, *, repair: bool = False) -> Annotations:
    """Reads a COCO file whose images are in `folder/images`, or in `folder` when there is none such."""
    images = Path(folder) / "images"
    return read_coco_json(file, images if images.is_dir() else folder, repair=repair)


def read_voc_folder(
    folder: str | Path, class_names: Sequence[str] | None = None, *, repair: bool = False
) -> Annotations:
    """Reads Pascal VOC's `JPEGImages/` and `Annotations/`."""
    folder = Path(folder)
    names = {"class_names": class_names} if class_names else {}
    return read_voc_xml(folder / "JPEGImages", folder / "Annotations", **names, repair=repair)


def read_exdark_folder(folder: str | Path, *, repair: bool = False) -> Annotations:
    """Reads ExDark's `ExDark/` and `ExDark_Anno/`."""
    folder = Path(folder)
    return read_exdark_text(folder / "ExDark", folder / "ExDark_Anno", repair=repair)


def read_dark_face_folder(folder: str | Path, *, repair: bool = False) -> Annotations:
    """Reads DARK FACE's `image/` and `label/`."""
    folder = Path(folder)
    return read_dark_face_text(folder / "image", folder / "label", repair=repair)


def split_images(
    images: Sequence[AnnotatedImage], validation_every: int = VALIDATION_EVERY
) -> tuple[list[AnnotatedImage], list[AnnotatedImage]]:
    """Holds out every fourth image, by sorted path and from the first on, for validation.

    Args:
        images: sorted, as the readers give them.
        validation_every: hold out one in this many.

    Returns:
        (training images, validation images).

    Raises:
        UserError: when nothing would be left to train on.
    """
    validation = list(images[::validation_every])
    training = [image for index, image in enumerate(images) if index % validation_every]
    if not training:
        raise UserError(f"{len(images)} image(s) are too few: every {validation_every}th is held out")
    return training, validation


def _listed_classes(folder: Path) -> list[str]:
    """The data set's own class names, none when it does not list them."""
    for path in (folder / name for name in _CLASSES_FILES):
        try:
            names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: expected a text file with one class name a line: {error}") from error
        return [name for name in names if name]
    return []
