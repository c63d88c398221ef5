"""Which addresses can be written into a header field and an SMTP command, and how."""

from __future__ import annotations

import functools
import re

import idna

from digest.errors import AddressError

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOT_ATOM = rf"{_ATOM}(?:\.{_ATOM})*"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])+"'
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LOCAL = re.compile(rf"{_DOT_ATOM}|{_QUOTED}")
# RFC 6531 3.3: characters beyond ASCII may stand wherever a letter may.
_WIDE = re.compile("[\u00a1-\U0010ffff]")
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# What nearly all addresses look like, in a form that is quick to match; the full rules take the rest.
_WORD = r"[A-Za-z0-9_+-]+"
_USUAL = re.compile(rf"(?=.{{0,64}}\Z){_WORD}(?:\.{_WORD})*@[A-Za-z0-9]+(?:(?:\.|-+)[A-Za-z0-9]+)*").fullmatch


def is_usual(address: str) -> bool:
    """Whether it needs no other check and no escaping anywhere: true of nearly all that are good.

    So short that neither the local part nor a label of the domain can be too long.
    """
    return _USUAL(address) is not None


def mailbox(address: str, *, utf8: bool = False) -> str:
    """The address with its domain in A-labels, safe in a header field and in MAIL and RCPT commands.

    Takes RFC 5321 4.1.2 mailboxes (dot-string or quoted-string before the @, host name behind it) and
    internationalised domains (RFC 5891, mapped by UTS 46). Raises AddressError for everything else. A local
    part outside ASCII is taken with `utf8` only, for a server that offers SMTPUTF8 (RFC 6531 3.3), and else
    refused with status 5.6.7 (3.2).
    """
    if is_usual(address):
        return address
    local, at, host = address.rpartition("@")
    if not at:
        raise AddressError(address, "no @ in it")
    if any(c in address for c in "\r\n\0"):
        raise AddressError(address, "a line break or NUL in the address")
    if not local.isascii() and not utf8:
        raise AddressError(
            address,
            "5.6.7 the part before @ has characters outside ASCII, which needs SMTPUTF8 on every server "
            "along the way; use another address",
        )
    if not _LOCAL.fullmatch(_WIDE.sub("x", local)) or not local.isprintable():
        raise AddressError(address, "the part before @ is not as RFC 5321 allows")
    if "=?" in local:
        raise AddressError(address, "looks like an encoded word (RFC 2047): some readers would decode it")
    octets = len(local.encode())
    if octets > 64:
        raise AddressError(address, "more than 64 octets before @")
    try:
        ascii_host = domain(host)
    except ValueError as error:
        raise AddressError(address, str(error)) from error
    if octets + 1 + len(ascii_host) > 254:
        raise AddressError(address, "more than 254 octets")
    return f"{local}@{ascii_host}"


@functools.lru_cache(maxsize=4096)
def domain(host: str) -> str:
    """A host name in A-labels. Raises ValueError for what is none; address literals count as none."""
    ascii_host = host
    if not host.isascii():
        try:
            ascii_host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise ValueError(f"the domain {host!r} is not a valid one: {error}") from error
    if len(ascii_host) > 253 or not _DOMAIN.fullmatch(ascii_host):
        raise ValueError(f"the domain {host!r} is not a host name")
    return ascii_host
