"""What a token is made of, and how one is made and read.

A token is 28 characters of lower-case base32 (RFC 4648 6): 140 bits, which are 4 of purpose, 8 of key id, 48
of a number and 80 of HMAC-SHA256 over all of these.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from enum import IntEnum

from digest.errors import TokenError
from digest.tokens.ring import KeyRing

LENGTH = 28
"""Characters of every token."""

LARGEST = 2**48 - 1
"""The largest number that a token holds."""
MAC_BYTES = 10
_HEAD_BYTES = 8  # 4 zero bits, purpose, key id and number fill them exactly
DOMAIN = b"digest token 1\0"  # what else these keys may sign one day can never look like a token
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_SHIFTS = range(130, -1, -10)
FOREIGN = "this link was not made by this installation"


class Purpose(IntEnum):
    """What a token is for, and what its number means. A token of one purpose is refused for another."""

    leave = 1
    """One-click link: a subscription's id."""
    bounce = 2
    """Return path: a delivery's id."""
    message = 3
    """Message-ID: a delivery's id."""


def _head(purpose: int, key_id: int, number: int) -> bytes:
    return (purpose << 56 | key_id << 48 | number).to_bytes(_HEAD_BYTES)


def _mac(secret: bytes, head: bytes) -> bytes:
    return hmac.digest(secret, DOMAIN + head, "sha256")[:MAC_BYTES]


def _written(head: bytes, mac: bytes) -> str:
    """The last 140 bits as base32, ten at a time: b32encode takes 2.5 times as long."""
    bits = int.from_bytes(head + mac)
    return "".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])


def _read(token: str) -> tuple[int, int, int, bytes, bytes]:
    """Purpose, key id, number, head and MAC; raises `TokenError` for what has not the shape of a token."""
    # Not every letter that lower() makes an ASCII one was ASCII: "K" may be the Kelvin sign.
    if len(token) != LENGTH or not token.isascii():
        raise TokenError(FOREIGN)
    try:
        padded = base64.b32decode(f"{token.upper()}A===")
    except binascii.Error:
        raise TokenError(FOREIGN) from None
    raw = (int.from_bytes(padded) >> 4).to_bytes(_HEAD_BYTES + MAC_BYTES)
    head, mac = raw[:_HEAD_BYTES], raw[_HEAD_BYTES:]
    return head[0], head[1], int.from_bytes(head[2:]), head, mac


def sign(ring: KeyRing, purpose: Purpose, number: int, *, key_id: int | None = None) -> str:
    """The token of `number` (0 to 2^48 - 1), signed with the key `key_id` or the current one.

    Raises ValueError for a number that does not fit, `TokenError` when the key file lacks that key.
    """
    if not 0 <= number <= LARGEST:
        raise ValueError(f"a token holds numbers from 0 to 2^48 - 1, not {number}")
    used = ring.current if key_id is None else key_id
    secret = signing_secret(ring, used)
    head = _head(purpose, used, number)
    return _written(head, _mac(secret, head))


def signing_secret(ring: KeyRing, key_id: int) -> bytes:
    """Raises `TokenError` when the key file lacks that key."""
    secret = ring.signing.get(key_id)
    if secret is None:
        raise TokenError(
            f"the key file has no signing key {key_id}",
            hint="Put back the key file that this installation used before.",
        )
    return secret


def verify(ring: KeyRing, purpose: Purpose, token: str) -> int:
    """The number in a token of ours, in whatever case; compares in constant time. Raises `TokenError`."""
    found, key_id, number, head, mac = _read(token)
    if key_id == 0:
        raise TokenError("this link is from a preview or a test; it changes nothing")
    secret = ring.signing.get(key_id)
    genuine = hmac.compare_digest(_mac(secret or ring.link_secret, head), mac)
    if secret is None or not genuine or found != purpose:
        raise TokenError(FOREIGN)
    return number


def inert(purpose: Purpose) -> str:
    """A token for previews and test sends: it looks like any other, has key id 0 and never verifies."""
    return _written(_head(purpose, 0, 0), bytes(MAC_BYTES))


def is_inert(token: str) -> bool:
    """Whether this is such a token, in whatever case; False for anything else."""
    try:
        _purpose, key_id, _number, _bytes, _mac_bytes = _read(token)
    except TokenError:
        return False
    return key_id == 0
