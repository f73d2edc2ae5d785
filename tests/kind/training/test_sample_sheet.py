"""The pictures of `samples/`."""

import numpy as np

from kind.images.contact_sheet import contact_sheet
from kind.training.callbacks import PHOTOGRAPH, sample_sheet


def test_columns_have_captions_and_the_dark_input_is_first():
    dark, grey = np.full((1, 40, 60, 3), 0.05, np.float32), np.full((1, 40, 60, 1), 0.5, np.float32)
    broken = np.where(grey > 0, np.nan, grey)
    with_photograph = sample_sheet([{PHOTOGRAPH: dark}] * 2, [[grey, broken]] * 2, ("reflectance", "target"))
    rows = [[dark[0], grey[0], np.zeros_like(grey[0])]] * 2
    np.testing.assert_array_equal(
        with_photograph, contact_sheet(rows, ["dark input", "reflectance", "target"])
    )
    without = sample_sheet([{}], [[grey, broken]], ("reflectance",))  # one has no name
    np.testing.assert_array_equal(without, contact_sheet([rows[0][1:]], ["reflectance", ""]))
