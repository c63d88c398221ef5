"""What an address is: which ones are taken, which ones are the same mailbox, and the key that stands for one.

The rules are those of RFC 5321 (4.1.2, 4.5.3.1) and RFC 6531, made narrower where the wider form is nearly
always a mistake of typing or of export: quoted local parts, comments, address literals and bare host names
are refused, each with its reason.

Normaliser version 1: the local part is compared without case and in Unicode form NFC, the domain as
lower-case A-labels. A +tag and the dots of a local part are kept: only the owner of a domain knows whether
they matter, and folding two people into one would lose one of them, while telling apart what is one mailbox
only sends it one copy for each address that its owner signed up with.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from dataclasses import dataclass

import idna

from subscribers.errors import AddressRefused

NORMALISER_VERSION = 1
"""Written beside every key; raise it when `NormalAddress.normal` comes out differently, and rewrite keys."""

MOST_LOCAL = 64
"""Octets before the @ (RFC 5321 4.5.3.1.1)."""
MOST_ADDRESS = 254
"""Octets in all: a path is at most 256 with its angle brackets (RFC 5321 4.5.3.1.3)."""

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN = re.compile(rf"({_ATEXT}(?:\.{_ATEXT})*)@([A-Za-z0-9.-]+)", re.ASCII)
"""The common case, decided by one match; everything else is looked at closely for its reason."""
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_ATEXT_CHARACTERS = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+/=?^_`{|}~-"
)


@dataclass(frozen=True, slots=True)
class NormalAddress:
    """A checked address in its two forms."""

    address: str
    """As it is written into mail: local part as the person wrote it, domain as lower-case A-labels."""
    normal: str
    """As it is compared: equal for two spellings of one mailbox."""
    domain: str
    """The domain of both."""

    @property
    def needs_smtputf8(self) -> bool:
        """True for a local part beyond ASCII, which only a server with SMTPUTF8 takes (RFC 6531)."""
        return not self.address.isascii()


def normalise(address: str) -> NormalAddress:
    """Checks an address and brings it into its normal form. Raises `AddressRefused` with the reason."""
    if match := _PLAIN.fullmatch(address):
        local, domain = match[1], match[2].lower()
    else:
        local, domain = _parts(address)
        _check_local(address, local)
        local = unicodedata.normalize("NFC", local)
        domain = _a_labels(address, domain)
    _check_domain(address, domain)
    if (octets := len(local.encode())) > MOST_LOCAL:
        raise AddressRefused(address, f"{octets} octets before the @; at most {MOST_LOCAL} are allowed")
    written = f"{local}@{domain}"
    if (octets := len(written.encode())) > MOST_ADDRESS:
        raise AddressRefused(address, f"{octets} octets long; at most {MOST_ADDRESS} are allowed")
    folded = local.lower() if local.isascii() else unicodedata.normalize("NFC", local.lower())
    return NormalAddress(written, f"{folded}@{domain}", domain)


def address_key(secret: bytes, address: NormalAddress | str) -> str:
    """The keyed hash that stands for a mailbox where its address must not: 32 hex digits, 128 bits of
    HMAC-SHA256. The same for every spelling that `normalise` folds together; a text is normalised first.
    """
    normal = normalise(address) if isinstance(address, str) else address
    return hmac.digest(secret, f"{NORMALISER_VERSION}:{normal.normal}".encode(), hashlib.sha256).hex()[:32]


def masked(address: str) -> str:
    """An address as a page may show it to whoever holds a link: its owner knows it, others learn little."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}"


def _parts(address: str) -> tuple[str, str]:
    """Local part and domain of something that is not a plain address, or the reason why it has none."""
    _check_characters(address)
    if address != address.strip():
        raise AddressRefused(address, "there is white space around it")
    if address.startswith('"') or '"@' in address:
        raise AddressRefused(address, "quoted local parts are not accepted; nearly no server has one")
    if address.endswith(">") and "<" in address:
        raise AddressRefused(address, "there is a name around it; only the address is wanted")
    if "(" in address or ")" in address:
        raise AddressRefused(address, "comments in parentheses are not accepted")
    local, at, domain = address.rpartition("@")
    if not at:
        raise AddressRefused(address, "there is no @ in it" if address else "it is empty")
    if not local:
        raise AddressRefused(address, "there is nothing before the @")
    if not domain:
        raise AddressRefused(address, "there is nothing after the @")
    if "@" in local:
        raise AddressRefused(address, "there is more than one @ in it")
    if domain.startswith("["):
        raise AddressRefused(address, "an IP address in the place of a domain is not accepted")
    return local, domain


def _check_characters(address: str) -> None:
    """Refuses what cannot be seen: line ends (they would end an SMTP command), controls, direction marks."""
    for character in address:
        category = unicodedata.category(character)
        if category[0] == "C" or category in {"Zl", "Zp"}:
            raise AddressRefused(address, f"there is an invisible character in it (U+{ord(character):04X})")


def _check_local(address: str, local: str) -> None:
    if local.startswith(".") or local.endswith("."):
        raise AddressRefused(address, "the part before the @ begins or ends with a dot")
    if ".." in local:
        raise AddressRefused(address, "there are two dots in a row before the @")
    if unicodedata.category(local[0])[0] == "M":
        raise AddressRefused(address, "it begins with a combining character")
    for character in local:
        if character == "." or character in _ATEXT_CHARACTERS:
            continue
        if character.isspace():
            raise AddressRefused(address, "there is white space in it")
        if character.isascii():
            raise AddressRefused(address, f"{character!r} is not allowed before the @")


def _a_labels(address: str, domain: str) -> str:
    if domain.isascii():
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        raise AddressRefused(address, f"{domain!r} is not a domain name (IDNA 2008)") from None


def _check_domain(address: str, domain: str) -> None:
    labels = domain.split(".")
    if "" in labels:
        raise AddressRefused(address, "a dot in the domain has nothing before or after it")
    for label in labels:
        if len(label) > 63:
            raise AddressRefused(address, "a part of the domain is longer than 63 characters")
        if not _LABEL.fullmatch(label):
            raise AddressRefused(address, f"{label!r} cannot be part of a domain name")
    if len(labels) < 2:
        raise AddressRefused(address, f"{domain!r} is not a whole domain: there is no dot in it")
    if labels[-1].isdecimal():
        raise AddressRefused(address, "a domain does not end in a number")
