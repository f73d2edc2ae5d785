"""Pictures side by side."""

import numpy as np

from kind.images.contact_sheet import contact_sheet


def test_pictures_stand_in_their_columns_below_the_titles():
    red, grey = np.zeros((30, 40, 3)), np.full((30, 40, 1), 0.5)
    red[..., 0] = 1
    sheet = contact_sheet([[red, grey], [grey, red]], ["first", "second"])
    assert sheet.dtype == np.float32 and sheet.min() >= 0 and sheet.max() <= 1
    is_red = (sheet == [1, 0, 0]).all(axis=-1)
    assert is_red.sum() == 2 * 30 * 40
    middle = sheet.shape[1] // 2
    top = is_red[: sheet.shape[0] // 2 + 10]
    assert top[:, :middle].sum() == 30 * 40 and top[:, middle:].sum() == 0
    assert (sheet[:26] < 0.5).any(), "no titles"


def test_large_pictures_are_shrunk_and_keep_their_proportions():
    sheet = contact_sheet([[np.zeros((100, 400, 3))]], ["x"], longest_side=200)
    rows, columns = np.where((sheet == 0).all(axis=-1))
    assert columns.max() - columns.min() + 1 == 200
    assert rows.max() - rows.min() + 1 == 50
