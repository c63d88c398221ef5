"""Looks at the pages of stories, for what their source left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from digest.errors import ImportFailed
from digest.importers.draft import Fields, identifier
from digest.importers.fetch import Fetched
from digest.importers.links import canonical_url
from digest.importers.page import fill, read_page

AT_ONCE = 4
"""Pages asked for at a time: most of a source's are on one server."""


class Pages:
    """Fills in what pages say. `get` fetches one (digest.importers.fetch.fetch); `known` tells which of these
    names are of stories whose page was looked at before: that is not done at every poll."""

    def __init__(
        self, get: Callable[[str], Fetched], known: Callable[[Collection[str]], Collection[str]]
    ) -> None:
        self._get, self._known = get, known
        self.read = 0
        self._failed: Counter[str] = Counter()

    def __call__(self, stories: Sequence[Fields]) -> None:
        asked = [(each, url) for each in stories if (url := _address(each))]
        before = self._known({identifier(each.external_id, url) for each, url in asked})
        due = [
            (each, url)
            for each, url in asked
            if not each.title.strip() or identifier(each.external_id, url) not in before
        ]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for (each, _), got in zip(due, threads.map(self._page, [url for _, url in due]), strict=True):
                if isinstance(got, str):
                    self._failed[got] += 1
                elif got.body is not None:
                    fill(each, read_page(got.body, url=got.url, content_type=got.content_type))
                    self.read += 1

    @property
    def notes(self) -> list[str]:
        """How many pages could not be read, by reason."""
        return [
            f"pages that could not be read: {count:,} ({reason})"
            for reason, count in self._failed.most_common(5)
        ]

    def _page(self, url: str) -> Fetched | str:
        try:
            return self._get(url)
        except ImportFailed as error:
            return error.reason


def _address(stated: Fields) -> str:
    try:
        return canonical_url(stated.url, base=stated.base)
    except ValueError:
        return ""
