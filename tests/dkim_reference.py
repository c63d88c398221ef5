"""DKIM step by step, as RFC 6376 and RFC 8463 tell it and slowly: what ours is held against."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

Lookup = Callable[[str], str]
"""The TXT record at a name."""


@dataclass(frozen=True)
class Verdict:
    """Of one signature."""

    algorithm: str
    domain: str
    selector: str
    signed: tuple[str, ...]
    good: bool


def verify(message: bytes, lookup: Lookup) -> list[Verdict]:
    """A verdict for each signature, in the order in which they stand."""
    fields, body = taken_apart(message)
    return [
        _verdict(field, fields, body, lookup)
        for field in fields
        if field.lower().startswith(b"dkim-signature:")
    ]


def taken_apart(message: bytes) -> tuple[list[bytes], bytes]:
    """The header fields, folded and without their last CRLF, and the body."""
    head, _, body = message.partition(b"\r\n\r\n")
    fields: list[bytes] = []
    for line in head.split(b"\r\n"):
        if line[:1] in (b" ", b"\t"):
            fields[-1] += b"\r\n" + line
        else:
            fields.append(line)
    return fields, body


def relaxed_header(field: bytes) -> bytes:
    """RFC 6376 3.4.2, in its five steps; the last CRLF is left to the caller."""
    name, _, value = field.partition(b":")
    value = value.replace(b"\r\n", b"")
    value = re.sub(rb"[ \t]+", b" ", value)
    return name.lower().rstrip(b" \t") + b":" + value.strip(b" \t")


def relaxed_body(body: bytes) -> bytes:
    """RFC 6376 3.4.4."""
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


def _verdict(field: bytes, fields: list[bytes], body: bytes, lookup: Lookup) -> Verdict:
    tags = _tags(field.partition(b":")[2].decode("ascii"))
    assert tags["v"] == "1"
    assert tags["c"] == "relaxed/relaxed"
    names = [name.strip().lower() for name in tags["h"].split(":")]
    body_hash = base64.b64encode(hashlib.sha256(relaxed_body(body)).digest()).decode()
    left = [each for each in fields if each is not field]
    hashed = b""
    for name in names:  # 5.4.2: from the bottom up, each instance once
        for each in reversed(left):
            if each.partition(b":")[0].strip().lower().decode() == name:
                left.remove(each)
                hashed += relaxed_header(each) + b"\r\n"
                break
    hashed += re.sub(rb"(;\s*b=)[^;]*", rb"\1", relaxed_header(field))
    good = tags["bh"] == body_hash and _is_genuine(tags, hashed, lookup)
    return Verdict(tags["a"], tags["d"], tags["s"], tuple(names), good)


def _is_genuine(tags: dict[str, str], hashed: bytes, lookup: Lookup) -> bool:
    record = _tags(lookup(f"{tags['s']}._domainkey.{tags['d']}"))
    key, signature = base64.b64decode(record["p"]), base64.b64decode(tags["b"])
    digest = hashlib.sha256(hashed).digest()
    assert record.get("v", "DKIM1") == "DKIM1"
    assert tags["a"] == f"{record.get('k', 'rsa')}-sha256"
    with suppress(InvalidSignature):
        if tags["a"] == "ed25519-sha256":
            Ed25519PublicKey.from_public_bytes(key).verify(signature, digest)
        else:
            public = load_der_public_key(key)
            assert isinstance(public, RSAPublicKey)
            public.verify(signature, digest, PKCS1v15(), Prehashed(SHA256()))
        return True
    return False


def _tags(text: str) -> dict[str, str]:
    """3.2; white space is taken out of every value, since none of ours may have any."""
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    return {name.strip(): re.sub(r"\s", "", value) for name, _, value in pairs}
