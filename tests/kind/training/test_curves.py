import numpy as np

from kind.images.photo import read_photo
from kind.training.curves import draw_curves
from kind.training.duration import duration


def test_every_term_has_a_plot(tmp_path):
    """More terms, more rows of plots; the ink follows the values."""
    records = [{"epoch": epoch, "loss": 1 / epoch, "val_loss": 2 / epoch} for epoch in range(1, 6)]
    draw_curves(records, tmp_path / "one.png")
    draw_curves([{**r, **{f"term_{n}": n for n in range(5)}} for r in records], tmp_path / "six.png")
    one, six = (read_photo(tmp_path / name).pixels for name in ("one.png", "six.png"))
    assert six.shape[0] == 2 * one.shape[0] and six.shape[1] == one.shape[1]
    quarter = one.shape[1] // 4
    assert np.any(one[:, :quarter] < 0.5) and np.all(one[:, 2 * quarter :] == 1)


def test_curves_change_with_the_values_and_hold_one_or_no_epoch(tmp_path):
    pictures = []
    for records in ([], [{"epoch": 1, "loss": 1.0}], [{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": 3.0}]):
        draw_curves(records, tmp_path / "curves.png")
        pictures.append((tmp_path / "curves.png").read_bytes())
    assert len(set(pictures)) == 3


def test_durations():
    seconds = (0.4, 12, 60, 185, 3599.6, 3720, 360000)
    expected = ["0s", "12s", "1m00s", "3m05s", "1h00m", "1h02m", "100h00m"]
    assert [duration(value) for value in seconds] == expected
