"""The pictures of docs/losses.md, each drawn again only where its loss, or the drawing, has changed."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kind.cli import loss_pictures
from kind.cli.loss_pictures import DEGRADATIONS, degraded, red_blue, shown, takes_images
from kind.cli.loss_subjects import network_for, reference_photograph
from kind.errors import UserError
from kind.files import atomic_write
from kind.losses.catalogue import CATALOGUE, DECOMPOSITION, FEATURES, Entry
from kind.nn.forms import SHIPPED_WEIGHTS

if TYPE_CHECKING:
    import tensorflow as tf

RECORD = "pictures.json"
REFERENCE = "degradations"
"""Stem of the picture of the degraded photograph itself."""

SUFFIX = ".webp"
_SIDE = 176  # pixels, of the photograph: five scales of MS-SSIM fit
_COLUMN = 88
_GRADE = 1  # of each degradation, the middle one of three
_QUALITY = 45
_DIGEST_LENGTH = 16
_NETWORKS = {FEATURES: "detector.keras", DECOMPOSITION: "decom.keras"}
"""What the losses look through, see `kind.cli.loss_subjects.network_for`."""

Record = Mapping[str, Mapping[str, Any]]
"""By loss: "digest" of what its picture was made by, and "losses", of the photograph and each degradation."""


def read_record(folder: Path) -> Record:
    """What the pictures in a folder are of; empty where there are none.

    Raises:
        UserError: when the record is damaged.
    """
    file = folder / RECORD
    if not file.is_file():
        return {}
    try:
        record = json.loads(file.read_text())
        return {
            name: {"digest": one["digest"], "losses": list(one["losses"])} for name, one in record.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{file}: not a record of pictures; remove the folder to draw them anew") from error


def stale_pictures(folder: Path) -> list[str]:
    """Losses whose picture is missing, or was made by other code."""
    record = read_record(folder)
    return [
        name
        for name, entry in CATALOGUE.items()
        if takes_images(entry)
        and (record.get(name, {}).get("digest") != _digest(entry) or not picture_file(folder, name).is_file())
    ]


def picture_file(folder: Path, name: str) -> Path:
    """Where the picture of a loss is, or that of the degradations (`REFERENCE`)."""
    return folder / f"{name}{SUFFIX}"


def draw_pictures(folder: Path) -> Record:
    """Draws what is stale, and removes pictures of losses that are gone.

    Args:
        folder: of the pictures; made when missing.

    Returns:
        The new record.

    Raises:
        UserError: when something cannot be read or written.
    """
    import tensorflow as tf

    from kind.images.contact_sheet import contact_sheet
    from kind.images.photo import write_photo
    from kind.reports.progress import Progress

    stale, record = stale_pictures(folder), dict(read_record(folder))
    image = tf.constant(reference_photograph(None, _SIDE)[None, :, :_SIDE], tf.float32)
    if stale or not picture_file(folder, REFERENCE).is_file():
        row = [pixels[0].numpy() for _, _, pixels in degraded(image, [_GRADE])]
        sheet = contact_sheet([row], list(DEGRADATIONS), _COLUMN)
        write_photo(picture_file(folder, REFERENCE), sheet, quality=_QUALITY)
    with Progress("pictures") as progress:
        for done, name in enumerate(stale, start=1):
            losses, row = _measured(CATALOGUE[name], image)
            sheet = contact_sheet([row], list(DEGRADATIONS), _COLUMN)
            write_photo(picture_file(folder, name), sheet, quality=_QUALITY)
            record[name] = {"digest": _digest(CATALOGUE[name]), "losses": losses}
            _write_record(folder, record)
            progress(done, len(stale))
    for name in [name for name in record if name not in CATALOGUE]:
        picture_file(folder, name).unlink(missing_ok=True)
        record.pop(name)
    _write_record(folder, record)
    return read_record(folder)


def losses_of(name: str) -> list[float]:
    """What a record holds of a loss, computed anew."""
    import tensorflow as tf

    image = tf.constant(reference_photograph(None, _SIDE)[None, :, :_SIDE], tf.float32)
    return _measured(CATALOGUE[name], image)[0]


def _measured(entry: Entry, image: tf.Tensor) -> tuple[list[float], list[Any]]:
    """Losses of the photograph and its degradations, and the gradients' pictures."""
    network = network_for(entry)
    same, found = shown(entry, image, features=network, reflectance_of=network, grades=[_GRADE])
    losses = [float(f"{loss:.3g}") for loss in (same, *(one.loss for one in found))]
    return losses, [red_blue(one.gradient) for one in found]


def _write_record(folder: Path, record: Record) -> None:
    with atomic_write(folder / RECORD) as temporary:
        lines = [f"{json.dumps(name)}: {json.dumps(one)}" for name, one in sorted(record.items())]
        temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _digest(entry: Entry) -> str:
    """Of what makes a picture: code of the loss and of the drawing, without docstrings, and the network."""
    modules = (inspect.getmodule(entry.function), loss_pictures)
    text = "\n".join(ast.dump(_without_docstrings(inspect.getsource(module))) for module in modules)
    name = entry.function.__name__
    made_by = hashlib.sha256(f"{name} {dict(entry.settings)}\n{text}".encode())
    if (shipped := _NETWORKS.get(entry.inputs)) is not None:
        made_by.update((SHIPPED_WEIGHTS / shipped).read_bytes())
    return made_by.hexdigest()[:_DIGEST_LENGTH]


def _without_docstrings(source: str) -> ast.Module:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            node.body.pop(0)
    return tree
