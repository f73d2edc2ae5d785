"""Answers the calls of `kind.serving.server.version_process`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from kind.enhancing.tiling.freed_memory import give_back_large_pieces
from kind.serving.server.errors import ServingError, serving_error_of
from kind.serving.server.processes import answer_calls
from kind.serving.server.trimming import trim_in_background
from kind.serving.wire import Arrays

_MOVED = 64 << 20  # bytes after which freed memory is given back


class _Worker:
    """Holds the version, once it is loaded, and its folder."""

    folder: Path | None = None

    def answer(self, header: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
        """Loads the version, warms it up, runs a signature, or stops a run; raises ServingError."""
        try:
            return self._answer(header, arrays)
        except ServingError:
            raise
        except Exception as error:  # whose message may name the folder
            raise serving_error_of(error, self.folder) from error

    def _answer(self, header: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
        if header["do"] == "run":
            return {}, self.model.run(header["signature"], arrays, header["seconds"], header["call"])
        if header["do"] == "stop":
            self.model.stop(header["run"])
            return {}, {}
        if header["do"] == "warm up":
            return {"count": self.model.warm_up()}, {}
        self.folder = Path(header["folder"])
        return self._load(self.folder, header["trust"])

    def _load(self, folder: Path, trust: bool) -> tuple[dict[str, Any], Arrays]:
        import numpy as np

        from kind.serving.worker.loading import LoadedModel  # takes seconds: TensorFlow

        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # not that this way of loading is an old one
        self.model = LoadedModel(folder, trust)
        definitions = self.model.definitions.items()
        return {}, {name: np.array([each.SerializeToString()], object) for name, each in definitions}


def main() -> None:
    """The process's life."""
    give_back_large_pieces()  # as the command line does
    trim_in_background(_MOVED)
    answer_calls(_Worker().answer)
