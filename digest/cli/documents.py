"""What the importing commands share: opening a document, and keeping what was rejected of it."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO
from zoneinfo import ZoneInfo

import click

from digest.cli.output import say
from digest.errors import ImportFailed, UsageError

if TYPE_CHECKING:
    from digest.importers.imported import Rejected

_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Document:
    """An open document. `size` is 0 where nobody can know it; `tell` is how much of it has been read."""

    name: str
    stream: BinaryIO
    size: int
    tell: Callable[[], int]
    url: str = ""
    content_type: str = ""


@contextmanager
def opened(named: str) -> Iterator[Document]:
    """Opens a file, an http(s) address, or standard input for ``-``; raises `ImportFailed`."""
    from digest.importers.links import is_url  # noqa: PLC0415 - quick start-up

    if is_url(named):
        from digest.importers.fetch import fetch  # noqa: PLC0415

        # Whoever types an address knows where it is; nothing on the internet leads from there to the inside.
        got = fetch(named, internal=True)
        stream = io.BytesIO(got.body or b"")
        yield Document(named, stream, len(got.body or b""), stream.tell, got.url, got.content_type)
    elif named == "-":
        yield Document("standard input", sys.stdin.buffer, 0, lambda: 0)
    else:
        path = Path(named)
        try:
            file = path.open("rb")
        except OSError as error:
            raise ImportFailed(
                named,
                f"it cannot be opened: {error.strerror}",
                hint="Check the name; - reads standard input.",
            ) from error
        with file:
            yield Document(named, file, path.stat().st_size, file.tell)


class Rejects:
    """Writes what was rejected into a CSV file, made when there is something to write; counts the reasons."""

    def __init__(self, stated: str, document: str) -> None:
        self._stated, self._document = stated, document
        self._file: IO[str] | None = None
        self._writer: Any = None
        self.path: Path | None = None
        self.reasons: Counter[str] = Counter()
        self.examples: list[Rejected] = []

    def __call__(self, rejected: Rejected) -> None:
        # Reasons name what was found: without it, equal ones count together.
        self.reasons[re.sub(r"(?:'[^']*'|\([^)]*\)|\d[\d:.T+-]*)", "…", rejected.reason)] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(rejected)
        if self._writer is None:
            self._open()
        self._writer.writerow((rejected.row, rejected.item, rejected.reason, rejected.content))

    @property
    def count(self) -> int:
        return self.reasons.total()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def report(self) -> None:
        """Says on stderr how many there are, the first few, and where all of them are."""
        if not self.count:
            return
        say(f"{self.count:,} rejected:")
        for each in self.examples:
            say(f"  row {each.row}" + (f" ({each.item})" if each.item else "") + f": {each.reason}")
        if self.count > len(self.examples):
            for reason, count in self.reasons.most_common(_EXAMPLES):
                say(f"  {count:,} x {reason}")
        say(f"All of them, with rows and reasons: {self.path}")

    def _open(self) -> None:
        for path in self._candidates():
            with suppress(OSError):
                self._file = path.open("w", encoding="utf-8", newline="")
                self.path = path
                break
        else:
            raise UsageError(
                f"the rejected rows cannot be written to {self._stated or self._document}",
                hint="Say where: --rejects FILE.",
            )
        self._writer = csv.writer(self._file)
        self._writer.writerow(("row", "item", "reason", "content"))

    def _candidates(self) -> list[Path]:
        """Where it was asked for; else beside the document, or here when that place is not ours to write."""
        if self._stated:
            return [Path(self._stated)]
        name = re.sub(r"[^\w.-]+", "-", self._document.rstrip("/").rpartition("/")[2]) or "document"
        beside = Path(self._document + ".rejected.csv")
        here = Path(name + ".rejected.csv")
        # The mode is asked, because root may write where nobody else is meant to.
        ours = Path(self._document).is_file() and beside.absolute().parent.stat().st_mode & 0o222
        return [beside, here] if ours else [here]


class Slug(click.ParamType[str]):
    """A source's name, as in config.toml."""

    name = "NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", str(value)):
            self.fail(f"{value!r} is no name: up to 40 of a-z, 0-9 and -, such as daily-paper.", param, ctx)
        return str(value)


class Zone(click.ParamType[ZoneInfo]):
    """A time zone by its name."""

    name = "ZONE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        if isinstance(value, ZoneInfo):
            return value
        try:
            return ZoneInfo(str(value))
        except (KeyError, ValueError, OSError):
            self.fail(f"{value!r} is no time zone. Allowed: names such as UTC or Europe/London.", param, ctx)


SLUG = Slug()
ZONE = Zone()
