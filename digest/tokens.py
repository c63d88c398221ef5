"""Signed links and return paths, the file of their keys, and its rotation.

A token is 28 characters of lower-case base32 (RFC 4648 6): 140 bits, which are 4 of purpose, 8 of key id, 48
of a number and 80 of HMAC-SHA256 over all of these. Lower case, because relays fold the case of local parts;
28, because a local part ends at 64 octets (RFC 5321 4.5.3.1.1). The same number gives the same token, and it
never expires: the link in a mail of last year still works. Keys that no longer sign still verify.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import datetime as dt
import hashlib
import hmac
import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from typing import Self

import itsdangerous

from digest.errors import ConfigError, TokenError

LENGTH = 28
"""Characters of every token."""

_LARGEST = 2**48 - 1
_SECRET_BYTES = 32
_MAC_BYTES = 10
_HEAD_BYTES = 8  # 4 zero bits, purpose, key id and number fill them exactly
_DOMAIN = b"digest token 1\0"  # what else these keys may sign one day can never look like a token
_VERSION = 1
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = range(130, -1, -10)
_FOREIGN = "this link was not made by this installation"


class Purpose(IntEnum):
    """What a token is for, and what its number means. A token of one purpose is refused for another."""

    leave = 1
    """One-click link: a subscription's id."""
    bounce = 2
    """Return path: a delivery's id."""
    message = 3
    """Message-ID: a delivery's id."""


@dataclass(frozen=True)
class KeyRing:
    """The secrets of an installation.

    `signing` are the keys by id (1 to 255), `current` the one that signs. `address_secret` makes address keys
    and never changes, or suppressions would no longer match. `link_secret` signs links that expire.
    """

    current: int
    signing: Mapping[int, bytes] = field(repr=False)
    address_secret: bytes = field(repr=False)
    link_secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.current not in self.signing or not all(1 <= key_id <= 255 for key_id in self.signing):
            raise ValueError("key ids are 1 to 255, and the current one is among them")
        if any(
            len(secret) < _SECRET_BYTES
            for secret in (*self.signing.values(), self.address_secret, self.link_secret)
        ):
            raise ValueError(f"a secret has at least {_SECRET_BYTES} bytes")
        object.__setattr__(self, "signing", dict(self.signing))

    @classmethod
    def generate(cls) -> Self:
        """New secrets from the system's source."""
        return cls(
            current=1,
            signing={1: secrets.token_bytes(_SECRET_BYTES)},
            address_secret=secrets.token_bytes(_SECRET_BYTES),
            link_secret=secrets.token_bytes(_SECRET_BYTES),
        )

    def rotated(self) -> Self:
        """A ring that signs with a new key and still verifies with the old ones.

        Raises ValueError when all 255 ids are taken.
        """
        new = max(self.signing) + 1
        signing = {**self.signing, new: secrets.token_bytes(_SECRET_BYTES)}
        return replace(self, current=new, signing=signing)

    @classmethod
    def load(cls, path: Path, *, create: bool = False) -> Self:
        """The ring kept at `path`.

        With `create`, a missing file is made from new secrets, mode 600: whole or not at all, and by one
        process when several try. Raises `ConfigError` for a missing or damaged file, and for one that others
        may read.
        """
        if create and not path.exists():
            with contextlib.suppress(FileExistsError):  # another process was first: its ring counts
                _write_new(path, cls.generate().as_json())
        try:
            with path.open("rb") as stream:
                mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
                data = stream.read()
        except FileNotFoundError:
            raise ConfigError(
                "there is no key file",
                key="keys.file",
                file=str(path),
                hint="Put back its copy: links and return paths of mail already sent need it. "
                "Only an installation that never sent may make a new one: digest init.",
            ) from None
        except OSError as error:
            raise ConfigError(f"cannot be read: {error.strerror}", key="keys.file", file=str(path)) from None
        if mode & 0o077:
            raise ConfigError(
                "others may read the key file",
                key="keys.file",
                file=str(path),
                found=f"mode {mode:03o}",
                allowed="600",
                hint=f"Run: chmod 600 {path}",
            )
        return cls._from_json(data, path)

    def save(self, path: Path) -> None:
        """Takes the place of the file at `path` in one step; used for rotation."""
        temporary = _beside(path)
        _write(temporary, self.as_json())
        temporary.replace(path)
        _sync_folder(path)

    def as_json(self) -> bytes:
        """The content of the key file."""
        document = {
            "version": _VERSION,
            "current": self.current,
            "signing": {str(key_id): secret.hex() for key_id, secret in sorted(self.signing.items())},
            "address_secret": self.address_secret.hex(),
            "link_secret": self.link_secret.hex(),
        }
        return json.dumps(document, indent=2).encode() + b"\n"

    @classmethod
    def _from_json(cls, data: bytes, path: Path) -> Self:
        try:
            document = json.loads(data)
            if document["version"] != _VERSION:
                raise ConfigError(
                    "the key file was made by a newer version of digest",
                    key="keys.file",
                    file=str(path),
                    found=f"version {int(document['version'])}",
                    allowed=f"version {_VERSION}",
                )
            return cls(
                current=int(document["current"]),
                signing={int(key): bytes.fromhex(value) for key, value in document["signing"].items()},
                address_secret=bytes.fromhex(document["address_secret"]),
                link_secret=bytes.fromhex(document["link_secret"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            # `from None`: what the parser complains of may quote a secret.
            raise ConfigError(
                "the key file is damaged", key="keys.file", file=str(path), hint="Put back its copy."
            ) from None


# --- the file -----------------------------------------------------------------------------------------


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def _write(path: Path, data: bytes) -> None:
    """Makes a new file of mode 600 and waits until it is on the disk. Raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(descriptor, 0o600)  # whatever the umask adds or takes
        stream.write(data)
        stream.flush()
        os.fsync(descriptor)


def _write_new(path: Path, data: bytes) -> None:
    """As `_write`, but nobody ever sees a part of the file: it gets its name when it is whole."""
    temporary = _beside(path)
    try:
        _write(temporary, data)
        path.hardlink_to(temporary)
        _sync_folder(path)
    except FileExistsError:
        raise
    except OSError as error:
        raise ConfigError(
            f"the key file cannot be made: {error.strerror}", key="keys.file", file=str(path)
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    """Makes the name as lasting as the content."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- tokens -------------------------------------------------------------------------------------------


def _head(purpose: int, key_id: int, number: int) -> bytes:
    return (purpose << 56 | key_id << 48 | number).to_bytes(_HEAD_BYTES)


def _mac(secret: bytes, head: bytes) -> bytes:
    return hmac.digest(secret, _DOMAIN + head, "sha256")[:_MAC_BYTES]


def _written(head: bytes, mac: bytes) -> str:
    """The last 140 bits as base32, ten at a time: b32encode takes 2.5 times as long."""
    bits = int.from_bytes(head + mac)
    return "".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])


def _read(token: str) -> tuple[int, int, int, bytes, bytes]:
    """Purpose, key id, number, head and MAC; raises `TokenError` for what has not the shape of a token."""
    # Not every letter that lower() makes an ASCII one was ASCII: "K" may be the Kelvin sign.
    if len(token) != LENGTH or not token.isascii():
        raise TokenError(_FOREIGN)
    try:
        padded = base64.b32decode(f"{token.upper()}A===")
    except binascii.Error:
        raise TokenError(_FOREIGN) from None
    raw = (int.from_bytes(padded) >> 4).to_bytes(_HEAD_BYTES + _MAC_BYTES)
    head, mac = raw[:_HEAD_BYTES], raw[_HEAD_BYTES:]
    return head[0], head[1], int.from_bytes(head[2:]), head, mac


def sign(ring: KeyRing, purpose: Purpose, number: int, *, key_id: int | None = None) -> str:
    """The token of `number` (0 to 2^48 - 1), signed with the key `key_id` or the current one.

    Raises ValueError for a number that does not fit, `TokenError` when the key file lacks that key.
    """
    if not 0 <= number <= _LARGEST:
        raise ValueError(f"a token holds numbers from 0 to 2^48 - 1, not {number}")
    used = ring.current if key_id is None else key_id
    secret = ring.signing.get(used)
    if secret is None:
        raise TokenError(
            f"the key file has no signing key {used}",
            hint="Put back the key file that this installation used before.",
        )
    head = _head(purpose, used, number)
    return _written(head, _mac(secret, head))


def verify(ring: KeyRing, purpose: Purpose, token: str) -> int:
    """The number in a token of ours, in whatever case; compares in constant time. Raises `TokenError`."""
    found, key_id, number, head, mac = _read(token)
    if key_id == 0:
        raise TokenError("this link is from a preview or a test; it changes nothing")
    secret = ring.signing.get(key_id)
    genuine = hmac.compare_digest(_mac(secret or ring.link_secret, head), mac)
    if secret is None or not genuine or found != purpose:
        raise TokenError(_FOREIGN)
    return number


def inert(purpose: Purpose) -> str:
    """A token for previews and test sends: it looks like any other, has key id 0 and never verifies."""
    return _written(_head(purpose, 0, 0), bytes(_MAC_BYTES))


def is_inert(token: str) -> bool:
    """Whether this is such a token, in whatever case; False for anything else."""
    try:
        _purpose, key_id, _number, _bytes, _mac_bytes = _read(token)
    except TokenError:
        return False
    return key_id == 0


# --- links that expire --------------------------------------------------------------------------------


def _preview_serializer(ring: KeyRing) -> itsdangerous.URLSafeTimedSerializer:
    return itsdangerous.URLSafeTimedSerializer(
        ring.link_secret, salt="digest preview link", signer_kwargs={"digest_method": hashlib.sha256}
    )


def preview_link(ring: KeyRing, subject: str) -> str:
    """A signed value for the address of the read-only preview of `subject`; it carries the present time."""
    return str(_preview_serializer(ring).dumps(subject))


def open_preview_link(ring: KeyRing, value: str, max_age: dt.timedelta) -> str:
    """The subject of a preview link that is not older than `max_age`; raises `TokenError`."""
    try:
        subject = _preview_serializer(ring).loads(value, max_age=int(max_age.total_seconds()))
    except itsdangerous.SignatureExpired:
        raise TokenError(
            "this preview link has expired", hint="The mail about a newer draft has a new one."
        ) from None
    except itsdangerous.BadData:
        raise TokenError(_FOREIGN) from None
    return str(subject)
