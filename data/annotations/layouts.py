"""Which folders a data set's images and annotations are in, format by format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kind.data.annotations.annotated import AnnotatedImage, Annotations
from kind.data.annotations.class_names import COCO, PASCAL_VOC
from kind.data.annotations.coco_json import read_coco_json
from kind.data.annotations.dark_face_text import read_dark_face_text
from kind.data.annotations.data_yaml import DataYaml, find_data_yaml, label_file, listed_images
from kind.data.annotations.exdark_text import read_exdark_text
from kind.data.annotations.reading import Reading, check_class_names
from kind.data.annotations.text_files import add_text_files
from kind.data.annotations.voc_xml import read_voc_xml
from kind.data.annotations.wider_face_text import read_wider_face_text
from kind.data.annotations.yolo_text import read_yolo_text, yolo_rows
from kind.errors import UserError, listed

VALIDATION_EVERY = 4

_CLASSES_FILES = ("labels/classes.txt", "classes.txt")


def read_yolo_folder(
    folder: str | Path,
    class_names: Sequence[str] | None = None,
    *,
    repair: bool = False,
    boxes_on: str | None = None,
) -> Annotations:
    """Reads the images and labels that `data.yaml` names; without one, `images/` and `labels/`.

    Args:
        folder: holds them; or a `data.yaml` itself.
        class_names: in the order of the class numbers; by default those of `data.yaml` or `dataset.yaml`, or
            the lines of `labels/classes.txt` or `classes.txt`, otherwise COCO's 80 classes.
        repair: cut or leave out what is broken, and name it in `problems`, instead of refusing.
        boxes_on: see `read_yolo_text`.

    Returns:
        The data set, with the validation images of `data.yaml`.

    Raises:
        UserError: see `read_yolo_text` and `read_data_yaml`; and when two files name other classes.
    """
    folder = Path(folder)
    described = find_data_yaml(folder)
    root = folder if folder.is_dir() or not described else described.file.parent
    names, origin = _class_names(root, class_names, described)
    options = {"repair": repair, "boxes_on": boxes_on}
    if described and (described.train or described.validation or not (root / "images").is_dir()):
        found = _read_described(described, names, **options)
    else:
        found = read_yolo_text(root / "images", root / "labels", names, **options)
        if described and described.missing:
            line = f"{described.file}: {listed(described.missing)}: not there; {root / 'images'} is read"
            found = found._replace(
                problems=(*found.problems[: found.broken], line, *found.problems[found.broken :])
            )
    return found._replace(classes_from=origin)


def read_coco_folder(
    folder: str | Path, file: str | Path, *, repair: bool = False, boxes_on: str | None = None
) -> Annotations:
    """Reads a COCO file whose images are in `folder/images`, or in `folder` when there is none such."""
    images = Path(folder) / "images"
    images = images if images.is_dir() else Path(folder)
    return read_coco_json(file, images, repair=repair, boxes_on=boxes_on)._replace(classes_from=str(file))


def read_voc_folder(
    folder: str | Path,
    class_names: Sequence[str] | None = None,
    *,
    repair: bool = False,
    boxes_on: str | None = None,
) -> Annotations:
    """Reads Pascal VOC's `JPEGImages/` and `Annotations/`."""
    folder = Path(folder)
    names = class_names or PASCAL_VOC
    found = read_voc_xml(
        folder / "JPEGImages", folder / "Annotations", names, repair=repair, boxes_on=boxes_on
    )
    return found._replace(classes_from="--classes" if class_names else "Pascal VOC's own")


def read_exdark_folder(
    folder: str | Path, *, repair: bool = False, boxes_on: str | None = None
) -> Annotations:
    """Reads ExDark's `ExDark/` and `ExDark_Anno/`."""
    folder = Path(folder)
    found = read_exdark_text(folder / "ExDark", folder / "ExDark_Anno", repair=repair, boxes_on=boxes_on)
    return found._replace(classes_from="ExDark's own")


def read_dark_face_folder(
    folder: str | Path, *, repair: bool = False, boxes_on: str | None = None
) -> Annotations:
    """Reads DARK FACE's `image/` and `label/`."""
    folder = Path(folder)
    found = read_dark_face_text(folder / "image", folder / "label", repair=repair, boxes_on=boxes_on)
    return found._replace(classes_from="DARK FACE's own")


def read_wider_face_folder(
    folder: str | Path, file: str | Path, *, repair: bool = False, boxes_on: str | None = None
) -> Annotations:
    """Reads WIDER FACE's text file whose images are in `folder/images`, or in `folder` without such a one."""
    images = Path(folder) / "images"
    images = images if images.is_dir() else Path(folder)
    found = read_wider_face_text(file, images, repair=repair, boxes_on=boxes_on)
    return found._replace(classes_from="WIDER FACE's own")


def split(
    annotations: Annotations, validation_every: int = VALIDATION_EVERY
) -> tuple[list[AnnotatedImage], list[AnnotatedImage]]:
    """The validation images that the data set itself names, otherwise as `split_images`.

    Returns:
        (training images, validation images).

    Raises:
        UserError: when nothing would be left to train on.
    """
    if annotations.validation is None:
        return split_images(annotations.images, validation_every)
    validation = [image for image in annotations.images if image.path in annotations.validation]
    training = [image for image in annotations.images if image.path not in annotations.validation]
    return training, validation


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


def _read_described(
    described: DataYaml, names: Sequence[str], *, repair: bool, boxes_on: str | None
) -> Annotations:
    """The images of `train` and `val`, with their text files where YOLO looks for them."""
    if described.missing:
        raise UserError(
            f"{described.file}: {listed(described.missing)}: no such folder or list of images; paths are "
            "relative to `path`, and that to the file"
        )
    if not described.train and not described.validation:
        raise UserError(f"{described.file}: names no images; expected train and val, or images/ beside it")
    train, validation = (
        [image for place in places for image in listed_images(place)]
        for places in (described.train, described.validation)
    )
    reading = Reading(names, boxes_on)
    expected = {image: label_file(image) for image in (*train, *validation)}
    places = (*described.train, *described.validation)
    folders = {label_file(place / "x").parent if place.is_dir() else None for place in places} - {None}
    folders |= {label.parent for label in expected.values() if not folders & {*label.parents}}
    add_text_files(
        reading,
        expected,
        sorted(folder for folder in folders if not folders & {*folder.parents}),
        yolo_rows(described.keypoints),
        required=False,
        images=", ".join(map(str, dict.fromkeys(places))),
    )
    held_out = frozenset(validation) if not described.train or {*train} - {*validation} else None
    if described.train and described.validation and held_out is None:
        reading.passed_over.append(
            f"{described.file}: val names all images of train: some are held out instead"
        )
    return reading.finish(repair)._replace(validation=held_out if validation else None)


def _class_names(
    folder: Path, given: Sequence[str] | None, described: DataYaml | None
) -> tuple[Sequence[str], str]:
    """The class names of a YOLO data set, and where they come from."""
    if given:
        return given, "--classes"
    file, names = _listed_classes(folder)
    if described and described.class_names:
        if names and tuple(names) != described.class_names:
            raise UserError(f"{described.file} and {file} name other classes; remove one, or say --classes")
        return described.class_names, str(described.file)
    if names:
        check_class_names(names, str(file))
        return names, str(file)
    return COCO, "COCO's own, since the data set names none"


def _listed_classes(folder: Path) -> tuple[Path | None, list[str]]:
    """The data set's own list of class names and its file; none when there is none."""
    for path in (folder / name for name in _CLASSES_FILES):
        try:
            names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: expected a text file with one class name a line: {error}") from error
        return path, [name for name in names if name]
    return None, []
