"""Who this process is, in leases and rows, and whether another one has certainly ended.

An identity is ``HOST:PID:START-RANDOM``. Process ids come again, so the moment at which the process started
goes with it; HOST tells apart containers that share a host name.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from pathlib import Path


def identity() -> str:
    """A name for this process that no other one has, for its lifetime."""
    pid = os.getpid()
    return f"{_host()}:{pid}:{_started(pid)}-{secrets.token_hex(4)}"


def gone(owner: str) -> bool:
    """Whether the process of that name has certainly ended. False for one of another machine: it cannot be
    known from here, and its lease has to run out."""
    host, _, rest = owner.rpartition(":")[0].rpartition(":")
    if host != _host() or not rest.isdigit():
        return False
    pid = int(rest)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # it is there and belongs to somebody else
    started = owner.rpartition(":")[2].partition("-")[0]
    return started != _started(pid) or _is_zombie(pid)


def _host() -> str:
    """The host name, and a mark of this boot and this process namespace where the system has them."""
    marks = []
    try:
        marks.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        marks.append(str(Path("/proc/self/ns/pid").readlink()))
    except OSError:
        pass
    mark = hashlib.sha256("".join(marks).encode()).hexdigest()[:6] if marks else ""
    return f"{socket.gethostname()}-{mark}"


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name, from the state on; empty where there are none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _started(pid: int) -> str:
    """Clock ticks from the boot to the start of the process (field 22 of proc(5) stat); "" if unknown."""
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else ""


def _is_zombie(pid: int) -> bool:
    return _stat(pid)[:1] == ["Z"]
