"""Who is a reader of which page: agents, requests, and days."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.importers.logs import days, requests
from digest.importers.logs.agents import is_machine
from digest.importers.logs.days import Day
from digest.importers.logs.requests import Requests, Site
from tests.access_logs import CHROME, FIREFOX, entry

KEY = b"k" * 32


# --- agents -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "agent",
    [
        FIREFOX,
        CHROME,
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/18.1 Mobile/15E148 Safari/604.1"
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Mobile/15E148 [FBAN/FBIOS;FBAV/488.0.0.45.110;FBDV/iPhone14,5;FBLC/de_DE]"
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; CUBOT KINGKONG 9) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/142.0.0.0 Mobile Safari/537.36"
        ),
        (f"{CHROME} Edg/142.0.0.0"),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) "
            "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36"
        ),
        "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
        "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)",
        "Mozilla/5.0 (compatible; Konqueror/4.5; Linux) KHTML/4.5.4 (like Gecko)",
        "Opera/9.80 (Android; Opera Mini/36.2/119.132; U; id) Presto/2.12.423 Version/12.16",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:128.0) Gecko/20100101 Goanna/6.0 PaleMoon/33.0",
    ],
)
def test_a_browser_is_a_person(agent: str) -> None:
    assert not is_machine(agent)


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "-",
        "Mozilla/5.0",
        "Mozilla/4.0 (compatible;)",
        "curl/8.5.0",
        "python-requests/2.32",
        "Tiny Tiny RSS/24 (Unknown)",
        "UniversalFeedParser/5.2.1 +https://code.google.com/p/feedparser/",
        "WhatsApp/2.24.20.89 A",
        "Mozilla/5.0 (compatible; Anything/1.0)",
        "Mozilla/5.0 (compatible; Somebot/2.1; +http://www.example.org/bot.html)",
        f"{CHROME} (see https://example.org/about-us)",
        f"{CHROME} (contact: crawler at example dot org)",
        f"{FIREFOX} Google Favicon",
        CHROME.replace("Chrome/", "HeadlessChrome/"),
        CHROME.replace("like Gecko)", "like Gecko; Google Web Preview)"),
        f"{CHROME} Feed-Reader/2",
    ],
)
def test_what_names_itself_or_lacks_what_browsers_have_is_a_machine(agent: str) -> None:
    assert is_machine(agent)


# --- requests ---------------------------------------------------------------------------------------

SITE = Site("https://a.example", {"b.example": "http"})


def judged(target: str = "/news/one", **facts: object) -> tuple[str, str]:
    ours = Requests(SITE, ours=["weekly"], pages=["https://news.a.example/e/"])
    return ours.judge(entry(target, **facts))


def test_a_page_that_was_shown_counts() -> None:
    page = ("https://a.example/news/one", "")
    assert judged() == page
    assert judged(status=304) == page, "a browser that shows the page it kept"
    assert judged(content_type="text/html; charset=utf-8") == page
    assert judged(referrer="https://search.example/?q=one") == page
    assert judged(agent=None) == page, "this log names no agents"


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"method": "HEAD"}, requests.NOT_GET),
        ({"method": "POST"}, requests.NOT_GET),
        ({"method": "", "target": ""}, requests.NOT_GET),
        ({"status": 404}, requests.STATUS),
        ({"status": 206}, requests.STATUS),
        ({"status": 301}, requests.STATUS),
        ({"content_type": "application/json"}, requests.ASSET),
        ({"target": "/a/picture.JPG?w=100"}, requests.ASSET),
        ({"target": "/style.css"}, requests.ASSET),
        ({"target": "/feed/"}, requests.FEED),
        ({"target": "/tags/boats/index.rdf"}, requests.FEED),
        ({"target": "/atom.xml"}, requests.FEED),
        ({"target": "/?feed=rss2"}, requests.FEED),
        ({"target": "/wp-json/wp/v2/posts"}, requests.FEED),
        ({"agent": ""}, requests.MACHINE),
        ({"agent": "curl/8"}, requests.MACHINE),
        ({"purpose": "prefetch;prerender"}, requests.PREFETCH),
        ({"target": "/news/one?utm_source=weekly&utm_campaign=2026-11-09"}, requests.OURS),
        ({"target": "/news/one?utm_medium=email&utm_source=partner"}, requests.OURS),
        ({"target": "/news/one?UTM_Source=Newsletter"}, requests.OURS),
        ({"target": "/news/one?mtm_campaign=weekly"}, requests.OURS),
        ({"target": "/news/one?mc_cid=1234"}, requests.OURS),
        ({"referrer": "https://news.a.example/e/weekly/2026-11-09"}, requests.OURS),
        ({"referrer": "https://mail.google.com/mail/u/0/"}, requests.OURS),
        ({"referrer": "https://outlook.live.com/"}, requests.OURS),
        ({"referrer": "android-app://com.google.android.gm/"}, requests.OURS),
        ({"target": "https://:x/"}, requests.NO_ADDRESS),
        ({"target": "/" + "x" * 2000}, requests.NO_ADDRESS),
    ],
)
def test_everything_else_is_left_out_with_its_reason(facts: dict[str, object], reason: str) -> None:
    assert judged(**facts) == ("", reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "host", "url"),
    [
        ("/news/one?utm_source=search&id=4&fbclid=x", "", "https://a.example/news/one?id=4"),
        ("/news/one", "www.a.example", "https://a.example/news/one"),
        ("/news/one", "B.example:80", "http://b.example/news/one"),
        ("/news/one", "c.example", "https://c.example/news/one"),
        ("//news/one", "", "https://a.example/news/one"),
        ("http://b.example/news/one", "", "http://b.example/news/one"),
        ("/news/version-2.0", "", "https://a.example/news/version-2.0"),
        ("/api-economy/one", "", "https://a.example/api-economy/one"),
        ("/news/one.html", "", "https://a.example/news/one.html"),
    ],
)
def test_an_address_becomes_that_of_its_story(target: str, host: str, url: str) -> None:
    assert judged(target, host=host) == (url, "")


def test_a_path_without_a_site_is_not_guessed() -> None:
    assert Requests(Site("")).judge(entry()) == ("", requests.NO_SITE)


# --- days -------------------------------------------------------------------------------------------


def readers(day: Day) -> dict[str, int]:
    return {url: count for url, count in zip(day.pages, day.count().readers, strict=True) if count}


def test_a_visitor_counts_once_a_day_and_story() -> None:
    day = Day(KEY)
    for minute in (5, 3, 700):
        day.add("203.0.113.7", FIREFOX, "/one", minute)
    day.add("203.0.113.7", CHROME, "/one", 5)  # somebody else behind the same address
    day.add("203.0.113.8", FIREFOX, "/one", 5)
    day.add("203.0.113.8", FIREFOX, "/two", 5)
    assert readers(day) == {"/one": 3, "/two": 1}


def test_one_who_reads_everything_at_machine_speed_is_a_machine() -> None:
    day = Day(KEY)
    for page in range(days.IN_A_MINUTE - 1):
        day.add("fast", FIREFOX, f"/{page}", 5)
    assert sum(day.count().readers) == days.IN_A_MINUTE - 1, "tabs are opened quickly, too"
    day.add("fast", FIREFOX, "/more", 5)
    assert day.count() == ([0] * days.IN_A_MINUTE, 1)


def test_one_with_more_pages_than_a_person_reads_is_a_machine() -> None:
    day = Day(KEY)
    for page in range(days.PAGES + 1):
        day.add("slow", FIREFOX, f"/{page}", 4 * page)
    assert (sum(day.count().readers), day.count().machines) == (0, 1)


def test_an_address_that_changes_its_agent_is_found_all_the_same() -> None:
    day = Day(KEY)
    for page in range(days.PAGES_OF_ADDRESS + 1):
        day.add("scraper", f"{FIREFOX} {page}", f"/{page}", page)
    for person in range(days.PAGES_OF_ADDRESS + 100):  # an office reads the same few pages
        day.add("office", f"{FIREFOX} {person}", f"/{person % 20}", person)
    assert sum(day.count().readers) == days.PAGES_OF_ADDRESS + 100
    assert day.count().machines == days.PAGES_OF_ADDRESS + 1


def test_one_address_does_not_make_a_page_popular_by_changing_its_agent() -> None:
    day = Day(KEY)
    for number in range(days.READS_OF_ADDRESS + 1):
        day.add("pusher", f"{FIREFOX} {number}", "/one", number % 1440)
    assert day.count() == ([0], days.READS_OF_ADDRESS + 1)


def test_a_day_has_room_for_so_many_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(days, "MOST_PAGES", 2)
    day = Day(KEY)
    assert [day.add("a", FIREFOX, url, 1) for url in ("/1", "/2", "/3", "/2")] == [True, True, False, True]


def test_nobody_can_be_told_from_what_is_kept() -> None:
    day, other = Day(KEY), Day(b"o" * 32)
    for each in (day, other):
        each.add("203.0.113.7", FIREFOX, "/one", 5)
    kept, another = day.take_fresh(), other.take_fresh()
    assert b"203.0.113.7" not in kept
    assert kept[:8] != another[:8], "another day's hash of the same reader is another one"


_visits = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([FIREFOX, CHROME]),
        st.integers(0, 30).map(lambda page: f"/{page}"),
        st.integers(0, 3),
    ),
    max_size=80,
)


@given(_visits, st.data())
def test_any_order_any_pieces_and_any_repetition_give_the_same_readers(
    visits: list[tuple[str, str, str, int]], data: st.DataObject
) -> None:
    whole = Day(KEY)
    for visit in visits:
        whole.add(*visit)
    again = visits + data.draw(st.lists(st.sampled_from(visits), max_size=20) if visits else st.just([]))
    random.Random(data.draw(st.integers())).shuffle(again)
    pages: list[str] = []
    records: list[bytes] = []
    at = 0
    while at < len(again):  # kept and loaded between the pieces
        size = data.draw(st.integers(1, 40))
        piece = Day(KEY, pages, records)
        for visit in again[at : at + size]:
            piece.add(*visit)
        at += size
        pages = piece.pages
        records.append(piece.take_fresh())
    last = Day(KEY, pages, records)
    assert readers(last) == readers(whole)
    assert last.count().machines == whole.count().machines
