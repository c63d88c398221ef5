"""From a file and the environment to `Settings`, or to an error that says what to change and where."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from digest.config.environment import Variable, read_environment
from digest.config.lines import key_lines
from digest.config.problems import explain
from digest.config.schema import KeyPath
from digest.config.settings import Database, Settings, Smtp
from digest.config.values import CONTROL
from digest.errors import ConfigError, ConfigErrors

_TOML_PROBLEM = re.compile(
    r"(?P<problem>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)", re.DOTALL
)
_LARGEST = 1_000_000


@dataclass(frozen=True)
class Loaded:
    """Settings and where each of them came from."""

    settings: Settings
    file: Path
    lines: Mapping[KeyPath, int]
    variables: Mapping[KeyPath, str]

    def origin(self, path: KeyPath) -> str:
        """ "DIGEST_SMTP__PORT", "config.toml:12" or "default"."""
        if path in self.variables:
            return self.variables[path]
        return f"{self.file.name}:{self.lines[path]}" if path in self.lines else "default"


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of `path`, else of DIGEST_CONFIG, else of ./config.toml; DIGEST_* variables go over them.

    Passwords of password_file are filled in. Raises `ConfigError`; `ConfigErrors` when several are wrong.
    """
    return read(path, environ).settings


def read(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """As `load`, with the origin of every value."""
    file = path or Path(environ.get("DIGEST_CONFIG") or "config.toml")
    text = _text(file)
    document = _parsed(text, file)
    lines = key_lines(text)
    newsletters = document.get("newsletter")
    variables, errors = read_environment(environ, newsletters if isinstance(newsletters, dict) else ())
    for variable in variables:
        _merge(document, variable, variables)
    names = {variable.path: variable.name for variable in variables}
    root = document.pop("root", None)
    if root is not None:  # a field of Settings, but no key
        errors.append(ConfigError("unknown key", key="root", file=str(file), line=lines.get(("root",))))
    settings = None
    try:
        settings = Settings.model_validate_json(json.dumps(document, default=_no_such_type), strict=True)
    except ValidationError as error:
        errors += explain(error, document, file=str(file), lines=lines, variables=names)
    if settings is not None:
        settings = settings.model_copy(update={"root": file.absolute().parent})
        settings, more = _with_files(settings, Loaded(settings, file, lines, names))
        errors += more
    if len(errors) > 1:
        raise ConfigErrors(tuple(sorted(errors, key=lambda each: (not each.file, each.line or 0))))
    if settings is None or errors:
        raise errors[0]
    return Loaded(settings, file, lines, names)


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except FileNotFoundError:
        raise ConfigError(
            "there is no such file",
            file=str(file),
            hint="Make one with `digest init DIR`, or name it with --config FILE or DIGEST_CONFIG.",
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(file)) from None
    if len(data) > _LARGEST:
        raise ConfigError("is larger than a megabyte; this is not a configuration", file=str(file))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("is not UTF-8", file=str(file), line=line, hint="Save it as UTF-8 text.") from None


def _parsed(text: str, file: Path) -> dict[str, Any]:
    """Never shows the text of a line that cannot be read: a password with a missing quote may stand in it."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError("is nested too deeply", file=str(file)) from None
    except ValueError as error:  # TOMLDecodeError, and a number of thousands of digits
        match = _TOML_PROBLEM.fullmatch(str(error))
        problem = match["problem"] if match else "a value cannot be read"
        line = int(match["line"]) if match and match["line"] else text.count("\n") + 1 if match else None
        raise ConfigError(
            f"this is not TOML: {problem}",
            file=str(file),
            line=line,
            hint='A text stands in quotes, as in name = "Weekly"; see https://toml.io.',
        ) from None


def _no_such_type(_value: object) -> object:
    """Dates and times: no setting is one, so they become something that no setting accepts."""
    return [None]


def _merge(document: dict[str, Any], variable: Variable, variables: list[Variable]) -> None:
    """Sets the key; a variable for a password takes the place of the file's password_file, and vice versa."""
    table: Any = document
    for part in variable.path[:-1]:
        table = table.setdefault(part, {}) if isinstance(table, dict) else None
    if not isinstance(table, dict):  # "smtp = 5": the check says so
        return
    key = str(variable.path[-1])
    table[key] = variable.value
    other = key.removesuffix("_file") if key.endswith("_file") else f"{key}_file"
    if all(each.path != (*variable.path[:-1], other) for each in variables) and "password" in other:
        table.pop(other, None)


def _with_files(settings: Settings, loaded: Loaded) -> tuple[Settings, list[ConfigError]]:
    """Fills in passwords from their files, and looks whether the other files named are there."""
    errors: list[ConfigError] = []

    def complain(path: KeyPath, problem: str, found: Path) -> None:
        name = loaded.variables.get(path, "")
        dotted = ".".join(str(part) for part in path)
        errors.append(
            ConfigError(
                problem,
                key=f"{name} ({dotted})" if name else dotted,
                found=str(found),
                file="" if name else str(loaded.file),
                line=None if name else loaded.lines.get(path),
            )
        )

    if settings.templates is not None and not settings.path(settings.templates).is_dir():
        complain(("templates",), "there is no such folder", settings.path(settings.templates))
    filled: dict[str, Database | Smtp] = {}
    sections: dict[str, Database | Smtp] = {
        "database": settings.database, "smtp": settings.smtp, "fallback": settings.fallback
    }  # fmt: skip
    for name, section in sections.items():
        if isinstance(section, Smtp):
            for key in ("ca_file", "client_secret_file", "refresh_token_file"):
                named = getattr(section, key)
                if named is None:
                    continue
                file = settings.path(named)
                if not file.is_file():
                    complain((name, key), "there is no such file", file)
                # Absolute, for the transport knows no root.
                filled[name] = filled.get(name, section).model_copy(update={key: file})
        if section.password_file is None:
            continue
        file = settings.path(section.password_file)
        try:
            password = file.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not a text"
            complain((name, "password_file"), f"the password cannot be read: {reason}", file)
            continue
        if not password or CONTROL.search(password):
            complain((name, "password_file"), "the file has to hold one line, the password", file)
            continue
        filled[name] = filled.get(name, section).model_copy(update={"password": SecretStr(password)})
    return settings.model_copy(update=filled), errors
