"""DKIM signatures (RFC 6376, RFC 8463): relaxed/relaxed over the whole body, with RSA or Ed25519.

What is the same for all copies of an edition is canonicalised and hashed once: the state of SHA-256 behind
the constant header fields, and that behind the beginning of the body up to its first slot. The body itself
needs no canonicalisation, because `transfer` writes it in canonical form.

There is no l= (RFC 6376 8.2: it lets others append), no t= and no x=: a copy that is made again for another
attempt has the same bytes, and the Date field, which is signed, says when. Every field that we write is
signed; those that may stand there once are named once more than they stand (8.15), so that a second one
breaks the signature.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from digest.compose.filling import FIRST_OWN, SUBJECT, TO, Filling, Part
from digest.compose.head import PLACE, Field
from digest.compose.headers import FOLD

SMALLEST, LARGEST = 1024, 4096
"""Bits of an RSA key that verifiers have to take (RFC 8301 3.2)."""
OVERSIGNED = (
    "from", "to", "cc", "reply-to", "subject", "date", "message-id", "list-id", "list-unsubscribe",
    "list-unsubscribe-post", "mime-version", "content-type",
)  # fmt: skip
"""Fields that nobody may add to ours."""
_PADDING, _PREHASHED = PKCS1v15(), Prehashed(SHA256())
_SIGNATURE_LINE = 74
_BEFORE_SIGNATURE = b";\r\n b="
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_WHITE = re.compile(rb"[ \t]+")


class Hash(Protocol):
    """A hash in the making, as `hashlib` has them."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


@dataclass(frozen=True)
class SigningKey:
    """The private key whose public half stands in DNS at SELECTOR._domainkey.DOMAIN."""

    domain: str
    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey

    @classmethod
    def load(cls, domain: str, selector: str, pem: bytes) -> SigningKey:
        """From unencrypted PEM (PKCS#8, or PKCS#1 for RSA). Raises ValueError for anything else."""
        try:
            private = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError("it holds no private key without a password, in PEM") from None
        if isinstance(private, RSAPrivateKey):
            if not SMALLEST <= private.key_size <= LARGEST:
                raise ValueError(
                    f"an RSA key of {private.key_size} bits; DKIM has 1024 to 4096, best is 2048"
                )
        elif not isinstance(private, Ed25519PrivateKey):
            raise ValueError("neither an RSA nor an Ed25519 key")  # noqa: TRY004 - the file's content
        return cls(domain, selector, private)

    @cached_property
    def algorithm(self) -> str:
        """The a= of its signatures."""
        return "rsa-sha256" if isinstance(self.private, RSAPrivateKey) else "ed25519-sha256"

    @cached_property
    def sign(self) -> Callable[[bytes], bytes]:
        """The signature of a SHA-256 digest: the same for the same digest."""
        private = self.private
        if isinstance(private, RSAPrivateKey):
            return lambda digest: private.sign(digest, _PADDING, _PREHASHED)
        return private.sign

    @property
    def name(self) -> str:
        """Where its public half is looked for."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The value of the TXT record at `name` (RFC 6376 3.6.1, RFC 8463 4)."""
        public = self.private.public_key()
        if isinstance(self.private, RSAPrivateKey):
            kind, form = "rsa", serialization.PublicFormat.SubjectPublicKeyInfo
            data = public.public_bytes(serialization.Encoding.DER, form)
        else:
            kind, form = "ed25519", serialization.PublicFormat.Raw
            data = public.public_bytes(serialization.Encoding.Raw, form)
        return f"v=DKIM1; k={kind}; p={base64.b64encode(data).decode('ascii')}"


def sign_message(content: bytes, keys: Sequence[SigningKey]) -> bytes:
    """Any message of ours with its signatures before it: letters, of which each is written but once."""
    head, _, body = content.partition(b"\r\n\r\n")
    unfolded = _FOLD.sub(b" ", head).split(b"\r\n")
    fields = [Field(line.partition(b":")[0].strip().lower().decode("ascii"), (line,)) for line in unfolded]
    made = Signatures(keys, fields, frozenset(), b"")
    return made.fields([b""] * FIRST_OWN, relaxed_body(body)) + content


class Signatures:
    """What makes the signatures of the copies of one compiled variant."""

    __slots__ = ("_beginning", "_constant", "_differing", "_keys", "_offset")

    def __init__(
        self, keys: Sequence[SigningKey], head: Sequence[Field], unsigned: frozenset[str], beginning: bytes
    ) -> None:
        signed = [field for field in head if field.name not in unsigned]
        # Those that differ come last, so that one state of the hash has all the others behind it.
        constant = [field for field in signed if not field.differs]
        differing = [field for field in signed if field.differs]
        names = [field.name for field in (*constant, *differing)]
        names += [name for name in OVERSIGNED if name not in unsigned]
        self._constant = hashlib.sha256(b"".join(relaxed(field.whole) for field in constant))
        self._differing = Filling(part for field in differing for part in _parts(field))
        self._beginning, self._offset = hashlib.sha256(beginning), len(beginning)
        self._keys = [_Prepared(key, names) for key in keys]

    def fields(self, values: Sequence[bytes], body: bytes) -> bytes:
        """The signature fields of the copy with these values and this body, each with its CRLF."""
        hashed = self._beginning.copy()
        hashed.update(memoryview(body)[self._offset :])
        body_hash = base64.b64encode(hashed.digest())
        canonical = [*values[:FIRST_OWN]]
        canonical[TO], canonical[SUBJECT] = relaxed_value(values[TO]), relaxed_value(values[SUBJECT])
        header = self._constant.copy()
        header.update(b"".join(self._differing.pieces(canonical)))
        return b"".join([key.field(header.copy(), body_hash) for key in self._keys])


class _Prepared:
    """One key's signature field, but for what differs between copies."""

    __slots__ = ("_after", "_before", "_beginning", "_sign")

    def __init__(self, key: SigningKey, names: Sequence[str]) -> None:
        lines = [
            f"DKIM-Signature: v=1; a={key.algorithm}; c=relaxed/relaxed;",
            f" d={key.domain}; s={key.selector};",
            *_folded(names),
            " bh=",
        ]
        self._beginning = "\r\n".join(lines).encode("ascii")
        # As it is hashed: with an empty b=, and without the CRLF (RFC 6376 3.7).
        whole = relaxed(self._beginning + PLACE + _BEFORE_SIGNATURE).removesuffix(b"\r\n")
        self._before, self._after = whole.split(PLACE)
        self._sign = key.sign

    def field(self, header: Hash, body_hash: bytes) -> bytes:
        header.update(self._before + body_hash + self._after)
        signature = base64.b64encode(self._sign(header.digest()))
        lines = [signature[at : at + _SIGNATURE_LINE] for at in range(0, len(signature), _SIGNATURE_LINE)]
        return b"".join((self._beginning, body_hash, _BEFORE_SIGNATURE, b"\r\n ".join(lines), b"\r\n"))


def _folded(names: Sequence[str]) -> list[str]:
    """h= on lines of at most 78 octets."""
    lines = [" h="]
    for name in names:
        if len(lines[-1]) + len(name) + 1 > FOLD:
            lines.append(" ")
        lines[-1] += f"{name}:"
    lines[-1] = f"{lines[-1][:-1]};"
    return lines


def _parts(field: Field) -> list[Part]:
    """The field in canonical form. What is spliced into it by `relaxed_value`, or has no white space."""
    whole = relaxed(field.whole)
    places = (part for part in field.parts if isinstance(part, int))
    first, *others = whole.split(PLACE)
    return [first, *(part for place, other in zip(places, others, strict=True) for part in (place, other))]


def relaxed_body(body: bytes) -> bytes:
    """A body in "relaxed" canonical form (RFC 6376 3.4.4); those that `transfer` writes are in it already."""
    lines = [_WHITE.sub(b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


def relaxed(field: bytes) -> bytes:
    """A header field in "relaxed" canonical form (RFC 6376 3.4.2), with its CRLF."""
    name, _, value = field.partition(b":")
    return name.rstrip(b" \t").lower() + b":" + relaxed_value(value) + b"\r\n"


def relaxed_value(value: bytes) -> bytes:
    """The value of a header field in that form."""
    return _WHITE.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ")
