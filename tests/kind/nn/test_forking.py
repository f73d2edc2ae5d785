"""A forked worker of a process that has used networks is told so at once, instead of waiting for ever."""

import os

import numpy as np
import pytest

from kind import Enhancer
from kind.detection.predictor import Predictor
from kind.errors import UserError
from kind.nn import forking
from kind.nn.saving import SHIPPED_WEIGHTS, load_net

IMAGE = np.zeros((8, 8, 3), np.float32)
DECOM = SHIPPED_WEIGHTS / "decom.keras"


def test_networks_are_neither_used_nor_loaded_in_a_child(monkeypatch):
    enhancer, predictor = Enhancer.load(), Predictor(lambda images: images)
    monkeypatch.setattr(forking, "_used_in", os.getpid() + 1)
    for use in (lambda: enhancer(IMAGE), lambda: predictor(IMAGE), Enhancer.load, lambda: load_net(DECOM)):
        with pytest.raises(UserError, match="forked .*get_context\\('spawn'\\)"):
            use()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_real_fork():
    forking.refuse_forked()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            forking.refuse_forked()
        except UserError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        assert "spawn" in told.read()
    os.waitpid(child, 0)


def test_a_process_that_has_not_used_any_may_fork(monkeypatch):
    monkeypatch.setattr(forking, "_used_in", None)
    forking.refuse_forked()
    forking.refuse_forked()
