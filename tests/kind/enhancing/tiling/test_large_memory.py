import ctypes

import pytest

from kind.enhancing.tiling.large_memory import give_back_large_pieces


class Library:
    """A C library without the function."""


@pytest.mark.parametrize("problem", [OSError, TypeError, None])
def test_other_systems_are_left_as_they_are(monkeypatch, problem):
    def load(name):
        if problem:
            raise problem("no such library")
        return Library()

    monkeypatch.setattr(ctypes, "CDLL", load)
    give_back_large_pieces()


def test_glibc_is_told(monkeypatch):
    told = []
    library = Library()
    library.mallopt = lambda *setting: told.append(setting)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    give_back_large_pieces()
    assert told == [(-3, 4 * 2**20)]
