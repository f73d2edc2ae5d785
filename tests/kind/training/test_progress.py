"""The line that an epoch prints."""

from kind.training.progress import WIDTH, progress_line


def test_a_line_shows_the_total_what_validation_found_and_what_changed():
    before = {"loss": "0.5", "edges": "0.1", "colour": "0.4"}
    now = {"loss": "0.5", "edges": "0.2", "colour": "0.4", "val_l1": "0.1", "val_psnr": "21.3"}
    line = progress_line("epoch 3/9", now, before, "  8.0 images/s  3m05s left", "val_psnr")
    assert line == "epoch 3/9  loss 0.5  val_psnr 21.3  val_l1 0.1  edges 0.2  8.0 images/s  3m05s left"


def test_a_line_is_never_wider_than_its_columns():
    values = {"loss": "0.1234", **{f"a_rather_long_term_{number}": f"{number}" for number in range(30)}}
    line = progress_line("epoch 100/2000", values, {}, "  123.4 images/s  12h34m left")
    assert len(line) <= WIDTH and line.startswith("epoch 100/2000  loss 0.1234  a_rather")
    assert line.endswith("12h34m left")
