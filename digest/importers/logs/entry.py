"""One line of an access log, whatever format it was written in."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One request. A tuple, because a log has millions of them.

    `at` are Unix seconds. `target` is what was asked for: a path with its query, or an absolute address.
    `agent` is None where this log names no agents at all, and "" where this request had none. `host`,
    `content_type` and `purpose` (of Purpose, Sec-Purpose or X-Moz) are "" where the log does not have them.
    """

    at: int
    address: str
    method: str
    target: str
    status: int
    agent: str | None = ""
    referrer: str = ""
    host: str = ""
    content_type: str = ""
    purpose: str = ""


def shown(text: str) -> str:
    """A field as it was sent: logs write "-" for one that is empty."""
    return "" if text == "-" else text
