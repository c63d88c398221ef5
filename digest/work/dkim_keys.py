"""The folder of DKIM keys: which there are, which one signs, and since when the others do not.

    dkim/example.org/s20261116.rsa.pem         selector s20261116
    dkim/example.org/s20261116.ed25519.pem     selector s20261116-ed25519: a selector has one key in DNS
    dkim/example.org/selectors.json            which of them signs

A key that was made does not sign before it is activated, when DNS shows its record. One that signs no more
keeps its file; its record has to stay in DNS until the mail that it signed has arrived everywhere.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from digest.compose import SigningKey, host_name
from digest.config import secret_files
from digest.errors import ConfigError, UsageError

KEEP = dt.timedelta(days=7)
"""How long the record of a retired key has to stay: mail is retried for days (RFC 5321 4.5.4.1), and some
programs verify it only when it is read."""
_BITS = 2048
_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?")
_SUFFIXES = {".rsa.pem": "", ".ed25519.pem": "-ed25519"}
"""Of the files; and what it adds to the selector."""
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """One selector of a domain, as its keys are kept."""

    domain: str
    selector: str
    keys: tuple[SigningKey, ...]
    signs: bool
    retired: dt.datetime | None = None
    """When another one took its place; None for one that signs or never did."""

    @property
    def removable(self) -> dt.datetime | None:
        """From when on nobody needs its record."""
        return None if self.retired is None else self.retired + KEEP


@dataclass(frozen=True, slots=True)
class _State:
    active: str = ""
    retired: Mapping[str, dt.datetime] | None = None


class KeyFolder:
    """The keys of all domains. `required` are those whose mail must not leave unsigned.

    Everything raises `ConfigError` for a file that is missing, damaged, or can be read by others.
    """

    def __init__(self, folder: Path, *, required: Collection[str] = ()) -> None:
        self._folder = folder
        self._required = frozenset(_ascii(domain) for domain in required)

    def signing(self, sender_domain: str) -> tuple[SigningKey, ...]:
        """The keys that sign mail from this domain: its own, or those of the nearest domain above it.

        Both are aligned with From (RFC 7489 3.1.1, relaxed). None when nothing above it has an active key;
        `ConfigError` when it should have one.
        """
        domain = _ascii(sender_domain)
        above = _with_those_above(domain)
        for each in above:
            active = self._state(each).active
            if active:
                keys = self._keys(each, active)
                if not keys:
                    raise ConfigError(
                        f"selector {active} of {each} signs, but its key is missing",
                        key="dkim.keys",
                        file=str(self._folder / each / f"{active}.rsa.pem"),
                        hint=f"Put it back, or make another one and activate it: digest dkim keygen {each}",
                    )
                return keys
        if self._required.intersection(above):
            raise ConfigError(
                f"mail from {domain} has to be signed, and no key of it is active",
                key="dkim.required",
                hint=f"Make one: digest dkim keygen {domain}",
            )
        return ()

    def domains(self) -> list[str]:
        """Those that have a folder."""
        if not self._folder.is_dir():
            return []
        return sorted(each.name for each in self._folder.iterdir() if each.is_dir())

    def kept(self, domain: str) -> list[Kept]:
        """Its selectors: the one that signs first, then those that may, then those that did."""
        domain = _ascii(domain)
        state, folder = self._state(domain), self._folder / domain
        names = {path.name.split(".")[0] for path in folder.glob("*.pem") if _suffix(path)}
        retired = dict(state.retired or {})
        found = [
            Kept(domain, name, self._keys(domain, name), name == state.active, retired.get(name))
            for name in sorted(names)
        ]
        return sorted(found, key=lambda each: (not each.signs, each.retired is not None))

    def make(self, domain: str, selector: str = "", *, ed25519: bool, at: dt.datetime) -> Kept:
        """A new RSA key of 2048 bits, and an Ed25519 key with it, that do not sign yet."""
        domain = _ascii(domain)
        names = {each.selector for each in self.kept(domain)}
        selector = selector or _new_name(at, names)
        if not _SELECTOR.fullmatch(selector) or selector.endswith("-ed25519"):
            raise UsageError(
                f"{selector!r} is not a selector",
                hint="It has small letters, figures and dashes, at most 50, such as s2026.",
            )
        if selector in names:
            raise UsageError(
                f"{domain} has a selector {selector} already",
                hint="A record in DNS must never change its key: choose another name.",
            )
        folder = self._folder / domain
        self._make_folder(folder)
        private: list[tuple[str, RSAPrivateKey | Ed25519PrivateKey]] = [
            (".rsa.pem", generate_private_key(65537, _BITS))
        ]
        if ed25519:
            private.append((".ed25519.pem", Ed25519PrivateKey.generate()))
        for suffix, key in private:
            pem = key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            secret_files.write_new(folder / f"{selector}{suffix}", pem, key="dkim.keys")
        return next(each for each in self.kept(domain) if each.selector == selector)

    def activate(self, domain: str, selector: str, *, at: dt.datetime) -> Kept:
        """From now on this one signs; the one before is retired. Changes nothing where it signs already."""
        domain = _ascii(domain)
        found = {each.selector: each for each in self.kept(domain)}
        if selector not in found:
            raise UsageError(
                f"{domain} has no selector {selector!r}",
                hint=f"It has: {', '.join(found)}." if found else f"Make a key: digest dkim keygen {domain}",
            )
        state = self._state(domain)
        if state.active != selector:
            retired = {name: when for name, when in (state.retired or {}).items() if name != selector}
            if state.active:
                retired[state.active] = at
            document = {
                "version": _VERSION,
                "active": selector,
                "retired": {name: when.isoformat() for name, when in sorted(retired.items())},
            }
            data = json.dumps(document, indent=2).encode() + b"\n"
            secret_files.replace(self._folder / domain / "selectors.json", data, key="dkim.keys")
        return next(each for each in self.kept(domain) if each.selector == selector)

    def _keys(self, domain: str, selector: str) -> tuple[SigningKey, ...]:
        """RSA first; none where there is no file."""
        keys = []
        for suffix, addition in _SUFFIXES.items():
            path = self._folder / domain / f"{selector}{suffix}"
            if not path.exists():
                continue
            pem = secret_files.read(path, key="dkim.keys", missing="")
            try:
                keys.append(SigningKey.load(domain, f"{selector}{addition}", pem))
            except ValueError as error:
                raise ConfigError(
                    f"this is no signing key: {error}",
                    key="dkim.keys",
                    file=str(path),
                    hint="Put back its copy.",
                ) from None
        return tuple(keys)

    def _state(self, domain: str) -> _State:
        path = self._folder / domain / "selectors.json"
        if not path.exists():
            return _State()
        data = secret_files.read(path, key="dkim.keys", missing="")
        try:
            document = json.loads(data)
            retired = {
                str(name): dt.datetime.fromisoformat(when) for name, when in document["retired"].items()
            }
            return _State(str(document["active"]), retired)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ConfigError(
                "the list of selectors is damaged",
                key="dkim.keys",
                file=str(path),
                hint=f"Remove it, then say which one signs: digest dkim activate {domain} SELECTOR",
            ) from None

    def _make_folder(self, folder: Path) -> None:
        try:
            for each in (self._folder, folder):
                with contextlib.suppress(FileExistsError):
                    each.mkdir(mode=0o700)
        except OSError as error:
            raise ConfigError(
                f"the folder cannot be made: {error.strerror}", key="dkim.keys", file=str(folder)
            ) from None


def _ascii(domain: str) -> str:
    try:
        return host_name(domain.strip().rstrip(".").lower()).lower()
    except ValueError as error:
        raise UsageError(str(error), hint="It is what stands behind the @, such as example.org.") from None


def _with_those_above(domain: str) -> list[str]:
    """The domain and all above it of at least two labels."""
    labels = domain.split(".")
    return [domain, *(".".join(labels[at:]) for at in range(1, len(labels) - 1))]


def _suffix(path: Path) -> bool:
    return path.name.endswith(tuple(_SUFFIXES)) and not path.name.startswith(".")


def _new_name(at: dt.datetime, taken: Collection[str]) -> str:
    """s20261116, or s20261116b where that is taken."""
    first = f"s{at:%Y%m%d}"
    return next(name for name in (first, *(f"{first}{letter}" for letter in _LETTERS)) if name not in taken)


_LETTERS = "bcdefghijklmnopqrstuvwxyz"
