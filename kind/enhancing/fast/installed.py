"""Whether the engine is there; imports nothing heavy, so that the command line may ask."""

from __future__ import annotations

import importlib.util
import sys

from kind.enhancing.precision import cpu_flags
from kind.errors import UserError

_PYTHON = (3, 10)
_CPU_FLAGS = {"avx512_vnni", "avx_vnni"}


def check_engine() -> None:
    """Raises a UserError that says what is missing."""
    if sys.version_info < _PYTHON:
        raise UserError("--precision int8 needs Python 3.10 or 3.11: OpenVINO has no release for older ones")
    if importlib.util.find_spec("openvino") is None:
        raise UserError("--precision int8 needs openvino: install with pip install 'kind[fast]'")


def engine_is_there() -> bool:
    """Whether the engine is installed, and the processor has the instructions that make it the fastest.

    These multiply 8-bit numbers: AVX-512 VNNI or AVX-VNNI. Arm has others, with which nothing was measured.
    Only Linux tells.
    """
    try:
        check_engine()
    except UserError:
        return False
    return not _CPU_FLAGS.isdisjoint(cpu_flags())
