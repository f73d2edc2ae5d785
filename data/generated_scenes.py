"""Scenes made of simple objects over photographs: a data set for a detector, without any download."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from kind.data.drawn_objects import CLASSES, DrawnObject, draw_object
from kind.errors import UserError
from kind.files import atomic_write
from kind.images.photo import write_photo

SIZE = 320
SMALLEST_SIZE = 64

_MOST_OBJECTS = 6
_EMPTY = 0.05  # part of the scenes that hold no object
_SIDES = 0.08, 0.45  # of objects, relative to the scene's
_ASPECT = 1.3
_LEAST_VISIBLE = 0.55  # of an object's pixels; one that would be hidden or cut off more is not placed there
_TRIES = 4
_SHADOW_DEPTH, _SHADOW_BLUR, _SHADOW_SHIFT = 0.45, 0.25, 0.1


class Scene(NamedTuple):
    """A scene and what is in it; G objects, later ones in front of earlier ones.

    Attributes:
        image: uint8 [S, S, 3], sRGB.
        boxes: float32 [G, 4], left, top, right, bottom in pixels, around what can be seen of each object.
        classes: int32 [G], index into `data.drawn_objects.CLASSES`.
        owners: int8 [S, S], which object each pixel belongs to, -1 for the background.
    """

    image: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray
    owners: np.ndarray


def builtin_backgrounds() -> list[np.ndarray]:
    """The five built-in photographs in normal light, uint8 [H, W, 3] each."""
    from kind.data.samples import builtin_samples

    return [sample.high for sample in builtin_samples()]


def generated_scene(photographs: Sequence[np.ndarray], seed: int, index: int, size: int = SIZE) -> Scene:
    """Makes one scene.

    Args:
        photographs: uint8 [H, W, 3] each, of which a part becomes the background.
        seed: of the data set.
        index: of the scene; seed and index together decide everything.
        size: S, of a side in pixels, at least 64.

    Returns:
        The scene, in normal light.

    Raises:
        ValueError: no photograph, a size too small, or a negative seed or index.
    """
    if not photographs or size < SMALLEST_SIZE or min(seed, index) < 0:
        raise ValueError(
            f"a scene expects photographs, a size of {SMALLEST_SIZE} or more, and seed and index from 0; "
            f"received {len(photographs)} photographs, {size}, {seed}, {index}"
        )
    random = np.random.default_rng((seed, index))
    canvas = _Canvas(_background(photographs, size, random))
    count = 0 if random.random() < _EMPTY else random.integers(1, _MOST_OBJECTS + 1)
    for _ in range(count):
        label = int(random.integers(len(CLASSES)))
        low, high = _SIDES
        side = size * low * (high / low) ** random.random()
        stretch = _ASPECT ** random.uniform(-0.5, 0.5)
        height, width = max(4, round(side * stretch)), max(4, round(side / stretch))
        canvas.place(draw_object(label, height, width, random), label, random)
    return canvas.scene()


class _Canvas:
    """A background, and the objects that were placed on it so far."""

    def __init__(self, background: np.ndarray) -> None:
        self._pixels = background  # float32 [S, S, 3] in [0, 1]
        self._owners = np.full(background.shape[:2], -1, np.int8)
        self._labels: list[int] = []
        self._whole: list[int] = []  # pixels of each object, were it alone and not cut off
        self._regions: list[tuple[slice, slice]] = []

    def place(self, item: DrawnObject, label: int, random: np.random.Generator) -> None:
        """Places an object where enough is seen of it and of those behind it, if there is such a place."""
        whole = int((item.distance < 0).sum())
        height, width = item.distance.shape
        size = len(self._owners)
        for _ in range(_TRIES):
            top, left = (round(random.uniform(-0.25 * side, size - 0.75 * side)) for side in (height, width))
            region, part = _overlap(top, left, height, width, size)
            inside = item.distance[part] < 0
            if inside.sum() >= _LEAST_VISIBLE * whole and self._leaves_enough(region, inside):
                self._cast_shadow(item, top, left)
                self._paint(item, region, part)
                self._owners[region][inside] = len(self._labels)
                self._labels.append(label)
                self._whole.append(whole)
                self._regions.append(region)
                return

    def scene(self) -> Scene:
        """What the canvas shows."""
        boxes = np.zeros((len(self._labels), 4), np.float32)
        for number, region in enumerate(self._regions):
            seen = self._owners[region] == number
            rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
            top, left = region[0].start, region[1].start
            boxes[number] = left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1
        image = np.rint(self._pixels * 255).astype(np.uint8)
        return Scene(image, boxes, np.array(self._labels, np.int32), self._owners)

    def _leaves_enough(self, region: tuple[slice, slice], inside: np.ndarray) -> bool:
        """Whether the objects behind stay visible."""
        hidden = self._owners[region][inside]
        for number in np.unique(hidden[hidden >= 0]):
            seen = int((self._owners[self._regions[number]] == number).sum())
            if seen - int((hidden == number).sum()) < _LEAST_VISIBLE * self._whole[number]:
                return False
        return True

    def _cast_shadow(self, item: DrawnObject, top: int, left: int) -> None:
        height, width = item.distance.shape
        side = min(height, width)
        shift = round(_SHADOW_SHIFT * side)
        region, part = _overlap(top + shift, left + shift, height, width, len(self._owners))
        depth = np.clip(-item.distance[part] / (_SHADOW_BLUR * side), 0, 1) * _SHADOW_DEPTH
        self._pixels[region] *= 1 - depth[..., None]

    def _paint(self, item: DrawnObject, region: tuple[slice, slice], part: tuple[slice, slice]) -> None:
        cover = np.clip(0.5 - item.distance[part], 0, 1)[..., None]  # smooth over one pixel
        pixels = self._pixels[region]
        pixels += cover * (item.colour[part] - pixels)


def _background(photographs: Sequence[np.ndarray], size: int, random: np.random.Generator) -> np.ndarray:
    """A square part of a photograph, perhaps mirrored, float32 [S, S, 3] in [0, 1]."""
    photograph = photographs[random.integers(len(photographs))]
    shorter = min(photograph.shape[:2])
    side = max(1, round(random.uniform(min(size / 2, shorter), shorter)))
    top, left = (int(random.integers(longer - side + 1)) for longer in photograph.shape[:2])
    crop = Image.fromarray(photograph[top : top + side, left : left + side])
    resized = np.asarray(crop.resize((size, size), Image.Resampling.BILINEAR))
    if random.random() < 0.5:
        resized = resized[:, ::-1]
    return resized * np.float32(random.uniform(0.6, 1.0) / 255)


def _overlap(
    top: int, left: int, height: int, width: int, size: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a patch lies on the canvas, and which part of the patch that is."""
    rows, columns = (
        slice(max(0, start), min(size, start + length)) for start, length in ((top, height), (left, width))
    )
    return (rows, columns), (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )


def write_scenes(
    folder: str | Path,
    count: int,
    seed: int = 0,
    size: int = SIZE,
    develop: Callable[[np.ndarray, int], np.ndarray] | None = None,
    photographs: Sequence[np.ndarray] | None = None,
    progress: Callable[[int, int], None] | None = None,
    report: Callable[[str, np.ndarray], None] | None = None,
) -> np.ndarray:
    """Writes scenes as a data set in YOLO's layout, which `data.annotations` reads.

    Args:
        folder: receives `images/NNNNNN.png`, `labels/NNNNNN.txt` and `labels/classes.txt`.
        count: how many scenes.
        seed: the same seed gives the same files, however many there are.
        size: of a side in pixels.
        develop: what is written instead of each scene, from its pixels, float32 [S, S, 3] in [0, 1], and its
            index: for example its dark twin.
        photographs: backgrounds, uint8 [H, W, 3] each; by default the built-in ones.
        progress: called with how many are written and how many there will be.
        report: called with the name of each scene that is written, and how many objects of each class it has.

    Returns:
        int [C], how many objects there are of each class.

    Raises:
        UserError: when the folder holds other files already, or cannot be written to.
        ValueError: as for `generated_scene`.
    """
    folder = Path(folder)
    names = [f"{index:06d}" for index in range(count)]
    _refuse_others(folder / "images", {f"{name}.png" for name in names})
    photographs = builtin_backgrounds() if photographs is None else photographs

    def write(index: int) -> np.ndarray:
        scene = generated_scene(photographs, seed, index, size)
        pixels = scene.image / np.float32(255)
        write_photo(folder / "images" / f"{names[index]}.png", develop(pixels, index) if develop else pixels)
        _write_text(folder / "labels" / f"{names[index]}.txt", _yolo_lines(scene))
        return np.bincount(scene.classes, minlength=len(CLASSES))

    try:
        _write_text(folder / "labels" / "classes.txt", CLASSES)
        return _summed(write, names, progress, report)
    except OSError as error:
        raise UserError(
            f"{error.filename or folder}: cannot be written ({error.strerror}); choose another place"
        ) from error


def _summed(
    write: Callable[[int], np.ndarray],
    names: Sequence[str],
    progress: Callable[[int, int], None] | None,
    report: Callable[[str, np.ndarray], None] | None,
) -> np.ndarray:
    """All scenes' counts; several are written at once, since compressing does not hold the interpreter."""
    counts = np.zeros(len(CLASSES), int)
    with ThreadPoolExecutor() as pool:
        try:
            for index, of_scene in enumerate(pool.map(write, range(len(names)))):
                counts += of_scene
                if report:
                    report(names[index], of_scene)
                if progress:
                    progress(index + 1, len(names))
        except BaseException:  # an interruption must not wait for all the others
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return counts


def _refuse_others(images: Path, names: set[str]) -> None:
    others = sorted({path.name for path in images.iterdir()} - names) if images.is_dir() else []
    if others:
        raise UserError(f"{images}: holds {others[0]}, which is not of this data set; choose a new folder")


def _yolo_lines(scene: Scene) -> list[str]:
    """`class x y width height`, relative to the image's size, x and y of the middle."""
    size = len(scene.image)
    lines = []
    for label, (left, top, right, bottom) in zip(scene.classes, scene.boxes.astype(float) / size):
        values = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        lines.append(" ".join([str(label), *(f"{value:.8f}" for value in values)]))
    return lines


def _write_text(path: Path, lines: Sequence[str]) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
