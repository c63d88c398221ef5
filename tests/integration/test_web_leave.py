"""Leaving, over HTTP: the page, the one-click POST of RFC 8058, undo, and a store that is busy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from digest.store.tables import people
from digest.tokens import KeyRing, Purpose, inert, sign
from subscribers import UNDO_WITHIN, SubscriptionState
from tests.web_site import WebSite

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def site(tmp_path: Path) -> WebSite:
    return WebSite(tmp_path)


@pytest.fixture
def pages(site: WebSite) -> Iterator[httpx.Client]:
    with site.serving() as client:
        yield client


def state(site: WebSite) -> SubscriptionState:
    return site.subscribers.subscription(site.reader.id).state


def forms(page: httpx.Response) -> list[str]:
    """Where the forms of a page go."""

    found = []

    class Forms(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "form":
                assert dict(attrs)["method"] == "post"
                found.append(page.url.join(str(dict(attrs)["action"])).path)

    Forms().feed(page.text)
    return found


def test_looking_at_the_page_never_unsubscribes(site: WebSite, pages: httpx.Client) -> None:
    page = pages.get(f"/u/{site.token}")
    assert page.status_code == 200
    assert "Leave The Harbour Post?" in page.text
    assert "A•••@example.org" in page.text
    assert "Anna" not in page.text
    assert pages.head(f"/u/{site.token}").status_code == 200
    assert state(site) is SubscriptionState.confirmed


@pytest.mark.parametrize("multipart", [False, True], ids=["urlencoded", "multipart"])
def test_one_click_post_unsubscribes_at_once_without_a_redirect(
    site: WebSite, pages: httpx.Client, multipart: bool
) -> None:
    body = {"files": {"List-Unsubscribe": (None, "One-Click")}} if multipart else {"data": ONE_CLICK}
    answer = pages.post(f"/u/{site.token}", **body)
    assert answer.status_code == 200
    assert answer.text == "Unsubscribed.\n"
    assert "set-cookie" not in answer.headers
    assert state(site) is SubscriptionState.unsubscribed
    # And again, as mail programs do.
    assert pages.post(f"/u/{site.token}", data=ONE_CLICK).status_code == 200


def test_one_click_works_from_any_origin_and_with_the_token_in_any_case(
    site: WebSite, pages: httpx.Client
) -> None:
    headers = {
        "origin": "https://mail.example",
        "referer": "https://mail.example/",
        "sec-fetch-site": "cross-site",
    }
    answer = pages.post(f"/u/{site.token.upper()}", data=ONE_CLICK, headers=headers)
    assert answer.status_code == 200
    assert state(site) is SubscriptionState.unsubscribed


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", None),
        (b"List-Unsubscribe=Something", "application/x-www-form-urlencoded"),
        (b"\xff\xfe=%zz", "application/x-www-form-urlencoded"),
        (b"rubbish", "multipart/form-data"),
        (b"rubbish", "multipart/form-data; boundary=x"),
        (
            b"--x\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\nx\r\n--x--",
            "multipart/form-data; boundary=x",
        ),
        (b"{}", "application/json"),
    ],
)
def test_any_post_is_a_wish_to_leave(
    site: WebSite, pages: httpx.Client, body: bytes, content_type: str | None
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    assert pages.post(f"/u/{site.token}", content=body, headers=headers).status_code == 200
    assert state(site) is SubscriptionState.unsubscribed


def test_form_leads_to_a_page_with_undo_and_back(site: WebSite, pages: httpx.Client) -> None:
    [leave] = forms(pages.get(f"/u/{site.token}"))
    left = pages.post(leave)
    assert "You have left The Harbour Post." in left.text
    assert state(site) is SubscriptionState.unsubscribed
    # Whoever opens the link again sees how things stand.
    assert forms(pages.get(f"/u/{site.token}")) == forms(left)

    [undo] = forms(left)
    back = pages.post(undo)
    assert back.status_code == 200
    assert "again" in back.text
    assert state(site) is SubscriptionState.confirmed
    assert forms(back) == [leave]


def test_undo_ends_after_a_while(site: WebSite, pages: httpx.Client) -> None:
    pages.post(f"/u/{site.token}")
    site.clock.advance(UNDO_WITHIN + dt.timedelta(minutes=1))
    assert forms(pages.get(f"/u/{site.token}")) == []
    answer = pages.post(f"/u/{site.token}/undo")
    assert "You have left" in answer.text
    assert state(site) is SubscriptionState.unsubscribed


def test_undo_is_not_reached_by_get(site: WebSite, pages: httpx.Client) -> None:
    pages.post(f"/u/{site.token}")
    assert pages.get(f"/u/{site.token}/undo").status_code == 405
    assert state(site) is SubscriptionState.unsubscribed


def test_preview_link_does_nothing_and_says_so(site: WebSite, pages: httpx.Client) -> None:
    link = f"/u/{inert(Purpose.leave)}"
    for answer in (pages.get(link), pages.post(link), pages.post(f"{link}/undo")):
        assert answer.status_code == 200
        assert "from a preview" in answer.text
        assert forms(answer) == []
    one_click = pages.post(link, data=ONE_CLICK)
    assert (one_click.status_code, "nothing was changed" in one_click.text) == (200, True)


@pytest.mark.parametrize("kind", ["cut off", "foreign", "other purpose", "unknown", "rubbish"])
def test_dead_link_says_where_to_turn(site: WebSite, pages: httpx.Client, kind: str) -> None:
    token = {
        "cut off": site.token[:-1],
        "foreign": sign(KeyRing.generate(), Purpose.leave, site.reader.id),
        "other purpose": sign(site.keys, Purpose.bounce, site.reader.id),
        "unknown": sign(site.keys, Purpose.leave, 4711),
        "rubbish": "%E2%84%AA%00%0D%0A<script>",
    }[kind]
    for answer in (pages.get(f"/u/{token}"), pages.post(f"/u/{token}"), pages.post(f"/u/{token}/undo")):
        assert answer.status_code == 404
        assert "This link does not work" in answer.text
        assert "letters@harbourpost.example" in answer.text
        assert "<script" not in answer.text
    assert state(site) is SubscriptionState.confirmed


def test_link_works_for_a_newsletter_that_is_no_longer_configured(site: WebSite, pages: httpx.Client) -> None:
    _ = site.reader
    site.settings.newsletter.pop("weekly")
    answer = pages.post(f"/u/{site.token}")
    assert "You have left weekly." in answer.text
    assert state(site) is SubscriptionState.unsubscribed


def test_erased_person_is_told_without_an_address(site: WebSite, pages: httpx.Client) -> None:
    person = site.reader.subscriber
    with site.database.write() as connection:
        connection.execute(
            sa.update(people.subscriber).where(people.subscriber.c.id == person).values(address=None)
        )
    answer = pages.post(f"/u/{site.token}")
    assert "No further edition is sent to you." in answer.text
    assert forms(answer) == []


def test_busy_store_asks_to_come_back_and_loses_nothing(site: WebSite, pages: httpx.Client) -> None:
    token = site.token
    with site.locked():
        # Looking does not wait for a writer.
        assert pages.get(f"/u/{token}").status_code == 200
        answer = pages.post(f"/u/{token}", data=ONE_CLICK)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "try again" in answer.text
    assert state(site) is SubscriptionState.confirmed
    assert pages.post(f"/u/{token}", data=ONE_CLICK).status_code == 200


def test_one_link_may_not_act_without_end(site: WebSite, pages: httpx.Client) -> None:
    codes = [pages.post(f"/u/{site.token}", data=ONE_CLICK).status_code for _ in range(22)]
    assert codes == [200] * 20 + [429] * 2
    site.clock.advance(dt.timedelta(minutes=1))
    assert pages.post(f"/u/{site.token}", data=ONE_CLICK).status_code == 200


def test_long_body_is_refused(site: WebSite, pages: httpx.Client) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert pages.post(f"/u/{site.token}", content=b"x" * 20_000, headers=form).status_code == 413
    chunks = (b"x" * 1000 for _ in range(20))
    assert pages.post(f"/u/{site.token}", content=chunks, headers=form).status_code == 413
    assert state(site) is SubscriptionState.confirmed


def test_pages_of_one_person_are_kept_by_nobody(site: WebSite, pages: httpx.Client) -> None:
    for answer in (pages.get(f"/u/{site.token}"), pages.post(f"/u/{site.token}"), pages.get("/u/nobody")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"


def test_log_never_has_a_token(site: WebSite, pages: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    token = site.token
    with site.locked():
        pages.post(f"/u/{token}")
    assert "POST /u/{token}" in caplog.text
    assert token not in "".join(record.getMessage() for record in caplog.records if record.name != "httpx")
