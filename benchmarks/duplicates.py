"""Does the folding of near-duplicates find the same story, and nothing else?

Input: snapshots of five papers' feeds over two weeks (the folder ``feeds/series``, beside the folder of
`benchmarks.ranking`). No text of them is in this file; the labels come from two facts:

- *Edited.* Entries with one guid in several snapshots whose heading or standfirst differ are one story: each
  earlier version is to be found as the last one. Both have the date of the last: papers move it with an edit,
  and a store has one. Pages that are written anew all day (a word of `LIVE` in a heading) are counted apart:
  nothing but their address tells that they are one.
- *Two entries.* Every pair of different guids that is folded here was read, and so was every pair from two
  papers that agrees to .35. Those in `SAME` are one story: one text in two papers, or one paper's text on the
  web and on paper the next morning. All others are not: parts of a column, or two stories about one event.

A story is named by its number: papers in alphabetical order, snapshots by name, guids as they first appear.
Versions have no common address here, so that words alone decide; in the store it decides first.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from digest.errors import ImportFailed
from digest.importers import read_feed
from digest.model import RankingSettings, Story, StoryDraft
from digest.ranking import duplicates

PAPERS = ("bbc", "nytimes", "rnz", "smh", "straitstimes")
LIVE = frozenset(("live", "updates", "update", "tracker", "happened", "latest"))
SAME = frozenset(
    {(983, 2376), (1069, 1124), (1869, 1870), (2344, 2366), (3007, 3022), (3043, 3071), (3045, 3079)}
    | {(3212, 3240)}
)
SIMILARITY = RankingSettings().similarity
_SEEN = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
_VERSION = 1_000_000
"""Added to a story's number, times the version: the number of that version."""


def folder() -> Path:
    data = os.environ.get("BENCH_DATA")
    beside = Path(data).parent if data else Path(__file__).resolve().parents[2] / "shared/data"
    return beside / "feeds" / "series"


def versions(path: Path) -> list[tuple[str, list[StoryDraft]]]:
    """Paper and the different versions of each of its stories, oldest first."""
    found: dict[tuple[str, str], list[StoryDraft]] = {}
    for paper in PAPERS:
        for snapshot in sorted((path / paper).glob("*.xml")):
            try:
                imported = read_feed(
                    snapshot.read_bytes(), base_url="https://feeds.example/", source=paper, seen=_SEEN
                )
            except ImportFailed:
                continue
            for draft in imported.drafts:
                known = found.setdefault((paper, draft.external_id), [])
                if not known or (known[-1].title, known[-1].standfirst) != (draft.title, draft.standfirst):
                    known.append(draft)
    return [(paper, drafts) for (paper, _), drafts in found.items()]


def _story(number: int, paper: str, draft: StoryDraft) -> Story:
    return Story(
        id=number, source=paper, external_id=draft.external_id, url=f"https://{paper}.example/{number}",
        title=draft.title, standfirst=draft.standfirst, body=draft.body, author=draft.author,
        published=draft.published, first_seen=_SEEN,
    )  # fmt: skip


@dataclass(frozen=True)
class Found:
    """Pairs of a version and the last one of its story, and of different stories."""

    edited: Mapping[tuple[int, int], bool]
    """Whether each pair was found."""
    live: Mapping[tuple[int, int], bool]
    others: frozenset[tuple[int, int]]
    seconds: float


def found(papers: Sequence[tuple[str, list[StoryDraft]]], similarity: float = SIMILARITY) -> Found:
    """Looks for near-duplicates among the last versions, and one earlier version of each at a time."""
    lasts = [_story(number, paper, drafts[-1]) for number, (paper, drafts) in enumerate(papers, 1)]
    edited: dict[tuple[int, int], bool] = {}
    live: dict[tuple[int, int], bool] = {}
    others: set[tuple[int, int]] = set()
    seconds = 0.0
    for back in range(1, max(len(drafts) for _, drafts in papers)):
        earlier = [
            _story(
                number + back * _VERSION, paper, replace(drafts[-1 - back], published=drafts[-1].published)
            )
            for number, (paper, drafts) in enumerate(papers, 1)
            if len(drafts) > back
        ]
        start = time.process_time()
        alike = duplicates.neighbours([*lasts, *earlier], similarity, most=len(lasts) + len(earlier))
        seconds = max(seconds, time.process_time() - start)
        for each in earlier:
            number = each.id % _VERSION
            words = set(re.findall(r"\w+", f"{each.title} {lasts[number - 1].title}".casefold()))
            (live if words & LIVE else edited)[number, each.id] = each.id in alike.get(number, set())
        if back == 1:
            others |= {pair for pair in _pairs(alike) if pair[1] < _VERSION}
    return Found(edited, live, frozenset(others), seconds)


def _pairs(alike: Mapping[int, set[int]]) -> Iterator[tuple[int, int]]:
    return ((one, other) for one, near in alike.items() for other in near if one < other)


def run() -> None:
    path = folder()
    if not path.is_dir():
        print(f"no {path}: set BENCH_DATA to the folder stories that lies beside feeds")
        return
    papers = versions(path)
    result = found(papers)
    edited, live = sum(result.edited.values()), sum(result.live.values())
    right = len(result.others & SAME)
    wrong = len(result.others - SAME)
    print(f"{len(papers):,} stories of {', '.join(PAPERS)}; similarity {SIMILARITY}")
    print(f"one story edited: {_of(edited, len(result.edited))} found by their words")
    print(f"live pages:       {_of(live, len(result.live))}; the address tells, as for all in the store")
    print(f"two entries:      {_of(right, len(SAME))} that are one story found, and {wrong} that are not")
    recall = _of(edited + right, len(result.edited) + len(SAME))
    precision = _of(edited + live + right, edited + live + right + wrong)
    print(f"recall {recall}, precision {precision}; {result.seconds:.2f} s of CPU for all at once")


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.3f})"
