"""The event loop that mail leaves on: uvloop's where it is installed (the extra "speed"), else asyncio's.

uvloop takes half the CPU for the same bytes. Nothing else depends on which it is.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib.util
import platform
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h of glibc


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs `main` to its end, as `asyncio.run` does.

    What is there before it begins is kept out of the garbage collector's sight: looking through the modules
    of the program again and again took a tenth of the time of sending. And memory is kept for a while.
    """
    gc.freeze()
    _keep_memory()
    try:
        return _run(main)
    finally:
        gc.unfreeze()


def _keep_memory() -> None:
    """Tells glibc not to give each copy's memory back to the system and ask for it anew with the next one.

    Every page of it would be made and zeroed by the kernel again: a fifth of the CPU of sending. Elsewhere
    nothing is done.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    for option, value in ((_TRIM_THRESHOLD, 64 << 20), (_TOP_PAD, 4 << 20), (_MMAP_THRESHOLD, 1 << 20)):
        mallopt(option, value)


def _run(main: Coroutine[Any, Any, T]) -> T:
    if importlib.util.find_spec("uvloop") is None:
        return asyncio.run(main)
    import uvloop  # noqa: PLC0415 - not everywhere

    return uvloop.run(main)
