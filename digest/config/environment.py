"""DIGEST_* variables: which key each one sets, and its value in the type of that key.

``DIGEST_SMTP__PORT`` sets ``port`` in ``[smtp]``; ``DIGEST_NEWSLETTER__MY_WEEK__COUNT`` sets ``count`` in
``[newsletter.my-week]``; ``DIGEST_TEMPLATES`` sets ``templates``. Lists are separated by commas.

pydantic-settings would do a part of this, but it passes a misspelt variable silently, knows nothing of slugs
with dashes, does not say where a value came from, and takes longer to import than everything else here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pydantic.fields import FieldInfo

from digest.config import schema
from digest.config.schema import KeyPath, Shape
from digest.errors import ConfigError

PREFIX = "DIGEST_"
NOT_SETTINGS = frozenset({"DIGEST_CONFIG", "DIGEST_DEBUG"})
NOT_OURS = ("DIGEST_TEST", "DIGEST_BENCH")
"""What the project's own tests and benchmarks are told begins so; no section does."""

_YES = frozenset({"true", "yes", "on", "1"})
_NO = frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True)
class Variable:
    """One variable that sets a key. `value` is as TOML would have given it."""

    name: str
    path: KeyPath
    value: object


def name_of(path: KeyPath) -> str:
    """The variable that sets a key; "" for a key that none can set."""
    found = schema.section(str(path[0]))
    if found is not None and found.shape is Shape.array:
        return ""
    return PREFIX + "__".join(str(part).replace("-", "_") for part in path).upper()


def read_environment(
    environ: Mapping[str, str], slugs: Collection[str]
) -> tuple[list[Variable], list[ConfigError]]:
    """The variables that set something, and an error for each that looks like a setting but is none.

    `slugs` are the newsletters of config.toml: a variable changes a newsletter and never makes one.
    """
    variables, errors = [], []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name.startswith(NOT_OURS) or name in NOT_SETTINGS:
            continue
        path = _path(name, slugs)
        field = schema.field_at(path) if path else None
        if path is None or field is None:
            errors.append(_unknown(name, slugs))
        else:
            variables.append(Variable(name, path, _value(field, environ[name])))
    return variables, errors


def _path(name: str, slugs: Collection[str]) -> KeyPath | None:
    first, separator, rest = name.removeprefix(PREFIX).lower().partition("__")
    if not separator:
        return (first,)
    found = schema.section(first)
    if found is None or found.shape is Shape.array:
        return None
    if found.shape is Shape.table:
        return (first, rest)
    slug_part, _, key = rest.rpartition("__")
    slug = next((slug for slug in slugs if slug.replace("-", "_") == slug_part), None)
    return None if slug is None else (first, slug, key)


def _value(field: FieldInfo, text: str) -> object:
    """The text in the key's type; left as it is where it does not fit, for the check to refuse."""
    if not text and schema.may_be_left_out(field):
        return None
    if schema.is_list(field):
        return [part.strip() for part in text.split(",") if part.strip()]
    kind, word = schema.basic_type(field), text.strip().lower()
    if kind is bool and word in _YES | _NO:
        return word in _YES
    if kind is int and re.fullmatch(r"[+-]?[0-9]{1,18}", word):
        return int(word)
    if kind is float and re.fullmatch(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?", word):
        return float(word)
    return text


def _names(slugs: Collection[str]) -> list[str]:
    names = [name_of((key,)) for key in schema.top_level()]
    for each in schema.sections():
        if each.shape is Shape.table:
            names.extend(name_of((each.name, key)) for key in each.model.model_fields)
        elif each.shape is Shape.named:
            names.extend(name_of((each.name, slug, key)) for slug in slugs for key in each.model.model_fields)
    return [*names, *NOT_SETTINGS]


def _unknown(name: str, slugs: Collection[str]) -> ConfigError:
    """Never shows the value: it may be the secret of a misspelt variable."""
    problem, allowed = "no such setting", f"{PREFIX}SECTION__KEY as in docs/configuration.md"
    near = difflib.get_close_matches(name.upper(), _names(slugs), n=1, cutoff=0.75)
    if name.startswith(f"{PREFIX}SOURCE__"):
        problem, allowed = "sources are set in config.toml only", ""
    elif near:
        problem, allowed = f"no such setting; did you mean {near[0]}?", ""
    elif name.startswith(f"{PREFIX}NEWSLETTER__"):
        known = ", ".join(sorted(slugs)) or "none"
        allowed = f"{PREFIX}NEWSLETTER__SLUG__KEY with a newsletter of config.toml ({known})"
    return ConfigError(problem, key=name, allowed=allowed, hint="Correct the variable or remove it.")
