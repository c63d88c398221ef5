"""Logs with one JSON object a line: nginx and Apache by the usual names of the keys, Caddy, Traefik.

Nobody has agreed on names. Keys are compared without case and punctuation, so that ``remote_addr``,
``remoteAddr`` and ``request_User-Agent`` are found; objects inside are looked into (Caddy's ``request``).
"""

from __future__ import annotations

import json
import re
from typing import Any

from digest.importers.logs.combined import asked
from digest.importers.logs.entry import Entry, shown
from digest.importers.logs.moments import any_form

# Field -> names, the more telling first: behind a proxy `client_ip` is the reader, `remote_ip` the proxy.
_NAMES = {
    "address": "client_ip clientip client_addr request.client_ip x_forwarded_for http_x_forwarded_for"
    " forwarded_for realip real_ip remote_addr request.remote_ip remote_ip remote_host remotehost remote"
    " client clienthost ip source.ip source.address host_ip request.remote_addr",
    "at": "time_iso8601 iso8601 time_local @timestamp timestamp time ts msec date datetime start_utc"
    " request_time_iso",
    "request": "request request_line requestline http_request",
    "method": "request_method method request.method http.request.method verb http_method requestmethod",
    "target": "request_uri request.uri uri request_target url path url.original url.path requestpath"
    " request_path http.request.url",
    "query": "query url.query query_string args request_query",
    "status": "status status_code response_status response_code response http.response.status_code"
    " downstreamstatus originstatus code http_status",
    "agent": "http_user_agent user_agent useragent agent request.headers.user-agent user_agent.original"
    " request_user-agent headers.user-agent ua http.user_agent",
    "referrer": "http_referer http_referrer referer referrer request.headers.referer"
    " http.request.referrer request_referer headers.referer",
    "host": "http_host host request.host vhost virtual_host server_name servername requesthost"
    " request_host url.domain",
    "content_type": "sent_http_content_type resp_headers.content-type content_type"
    " http.response.mime_type response_content_type downstream_content-type",
    "purpose": "http_sec_purpose sec_purpose http_purpose purpose http_x_moz http_x_purpose"
    " request.headers.sec-purpose request.headers.purpose request.headers.x-moz"
    " request.headers.x-purpose",
}
_PLAIN = re.compile(r"[^a-z0-9.]")


def _normal(key: str) -> str:
    return _PLAIN.sub("", key.lower())


_FIELD_OF = {
    _normal(name): (field, place)
    for field, names in _NAMES.items()
    for place, name in enumerate(names.split())
}
_INSIDE = ("request", "headers", "respheaders", "http", "httprequest", "httpresponse", "response", "source",
           "url", "useragent", "requestheaders")  # fmt: skip


class JsonLines:
    """Reads lines by what the keys of this log turned out to mean."""

    def __init__(self) -> None:
        self._paths: dict[tuple[str, str], tuple[str, tuple[str, int] | None]] = {}

    def __call__(self, text: str) -> Entry:
        """An entry. Raises ValueError saying what is wrong with the line."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("it is no JSON") from None
        if not isinstance(document, dict):
            raise ValueError("it is no JSON object")  # noqa: TRY004 - what a line can be refused with
        found: dict[str, tuple[int, Any]] = {}
        self._collect(document, "", found)
        cells = {field: value for field, (_, value) in found.items()}
        missing = [name for name in ("address", "at", "status") if name not in cells]
        if missing or not ({"request", "target"} & cells.keys()):
            raise ValueError("no key of it is known as " + ", ".join(missing or ["request"]))
        method, target = _method_and_target(cells)
        status = _text(cells["status"])
        if not (status.isascii() and status.isdigit()):
            raise ValueError("its status is no number")
        agent: str | None = shown(_text(cells["agent"])) if "agent" in cells else None
        if agent is None and "request.headers" in cells:
            agent = ""  # Caddy writes the headers that there were: one without an agent had none
        return Entry(
            any_form(cells["at"]),
            _text(cells["address"]).partition(",")[0].strip(),
            method,
            target,
            int(status[:6]),
            agent,
            shown(_text(cells.get("referrer", ""))),
            shown(_text(cells.get("host", ""))),
            shown(_text(cells.get("content_type", ""))),
            shown(_text(cells.get("purpose", ""))),
        )

    def _collect(self, document: dict[str, Any], within: str, found: dict[str, tuple[int, Any]]) -> None:
        for key, value in document.items():
            known = self._paths.get((within, key))
            if known is None:
                path = f"{within}.{_normal(key)}" if within else _normal(key)
                known = (path, _FIELD_OF.get(path))
                if len(self._paths) < 1000:
                    self._paths[within, key] = known
            path, field = known
            if isinstance(value, dict):
                if path == "request.headers":
                    found["request.headers"] = (0, True)
                if path.rpartition(".")[2] in _INSIDE and path.count(".") < 2:
                    self._collect(value, path, found)
            elif field is not None and value not in (None, "", "-", []):
                name, place = field
                if name not in found or place < found[name][0]:
                    found[name] = (place, value)
            elif field is not None and field[0] == "agent" and "agent" not in found:
                found["agent"] = (999, "")


def _text(value: object) -> str:
    """A header as Caddy writes it is a list; a status may be a number."""
    if isinstance(value, list):
        value = value[0] if value else ""
    return value if isinstance(value, str) else str(value)


def _method_and_target(cells: dict[str, Any]) -> tuple[str, str]:
    if "target" not in cells or "method" not in cells:
        return asked(_text(cells.get("request", "")))
    target, query = _text(cells["target"]), _text(cells.get("query", "")).lstrip("?")
    if query and "?" not in target:
        target = f"{target}?{query}"
    return _text(cells["method"]), target
