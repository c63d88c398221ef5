"""Whether the stories of the coming edition are still there: their pages are looked at before it leaves.

Only the stories of an edition are looked at, a few pages a week. A page that says 410 is gone; one that says
404 may be a mistake of a minute, and is gone when a second look at least an hour later finds the same.
Nothing else says anything: a server in trouble, a refusal, or robots.txt never cost a story its place.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from digest.config import Settings
from digest.config.settings import Withdrawal
from digest.model import Edition, Period, Story
from digest.store.pages import PageState
from digest.work.desk import Desk
from digest.work.page_looks import Looked, PageLooks

APART = dt.timedelta(hours=1)
"""Between the two looks that find nothing; also how often pages are looked at as the edition comes near."""
NEAR = dt.timedelta(hours=3)
"""Before an edition locks and before it leaves."""
AT_DEPARTURE = dt.timedelta(minutes=10)
"""A look that is older is made again as the edition leaves."""
WAIT = dt.timedelta(hours=2)
"""An edition waits no longer for the second look at a page that was not found."""
BY = "page"
"""Who withdrew it, in the audit trail."""
_HOSTS_TOGETHER = 8


@dataclass(frozen=True, slots=True)
class PageFound:
    """A story of the edition, what its page said, and what follows from it."""

    story: Story
    status: int
    """Of the answer (RFC 9110 15); 0 where there was none."""
    words: str
    reason: str = ""
    """Why the story was withdrawn by this look; "" when it was not."""
    again: dt.datetime | None = None
    """When a second look decides; None where nothing is open."""


def is_due(state: PageState | None, period: Period, now: dt.datetime) -> bool:
    """Whether a page of a coming edition is to be looked at: once when the edition is made, then hourly
    before it locks and before it leaves, and for the second look. A look in the future (a clock set back)
    does not count."""
    if state is None or now < state.looked:
        return True
    if now - state.looked < APART:
        return False
    near = any(at - NEAR <= now < at + APART for at in (period.lock_at, period.send_at))
    return near or state.missing is not None


def judge(before: PageState | None, status: int, now: dt.datetime) -> tuple[PageState, str]:
    """What is to be kept after a look, and why the story counts as withdrawn; "" when it does not."""
    missing = before.missing if before is not None else None
    if missing is not None and missing > now:
        missing = now  # a clock was set back
    if status == 410:
        return PageState(now, status, missing or now), "its page says that it is gone (410)"
    if status == 404:
        state = PageState(now, status, missing or now)
        twice = missing is not None and now - missing >= APART
        return state, f"its page is not found (404), since {missing:%Y-%m-%d %H:%M} UTC" if twice else ""
    there = 200 <= status < 400
    return PageState(now, status, None if there else missing), ""


def look_at_edition(
    desk: Desk, edition: Edition, pages: PageLooks, *, older_than: dt.timedelta | None = None
) -> list[PageFound]:
    """Looks at the pages of its stories and withdraws those that are gone; what was found, in their order.

    Without `older_than` only at pages that are due (`is_due`); with it at those whose last look is as old as
    that. Blocks: hosts are asked together, the pages of one host one after the other, and a host that does
    not answer is not asked for the rest.
    """
    now = desk.clock.now()
    stories = desk.stories.get_many(each.story.id for each in edition.stories)
    before = desk.pages.get_many(stories)
    due: list[Story] = []
    for each in edition.stories:
        story = stories.get(each.story.id)
        if story is None or story.withdrawn is not None or not story.url:
            continue
        if _of_source(desk.settings, story)[0] is Withdrawal.never:
            continue
        state = before.get(story.id)
        if older_than is None:
            wanted = is_due(state, edition.period, now)
        else:
            wanted = state is None or not now - older_than < state.looked <= now
        if wanted:
            due.append(story)
    looked = _look_at_all(desk.settings, due, pages)
    return [_found(desk, story, before.get(story.id), looked[story.id]) for story in due]


def open_question(desk: Desk, edition: Edition) -> dt.datetime | None:
    """When the second look at a page that was not found decides, for which the edition should wait; None when
    nothing is open, or has been for so long that nobody can say."""
    now = desk.clock.now()
    stories = desk.stories.get_many(each.story.id for each in edition.stories)
    states = desk.pages.get_many(number for number, story in stories.items() if story.withdrawn is None)
    opened = [s.missing for s in states.values() if s.missing is not None and now - WAIT < s.missing <= now]
    return max(opened) + APART if opened else None


def _found(desk: Desk, story: Story, before: PageState | None, looked: Looked) -> PageFound:
    now = desk.clock.now()
    state, reason = judge(before, looked.status, now)
    desk.pages.note(story.id, state)
    if reason:
        desk.stories.withdraw(story.id, at=now, by=BY, reason=reason)
    again = state.missing + APART if state.missing is not None and not reason else None
    return PageFound(story, looked.status, looked.words, reason, again)


def _look_at_all(settings: Settings, stories: Sequence[Story], pages: PageLooks) -> Mapping[int, Looked]:
    by_host: dict[str, list[Story]] = defaultdict(list)
    for story in stories:
        by_host[urlsplit(story.url).netloc].append(story)
    looked: dict[int, Looked] = {}
    free = threading.Semaphore(_HOSTS_TOGETHER)

    def one_host(of_host: list[Story]) -> None:
        silent: Looked | None = None
        for story in of_host:
            if silent is None:
                with free:
                    looked[story.id] = _look(settings, story, pages)
                if looked[story.id].silent:
                    silent = looked[story.id]
            else:
                looked[story.id] = silent

    threads = [
        threading.Thread(target=one_host, args=(of_host,), name=f"pages {host}", daemon=True)
        for host, of_host in by_host.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return looked


def _look(settings: Settings, story: Story, pages: PageLooks) -> Looked:
    try:
        return pages.look(story.url, internal=_of_source(settings, story)[1])
    except Exception as error:  # noqa: BLE001 - a fault met at one page says nothing of the story
        return Looked(0, f"unexpected {type(error).__name__}: {error}")


def _of_source(settings: Settings, story: Story) -> tuple[Withdrawal, bool]:
    """What its source says of withdrawals, and whether it is inside; a story from elsewhere is as usual."""
    for source in settings.source:
        if source.name == story.source:
            return source.withdrawn, source.internal
    return Withdrawal.page, False
