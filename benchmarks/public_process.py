"""The public graph in a process of its own.

The published code turns TensorFlow 2 off for the whole process that imports it, after which no Keras network
loads there. So the graph never shares a process with ours, whoever builds it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Mapping
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kind.errors import UserError
from kind.profiling.memory import resident

if TYPE_CHECKING:
    from benchmarks.public_networks import PublicGraph

_RUNS_FOR_PEAK = 2


class PublicProcess:
    """Runs the three networks as a TensorFlow 1 graph; a context manager that ends the process."""

    def __init__(self, weights: Mapping[str, np.ndarray], checkout: Path | None = None) -> None:
        """Starts the process and builds the graph in it.

        Args:
            weights: see `benchmarks.public_networks.published_weights`.
            checkout: see `benchmarks.public_checkout.networks_of_checkout`; None takes
                `benchmarks.public_networks.networks_built_here`.

        Raises:
            UserError: when the graph cannot be built.
        """
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other,), daemon=True)
        self._process.start()
        other.close()
        try:
            self._connection.send((dict(weights), checkout))
            #: What reports call the graph.
            self.description: str = self._answer()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> PublicProcess:
        """Itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Ends the process."""
        self.close()

    def close(self) -> None:
        """Ends the process."""
        self._process.terminate()
        self._process.join()
        self._connection.close()

    def run(self, network: str, *inputs: np.ndarray):
        """Runs one of `benchmarks.public_networks.CHANNELS`, from float32 [N, H, W, C] to such arrays."""
        return self._ask("run", network, *inputs)

    def seconds(self, network: str, height: int, width: int) -> float:
        """Runs a network on a random image, and returns the time in seconds; its inputs are not counted."""
        return self._ask("seconds", network, height, width)

    def peak(self, network: str, height: int, width: int) -> float:
        """Runs a network; returns the process's peak memory in MiB above that of the interpreter's start."""
        return self._ask("peak", network, height, width)

    def _ask(self, *request):
        self._connection.send(request)
        return self._answer()

    def _answer(self):
        try:
            answer = self._connection.recv()
        except EOFError:
            self._process.join()
            raise UserError(f"the public graph's process ended with code {self._process.exitcode}") from None
        if isinstance(answer, UserError):
            raise answer
        return answer


def _serve(connection: Connection) -> None:
    """Answers requests until the other side ends it; runs in the process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other side ends this one
    before = float("nan")
    with contextlib.suppress(UserError):  # not on Linux; whoever asks for the peak is told
        before = resident("VmRSS")
    with contextlib.redirect_stdout(open(os.devnull, "w")):  # the published code may print
        try:
            graph = _graph(*connection.recv())
            connection.send(graph.description)
            while True:
                connection.send(_answered(graph, before, *connection.recv()))
        except UserError as error:
            connection.send(error)
        except EOFError:
            pass


def _graph(weights: Mapping[str, np.ndarray], checkout: Path | None) -> PublicGraph:
    from benchmarks.public_checkout import networks_of_checkout
    from benchmarks.public_networks import PublicGraph, networks_built_here

    builders = networks_of_checkout(checkout) if checkout else networks_built_here(weights)
    return PublicGraph(builders, weights)


def _answered(graph: PublicGraph, before: float, request: str, network: str, *rest):
    from benchmarks.public_networks import CHANNELS
    from kind.profiling.calls import random_inputs, timed

    if request == "run":
        return graph.run(network, *rest)
    call = partial(graph.run, network, *random_inputs(*rest, *CHANNELS[network]))
    if request == "seconds":
        return timed(call)
    for _ in range(_RUNS_FOR_PEAK):
        call()
    return resident("VmHWM") - before
