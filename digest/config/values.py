"""The kinds of value that a setting may have: each checks one thing and says in words what is allowed.

A kind is a type with an `Allowed` note; error messages and the reference quote that note. The checks raise
through `wrong`, which keeps the sentence apart from the value, so that a secret never gets into a message.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
import zoneinfo
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from digest.config import durations, moments, rates


@dataclass(frozen=True)
class Allowed:
    """What may stand there, as a phrase: "a time zone such as Europe/London"."""

    text: str


def wrong(problem: str, *, key: str = "", allowed: str = "") -> NoReturn:
    """Raises what pydantic collects. `key` names another key of the same section than the one checked."""
    raise PydanticCustomError("setting", "{problem}", {"problem": problem, "key": key, "allowed": allowed})


# C0, DEL and C1: none belongs into a header, an SMTP command or a file name (RFC 5321 4.1.2, RFC 5322 2.2).
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LABEL = re.compile(r"[^\W_](?:[\w-]{0,61}[^\W_])?")
_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*")


def _domain_problem(domain: str) -> str:
    try:
        ascii_form = domain.encode("idna").decode() if not domain.isascii() else domain
    except UnicodeError:
        return f"{domain!r} is not a domain"
    labels = domain.split(".")
    if len(ascii_form) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return f"{domain!r} is not a domain"
    return ""


def address_problem(address: str) -> str:
    """Why this is no mail address (RFC 5321 4.1.2 without quoted local parts and address literals), or ""."""
    if CONTROL.search(address):
        return "there is a control character or line break in the address"
    local, at, domain = address.rpartition("@")
    if not at or not local:
        return "there is no @ with a name before it"
    if len(local.encode()) > 64:
        return "the part before the @ is longer than 64 bytes"
    if not _LOCAL.fullmatch(local):
        return "the part before the @ has a character that does not belong there"
    return _domain_problem(domain)


def _address(value: str) -> str:
    problem = address_problem(value)
    if problem:
        wrong(problem)
    return value


def _address_or_empty(value: str) -> str:
    return _address(value) if value else value


def _domain(value: str) -> str:
    problem = _domain_problem(value) if value else ""
    if problem:
        wrong(problem)
    return value


def _some_domain(value: str) -> str:
    if not value:
        wrong("this is empty")
    return _domain(value)


def _rewritten(value: str) -> str:
    if value.lower() not in ("message-id", "date"):
        wrong("other fields than these two have to be signed")
    return value.lower()


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or re.search(r"\s", value) or CONTROL.search(value):
        wrong("this is not a web address")
    return value


def _web_address_or_empty(value: str) -> str:
    return _web_address(value) if value else value


def _place(value: str) -> str:
    if not value.strip():
        wrong("this is empty")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", value):
        _web_address(value)
    return value


def _base_address(value: str) -> str:
    parts = urlsplit(_web_address(value))
    if parts.query or parts.fragment or parts.username is not None:
        wrong("links begin with this address, so it has no ?query, #fragment or user name")
    return value.rstrip("/")


def _zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(value, zoneinfo.available_timezones(), n=1)
        wrong("no such time zone" + (f'; did you mean "{near[0]}"?' if near else ""))
    return value


def _zone_or_empty(value: str) -> str:
    return _zone(value) if value else value


def _moment(value: str) -> str:
    try:
        moments.parse_moment(value)
    except ValueError:
        wrong("this is not a moment")
    return value


def _duration(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return durations.parse_duration(value)
        except ValueError as error:
            wrong("this is longer than ten years" if "ten years" in str(error) else "this is not a duration")
    if not isinstance(value, dt.timedelta):
        wrong("this is not a duration")
    return value


def _domain_rate(value: str) -> str:
    problem = _domain_problem(value.strip().partition(" ")[0])
    if problem:
        wrong(problem)
    try:
        rates.parse_domain_rate(value)
    except ValueError:
        wrong("this is not a domain and a rate")
    return value


def _file(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        wrong("this is empty; leave the key out instead")
    return value


def _listen(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not (colon and host and port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        wrong("this is not a host and a port")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        wrong("an IPv6 address stands in brackets: [::1]:8765")
    return value


def _database(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if not separator or scheme not in ("sqlite", "postgresql", "postgres"):
        wrong("this is not the address of a database")
    if scheme == "sqlite" and rest.partition("?")[0] in ("", "/", "/:memory:"):
        wrong("this would keep everything in memory and lose it at the end")
    return value


def _colour(value: str) -> str:
    if not re.fullmatch(r"#(?:[0-9A-Fa-f]{3}){1,2}", value):
        wrong("this is not a colour")
    return value


def _language(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*", value):
        wrong("this is not a language tag")
    return value


_ADDRESS = "a mail address such as news@example.org"
_WEB = "an address that begins with https:// or http://"

Address = Annotated[str, AfterValidator(_address), Allowed(_ADDRESS)]
AddressOrEmpty = Annotated[str, AfterValidator(_address_or_empty), Allowed(f"{_ADDRESS}, or empty")]
Domain = Annotated[str, AfterValidator(_domain), Allowed("a domain such as example.org, or empty")]
SomeDomain = Annotated[str, AfterValidator(_some_domain), Allowed("a domain such as example.org")]
Rewritten = Annotated[str, AfterValidator(_rewritten), Allowed('"message-id" or "date"')]
WebAddressOrEmpty = Annotated[str, AfterValidator(_web_address_or_empty), Allowed(f"{_WEB}, or empty")]
BaseAddress = Annotated[str, AfterValidator(_base_address), Allowed(_WEB)]
Place = Annotated[str, AfterValidator(_place), Allowed(f"{_WEB}, or a file")]
Zone = Annotated[str, AfterValidator(_zone), Allowed("a time zone such as Europe/London")]
ZoneOrEmpty = Annotated[
    str, AfterValidator(_zone_or_empty), Allowed("a time zone such as Europe/London, or empty")
]
Moment = Annotated[str, AfterValidator(_moment), Allowed(moments.ALLOWED)]
Duration = Annotated[dt.timedelta, BeforeValidator(_duration), Allowed(durations.ALLOWED)]
DomainRate = Annotated[str, AfterValidator(_domain_rate), Allowed(rates.ALLOWED)]
File = Annotated[Path, BeforeValidator(_file), Allowed("a path, from the folder of config.toml")]
Listen = Annotated[str, AfterValidator(_listen), Allowed("host:port, such as 127.0.0.1:8765")]
DatabaseAddress = Annotated[
    str, AfterValidator(_database), Allowed("sqlite:///FILE or postgresql://USER@HOST/NAME")
]
Colour = Annotated[str, AfterValidator(_colour), Allowed("a colour such as #9E1B32")]
Language = Annotated[str, AfterValidator(_language), Allowed("a language tag such as en or pt-BR")]
Slug = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$"),
    Allowed("small letters, figures and dashes, at most 40"),
]
