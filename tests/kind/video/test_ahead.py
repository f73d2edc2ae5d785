"""Iterating in a thread gives the same, ends where it is left, and hands errors on."""

import pytest

from kind.video.ahead import ahead


def test_items_come_in_order():
    assert list(ahead(range(50), 3)) == list(range(50)) and list(ahead([], 1)) == []


def test_an_error_comes_after_what_was_before_it():
    def failing():
        yield 1
        raise KeyError("here")

    items = ahead(failing(), 2)
    assert next(items) == 1
    with pytest.raises(KeyError, match="here"):
        next(items)


def test_leaving_closes_the_source():
    closed = []

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    items = ahead(endless(), 1)
    next(items)
    items.close()
    assert closed == [True]
