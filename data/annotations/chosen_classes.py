"""Some classes of a data set, whatever its form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kind.data.annotations.annotated import AnnotatedImage, Annotations
from kind.errors import UserError, listed


def only_classes(annotations: Annotations, names: Sequence[str]) -> Annotations:
    """Leaves out all objects of other classes; images without any object left stay.

    Args:
        annotations: a data set.
        names: of its classes, each once; class c of the result is called `names[c]`.

    Returns:
        The data set, which says where its classes come from.

    Raises:
        UserError: when it has no such class, or one is named twice.

    Example:
        >>> only_classes(read_yolo_folder("coco128"), ["person", "car"])
    """
    known = {name: number for number, name in enumerate(annotations.class_names)}
    if unknown := [name for name in names if name not in known]:
        had = listed(annotations.class_names, most=20)
        raise UserError(f"--only-classes: the data set has no class {unknown[0]!r}; it has {had}")
    if twice := [name for number, name in enumerate(names) if name in names[:number]]:
        raise UserError(f"--only-classes: {twice[0]!r} is given twice")
    numbers = np.full(len(known), -1, np.int32)
    numbers[[known[name] for name in names]] = np.arange(len(names))
    origin = f"--only-classes, of {len(known)} of {annotations.classes_from}"
    images = tuple(_chosen(image, numbers) for image in annotations.images)
    return annotations._replace(images=images, class_names=tuple(names), classes_from=origin)


def _chosen(image: AnnotatedImage, numbers: np.ndarray) -> AnnotatedImage:
    """The image with the objects whose class has a number."""
    classes = numbers[image.classes]
    kept = classes >= 0
    parts = ("boxes", "crowd", "difficult", "areas")
    return replace(image, classes=classes[kept], **{name: getattr(image, name)[kept] for name in parts})
