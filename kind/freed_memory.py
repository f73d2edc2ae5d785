"""What the C library does with memory that is no longer used."""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
_LARGE = 4 * 2**20


def give_back_large_pieces() -> None:
    """Makes glibc give pieces of 4 MiB and more back to the system as soon as they are freed.

    By itself it keeps pieces of up to 32 MiB for later, in a heap for each thread, and these heaps get
    fragmented: with every tile of a large image some more memory is held that nobody uses. Other C libraries
    are left as they are.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE)
    except (AttributeError, OSError, TypeError):  # no such function, or no such library
        return
