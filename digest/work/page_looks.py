"""Looking whether a page is still there, politely: what robots.txt keeps from programs is left alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from digest.errors import ImportFailed
from digest.importers.fetch import PageAnswer, ask_page
from digest.work.permission import Permissions

_HOPS = 3
_WORDS = {
    200: "there", 404: "not found", 410: "gone for good", 401: "asks for a sign-in", 403: "refuses programs",
    429: "asked too often", 500: "its server is in trouble", 503: "its server is in trouble",
}  # fmt: skip


class AskPage(Protocol):
    """`digest.importers.fetch.ask_page`; called in threads."""

    def __call__(self, url: str, *, internal: bool = False) -> PageAnswer: ...


@dataclass(frozen=True, slots=True)
class Looked:
    """One look. `status` is 0 when there was no answer, or the page was not asked for; `words` says why."""

    status: int
    words: str = ""
    silent: bool = False
    """Its server does not answer: to ask it for other pages now would be of no use."""


class PageLooks:
    """Asks for pages without reading them."""

    def __init__(self, permissions: Permissions, *, ask: AskPage = ask_page) -> None:
        self._permissions, self._ask = permissions, ask

    def look(self, url: str, *, internal: bool = False) -> Looked:
        """The status of a page, after at most three redirects; one that leads on further is there. Blocks."""
        status, host = 0, urlsplit(url).hostname
        for _ in range(_HOPS + 1):
            internal = internal and urlsplit(url).hostname == host  # nothing leads from one to another inside
            why, silent = self._permissions.refusal(url, internal=internal)
            if why:
                return Looked(0, f"not asked for: {why}", silent=silent)
            try:
                answer = self._ask(url, internal=internal)
            except ImportFailed as error:
                return Looked(0, error.reason, silent=True)
            status = answer.status
            if not answer.location:
                break
            url = answer.location
        return Looked(status, _WORDS.get(status, ""))
