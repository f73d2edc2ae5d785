"""The `data.yaml` of YOLO data sets: class names, and which images are for training and for validation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from kind.data.annotations.image_files import images_below
from kind.data.annotations.reading import check_class_names
from kind.errors import UserError
from kind.images.photo import READABLE_SUFFIXES

SUFFIXES = (".yaml", ".yml")
_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_LARGEST_FILE, _LARGEST_LIST = 1 << 20, 1 << 27
_LARGEST_NUMBER = 6  # digits


class DataYaml(NamedTuple):
    """What a `data.yaml` says.

    Attributes:
        file: where it is.
        class_names: empty when it names none.
        train: folders of images, or text files that list images; empty when it names none.
        validation: likewise.
        missing: paths of `train` and `val` that are not there.
        keypoints: numbers after the box in each line of a data set of poses; else 0.
    """

    file: Path
    class_names: tuple[str, ...] = ()
    train: tuple[Path, ...] = ()
    validation: tuple[Path, ...] = ()
    missing: tuple[str, ...] = ()
    keypoints: int = 0


def find_data_yaml(folder: Path) -> DataYaml | None:
    """Reads the `data.yaml` or `dataset.yaml` of a folder, or the file itself; None when there is none.

    Raises:
        UserError: see `read_data_yaml`.
    """
    if folder.suffix.lower() in SUFFIXES and not folder.is_dir():
        return read_data_yaml(folder)
    return next((read_data_yaml(folder / name) for name in _NAMES if (folder / name).is_file()), None)


def read_data_yaml(file: Path) -> DataYaml:
    """Reads a `data.yaml`.

    `names` is a list, or a dictionary from class numbers. `train` and `val` are each a path or a list of
    paths, relative to `path`, which is relative to the file; a `../` in front that leads nowhere is left out,
    since some tools write it. Other keys are not used.

    Raises:
        UserError: when the file cannot be read or is no YAML, names classes twice or leaves numbers out, or
            says another number of classes (`nc`).
    """
    content = _content(file)
    names = _class_names(file, content.get("names"))
    count = content.get("nc")
    if names and count is not None and _whole(count) != len(names):
        told = ascii(count[:40]) if isinstance(count, str) else "no number"  # never all of a nested list
        raise UserError(f"{file}: nc is {told}, but names has {len(names)} classes; mend one")
    missing: list[str] = []
    places = [_places(file, content, key, missing) for key in ("train", "val")]
    return DataYaml(file, names, *places, tuple(missing), _keypoints(content.get("kpt_shape")))


def listed_images(place: Path) -> list[Path]:
    """The images of a path of `train` or `val`: all in a folder, or those that a text file lists.

    Raises:
        UserError: when there are none, or a listed one is missing.
    """
    return images_below(place) if place.is_dir() else list(_images_of_list(place))


def label_file(image: Path) -> Path:
    """YOLO's rule: the last folder `images` of an image's path is `labels` in that of its text file."""
    parts = list(image.parts)
    for number in range(len(parts) - 2, -1, -1):
        if parts[number] == "images":
            parts[number] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _content(file: Path) -> dict:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise UserError(f"{file}: larger than {_LARGEST_FILE >> 20} MiB: not a data.yaml")
        # Everything is text: a class called "no" stays one.
        content = yaml.load(file.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); expected a data.yaml") from error
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{file}: not a YAML file: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(content, dict):
        raise UserError(f"{file}: expected keys and values, such as names, train and val")
    return content


def _class_names(file: Path, given: object) -> tuple[str, ...]:
    if given is None or given == "":
        return ()
    if isinstance(given, dict):
        numbers = [_whole(key) for key in given]
        if sorted(number for number in numbers if number is not None) != list(range(len(given))):
            raise UserError(
                f"{file}: names expects the class numbers from 0 on, none left out or given twice"
            )
        given = [name for _, name in sorted(zip(numbers, given.values()))]
    if not isinstance(given, list) or not all(isinstance(name, str) and name.strip() for name in given):
        raise UserError(f"{file}: names expects a list of class names, or a dictionary from class numbers")
    names = tuple(name.strip() for name in given)
    check_class_names(names, f"{file}: names")
    return names


def _places(file: Path, content: dict, key: str, missing: list[str]) -> tuple[Path, ...]:
    """The paths of a key that are there; the others are added to `missing`."""
    given = content.get(key)
    texts = given if isinstance(given, list) else [given] if given else []
    if not all(isinstance(text, str) for text in texts):
        raise UserError(f"{file}: {key} expects a path or a list of paths")
    root = content.get("path")
    roots = [file.parent / root, file.parent] if isinstance(root, str) else [file.parent]
    found = []
    for text in filter(None, texts):
        tails = [text, text[3:]] if text.startswith("../") else [text]
        candidates = [place / tail for tail in tails for place in roots]
        place = next((candidate for candidate in candidates if _exists(candidate)), None)
        if place:
            found.append(place)
        else:
            missing.append(f"{key}: {text[:200]}")
    return tuple(found)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _images_of_list(file: Path) -> Iterator[Path]:
    try:
        if file.stat().st_size > _LARGEST_LIST:
            raise UserError(f"{file}: larger than {_LARGEST_LIST >> 20} MiB: not a list of images")
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); expected a list of images") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not a text file in UTF-8; expected a folder or list of images") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise UserError(f"{file}: lists no images")
    for name in names:
        image = file.parent / name
        if image.suffix.lower() not in READABLE_SUFFIXES or not _exists(image):
            raise UserError(f"{file}: lists {name[:200]!r}, which is no image below {file.parent}")
        yield image


def _keypoints(shape: object) -> int:
    numbers = [_whole(number) for number in shape] if isinstance(shape, list) else []
    return numbers[0] * numbers[1] if len(numbers) == 2 and None not in numbers else 0


def _whole(text: object) -> int | None:
    sound = isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) <= _LARGEST_NUMBER
    return int(text) if sound else None
