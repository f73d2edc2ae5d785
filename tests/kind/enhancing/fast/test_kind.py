import shutil

import numpy as np
import pytest

from kind.errors import UserError
from kind.nn.forms import SHIPPED_WEIGHTS

pytest.importorskip("openvino", reason="the extra fast is not installed")

from kind.enhancing.fast.frames import FastFrames
from kind.enhancing.fast.kind import FastKind
from kind.enhancing.fast.kind_networks import ROUNDED


def test_networks_without_an_exposure_head_are_refused(tmp_path):
    for stage in ("decom", "restoration", "illumination"):
        shutil.copy(SHIPPED_WEIGHTS / f"{stage}.keras", tmp_path)
    with pytest.raises(UserError, match="decom.keras: int8 needs an exposure head"):
        FastKind.from_files(tmp_path)


def test_what_is_rounded_is_found_in_the_graph():
    _, nodes = FastKind.from_files().observed(32, 32)
    assert set(nodes) == {f"{network}/{layer}" for network, layers in ROUNDED.items() for layer in layers}


COLOURS = (7, (9, 20, 33))


@pytest.mark.parametrize("colour", COLOURS)
def test_an_image_of_one_colour_stays_as_it_is(colour):
    fast = FastKind.from_files()
    image = np.full((40, 50, 3), colour, np.uint8)
    np.testing.assert_array_equal(fast(image, 8.0, levels=True).relit, image)
    np.testing.assert_allclose(fast(image / np.float32(255), 8.0).relit, image / 255, atol=1e-6)


@pytest.mark.parametrize("colour", COLOURS)
def test_for_an_image_of_one_colour_alpha_is_1(colour):
    fast = FastKind.from_files()
    plain, other = np.full((40, 50, 3), colour, np.uint8), np.full((40, 50, 3), colour, np.uint8)
    other[:20, :, 0] += 10
    assert fast.suggested_alpha(plain) == 1.0
    assert fast.suggested_alpha(plain / np.float32(255)) == 1.0
    assert fast(plain).alpha == 1.0 and fast(plain, 3.0).alpha == 3.0
    expected = np.float32(2.0 ** fast.judged(other).stops)
    assert expected > 1.0
    np.testing.assert_array_equal(fast(np.stack([plain, other]), [np.nan, np.nan]).alpha, [1.0, expected])
    frames = FastFrames(fast)
    assert frames(plain, frames.statistics(plain))[1] == 1.0
