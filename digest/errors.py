"""Everything that can go wrong in a way a person can mend.

Every error carries the facts (key, file, line, address, reply code) as attributes, says what happened in one
sentence, and names the thing to change in `hint`. The command line prints both and exits with `exit_code`;
a traceback is shown only with ``--debug``.

Exit codes: 0 done, 1 failed, 2 wrong use or configuration, 3 nothing to do or held, 4 interrupted and
resumable.
"""

from __future__ import annotations

from typing import ClassVar


class DigestError(Exception):
    """Root of the tree. `hint` says what to change; `exit_code` is what the command line returns."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class UsageError(DigestError):
    """A command was given something that it cannot work with."""

    exit_code = 2


class ConfigError(DigestError):
    """A setting is wrong. Names where it was found, what was found, and what is allowed."""

    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        key: str = "",
        found: str = "",
        allowed: str = "",
        file: str = "",
        line: int | None = None,
        hint: str = "",
    ) -> None:
        where = f"{file}:{line}" if file and line else file
        parts = [": ".join(p for p in (where, key, problem) if p)]
        if found:
            parts.append(f"found {found}")
        if allowed:
            parts.append(f"allowed: {allowed}")
        super().__init__("; ".join(parts), hint=hint)
        self.problem, self.key, self.found, self.allowed = problem, key, found, allowed
        self.file, self.line = file, line


class ConfigErrors(ConfigError):  # noqa: N818 - the plural is the point
    """Several settings are wrong at once; `errors` has each, `str` lists them all."""

    def __init__(self, errors: tuple[ConfigError, ...]) -> None:
        super().__init__(f"{len(errors)} settings are wrong:" + "".join(f"\n  {error}" for error in errors))
        self.errors = errors


class NothingToDo(DigestError):  # noqa: N818 - a state, not a failure
    """There is nothing to do, or the edition is held: the reason and the way out."""

    exit_code = 3


class Interrupted(DigestError):  # noqa: N818 - a state, not a failure
    """Stopped on request with everything recorded; the same command with ``--resume`` goes on."""

    exit_code = 4


class StoreError(DigestError):
    """The database cannot be used: locked, read-only, full, missing, of another version."""


class StoreBusy(StoreError):  # noqa: N818 - a state, not a failure
    """Two programs were in each other's way, and this one gave in: nothing was written, it may try again."""


class StoreVersionError(StoreError):
    """The schema is older or newer than this program."""

    exit_code = 2


class ImportFailed(DigestError):  # noqa: N818 - reads as what happened
    """A source could not be read at all; nothing of it was stored."""

    def __init__(self, source: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{source}: {reason}", hint=hint)
        self.source, self.reason = source, reason


class FetchFailed(ImportFailed):
    """A document could not be had over HTTP.

    `status` is that of the answer (RFC 9110 15), 0 where there was none; `retry_after` and `date` are the
    fields of that name as they came (RFC 9110 10.2.3, 6.6.1), "" where there were none.
    """

    def __init__(
        self,
        source: str,
        reason: str,
        *,
        hint: str = "",
        status: int = 0,
        retry_after: str = "",
        date: str = "",
    ) -> None:
        super().__init__(source, reason, hint=hint)
        self.status, self.retry_after, self.date = status, retry_after, date


class EditionError(DigestError):
    """An edition cannot do what was asked in the state that it is in."""

    def __init__(self, edition: str, problem: str, *, hint: str = "") -> None:
        super().__init__(f"edition {edition}: {problem}", hint=hint)
        self.edition, self.problem = edition, problem


class TemplateError(DigestError):
    """A template does not compile. Names the template file, the line and, where known, the column."""

    def __init__(self, template: str, line: int | None, problem: str, *, column: int | None = None) -> None:
        where = ":".join(str(p) for p in (template, line, column) if p is not None)
        super().__init__(f"{where}: {problem}", hint="Correct the template; the edition was not changed.")
        self.template, self.line, self.column, self.problem = template, line, column, problem


class AddressError(DigestError):
    """An address that cannot be written into a message or an SMTP command (RFC 5321 4.1.2)."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"{address!r}: {reason}", hint="Correct or remove this address.")
        self.address, self.reason = address, reason


class TransportError(DigestError):
    """The server cannot be used at all: no connection, no TLS, sender or sign-in refused.

    `code` is the SMTP reply code where there was one; no delivery is changed by this error. `for_good`:
    asking again by itself would change nothing (RFC 5321 4.2.1: 5xx) or do harm; a person has to look first.
    """

    def __init__(
        self,
        server: str,
        phase: str,
        problem: str,
        *,
        code: int | None = None,
        hint: str = "",
        for_good: bool = False,
    ) -> None:
        super().__init__(f"mail server {server}, {phase}: {problem}", hint=hint)
        self.server, self.phase, self.problem, self.code = server, phase, problem, code
        self.for_good = for_good or (code is not None and code >= 500)


class TokenError(DigestError):
    """A signed link or return path that this installation did not make."""
