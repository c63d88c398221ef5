"""Runs the benchmarks: ``python -m benchmarks [NAME ...]``, all of them without a name.

A benchmark is a module of this package with a ``run()`` that prints what it measured, under one line that
says what that was; where something it needs is missing it prints what, and returns. Adding one is adding the
module.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def names() -> list[str]:
    """Every module of this package but this one, in alphabetical order."""
    found = (module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    return sorted(name for name in found if not name.startswith("_"))


def main(arguments: list[str]) -> int:
    known = names()
    unknown = [name for name in arguments if name not in known]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    for name in arguments or known:
        print(f"--- {name} ---", flush=True)
        importlib.import_module(f"benchmarks.{name}").run()
        print(flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
