"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the golden files and photographs, which are not part of the repository."""
    folder = Path(os.environ.get("KIND_REFERENCE", _REPOSITORY.parent / "shared")).expanduser().resolve()
    if not (folder / "reference").is_dir():
        pytest.skip(f"no reference data: expected the folder `reference` in {folder} (set KIND_REFERENCE)")
    return folder
