"""Requests written as each kind of server writes them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from urllib.parse import quote

from digest.importers.logs.entry import Entry

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 "
    "Safari/537.36"
)
W3C_HEAD = (
    "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status"
    " cs(Referer) cs(User-Agent) cs-uri-query x-host-header sc-content-type\n"
)


def entry(target: str = "/news/one", **facts: object) -> Entry:
    """A person's request of 16 November 2026, 08:00 UTC, or what `facts` make of it."""
    values = {"at": 1_794_816_000, "address": "203.0.113.7", "method": "GET", "status": 200, "agent": FIREFOX}
    return Entry(**(values | {"target": target} | facts))  # type: ignore[arg-type]


def moment(at: int, zone: dt.tzinfo = dt.UTC) -> dt.datetime:
    return dt.datetime.fromtimestamp(at, zone)


def combined(request: Entry, zone: dt.tzinfo = dt.UTC) -> str:
    """As Apache writes it: quotes and backslashes are escaped."""

    def quoted(text: str | None) -> str:
        return '"' + (text or "-").replace("\\", "\\\\").replace('"', '\\"') + '"'

    time = moment(request.at, zone).strftime("%d/%b/%Y:%H:%M:%S %z")
    site = f"{request.host}:443 " if request.host else ""
    line = f"{request.method} {request.target.replace(chr(34), '%22')} HTTP/1.1"
    return (
        f'{site}{request.address} - - [{time}] "{line}" {request.status} 512 '
        f"{quoted(request.referrer)} {quoted(request.agent)}"
    )


def nginx_json(request: Entry, zone: dt.tzinfo = dt.UTC) -> str:
    return json.dumps(
        {
            "time_iso8601": moment(request.at, zone).isoformat(),
            "remote_addr": request.address,
            "request": f"{request.method} {request.target} HTTP/2.0",
            "status": str(request.status),
            "http_referer": request.referrer,
            "http_user_agent": request.agent,
            "http_host": request.host,
            "sent_http_content_type": request.content_type,
            "http_sec_purpose": request.purpose,
        }
    )


def caddy(request: Entry, _zone: dt.tzinfo = dt.UTC) -> str:
    headers = {"User-Agent": request.agent, "Referer": request.referrer, "Sec-Purpose": request.purpose}
    return json.dumps(
        {
            "level": "info",
            "ts": request.at + 0.25,
            "logger": "http.log.access.log0",
            "msg": "handled request",
            "request": {
                "remote_ip": "10.0.0.1",
                "remote_port": "4321",
                "client_ip": request.address,
                "proto": "HTTP/2.0",
                "method": request.method,
                "host": request.host,
                "uri": request.target,
                "headers": {name: [value] for name, value in headers.items() if value},
            },
            "bytes_read": 0,
            "duration": 0.01,
            "size": 512,
            "status": request.status,
            "resp_headers": {"Content-Type": [request.content_type]} if request.content_type else {},
        }
    )


def cloudfront(request: Entry, _zone: dt.tzinfo = dt.UTC) -> str:
    at = moment(request.at)
    path, _, query = request.target.partition("?")

    def cell(text: str | None) -> str:
        return quote(text or "-", safe="/:().,;-?=&%")

    return "\t".join(
        (
            *at.strftime("%Y-%m-%d %H:%M:%S").split(), "FRA2-C1", "512", request.address, request.method,
            "d111.cloudfront.net", path, str(request.status), request.referrer or "-",
            quote(request.agent or "-", safe="/().,;-"), query or "-", request.host or "-",
            cell(request.content_type),
        )
    )  # fmt: skip


WRITERS: Mapping[str, Callable[[Entry, dt.tzinfo], str]] = {
    "combined": combined,
    "json": nginx_json,
    "caddy": caddy,
    "w3c": cloudfront,
}
"""Kind of server -> its way of writing a request down, in a time zone where it writes one."""


def log(*requests: Entry, kind: str = "combined", zone: dt.tzinfo = dt.UTC) -> str:
    """A whole log."""
    head = W3C_HEAD if kind == "w3c" else ""
    return head + "".join(WRITERS[kind](request, zone) + "\n" for request in requests)
