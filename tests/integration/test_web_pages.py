"""The other pages, over HTTP: web version, preview, pictures, and what surrounds them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast
from urllib.parse import urljoin

import httpx
import pytest

from digest.errors import TransportError
from digest.model import DeliveryState, EditionState
from digest.store.edition_steps import EditionSteps
from digest.store.ledger import Sending
from digest.tokens import Purpose, inert, preview_link
from digest.web import preview as preview_pages
from digest.web.preview import copies_words
from digest.work import alerts
from digest.work.desk import Desk
from tests.sample_edition import edition as sample_edition
from tests.web_site import PUBLIC, DeadInstallation, WebSite

EDITION = "/e/weekly/2026-11-09"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cf500f0003860180a2b4f2"
    "920000000049454e44ae426082"
)


@pytest.fixture
def site(tmp_path: Path) -> WebSite:
    return WebSite(tmp_path)


@pytest.fixture
def pages(site: WebSite) -> Iterator[httpx.Client]:
    with site.serving() as client:
        yield client


def preview_path(site: WebSite, slug: str = "weekly") -> str:
    return f"/preview/{preview_link(site.keys, slug)}/"


# --- the web version ----------------------------------------------------------------------------------


def test_draft_is_nobodys_to_read(site: WebSite, pages: httpx.Client) -> None:
    site.draft()
    assert pages.get(EDITION).status_code == 404
    assert EDITION not in pages.get("/").text


def test_approved_edition_is_what_readers_get_without_their_values(
    site: WebSite, pages: httpx.Client
) -> None:
    draft = site.draft()
    site.editions.approve(draft.id, draft.hash, at=site.clock.now(), by="an editor")
    page = pages.get(EDITION)
    assert page.status_code == 200
    assert "SLOT-" not in page.text
    assert "with the address" in page.text
    assert f'href="{PUBLIC}/leave"' in page.text
    assert "/u/" not in page.text
    for each in draft.stories:
        assert each.story.title in page.text
    assert "'unsafe-inline'" in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "x-frame-options" not in page.headers
    assert pages.head(EDITION).status_code == 200
    # Approved is not yet sent: it is there for those who have the link.
    assert EDITION[1:] not in pages.get("/").text


def test_sent_edition_is_named_on_the_front_page(site: WebSite, pages: httpx.Client) -> None:
    send(site)
    front = pages.get("/").text
    assert f"{EDITION[1:]}" in front
    assert "9–15 November" in front
    assert "The first edition has not been sent yet." in front  # of the other newsletter
    assert pages.get(EDITION).status_code == 200


@pytest.mark.parametrize(
    "path", ["weekly/2026-11-16", "daily/2026-11-09", "weekly/2026-02-30", "weekly/1700000000", "x/y"]
)
def test_edition_that_is_not_there_is_said_not_to_be(site: WebSite, pages: httpx.Client, path: str) -> None:
    send(site)
    answer = pages.get(f"/e/{path}")
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


def send(site: WebSite) -> None:
    draft = site.draft()
    steps: EditionSteps = site.editions
    steps.approve(draft.id, draft.hash, at=site.clock.now(), by="an editor")
    steps.transition(draft.id, {EditionState.approved}, EditionState.fanning, at=site.clock.now(), by="test")


# --- the preview --------------------------------------------------------------------------------------


def test_preview_shows_the_draft_its_reasons_and_what_comes_next(site: WebSite, pages: httpx.Client) -> None:
    draft = site.draft()
    path = preview_path(site)
    assert pages.get(path.rstrip("/")).headers["location"] == path.split("/")[2] + "/"
    page = pages.get(path)
    assert page.status_code == 200
    for words in (
        "Draft",
        "Not approved yet.",
        "Unless it is held, it is approved by itself on Tuesday 17 November, 08:00",
        "12,413 readers",
        "Bin day, explained by a bin man",
        "Nothing stands out.",
        "kB of HTML",
        "List-Unsubscribe",
    ):
        assert words in page.text
    for each in draft.stories:
        assert each.story.title in page.text
    assert draft.hash not in re.findall(r">([^<]*)<", page.text)


def test_preview_frames_are_what_leaves_with_links_that_do_nothing(
    site: WebSite, pages: httpx.Client
) -> None:
    site.draft()
    path = preview_path(site)
    for name in set(re.findall(r'<iframe[^>]* src="([^"]+)" sandbox="', pages.get(path).text)):
        frame = pages.get(urljoin(path, name))
        assert frame.status_code == 200
        assert "; sandbox" in frame.headers["content-security-policy"]
        assert f"{PUBLIC}/u/{inert(Purpose.leave)}" in frame.text
    assert pages.get(f"{path}digest.txt").text.count(inert(Purpose.leave)) == 1
    eml = pages.get(f"{path}digest.eml")
    assert eml.headers["content-disposition"].startswith("attachment")
    assert b"List-Unsubscribe-Post" in eml.content
    assert pages.get(f"{path}digest.exe").status_code == 404


def test_frames_have_the_scheme_that_they_are_named_for(site: WebSite, pages: httpx.Client) -> None:
    site.draft()
    path = preview_path(site)
    as_it_leaves = pages.get(f"{path}digest.html").text
    assert "(prefers-color-scheme: dark)" in as_it_leaves
    light, dark, bare = (pages.get(f"{path}{name}.html").text for name in ("light", "dark", "images-off"))
    for shown in (light, dark, bare):
        assert "prefers-color-scheme" not in shown
        assert "light dark" not in shown
    assert light != dark
    assert site.pictures in light
    assert site.pictures not in bare
    assert 'alt="A white ferry' in bare


def test_preview_says_how_an_edition_stands(site: WebSite, pages: httpx.Client) -> None:
    draft = site.draft()
    path = preview_path(site)
    now = site.clock.now()
    site.editions.hold(draft.id, "Signals are 3 days old", at=now, by="the schedule")
    page = pages.get(path).text
    assert "On hold" in page
    assert "Signals are 3 days old" in page
    assert "Unless it is held" not in page
    site.editions.release(draft.id, at=now, by="an editor")
    site.editions.approve(draft.id, draft.hash, at=now, by="Ruth")
    page = pages.get(path).text
    assert "This is the approved version, approved by Ruth." in page
    assert "It leaves on Tuesday 17 November, 09:00" in page
    site.editions.transition(draft.id, {EditionState.approved}, EditionState.fanning, at=now, by="send")
    refused = TransportError("relay:25", "sending", "451 4.7.0 daily quota exceeded")
    alerts.not_sent(cast(Desk, site), draft.name, refused)
    page = pages.get(path).text
    assert "It waits, and is tried again by itself." in page
    assert "451 4.7.0 daily quota exceeded" in page


def test_preview_before_the_first_draft(site: WebSite, pages: httpx.Client) -> None:
    answer = pages.get(preview_path(site, "daily"))
    assert answer.status_code == 200
    assert "There is no draft yet." in answer.text
    assert pages.get(f"{preview_path(site, 'daily')}digest.html").status_code == 404


def forged(path: str) -> str:
    """The path of a preview with another signature.

    Its first letter differs: the last one has bits that mean nothing, so that another one may mean the same.
    """
    value, signature = path.rsplit(".", 1)
    return f"{value}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def test_preview_needs_a_link_of_ours_that_has_not_expired(
    site: WebSite, pages: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.draft()
    path = preview_path(site)
    for each in (
        "/preview/rubbish/",
        forged(path),
        preview_path(site, "removed"),
        "/preview/x/digest.html",
    ):
        assert pages.get(each).status_code == 404
    monkeypatch.setattr(preview_pages, "MAX_AGE", dt.timedelta(seconds=-1))
    assert pages.get(path).status_code == 404


# --- for machines -------------------------------------------------------------------------------------


def test_picture_is_kept_for_ever_and_may_be_shown_anywhere(site: WebSite, pages: httpx.Client) -> None:
    name = site.stories.put_media(PNG, "image/png")
    answer = pages.get(f"/media/{name}")
    assert answer.content == PNG
    assert answer.headers["content-type"] == "image/png"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert pages.head(f"/media/{name}").headers["content-length"] == str(len(PNG))
    again = pages.get(f"/media/{name}", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for missing in ("a" * 64, "x", "..%2f..%2fdigest.db"):
        assert pages.get(f"/media/{missing}").status_code == 404


def test_site_says_whose_it_is(site: WebSite, pages: httpx.Client) -> None:
    answer = pages.get("/.well-known/newsletter-digest")
    assert answer.json() == {"installation": site.installation.id}


def test_health_tells_whether_the_store_can_be_used(site: WebSite, pages: httpx.Client) -> None:
    assert pages.get("/health").json() == {"store": "ok"}
    site.installation = DeadInstallation()  # type: ignore[assignment]
    answer = pages.get("/health")
    assert (answer.status_code, answer.json()) == (503, {"store": "unusable"})
    assert "/srv" not in answer.text


def test_style_sheet_is_served_and_nothing_beside_it(site: WebSite, pages: httpx.Client) -> None:
    assert "prefers-color-scheme: dark" in pages.get("/static/pages.css").text
    assert pages.get("/favicon.ico").headers["content-type"] == "image/svg+xml"
    for path in ("/static/../base.html", "/static/..%2fbase.html", "/static/base.html", "/static/none.css"):
        assert pages.get(path).status_code == 404
    assert "Disallow: /u/" in pages.get("/robots.txt").text


def test_own_templates_take_the_place_of_ours(tmp_path: Path) -> None:
    site = WebSite(tmp_path)
    (tmp_path / "own" / "web" / "static").mkdir(parents=True)
    (tmp_path / "own" / "web" / "problem.html").write_text("<p>{{ heading }}, says the Post")
    (tmp_path / "own" / "web" / "static" / "pages.css").write_text("p { color: red }")
    site.settings = site.settings.model_copy(update={"templates": Path("own")})
    with site.serving() as pages:
        assert pages.get("/nope").text == "<p>There is no such page, says the Post"
        assert pages.get("/static/pages.css").text == "p { color: red }"
        assert "How to leave" in pages.get("/leave").text


# --- around every page --------------------------------------------------------------------------------


def test_every_answer_has_the_headers_of_a_careful_site(site: WebSite, pages: httpx.Client) -> None:
    for path in ("/", "/leave", f"/u/{site.token}", "/nope", "/health", "/static/pages.css", "/openapi.json"):
        headers = pages.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "script-src" not in headers["content-security-policy"]
    assert pages.get("/openapi.json").status_code == 404


def test_page_links_work_under_a_path(site: WebSite, pages: httpx.Client) -> None:
    """A proxy may put the site under /news: no link of a page begins at the root."""
    site.draft()
    for path in ("/", "/leave", f"/u/{site.token}", preview_path(site)):
        text = pages.get(path).text
        assert 'href="/' not in text
        assert 'src="/' not in text
        [css] = re.findall(r'href="([^"]*pages\.css)"', text)
        assert urljoin(f"https://x.example/news{path}", css) == "https://x.example/news/static/pages.css"


def test_fault_in_the_program_shows_no_traceback(
    site: WebSite, pages: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(site.editions, "list_", fail)
    answer = pages.get("/")
    assert answer.status_code == 500
    assert "Something went wrong here" in answer.text
    assert "a secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


# --- an edition that leaves ---------------------------------------------------------------------------


def test_an_editor_sees_how_far_an_edition_is_in_plain_words() -> None:
    counts = dict.fromkeys(DeliveryState, 0) | {
        DeliveryState.accepted: 12_400,
        DeliveryState.queued: 7_500,
        DeliveryState.deferred: 97,
        DeliveryState.uncertain: 3,
        DeliveryState.skipped: 41,
    }
    edition = replace(sample_edition(), state=EditionState.sending)
    going = Sending(1, counts, None, None, 63.0, 121.0)
    assert copies_words(going, edition) == [
        "12,400 of 20,000 copies have left, 63 a second, about 2 min to go.",
        "97 readers' servers asked to try later.",
        "3 readers may already have it.",
        (
            "Whoever runs this decides whether to send again: "
            f"digest deliveries resolve {edition.name} --resend, or --skip."
        ),
    ]
    slow = Sending(1, counts, None, None, 0.5, 15_000.0)
    assert copies_words(slow, edition)[0].endswith(", 30 a minute, about 4 h to go.")
    assert copies_words(None, replace(edition, state=EditionState.draft)) == []
    assert copies_words(None, replace(edition, state=EditionState.fanning)) == [
        "Its readers are being listed."
    ]
