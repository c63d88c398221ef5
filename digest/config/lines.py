"""On which line of a TOML text each key stands, which `tomllib` does not tell.

Only for texts that `tomllib` has read already: the scanner relies on them being valid. Paths are tuples of
keys, with positions (from 0) for the members of arrays: ``("source", 0, "url")``. A table has the line of its
first header, or of the first key in it.
"""

from __future__ import annotations

import re
import tomllib

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = (  # the longest opening first
    re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"""(?:""|")?', re.DOTALL),
    re.compile(r"'''(?:[^']|'(?!''))*'''(?:''|')?", re.DOTALL),
    re.compile(r'"(?:[^"\\]|\\.)*"'),
    re.compile(r"'[^']*'"),
)
_SCALAR = re.compile(r"[^,\]}#\n]*")


def key_lines(text: str) -> dict[Path, int]:
    """Path of every table, key and array member -> its line, counted from 1."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.lines: dict[Path, int] = {}
        self._line, self._counted = 1, 0
        self._last: dict[Path, int] = {}  # array of tables -> position of its newest member

    def document(self) -> None:
        base: Path = ()
        self._skip(_BLANK)
        while self.position < len(self.text):
            if self._take("[["):
                base = self._header("]]", member=True)
            elif self._take("["):
                base = self._header("]", member=False)
            else:
                self._pair(base)
            self._skip(_BLANK)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.position)
        taken = match.group() if match else ""
        self.position += len(taken)
        return taken

    def _take(self, mark: str) -> bool:
        if not self.text.startswith(mark, self.position):
            return False
        self.position += len(mark)
        return True

    def _note(self, path: Path) -> None:
        self._line += self.text.count("\n", self._counted, self.position)
        self._counted = self.position
        for end in range(1, len(path) + 1):
            self.lines.setdefault(path[:end], self._line)

    def _header(self, closing: str, *, member: bool) -> Path:
        names = self._names()
        path: Path = ()
        for depth, name in enumerate(names, start=1):
            path += (name,)
            newest = self._last.get(path)
            if member and depth == len(names):
                newest = self._last[path] = 0 if newest is None else newest + 1
            if newest is not None:
                path += (newest,)
        self._note(path)
        self._take(closing)
        return path

    def _names(self) -> tuple[str, ...]:
        names = [self._name()]
        while self._take("."):
            names.append(self._name())
        return tuple(names)

    def _name(self) -> str:
        self._skip(_SPACE)
        name = self._skip(_BARE_KEY)
        if not name:
            quoted = self._string()
            name = tomllib.loads(f"key = {quoted}")["key"] if quoted else ""
        self._skip(_SPACE)
        return name

    def _string(self) -> str:
        for kind in _STRINGS:
            taken = self._skip(kind)
            if taken:
                return taken
        return ""

    def _pair(self, base: Path) -> None:
        path = base + self._names()
        self._note(path)
        self._take("=")
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip(_SPACE)
        if self._take("["):
            self._members(path)
        elif self._take("{"):
            self._inline_table(path)
        elif not self._string():
            self._skip(_SCALAR)

    def _members(self, path: Path) -> None:
        index = 0
        self._skip(_BLANK)
        while not self._take("]") and self.position < len(self.text):
            self._note((*path, index))
            self._value((*path, index))
            self._skip(_BLANK)
            self._take(",")
            self._skip(_BLANK)
            index += 1

    def _inline_table(self, path: Path) -> None:
        self._skip(_BLANK)
        while not self._take("}") and self.position < len(self.text):
            self._pair(path)
            self._skip(_BLANK)
            self._take(",")
            self._skip(_BLANK)
