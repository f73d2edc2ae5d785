"""Results at a fraction of the size, carried to full size."""

import numpy as np
import pytest

from kind.enhancing.enhancer import Enhancer
from kind.enhancing.small_results import relit_from_small
from kind.enhancing.variants import shipped_variants


@pytest.mark.parametrize("variant", shipped_variants())
def test_of_a_smooth_image_the_small_result_is_nearly_the_full_one(variant):
    rows, columns = np.mgrid[0:50, 0:67].astype(np.float32) / 67  # no multiples of 4
    image = np.stack([rows, columns, (rows + columns) / 2], axis=-1) * 0.2 + 0.05
    enhancer = Enhancer.from_preset(variant)
    relit = relit_from_small(enhancer, image, factor=4, alpha=3.0)
    assert relit.shape == image.shape and relit.dtype == np.float32
    assert relit.min() >= 0 and relit.max() <= 1
    expected = np.clip(enhancer(image, alpha=3.0, parts=("relit",)).relit, 0, 1)
    assert np.abs(relit - expected).mean() < 0.04
    with pytest.raises(ValueError, match="factor expects 1 or more; received 0"):
        relit_from_small(enhancer, image, factor=0)
