"""What makes a checkpoint whole: a manifest with digests of its files, written after them."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from kind.files import atomic_write

_NAME = re.compile(r"ckpt-(\d+)\.(?:index|json)")
_FILE = re.compile(r"ckpt-\d+\.[\w-]+")
_NETWORK = re.compile(r"\w[\w-]*\.keras", re.ASCII)
_PIECE = 1 << 20

#: Settings that say when a run ends, and nothing else of what is done already; see `run_changes.new_lengths`.
LENGTHS = ("epochs", "early_stop", "schedule_epochs")

_LARGEST_WHOLE = 2**63  # of a record: more is no count, and may be too large for a float


class Manifest(NamedTuple):
    """The record of one checkpoint.

    Attributes:
        epoch: number of finished epochs.
        run: `run_digest` of the run's `config.json`; None where there is none. Earlier versions wrote the
            SHA-256 of the whole file.
        files: SHA-256 of each of the checkpoint's files, by name.
        networks: for each network of the run folder, such as "best.keras", the file that keeps it here.
        digests: SHA-256 of each of `networks`, and of "last.keras" when there is one.
        history: the lines of `metrics.jsonl` up to the epoch.
    """

    epoch: int
    run: str | None
    files: dict[str, str]
    networks: dict[str, str]
    digests: dict[str, str | None]
    history: list[dict[str, Any]]


def checkpoint_epochs(folder: Path) -> list[int]:
    """The epochs of which a folder holds a checkpoint or a part of one, newest first."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted({int(found[1]) for name in names if (found := _NAME.fullmatch(name))}, reverse=True)


def manifest_file(folder: Path, epoch: int) -> Path:
    """Where the manifest of a checkpoint is."""
    return folder / f"ckpt-{epoch}.json"


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes a manifest, wholly or not at all, with a digest of itself."""
    content = manifest._asdict()
    with atomic_write(manifest_file(folder, manifest.epoch)) as temporary:
        temporary.write_text(json.dumps({"digest": _digest_of(content), "content": content}))


def read_manifest(folder: Path, epoch: int) -> Manifest | None:
    """Reads the manifest of a checkpoint.

    Returns:
        The manifest; None without one, as before there were manifests, or after a kill.

    Raises:
        ValueError: when it is damaged.
    """
    path = manifest_file(folder, epoch)
    try:
        stored = json.loads(path.read_text())
        manifest = Manifest(**stored["content"])
        if stored["digest"] != _digest_of(stored["content"]) or manifest.epoch != epoch:
            raise ValueError("its digest is another")
        _check(manifest)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path.name} is damaged") from error
    return manifest


def _check(manifest: Manifest) -> None:
    """Refuses what no manifest says; names of files above all, because they are read and written."""
    names = [*manifest.networks, *manifest.networks.values(), *manifest.digests]
    digests = [*manifest.files.values(), *(digest for digest in manifest.digests.values() if digest)]
    if (
        not all(_FILE.fullmatch(name) for name in manifest.files)
        or not all(_NETWORK.fullmatch(name) for name in names)
        or not all(isinstance(digest, str) for digest in digests)
        or not manifest.networks.keys() <= manifest.digests.keys()
        or not all(is_record(record) for record in manifest.history)
    ):
        raise ValueError("it is no manifest of a checkpoint")


def is_record(record: object) -> bool:
    """Whether something is a line of `metrics.jsonl`: an epoch's number and figures by name."""
    is_of_epoch = isinstance(record, dict) and type(record.get("epoch")) is int and record["epoch"] > 0
    return is_of_epoch and all(
        isinstance(value, float) or (isinstance(value, int) and abs(value) <= _LARGEST_WHOLE)
        for value in record.values()
    )


def damage(manifest: Manifest, folder: Path, run_folder: Path) -> str | None:
    """What is missing or damaged of a checkpoint, in words; None when it is whole.

    A network that is whole in either place, the checkpoint's or the run's own, will do.
    """
    config = run_folder / "config.json"
    if manifest.run not in (run_digest(config), file_digest(config)):
        return "it belongs to another run"
    for name, digest in manifest.files.items():
        if file_digest(folder / name) != digest:
            return f"{name} is missing or damaged"
    for name, kept in manifest.networks.items():
        if manifest.digests[name] not in (file_digest(folder / kept), file_digest(run_folder / name)):
            return f"{kept} is missing or damaged"
    return None


def renew_run(folder: Path, config: Path) -> None:
    """Makes the checkpoints of a run belong to it whatever its length, before its `config.json` changes.

    Args:
        folder: of the checkpoints.
        config: the run's `config.json`, as it was when they were written.

    Raises:
        OSError: when a manifest cannot be written.
    """
    for epoch in checkpoint_epochs(folder):
        try:
            manifest = read_manifest(folder, epoch)
        except ValueError:  # a damaged one is passed over when the run is restored
            continue
        if manifest and manifest.run == file_digest(config):
            write_manifest(folder, manifest._replace(run=run_digest(config)))


def run_digest(config: Path) -> str | None:
    """A digest of a `config.json` without what may change when a run goes on, see `LENGTHS`.

    Returns:
        A SHA-256; None when there is no such file, or it holds no settings.
    """
    try:
        content = json.loads(config.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    return _digest_of({name: value for name, value in content.items() if name not in LENGTHS})


def file_digest(path: Path) -> str | None:
    """SHA-256 of a file; None when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except OSError:
        return None
    return digest.hexdigest()


def _digest_of(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
