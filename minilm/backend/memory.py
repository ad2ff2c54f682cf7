"""What the C library does with memory that NumPy gives back.

A training step makes and drops the same few hundred arrays again and again. glibc returns an array of more than 128 kB
to the kernel as soon as it is dropped, and the next one comes as fresh pages, each of which the kernel must find and
fill with zeros when it is first touched (4 kB, about half a microsecond). In a small GPT's step that is 9,000 pages, a quarter
of the time. Keeping the memory in the process makes it none.
"""

from __future__ import annotations

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # <malloc.h>
LARGEST_KEPT = 32 << 20  # bytes: the highest threshold that glibc takes; what is larger goes back to the kernel
KEPT_IN_ALL = 1 << 30  # bytes: free memory above this goes back


def keep_freed_memory() -> bool:
    """Asks glibc's malloc to keep arrays of up to 32 MB that were dropped for the arrays that come next (mallopt(3)).

    It holds for the whole process, NumPy's own arrays too, and costs at most 1 GB that other processes could have had.
    The environment variable ``MINILM_KEEP_MEMORY=0`` leaves malloc as it is. Other C libraries are left alone.

    Returns:
        Whether it was done.
    """
    if os.environ.get("MINILM_KEEP_MEMORY", "1") == "0":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl and macOS have no mallopt; Windows no CDLL(None)
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT_IN_ALL))
