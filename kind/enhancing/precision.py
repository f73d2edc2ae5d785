"""In what precision networks compute, and which is the faster one here."""

from __future__ import annotations

from pathlib import Path

from kind.errors import UserError

INT8 = "int8"
"""Where the relit image alone is wanted, see `kind.enhancing.fast`: no TensorFlow network computes in it."""

ONLY_RELIT = "computes the relit image alone, for kind enhance, export and profile, and from Python"

PRECISIONS = ("auto", "float32", "bfloat16", INT8)

WITHOUT_INT8 = "{auto,float32,bfloat16}"
"""What `--help` shows where int8 is refused."""

_CPU_FLAGS = {"avx512_bf16", "amx_bf16"}
_CPU_INFO = Path("/proc/cpuinfo")


def chosen_precision(precision: str) -> str:
    """What "auto" stands for on this machine; the other precisions stand for themselves.

    Args:
        precision: one of `PRECISIONS`.

    Returns:
        "float32" or "bfloat16".

    Raises:
        ValueError: on another precision.
        UserError: on int8, which TensorFlow's networks do not have.
    """
    if precision == INT8:
        raise UserError(f"int8 {ONLY_RELIT}: take float32 or bfloat16")
    if precision not in PRECISIONS:
        others = ", ".join(name for name in PRECISIONS if name != INT8)
        raise ValueError(f"precision expects one of {others}; received {precision!r}")
    if precision == "auto":
        return "bfloat16" if cpu_has_bfloat16() else "float32"
    return precision


def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 numbers: AVX-512 BF16 or AMX. Only Linux tells."""
    return not _CPU_FLAGS.isdisjoint(cpu_flags())


def cpu_flags() -> list[str]:
    """The instructions that Linux says the processor has; none elsewhere."""
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return next((line for line in lines if line.startswith("flags")), "").split()
