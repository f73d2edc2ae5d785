"""What long work shows on stderr."""

import sys

import pytest

from kind.reports import progress as module
from kind.reports.progress import Progress


def lines(capsys):
    return capsys.readouterr().err.splitlines()


def test_without_a_terminal_there_is_one_last_line(capsys):
    with Progress("images") as progress:
        for done in range(1, 13):
            progress(done, 12)
    (line,) = lines(capsys)
    assert line.startswith("12 of 12 images, ") and line.endswith("left") and "images/s" in line


def test_the_work_may_be_named(capsys):
    with Progress("pairs", "decoding images") as progress:
        progress(20, 20)
    (line,) = lines(capsys)
    assert line.startswith("decoding images 20 of 20 pairs, ")


def test_lines_come_from_time_to_time(capsys, monkeypatch):
    monkeypatch.setattr(module, "_EVERY", 1e-9)
    with Progress("pairs") as progress:
        for done in range(1, 4):
            progress(done, 3)
    assert [line.split(",")[0] for line in lines(capsys)] == ["1 of 3 pairs", "2 of 3 pairs", "3 of 3 pairs"]


def test_what_was_kept_is_said_and_does_not_count_as_speed(capsys):
    with Progress("images") as progress:
        progress(1, 4, 1)
        progress(4, 4, 4)
    (line,) = lines(capsys)
    assert line.startswith("4 of 4 images, 4 kept from before, ")


def test_an_interruption_ends_the_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with pytest.raises(KeyboardInterrupt), Progress("images") as progress:
        progress._bar.start_t -= 1  # as if a second had passed
        progress(1, 2)
        raise KeyboardInterrupt
    text = capsys.readouterr().err
    assert "50%|" in text and "1 of 2 images" in text and text.endswith("\n")
