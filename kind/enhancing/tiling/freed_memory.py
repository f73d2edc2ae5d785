"""How a process hands freed memory back to the system."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_LARGE = 4 * 2**20


def give_back_large_pieces() -> None:
    """Makes glibc return freed blocks of 4 MiB and more to the system at once.

    By default it keeps freed blocks of up to 32 MiB in a heap for each thread, and these heaps fragment: with
    every tile of a large image the process holds some more memory that nothing uses. Other C libraries are
    left as they are. The setting holds for the whole process, so only the command line may call this.
    """
    _call_glibc("mallopt", _M_MMAP_THRESHOLD, _LARGE)


def keep_small_pieces() -> None:
    """Makes glibc keep up to 4 MiB that are free at the end of a heap; others are left as they are.

    After `give_back_large_pieces` it keeps 128 KiB. What a message of a megabyte takes would go back to the
    system after each one, and be taken again page by page, which costs more than reading it.
    """
    _call_glibc("mallopt", _M_TRIM_THRESHOLD, _LARGE)


def give_back_small_pieces() -> None:
    """Makes glibc return what it has kept of freed memory, once; other C libraries are left as they are."""
    _call_glibc("malloc_trim", 0)


def _call_glibc(function: str, *arguments: int) -> None:
    """Calls a function of it, where there is one."""
    try:
        getattr(ctypes.CDLL(None), function)(*arguments)
    except (AttributeError, OSError, TypeError):  # no such function, or no such library
        return
