"""Freed memory goes back after it has moved, and not otherwise; without a process that holds any."""

import itertools

import pytest

from kind.serving.server import trimming

MIB = 1 << 20


class Enough(Exception):
    """Ends the thread's loop."""


def trims(monkeypatch, sizes):
    """The seconds at which memory is given back, of a process whose size each look finds next."""
    given, now = [], itertools.count()
    sizes, state = iter(sizes), {}

    def sleep(seconds):
        state["now"], state["size"] = next(now), next(sizes, None)
        if state["size"] is None:
            raise Enough

    def resident(_):
        return state["size"] * MIB

    state["size"] = next(sizes)
    monkeypatch.setattr(trimming, "resident", resident)
    monkeypatch.setattr(trimming.time, "sleep", sleep)
    monkeypatch.setattr(trimming.time, "monotonic", lambda: state["now"])
    monkeypatch.setattr(trimming, "give_back_small_pieces", lambda: given.append(state["now"]))
    with pytest.raises(Enough):
        trimming._trim(8 * MIB)
    return given


def test_what_moves_little_is_left(monkeypatch):
    assert trims(monkeypatch, [100, 104, 99, 107, 100] * 20) == []


def test_a_peak_is_left_and_what_stays_is_given_back_again_and_again(monkeypatch):
    assert trims(monkeypatch, [100, 100, 300, 100, 100, 300, 100]) == []
    given = trims(monkeypatch, [100] + [300] * 200)
    assert [b - a for a, b in zip(given, given[1:])] == [1, 2, 4, 8, 16]


def test_what_falls_is_given_back_at_once_however_long_it_was_held(monkeypatch):
    given = trims(monkeypatch, [100] + [300] * 99 + [200] * 10)
    assert any(100 <= at <= 103 for at in given)
