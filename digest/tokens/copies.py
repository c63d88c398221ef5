"""The tokens of one copy, made together: three for less than the time of one.

They are those of `sign`, bit for bit. What is the same for a whole edition is done once: the key, the
beginning of what is signed, the masks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from digest.tokens.ring import KeyRing
from digest.tokens.signed import ALPHABET, DOMAIN, LARGEST, MAC_BYTES, Purpose, signing_secret

_BLOCK = 64
"""Octets of a block of SHA-256."""
_LANE = 32
"""Octets of the lane of one token: its 140 bits become 28 octets in it, with a margin of 4 in front."""
_TOKENS = 3
_LANES = (bytes(_LANE - 8 - MAC_BYTES) + b"%b%b") * _TOKENS
_LETTERS = (ALPHABET + "-" * (256 - len(ALPHABET))).encode("ascii")


def copy_signer(ring: KeyRing, *, key_id: int | None = None) -> Callable[[int, int], tuple[str, str, str]]:
    """A function of subscription and delivery that gives the tokens of that copy: leave, bounce, message.

    It may be called from several threads at once, and raises ValueError for a number that does not fit.
    Raises `TokenError` when the key file lacks the key `key_id`.
    """
    used = ring.current if key_id is None else key_id
    # HMAC (RFC 2104) with both halves of the key hashed already.
    secret = signing_secret(ring, used)
    block = (hashlib.sha256(secret).digest() if len(secret) > _BLOCK else secret).ljust(_BLOCK, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + DOMAIN).copy
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in block)).copy
    leave_base, bounce_base, message_base = (
        purpose << 56 | used << 48 for purpose in (Purpose.leave, Purpose.bounce, Purpose.message)
    )

    # Written out three times, and without calls: half of the time would be theirs.
    def tokens(subscription: int, delivery: int) -> tuple[str, str, str]:
        if not (0 <= subscription <= LARGEST and 0 <= delivery <= LARGEST):
            raise ValueError(f"a token holds numbers from 0 to 2^48 - 1, not {subscription} and {delivery}")
        leave, bounce, message = (
            (leave_base | subscription).to_bytes(8),
            (bounce_base | delivery).to_bytes(8),
            (message_base | delivery).to_bytes(8),
        )
        inside, leave_mac = inner(), outer()
        inside.update(leave)
        leave_mac.update(inside.digest())
        inside, bounce_mac = inner(), outer()
        inside.update(bounce)
        bounce_mac.update(inside.digest())
        inside, message_mac = inner(), outer()
        inside.update(message)
        message_mac.update(inside.digest())
        written = _base32(
            _LANES
            % (
                leave,
                leave_mac.digest()[:MAC_BYTES],
                bounce,
                bounce_mac.digest()[:MAC_BYTES],
                message,
                message_mac.digest()[:MAC_BYTES],
            )
        )
        return written[4:32], written[36:64], written[68:]

    return tokens


def _masks() -> list[tuple[int, int, int]]:
    """For each step of `_base32`: which bits stay, which move up, and how far."""
    steps = []
    for digits in (16, 8, 4, 2, 1):  # of each half of a block
        stay = sum(((1 << 5 * digits) - 1) << at for at in range(0, 8 * _LANE * _TOKENS, 16 * digits))
        steps.append((stay, stay << 5 * digits, 3 * digits))
    return steps


_STEPS = tuple(_masks())


def _base32(lanes: bytes) -> str:
    """The lanes with each digit of five bits as one letter.

    The digits are moved apart in all lanes at once: first the upper 16 of the 32 of a lane by 48 bits, then
    the upper 8 of each 16 by 24, until there is one digit in each octet.
    """
    bits = int.from_bytes(lanes)
    for stay, move, shift in _STEPS:
        bits = bits & stay | (bits & move) << shift
    return bits.to_bytes(_LANE * _TOKENS).translate(_LETTERS).decode("ascii")
