"""OpenVINO as it is used here."""

from __future__ import annotations

import openvino

CORE = openvino.Core()
"""The only one of the process.

OpenVINO's plugin for CPUs gives the thread that makes it another stack for signals, and the one before when
it goes: where two plugins go in the order in which they came, the next signal finds memory that is gone, and
ends the process.
"""

SETTINGS = {
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_PRECISION_HINT": "f32",  # of what is not in 8 bits
    "ENABLE_CPU_PINNING": False,
}
"""What graphs are compiled with."""
