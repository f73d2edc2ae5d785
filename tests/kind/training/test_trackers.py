"""Experiment trackers, on stand-ins for the packages."""

import sys
from types import SimpleNamespace

import pytest

from kind.errors import UserError
from kind.training.trackers import TRACKERS, make_trackers


class Recorder:
    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        def called(*values, **named):
            self.calls.append((name, *values, named))
            return SimpleNamespace(log=self.log, finish=self.finish)

        return called


@pytest.mark.parametrize("name, begin, send, end", [
    ("wandb", "init", "log", "finish"), ("mlflow", "start_run", "log_metrics", "end_run"),
])  # fmt: skip
def test_every_epoch_is_sent(monkeypatch, name, begin, send, end):
    library = Recorder()
    monkeypatch.setitem(sys.modules, name, library)
    (tracker,) = make_trackers([name, name], "decom", {"epochs": 2})
    tracker.on_train_begin()
    tracker.on_epoch_end(0, {"loss": 0.5})
    tracker.on_train_end()
    called = [call[0] for call in library.calls]
    assert begin in called and called[-1] == end
    assert (send, {"loss": 0.5}, {"step": 1}) in library.calls
    assert "decom" in str(library.calls) and "epochs" in str(library.calls)


def test_names_are_those_that_mlflow_takes(monkeypatch):
    library = Recorder()
    monkeypatch.setitem(sys.modules, "mlflow", library)
    (tracker,) = make_trackers(["mlflow"], "lite", {})
    tracker.on_epoch_end(0, {"val_psnr_photographs_-4_stops,_noise": 20.0})
    assert ("log_metrics", {"val_psnr_photographs_-4_stops__noise": 20.0}, {"step": 1}) in library.calls


@pytest.mark.parametrize("name", TRACKERS)
def test_a_package_that_is_not_installed_is_named(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=f"--callback {name} needs the package {name}: pip install {name}"):
        make_trackers([name], "decom", {})
