"""The supervisor of `digest run`, with real processes."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from digest.work.supervise import Child, supervise

STEADY = "import signal,sys,time\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit(0))\ntime.sleep(60)"


def python(code: str, name: str = "part") -> Child:
    return Child(name, [sys.executable, "-c", code])


def stop_when(condition: object, stop: threading.Event) -> threading.Thread:
    def wait() -> None:
        deadline = time.monotonic() + 20
        while not condition() and time.monotonic() < deadline:  # type: ignore[operator]
            time.sleep(0.02)
        stop.set()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    mark = tmp_path / "starts"
    said: list[str] = []
    stop = threading.Event()
    child = python(f"open({str(mark)!r}, 'a').write('x')\nraise SystemExit(1)", "work")
    child.pause = 0.05
    watcher = stop_when(lambda: mark.exists() and len(mark.read_text()) >= 2, stop)
    supervise([child], stop, said.append)
    watcher.join()
    assert len(mark.read_text()) >= 2
    assert any("work ended with exit code 1" in line for line in said)


def test_all_children_are_ended_together() -> None:
    stop = threading.Event()
    children = [python(STEADY, "work"), python(STEADY, "serve")]
    watcher = stop_when(lambda: all(c.process is not None for c in children), stop)
    supervise(children, stop, lambda _: None)
    watcher.join()
    assert all(c.process is not None and c.process.poll() is not None for c in children)


def test_a_wrong_configuration_is_not_tried_again() -> None:
    said: list[str] = []
    with pytest.raises(SystemExit) as ended:
        supervise(
            [python("raise SystemExit(2)", "work"), python(STEADY, "serve")], threading.Event(), said.append
        )
    assert ended.value.code == 2
    assert any("cannot go on" in line for line in said)
