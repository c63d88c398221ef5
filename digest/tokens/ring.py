"""The secrets of an installation, the file that they are kept in, and its rotation."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from digest.errors import ConfigError

_SECRET_BYTES = 32
_VERSION = 1


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
