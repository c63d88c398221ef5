"""Files that hold keys: mode 600, whole or not at all, and on the disk before anyone relies on them.

`key` is the setting that names the file, for errors; all raise `ConfigError`.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from digest.errors import ConfigError


def read(path: Path, *, key: str, missing: str) -> bytes:
    """Its content. Refused when it is not there (`missing` says what to do), or when others may read it."""
    try:
        with path.open("rb") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            data = stream.read()
    except FileNotFoundError:
        raise ConfigError("there is no key file", key=key, file=str(path), hint=missing) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", key=key, file=str(path)) from None
    if mode & 0o077:
        raise ConfigError(
            "others may read the key file",
            key=key,
            file=str(path),
            found=f"mode {mode:03o}",
            allowed="600",
            hint=f"Run: chmod 600 {path}",
        )
    return data


def write_new(path: Path, data: bytes, *, key: str) -> None:
    """Makes the file. Nobody ever sees a part of it: it gets its name when it is whole.

    Raises FileExistsError when there is one already.
    """
    temporary = _beside(path)
    try:
        _write(temporary, data)
        path.hardlink_to(temporary)
        _sync_folder(path)
    except FileExistsError:
        raise
    except OSError as error:
        raise _not_made(path, key, error) from None
    finally:
        temporary.unlink(missing_ok=True)


def replace(path: Path, data: bytes, *, key: str) -> None:
    """Takes the place of the file in one step, or makes it."""
    temporary = _beside(path)
    try:
        _write(temporary, data)
        temporary.replace(path)
        _sync_folder(path)
    except OSError as error:
        raise _not_made(path, key, error) from None
    finally:
        temporary.unlink(missing_ok=True)


def _not_made(path: Path, key: str, error: OSError) -> ConfigError:
    return ConfigError(f"the key file cannot be made: {error.strerror}", key=key, file=str(path))


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(descriptor, 0o600)  # whatever the umask adds or takes
        stream.write(data)
        stream.flush()
        os.fsync(descriptor)


def _sync_folder(path: Path) -> None:
    """Makes the name as lasting as the content."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
