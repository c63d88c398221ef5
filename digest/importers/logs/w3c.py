"""Logs in the W3C extended format: Amazon CloudFront (tabs, agents in URL encoding) and IIS (spaces).

A line ``#Fields:`` names the columns (W3C WD-logfile-960323); times are UTC. CloudFront encodes agents once
or twice ("%2520"), IIS writes a plus for a space.
"""

from __future__ import annotations

from urllib.parse import unquote

from digest.importers.logs.entry import Entry, shown
from digest.importers.logs.moments import utc

_NEEDED = ("date", "time", "c-ip", "cs-method", "cs-uri-stem", "sc-status")
_MOST, _LONG = 10_000, 1_000
"""Agents remembered, and characters of one: decoding takes longer than a look-up."""


class W3c:
    """Reads lines by the columns that the last ``#Fields:`` named."""

    def __init__(self) -> None:
        self._columns: dict[str, int] = {}
        self._agents: dict[str, str] = {}

    def __call__(self, text: str) -> Entry | None:
        """An entry; None for a line that begins with ``#``. Raises ValueError saying what is wrong."""
        if text[:1] == "#":
            if text[:8].lower() == "#fields:":
                names = text[8:].split()
                missing = [name for name in _NEEDED if name not in names]
                if missing:
                    raise ValueError(f"#Fields names no {', '.join(missing)}")
                self._columns = {name: index for index, name in enumerate(names)}
            return None
        columns = self._columns
        if not columns:
            raise ValueError("no #Fields stands before it")
        cells = text.split("\t") if "\t" in text else text.split(" ")
        if len(cells) != len(columns):
            raise ValueError(f"{len(cells)} fields instead of {len(columns)}")
        query = self._cell(cells, "cs-uri-query")
        status = cells[columns["sc-status"]]
        if not (status.isascii() and status.isdigit()):
            raise ValueError("its status is no number")
        target = cells[columns["cs-uri-stem"]]
        address = self._cell(cells, "x-forwarded-for").partition(",")[0] or cells[columns["c-ip"]]
        return Entry(
            utc(cells[columns["date"]], cells[columns["time"]]),
            address,
            cells[columns["cs-method"]],
            f"{target}?{query}" if query else target,
            int(status),
            self._agent(cells) if "cs(User-Agent)" in columns else None,
            self._cell(cells, "cs(Referer)"),
            self._cell(cells, "x-host-header") or self._cell(cells, "cs-host"),
            unquote(self._cell(cells, "sc-content-type")),
        )

    def _cell(self, cells: list[str], name: str) -> str:
        index = self._columns.get(name)
        return "" if index is None else shown(cells[index])

    def _agent(self, cells: list[str]) -> str:
        raw = self._cell(cells, "cs(User-Agent)")
        agent = self._agents.get(raw)
        if agent is None:
            agent = unquote(raw)
            if "%20" in agent:
                agent = unquote(agent)
            if " " not in agent:
                agent = agent.replace("+", " ")
            if len(self._agents) >= _MOST:
                self._agents.clear()
            if len(raw) <= _LONG:
                self._agents[raw] = agent
        return agent
