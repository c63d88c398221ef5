"""The settings models as a list of keys: for environment names, error messages, and the written reference."""

from __future__ import annotations

import datetime as dt
import json
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import PurePath
from typing import Any, Literal

import annotated_types
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from digest.config.durations import format_duration
from digest.config.settings import Settings
from digest.config.values import Allowed

KeyPath = tuple[str | int, ...]


class Shape(StrEnum):
    """How a section is written."""

    table = "[{}]"
    array = "[[{}]]"
    """One table for each member; out of reach for the environment."""
    named = "[{}.SLUG]"
    """One table for each slug."""


@dataclass(frozen=True)
class Section:
    name: str
    model: type[BaseModel]
    shape: Shape
    description: str

    @property
    def header(self) -> str:
        return self.shape.value.format(self.name)


def _is_model(annotation: object) -> typing.TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def sections() -> Iterator[Section]:
    """Every section, in the order of the model."""
    for name, field in Settings.model_fields.items():
        description = field.description or ""
        if _is_model(field.annotation):
            yield Section(name, field.annotation, Shape.table, description)
            continue
        for argument in typing.get_args(field.annotation):
            if _is_model(argument):
                shape = Shape.named if typing.get_origin(field.annotation) is dict else Shape.array
                yield Section(name, argument, shape, description)


def section(name: str) -> Section | None:
    return next((each for each in sections() if each.name == name), None)


def top_level() -> dict[str, FieldInfo]:
    """The keys that stand before the first section."""
    inside = {each.name for each in sections()} | {"root"}
    return {name: field for name, field in Settings.model_fields.items() if name not in inside}


def field_at(path: KeyPath) -> FieldInfo | None:
    """The field of a key such as ``("newsletter", "weekly", "count")``; None where there is none."""
    names = [part for part in path if isinstance(part, str)]
    if len(names) == 1:
        return top_level().get(names[0])
    found = section(names[0]) if names else None
    if found is None or len(names) < (3 if found.shape is Shape.named else 2):
        return None
    return found.model.model_fields.get(names[2 if found.shape is Shape.named else 1])


def _annotations(annotation: object) -> Iterator[object]:
    """The annotation and everything inside it, without None."""
    yield annotation
    for argument in typing.get_args(annotation):
        if argument is not type(None):
            yield from _annotations(argument)


def is_secret(field: FieldInfo) -> bool:
    return SecretStr in _annotations(field.annotation)


def is_list(field: FieldInfo) -> bool:
    return typing.get_origin(field.annotation) is tuple


def may_be_left_out(field: FieldInfo) -> bool:
    """Whether "nothing" is one of its values."""
    return type(None) in typing.get_args(field.annotation)


def basic_type(field: FieldInfo) -> type:
    """bool, int, float, or str for everything that is written as a text."""
    kind = field.annotation
    return kind if isinstance(kind, type) and kind in (bool, int, float) else str


def _limits(field: FieldInfo) -> str:
    """ " from 1 to 50", " more than 0", or ""."""
    low = high = ""
    for note in field.metadata:
        if isinstance(note, annotated_types.Ge):
            low = f" from {written(note.ge)}"
        elif isinstance(note, annotated_types.Gt):
            low = f" more than {written(note.gt)}"
        elif isinstance(note, annotated_types.Le):
            high = f" to {written(note.le)}" if low.startswith(" from") else f", at most {written(note.le)}"
        elif isinstance(note, annotated_types.Lt):
            high = f" and less than {written(note.lt)}"
    return (low + high).replace('"', "")


def allowed(field: FieldInfo) -> str:
    """What may stand there, as a phrase."""
    inside = list(_annotations(field.annotation))
    notes = [note for note in (*field.metadata, *inside) if isinstance(note, Allowed)]
    if notes:
        phrase = notes[0].text
        limits = _limits(field).strip()
        if limits and limits != "from 0":
            phrase += f"; {limits.replace('from', 'at least')}"
    elif isinstance(field.annotation, type) and issubclass(field.annotation, Enum):
        phrase = " or ".join(f'"{member.value}"' for member in field.annotation)
    elif typing.get_origin(field.annotation) is Literal:
        phrase = " or ".join(f'"{value}"' for value in typing.get_args(field.annotation))
    elif field.annotation is bool:
        phrase = "true or false"
    elif field.annotation is int:
        phrase = "a whole number" + _limits(field)
    elif field.annotation is float:
        phrase = "a number" + _limits(field)
    else:
        phrase = "a text"
    return f"a list, each {phrase}" if is_list(field) else phrase


def written(value: object) -> str:
    """A value as TOML. "" for None, which TOML cannot write."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, dt.timedelta):
        value = format_duration(value)
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(written(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {written(item)}" for key, item in value.items()) + " }"
    if isinstance(value, str | PurePath):
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)


def default(field: FieldInfo) -> Any:
    """Its default, or None where it has none or must be given."""
    return None if field.is_required() else field.get_default(call_default_factory=True)
