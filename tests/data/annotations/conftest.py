"""Photographs to annotate."""

import numpy as np
import pytest

from kind.images.photo import write_photo


@pytest.fixture
def photo():
    """(path, width, height) → writes a gray photograph."""

    def write(path, width=100, height=80):
        write_photo(path, np.full((height, width, 3), 0.5))
        return path

    return write
