"""Where templates are found, how they run, and which line of which file a place in their output came from.

A user's folder is looked in first, file by file; the product's own templates follow. Templates run in Jinja's
sandbox, with autoescape for MJML and HTML, and an unknown name is an error. Whatever they print is cleaned.
"""

from __future__ import annotations

import bisect
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from digest.errors import TemplateError
from digest.render.view import clean
from digest.render.wrapping import underlined, wrap

_HERE = Path(__file__).resolve()


def folders(override: Path | None = None) -> tuple[Path, ...]:
    """Template folders, most important first: the user's own, then the product's.

    The product's are inside the installed package (``digest/_templates``) or, when it runs from a checkout,
    the repository's ``templates``.
    """
    installed = _HERE.parents[1] / "_templates"
    own = installed if installed.is_dir() else _HERE.parents[2] / "templates"
    if override is None:
        return (own,)
    if not override.is_dir():
        raise TemplateError(str(override), None, "no such folder; it is the configured folder of templates")
    return (override, own)


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a template; `column` is known for text that begins in its own line."""

    template: str
    line: int
    column: int | None = None


# U+FDD0 and U+FDD1 are "noncharacters": never part of a text, and `clean` takes them out of all values.
_MARK = re.compile("\ufdd0([0-9]+)\\.([0-9]+)\\.([01])\ufdd1")


class _LineMarks(Extension):
    """Puts the template's name and line before every stretch of output, for one extra run after an error."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        names = self.environment.line_names  # type: ignore[attr-defined]
        if stream.name not in names:
            names.append(stream.name)
        source = names.index(stream.name)
        line_start = True
        previous = 1
        for token in stream:
            # A block tag swallows the line end behind it (trim_blocks).
            line_start = line_start or token.lineno > previous
            previous = token.lineno
            if token.type == "data":
                lines = token.value.split("\n")
                marked = [
                    f"\ufdd0{source}.{token.lineno + number}.{int(number > 0 or line_start)}\ufdd1{text}"
                    for number, text in enumerate(lines)
                ]
                yield Token(token.lineno, "data", "\n".join(marked))
                previous += len(lines) - 1
            elif token.type == "variable_begin":
                yield Token(token.lineno, "data", f"\ufdd0{source}.{token.lineno}.0\ufdd1")
                yield token
            else:
                yield token
            line_start = False


def _clean_output(value: object) -> object:
    """What every ``{{ expression }}`` passes through."""
    if not isinstance(value, str):
        return value
    if not isinstance(value, Markup):
        return clean(value)
    # A macro's output or a translated sentence: everything but the marks is cleaned.
    parts: list[str] = []
    at = 0
    for mark in _MARK.finditer(value):
        parts += (clean(value[at : mark.start()]), mark[0])
        at = mark.end()
    return Markup("".join((*parts, clean(value[at:]))))  # noqa: S704 - it was markup before


class _Loader(jinja2.FileSystemLoader):
    """Remembers what was loaded: an edition is frozen with the bytes of its templates."""

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__([str(folder) for folder in folders])
        self.loaded: dict[str, tuple[str, str]] = {}

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        try:
            source, path, fresh = super().get_source(environment, template)
        except UnicodeDecodeError as error:
            raise TemplateError(template, None, f"is not UTF-8: {error.reason}") from error
        self.loaded[template] = (source, path)
        return source, path, fresh


class Templates:
    """The templates of one list of folders, ready to run."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._loader = _Loader(folders)
        self._environment = self._make(marked=False)

    def _make(self, *, marked: bool) -> jinja2.Environment:
        environment = ImmutableSandboxedEnvironment(
            loader=self._loader,
            autoescape=jinja2.select_autoescape(("mjml", "html", "xml"), default=False),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=False,
            auto_reload=False,
            finalize=_clean_output,
            extensions=["jinja2.ext.i18n", *([_LineMarks] if marked else [])],
        )
        environment.line_names = []  # type: ignore[attr-defined]
        environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
        environment.filters["wrap"] = wrap
        environment.filters["underlined"] = underlined
        return environment

    def run(self, name: str, context: Mapping[str, Any]) -> str:
        """A template's output. `TemplateError` names the file and line of what is wrong with it."""
        return self._run(self._environment, name, context)

    def _run(self, environment: jinja2.Environment, name: str, context: Mapping[str, Any]) -> str:
        try:
            return environment.get_template(name).render(context)
        except jinja2.TemplateSyntaxError as error:
            where = error.filename or error.name or name
            raise TemplateError(where, error.lineno, error.message or "syntax error") from error
        except jinja2.TemplateNotFound as error:
            missing = error.name or name
            place = self._place_of(error) or Place(name, 0)
            if missing == name:
                raise TemplateError(name, None, "no such template") from error
            raise TemplateError(place.template, place.line or None, f"no such template: {missing}") from error
        except TemplateError:
            raise
        except Exception as error:  # a template can fail with anything; the person needs file and line
            found = self._place_of(error)
            problem = str(error) or type(error).__name__
            raise TemplateError(
                found.template if found else name, found.line if found else None, problem
            ) from error

    def _place_of(self, error: BaseException) -> Place | None:
        """The innermost template line of a traceback; Jinja rewrites its frames to those."""
        paths = {path for _, path in self._loader.loaded.values()}
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if frame.filename in paths:
                return Place(frame.filename, frame.lineno or 0)
        return None

    def sources(self, names: Sequence[str] = ()) -> dict[str, str]:
        """The content of every template loaded so far, by name: what an edition freezes."""
        for name in names:
            self._loader.get_source(self._environment, name)
        return {name: source for name, (source, _) in sorted(self._loader.loaded.items())}

    def locate(self, name: str, context: Mapping[str, Any], output: str, offset: int) -> Place:
        """Which template line the character of `output` at `offset` came from.

        Runs the template once more with marks; output that a mark changes (a template that measures its own
        text) leaves only the template's name and line 1.
        """
        environment = self._make(marked=True)
        marked = self._run(environment, name, context)
        names: list[str] = environment.line_names  # type: ignore[attr-defined]
        starts: list[int] = []
        places: list[tuple[str, int, bool]] = []
        stripped: list[str] = []
        length = at = 0
        for mark in _MARK.finditer(marked):
            stripped.append(marked[at : mark.start()])
            length += mark.start() - at
            at = mark.end()
            starts.append(length)
            places.append((names[int(mark[1])], int(mark[2]), mark[3] == "1"))
        stripped.append(marked[at:])
        index = bisect.bisect_right(starts, offset) - 1
        if "".join(stripped) != output or index < 0:
            return Place(self._path(name), 1)
        template, line, at_start = places[index]
        return Place(self._path(template), line, offset - starts[index] + 1 if at_start else None)

    def _path(self, name: str) -> str:
        return self._loader.loaded[name][1] if name in self._loader.loaded else name
