"""The secrets of an installation, the file that they are kept in, and its rotation."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from digest.config import secret_files
from digest.errors import ConfigError

_SECRET_BYTES = 32
_VERSION = 1
_KEY = "keys.file"
"""What names the file in config.toml."""


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
                secret_files.write_new(path, cls.generate().as_json(), key=_KEY)
        missing = (
            "Put back its copy: links and return paths of mail already sent need it. "
            "Only an installation that never sent may make a new one: digest init."
        )
        return cls._from_json(secret_files.read(path, key=_KEY, missing=missing), path)

    def save(self, path: Path) -> None:
        """Takes the place of the file at `path` in one step; used for rotation."""
        secret_files.replace(path, self.as_json(), key=_KEY)

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
                    key=_KEY,
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
                "the key file is damaged", key=_KEY, file=str(path), hint="Put back its copy."
            ) from None
