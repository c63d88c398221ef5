"""What pydantic found wrong, in words for the person who wrote config.toml."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from digest.config import schema
from digest.config.schema import KeyPath, Shape
from digest.config.settings import Settings
from digest.errors import ConfigError

_TYPES = {
    "string_type": "not a text",
    "int_type": "not a whole number",
    "int_from_float": "not a whole number",
    "float_type": "not a number",
    "bool_type": "neither true nor false",
    "tuple_type": "not a list",
    "path_type": "not a path",
    "enum": "unknown value",
    "literal_error": "unknown value",
    "greater_than": "too small",
    "greater_than_equal": "too small",
    "less_than": "too large",
    "less_than_equal": "too large",
    "string_too_short": "empty",
    "string_pattern_mismatch": "not a name of this kind",
    "finite_number": "not a number",
}
_TABLES = frozenset({"model_type", "model_attributes_type", "dict_type"})
_LONGEST = 80
_PASSWORD_IN_URL = re.compile(r"(://[^/@:\s]*:)[^/\s]*@")


def mask(text: str) -> str:
    """The text without the password of an address such as ``postgresql://user:password@host``."""
    return _PASSWORD_IN_URL.sub(r"\1********@", text)


def explain(
    error: ValidationError,
    document: Mapping[str, Any],
    *,
    file: str,
    lines: Mapping[KeyPath, int],
    variables: Mapping[KeyPath, str],
) -> Iterator[ConfigError]:
    """One `ConfigError` for each thing wrong; `variables` are the keys that the environment set."""
    for each in error.errors(include_url=False, include_input=False):
        context = each.get("ctx", {})
        path: KeyPath = tuple(part for part in each["loc"] if part != "[key]")
        if context.get("key"):
            path = (*path, context["key"])
        field = schema.field_at(path)
        if each["type"] == "extra_forbidden":
            problem, allowed, found = *_unknown_key(path), ""
        elif each["type"] == "missing":
            problem, found = "missing", ""
            allowed = schema.allowed(field) if field else ""
        else:
            problem = context.get("problem") or _TYPES.get(each["type"], each["msg"])
            allowed = context.get("allowed") or (schema.allowed(field) if field else "")
            found = _found(document, path)
            if each["type"] in _TABLES:
                problem, allowed = "not a table", f"a table, written {_header(path)}"
            if each["type"] == "string_pattern_mismatch" and field is None:  # the slug of a newsletter
                found = schema.written(str(path[-1]))
                allowed = "small letters, figures and dashes, at most 40"
        variable = next((variables[path[:n]] for n in range(len(path), 0, -1) if path[:n] in variables), "")
        yield ConfigError(
            problem,
            key=f"{variable} ({dotted(path)})" if variable else dotted(path),
            found=found,
            allowed=allowed,
            file="" if variable else file,
            line=None if variable else _line(lines, path),
        )


def dotted(path: KeyPath) -> str:
    """A key as messages write it: ``source[2].url`` (members counted from 1)."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _line(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """The line of the key or of the nearest table around it."""
    return next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), None)


def _header(path: KeyPath) -> str:
    found = schema.section(str(path[0]))
    return found.header if found else f"[{path[0]}]"


def _unknown_key(path: KeyPath) -> tuple[str, str]:
    """The problem and what is allowed. The value is never shown: it may be the secret of a misspelt key."""
    if len(path) == 1:
        known = [name for name in Settings.model_fields if name != "root"]
    else:
        around = schema.section(str(path[0]))
        depth = 2 if around is None or around.shape is Shape.table else 3
        known = list(around.model.model_fields) if around and len(path) == depth else []
    near = difflib.get_close_matches(str(path[-1]), known, n=1)
    if near:
        return f'unknown key; did you mean "{near[0]}"?', ""
    return "unknown key", ", ".join(known)


def _found(document: Any, path: KeyPath) -> str:
    """What stands there, as TOML, shortened; a secret is not shown."""
    field = schema.field_at(path)
    if field is not None and schema.is_secret(field):
        return "(a secret, not shown)"
    value = document
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return ""
    if isinstance(value, dict):
        return "a table"
    text = mask(schema.written(value))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
