"""The commented config.toml, written from the settings models so that it cannot drift from them.

A comment has a space behind the ``#``; a key that is left at its default has none, so that taking the ``#``
away sets it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from pydantic.fields import FieldInfo

from digest.config import schema
from digest.config.schema import KeyPath, Shape

_WIDTH = 100


def example(
    values: Mapping[KeyPath, object],
    *,
    suggestions: Mapping[KeyPath, object] | None = None,
    notes: Mapping[KeyPath, str] | None = None,
    slug: str = "weekly",
) -> str:
    """Every key with its description: those in `values` set, the others commented out with their default.

    `suggestions` take the place of defaults in what is commented out; `notes` are added to descriptions.
    """
    writer = _Writer(values, suggestions or {}, notes or {})
    return "\n".join(writer.document(slug)).rstrip() + "\n"


class _Writer:
    def __init__(
        self,
        values: Mapping[KeyPath, object],
        suggestions: Mapping[KeyPath, object],
        notes: Mapping[KeyPath, str],
    ) -> None:
        self._values, self._suggestions, self._notes = values, suggestions, notes

    def document(self, slug: str) -> Iterator[str]:
        yield from _comment(
            "Configuration of newsletter digest. A line such as #count = 10 shows a default: take the # away "
            "to change it. Durations are written 7d, 36h, 30m or 1d12h; relative paths begin at this file. "
            "Each key can also be set as an environment variable, such as DIGEST_SMTP__PORT or "
            f"DIGEST_NEWSLETTER__{slug.replace('-', '_').upper()}__COUNT. `digest config check` says whether "
            "all is well."
        )
        yield ""
        for name, field in schema.top_level().items():
            yield from self._key((name,), field)
        for section in schema.sections():
            base: KeyPath = (section.name,)
            if section.shape is Shape.named:
                base += (slug,)
            elif section.shape is Shape.array:
                base += (0,)
            used = section.shape is Shape.table or any(path[: len(base)] == base for path in self._values)
            yield ""
            yield from _comment(section.description + self._note((section.name,)))
            yield ("" if used else "#") + section.header.replace("SLUG", slug)
            yield ""
            for name, field in section.model.model_fields.items():
                yield from self._key((*base, name), field)

    def _note(self, path: KeyPath) -> str:
        return f" {self._notes[path]}" if path in self._notes else ""

    def _key(self, path: KeyPath, field: FieldInfo) -> Iterator[str]:
        yield from _comment((field.description or "") + self._note(path))
        if path in self._values:
            yield f"{path[-1]} = {schema.written(self._values[path])}"
            return
        shown = self._suggestions.get(path, schema.default(field))
        if shown is None:
            shown = next(iter(field.examples or ()), "...")
        yield f"#{path[-1]} = {schema.written(shown)}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )
