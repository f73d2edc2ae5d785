"""`enhance --brightness`: the written file has the mean luma that was asked for."""

import numpy as np
import pytest
from PIL import Image

from kind.cli.main import main
from kind.constants import BT601
from kind.images.photo import read_photo


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    """A dark gradient with some noise, 40×56."""
    rows, columns = np.mgrid[0:40, 0:56] / 56
    noise = np.random.default_rng(0).random((40, 56, 3))
    levels = 15 + 40 * np.stack([rows, columns, (rows + columns) / 2], axis=-1) + 5 * noise
    path = tmp_path_factory.mktemp("dark") / "night.png"
    Image.fromarray(levels.astype(np.uint8)).save(path)
    return path


@pytest.mark.parametrize(
    "blend", [[], ["--strength", "0.7"], ["--fusion", "published"]], ids=["plain", "blended", "fused"]
)
@pytest.mark.parametrize("variant", ["lite", "kind"])
def test_the_file_has_the_brightness(variant, blend, photograph, tmp_path):
    target = tmp_path / "lit.png"
    words = ["enhance", str(photograph), "--brightness", "0.45", "--variant", variant, "--out", str(target)]
    assert main([*words, "--precision", "float32", *blend]) == 0
    luma = np.mean(read_photo(target).pixels @ np.array(BT601))
    assert luma == pytest.approx(0.45, abs=0.01)
