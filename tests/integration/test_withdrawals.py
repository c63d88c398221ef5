"""Stories that are gone reach no reader: their pages are looked at before an edition leaves."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from digest.cli import edition as edition_command
from digest.cli import send as send_command
from digest.config import Source
from digest.errors import FetchFailed, NothingToDo
from digest.importers.fetch import Fetched, PageAnswer, ask_page, fetch
from digest.model import Edition, Period, Window
from digest.store.events import Events
from digest.store.pages import PageState
from digest.web.inbox import Inbox
from digest.work import build
from digest.work.page_looks import PageLooks
from digest.work.permission import Permissions
from digest.work.withdrawals import APART, is_due, judge, look_at_edition, open_question
from digest.work.worker import Worker
from tests.fakes import FixedClock
from tests.feed_site import Site, feed_site, page
from tests.newsroom import WEEK_END, newsroom

HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)
BUILD, LOCK, SEND = (WEEK_END + hours * HOUR for hours in (6, 32, 33))
NOW = dt.datetime(2026, 11, 16, 8, 0, tzinfo=dt.UTC)


class Web:
    """Answers for every page of the sample newspaper; 200 where nothing else is said."""

    def __init__(self) -> None:
        self.says: dict[str, int] = {}
        self.robots: bytes | FetchFailed = b""
        self.asked: list[str] = []
        self.robots_asked = 0
        self._alone = threading.Lock()

    def ask(self, url: str, *, internal: bool = False) -> PageAnswer:
        with self._alone:
            self.asked.append(url)
        status = self.says.get(url, 200)
        if not status:
            raise FetchFailed(url, "no connection: refused")
        return PageAnswer(status, self.says_where.get(url, ""))

    says_where: dict[str, str] = {}  # noqa: RUF012 - replaced, never changed

    def fetch_robots(
        self, url: str, *, internal: bool = False, max_bytes: int, total_seconds: float
    ) -> Fetched:
        self.robots_asked += 1
        if isinstance(self.robots, FetchFailed):
            raise self.robots
        return Fetched(url, self.robots)


class Office:
    """An installation with a draft of the week, and the web that its stories are on."""

    def __init__(self, folder: Path, now: dt.datetime = BUILD, **environ: str) -> None:
        self.app, self.clock = newsroom(folder, now=now, people=2, environ=environ)
        self.web = Web()
        self.pages = self.new_pages()
        period = build.period_at(self.app, "weekly", WEEK_END + 7 * HOUR)
        build.build(self.app, "weekly", period, by="test")
        self.lead = self.edition.stories[0].story

    def new_pages(self) -> PageLooks:
        permissions = Permissions(self.clock, fetch_robots=self.web.fetch_robots)
        return PageLooks(permissions, ask=self.web.ask)

    @property
    def edition(self) -> Edition:
        return self.app.editions.get("weekly")

    @property
    def state(self) -> str:
        return self.edition.state.value

    def look(
        self, *, at: dt.datetime | None = None, older_than: dt.timedelta | None = None
    ) -> dict[int, str]:
        """Story -> why it was withdrawn, or what its page said, for those that were looked at."""
        if at is not None:
            self.clock.set(at)
        found = look_at_edition(self.app, self.edition, self.pages, older_than=older_than)
        return {each.story.id: each.reason or each.words for each in found}

    @property
    def withdrawn(self) -> list[int]:
        return [story.id for story in self.app.stories.withdrawn_from(self.edition.id)]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_page_that_is_gone_withdraws_its_story_at_once(office: Office) -> None:
    office.web.says[office.lead.url] = 410
    assert "gone (410)" in office.look()[office.lead.id]
    assert office.withdrawn == [office.lead.id]
    (event, *_) = Events(office.app.database).of(f"story {office.lead.id}")
    assert (event.actor, event.action) == ("page", "withdraw")


def test_a_page_that_is_not_found_is_gone_at_the_second_look_an_hour_later(office: Office) -> None:
    office.web.says[office.lead.url] = 404
    assert office.look()[office.lead.id] == "not found"
    assert office.withdrawn == []
    assert office.look(at=BUILD + 59 * MINUTE, older_than=MINUTE)[office.lead.id] == "not found"
    assert office.withdrawn == [], "however many looks within the hour"
    assert "not found (404), since" in office.look(at=BUILD + HOUR, older_than=MINUTE)[office.lead.id]
    assert office.withdrawn == [office.lead.id]


def test_a_page_that_came_back_begins_anew(office: Office) -> None:
    for hours, status in ((0, 404), (2, 200), (4, 404)):
        office.web.says[office.lead.url] = status
        office.look(at=BUILD + hours * HOUR, older_than=MINUTE)
    assert office.withdrawn == []


@pytest.mark.parametrize("status", [0, 200, 301, 401, 403, 429, 500, 503])
def test_nothing_else_costs_a_story_its_place(office: Office, status: int) -> None:
    for hours in range(5):
        office.web.says[office.lead.url] = status
        office.look(at=BUILD + hours * HOUR, older_than=MINUTE)
    assert office.withdrawn == []


def test_an_answer_that_says_nothing_does_not_make_a_missing_page_be_there(office: Office) -> None:
    for hours, status in ((0, 404), (1, 503), (2, 404)):
        office.web.says[office.lead.url] = status
        office.look(at=BUILD + hours * HOUR, older_than=MINUTE)
    assert office.withdrawn == [office.lead.id]


def test_pages_are_looked_at_once_and_then_when_the_edition_comes_near(office: Office) -> None:
    looks = []
    for at in (
        BUILD,
        BUILD + HOUR,
        LOCK - 4 * HOUR,
        LOCK - 3 * HOUR,
        LOCK - 3 * HOUR + 30 * MINUTE,
        LOCK,
        SEND,
    ):
        before = len(office.web.asked)
        office.look(at=at)
        looks.append(len(office.web.asked) - before)
    every = len(office.edition.stories)
    assert looks == [every, 0, 0, every, 0, every, every]
    assert office.web.robots_asked == 2, "kept for a day"


def test_robots_txt_is_obeyed(office: Office) -> None:
    office.web.robots = b"User-agent: newsletter-digest\nDisallow: /\n"
    office.web.says[office.lead.url] = 410
    assert "robots.txt keeps it" in office.look()[office.lead.id]
    assert office.web.asked == []


@pytest.mark.parametrize(
    ("status", "allowed"), [(404, True), (403, True), (429, False), (503, False), (0, False)]
)
def test_without_a_robots_txt_pages_are_asked_for_and_in_its_trouble_not(
    office: Office, status: int, allowed: bool
) -> None:
    office.web.robots = FetchFailed("x", "y", status=status)
    office.look()
    assert bool(office.web.asked) is allowed
    assert office.web.robots_asked == 1


def test_a_server_that_does_not_answer_is_asked_once(office: Office) -> None:
    office.web.says = {each.story.url: 0 for each in office.edition.stories}
    assert set(office.look().values()) == {"no connection: refused"}
    assert len(office.web.asked) == 1


def test_a_source_can_be_left_out(office: Office) -> None:
    source = Source(name="sample", url="https://post.aldermouth.example/feed", withdrawn="never")
    office.app.settings = office.app.settings.model_copy(update={"source": (source,)})
    assert office.look() == {}


def test_redirects_are_followed_politely_and_not_for_ever(office: Office) -> None:
    url = office.lead.url
    office.web.says_where = {url: f"{url}/2", f"{url}/2": f"{url}/2"}
    office.web.says = {url: 301, f"{url}/2": 302}
    assert office.pages.look(url).status == 302
    office.web.says_where = {url: "https://elsewhere.example/2"}
    office.web.says["https://elsewhere.example/2"] = 410
    assert office.pages.look(url).status == 410
    assert office.web.robots_asked == 2, "of each site on the way"


def test_the_reader_gets_no_story_that_is_gone_and_the_operator_is_told(tmp_path: Path) -> None:
    with Inbox(port=0, maildir=tmp_path / "inbox") as inbox:
        office = Office(tmp_path, BUILD, DIGEST_SMTP__PORT=str(inbox.port))
        said: list[str] = []
        worker = Worker(office.app, stop=threading.Event(), say=said.append)
        worker._pages = office.pages

        def at(moment: dt.datetime) -> None:
            office.clock.set(moment)
            worker.look_at_pages()
            worker.round()
            worker.join()

        at(BUILD)
        at(LOCK)
        assert office.state == "approved"
        office.web.says[office.lead.url] = 404
        at(SEND)
        assert office.state == "approved", "it waits for the second look"
        assert any("the page of a story is not found" in line for line in said)
        at(SEND + HOUR + MINUTE)
        assert "1 story was withdrawn" in office.edition.held
        assert any("is held" in alert.message for alert in office.app.installation.open_alerts())
        at(SEND + 2 * HOUR)
        assert list((tmp_path / "inbox" / "new").iterdir()) == []
        office.app.editions.release(office.edition.id, at=office.clock.now(), by="Ann")
        at(SEND + 3 * HOUR)
        assert office.state == "finished", "a person decided"


def test_an_edition_whose_page_came_back_leaves(tmp_path: Path) -> None:
    with Inbox(port=0, maildir=tmp_path / "inbox") as inbox:
        office = Office(tmp_path, BUILD, DIGEST_SMTP__PORT=str(inbox.port))
        worker = Worker(office.app, stop=threading.Event(), say=lambda _: None)
        worker._pages = office.pages
        office.clock.set(LOCK)
        worker.round()
        for minutes, status in ((0, 404), (5, 500), (70, 200)):
            office.web.says[office.lead.url] = status
            office.clock.set(SEND + minutes * MINUTE)
            worker.round()
            worker.join()
        assert office.state == "finished"


def test_nobody_waits_for_ever_for_a_second_look(office: Office) -> None:
    office.web.says[office.lead.url] = 404
    office.look()
    assert open_question(office.app, office.edition) == BUILD + APART
    office.web.says[office.lead.url] = 500
    office.look(at=BUILD + 2 * HOUR, older_than=MINUTE)
    assert open_question(office.app, office.edition) is None


@pytest.fixture
def site() -> Iterator[Site]:
    with feed_site() as made:
        yield made


def test_a_real_server_is_asked_without_reading_the_page(site: Site, clock: FixedClock) -> None:
    site.pages["/robots.txt"] = page(b"User-agent: *\nDisallow: /private\n")
    site.pages["/a"] = page(b"x" * 100)
    site.pages["/gone"] = page(status=410)
    site.pages["/moved"] = page(status=301, Location="/gone")
    pages = PageLooks(Permissions(clock, fetch_robots=fetch), ask=ask_page)
    status = {
        path: pages.look(f"{site.url}{path}", internal=True).status for path in ("/a", "/gone", "/moved")
    }
    assert status == {"/a": 200, "/gone": 410, "/moved": 410}
    assert "robots.txt" in pages.look(f"{site.url}/private", internal=True).words
    site.pages["/away"] = page(status=302, Location=f"http://localhost:{site.server.server_port}/a")
    assert pages.look(f"{site.url}/away", internal=True).status == 0, "a page does not lead to others inside"
    assert "not asked for" in pages.look(f"{site.url}/a".replace("127.0.0.1", "localhost")).words, (
        "it is inside"
    )
    assert [path for path, _ in site.asked].count("/robots.txt") == 1
    assert all("newsletter-digest/" in headers["user-agent"] for _, headers in site.asked)


def test_the_command_says_what_each_page_said_and_holds(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.work.page_looks.PageLooks", lambda _: office.pages)
    run = CliRunner().invoke
    office.web.says[office.edition.stories[1].story.url] = 404
    result = run(edition_command.command, ["check-pages", "weekly", "--json"], obj=office.app)
    assert result.exit_code == 0
    pages = json.loads(result.stdout)["pages"]
    assert [each["status"] for each in pages][:3] == [200, 404, 200]
    assert pages[1]["again"] == "2026-11-16T07:00:00Z"
    office.web.says[office.lead.url] = 410
    result = run(edition_command.command, ["check-pages", "weekly"], obj=office.app)
    assert result.exit_code == 3
    assert "gone (410)" in result.stdout
    assert "withdrawn" in office.edition.held


def test_sending_by_hand_looks_once_more(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.work.page_looks.PageLooks", lambda _: office.pages)
    build.approve(office.app, office.edition, by="Ann")
    office.web.says = {office.lead.url: 410, office.edition.stories[1].story.url: 404}
    result = CliRunner().invoke(send_command.command, ["weekly"], obj=office.app)
    assert isinstance(result.exception, NothingToDo)
    assert "1 story was withdrawn" in str(result.exception)
    assert "is not found (404)" in result.stderr
    assert office.state == "approved"


instants = st.integers(-200, 200).map(lambda minutes: NOW + minutes * MINUTE)
states = st.builds(PageState, instants, st.sampled_from([0, 200, 404, 410, 500]), st.none() | instants)


@given(st.none() | states, st.sampled_from([0, 200, 301, 403, 404, 410, 429, 500]))
def test_only_410_or_an_hour_of_404_withdraws(before: PageState | None, status: int) -> None:
    after, reason = judge(before, status, NOW)
    missing_before = before.missing if before is not None else None
    long_missing = missing_before is not None and NOW - missing_before >= APART
    assert bool(reason) == (status == 410 or (status == 404 and long_missing))
    assert after.missing is None or after.missing <= NOW


@given(st.none() | states, st.integers(-60, 60))
def test_a_page_is_never_asked_twice_within_the_hour(state: PageState | None, hours: int) -> None:
    at = NOW + hours * HOUR
    period = Period(at.date(), Window(at - 300 * HOUR, at - 33 * HOUR), at - 27 * HOUR, at - HOUR, at)
    if state is not None and state.looked <= NOW < state.looked + APART:
        assert not is_due(state, period, NOW)
