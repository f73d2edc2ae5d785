import ctypes

import numpy as np
import pytest

import kind
from kind.cli.main import main
from kind.enhancing.enhancer import Enhancer
from kind.enhancing.tiling.freed_memory import (
    give_back_large_pieces,
    give_back_small_pieces,
    keep_small_pieces,
)
from kind.enhancing.tiling.plan import Windows


class Library:
    """A C library without the function."""


@pytest.mark.parametrize("tell", [give_back_large_pieces, give_back_small_pieces, keep_small_pieces])
@pytest.mark.parametrize("problem", [OSError, TypeError, None])
def test_other_systems_are_left_as_they_are(monkeypatch, problem, tell):
    def load(name):
        if problem:
            raise problem("no such library")
        return Library()

    monkeypatch.setattr(ctypes, "CDLL", load)
    tell()


def test_glibc_is_told(monkeypatch):
    told = []
    library = Library()
    library.mallopt = lambda *setting: told.append(setting)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    give_back_large_pieces()
    keep_small_pieces()
    assert told == [(-3, 4 * 2**20), (-1, 4 * 2**20)]


def test_the_command_line_sets_it_and_a_library_call_does_not(untrained_weights, monkeypatch, capsys):
    told = []
    library = Library()
    library.mallopt = lambda *setting: told.append(setting)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    enhancer = Enhancer.load(untrained_weights, variant="kind")
    monkeypatch.setattr(Windows, "holds_whole", lambda *_: False)  # the path of large images
    enhancer(np.full((24, 32, 3), 0.1, np.float32))
    assert told == []
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert told == [(-3, 4 * 2**20)]
    assert capsys.readouterr().out == f"kind {kind.__version__}\n"
