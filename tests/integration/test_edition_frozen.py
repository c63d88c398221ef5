"""What is approved is what leaves: nothing that changes afterwards reaches a copy."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from digest.app import App
from digest.config import Settings
from digest.errors import DigestError, EditionError
from digest.model import Edition, EditionState, Metric, MetricKind, Picture, Reading, StoryDraft
from digest.work import build
from digest.work.departure import check_content
from digest.work.guard import check_public_url
from digest.work.preview import preview, warnings
from tests.fakes import FixedClock
from tests.newsroom import WEEK_END, newsroom

HOUR = dt.timedelta(hours=1)
NOW = WEEK_END + 7 * HOUR


def built(app: App) -> Edition:
    return build.build(app, "weekly", build.period_at(app, "weekly", NOW), by="test")


def reconfigured(settings: Settings) -> Settings:
    """Everything changed that a copy could show."""
    weekly = settings.newsletter["weekly"].model_copy(
        update={
            "name": "Renamed",
            "title": "Another title",
            "sender": "other@example.net",
            "sender_name": "Other",
            "list_id": "other.example.net",
            "language": "de",
            "zone": "Asia/Tokyo",
            "accent": "#0B5CAD",
        }
    )
    site = settings.site.model_copy(update={"url": "https://new.example.net", "postal_address": "Elsewhere"})
    return settings.model_copy(update={"site": site, "newsletter": {"weekly": weekly}})


def test_a_changed_configuration_changes_no_byte_of_what_was_approved(tmp_path: Path) -> None:
    app, clock = newsroom(tmp_path, now=NOW)
    approved = build.approve(app, built(app), by="ed")
    before = preview(app, approved, address="ada@example.org", name="Ada").eml
    later = App(reconfigured(app.settings), clock)
    assert (
        preview(later, later.editions.get(approved.id), address="ada@example.org", name="Ada").eml == before
    )


def test_an_edition_in_flight_can_be_composed_when_its_newsletter_is_gone(tmp_path: Path) -> None:
    app, clock = newsroom(tmp_path, now=NOW)
    approved = build.approve(app, built(app), by="ed")
    without = App(app.settings.model_copy(update={"newsletter": {}}), clock)
    assert without.frame(approved) == app.frame(approved)


def test_what_stands_around_the_content_is_in_the_hash(tmp_path: Path) -> None:
    app, clock = newsroom(tmp_path, now=NOW)
    first = built(app)
    renamed = app.newsletter("weekly").model_copy(update={"list_id": "news.example.org"})
    other = App(app.settings.model_copy(update={"newsletter": {"weekly": renamed}}), clock)
    assert build.rebuild(other, first, by="ed").hash != first.hash
    assert build.rebuild(app, app.editions.get(first.id), by="ed").hash == first.hash


def test_two_stories_with_one_picture_and_one_that_is_not_ours_can_be_sent(tmp_path: Path) -> None:
    app, _ = newsroom(tmp_path, now=NOW, stories=False)
    site = app.settings.site.url
    shared = app.stories.put_media(b"picture", "image/jpeg")
    pictures = [f"{site}/media/{shared}", f"{site}/media/{shared}", f"https://x.example/media/{'ab' * 32}"]
    headings = ["Ferry service resumes", "Harbour wall repaired", "Lighthouse opens again"]
    app.stories.import_drafts(
        "news",
        [
            StoryDraft(
                f"s{number}",
                f"https://news.example/{number}",
                heading,
                picture=Picture(url, alt="A view"),
                published=WEEK_END - dt.timedelta(days=1),
            )
            for number, (heading, url) in enumerate(zip(headings, pictures, strict=True))
        ],
        seen=WEEK_END,
    )
    readings = [Reading(f"s{number}", WEEK_END - HOUR, 100 - number) for number in range(3)]
    app.signals.record(Metric("points", MetricKind.total), "news", readings)
    approved = build.approve(app, built(app), by="ed")
    check_content(app, approved)
    assert app.editions.pictures(approved.id) == [shared]


def test_an_edition_held_at_the_last_moment_does_not_begin_to_leave(tmp_path: Path) -> None:
    app, clock = newsroom(tmp_path, now=NOW)
    approved = build.approve(app, built(app), by="ed")
    app.editions.hold(approved.id, "wait", at=clock.now(), by="ed")
    with pytest.raises(EditionError, match="held"):
        app.editions.transition(
            approved.id, {EditionState.approved}, EditionState.fanning, at=clock.now(), by="send"
        )
    assert app.editions.release(approved.id, at=clock.now(), by="ed").state is EditionState.approved


def relayed_elsewhere(tmp_path: Path, url: str) -> tuple[App, FixedClock]:
    return newsroom(
        tmp_path, now=NOW, environ={"DIGEST_SMTP__HOST": "relay.example.net", "DIGEST_SITE__URL": url}
    )


def test_the_address_that_has_to_answer_is_the_one_in_the_links(tmp_path: Path) -> None:
    app, _ = relayed_elsewhere(tmp_path, "https://now.example.net")
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return json.dumps({"installation": "ours"}).encode()

    check_public_url(app.settings, "ours", fetch, site_url="https://then.example.net/")
    check_public_url(app.settings, "ours", fetch)
    assert [url.split("/")[2] for url in asked] == ["then.example.net", "now.example.net"]
    with pytest.raises(DigestError) as refused:
        check_public_url(app.settings, "others", fetch, site_url="https://then.example.net")
    assert "made while site.url was https://then.example.net" in refused.value.hint


def test_a_heading_that_changed_is_offered_and_changes_nothing_by_itself(tmp_path: Path) -> None:
    app, _ = newsroom(tmp_path, now=NOW)
    edition = built(app)
    lead = edition.stories[0].story
    assert not any("another heading" in line for line in warnings(app, edition))
    changed = StoryDraft(lead.external_id, lead.url, "Ferries are back", published=lead.published)
    app.stories.import_drafts("sample", [changed], seen=NOW)
    assert app.editions.get(edition.id) == edition
    (offered,) = [line for line in warnings(app, edition) if "another heading" in line]
    assert "Number 1" in offered
    assert "“Ferries are back”" in offered
    assert "digest edition build weekly --rebuild" in offered
    approved = build.approve(app, edition, by="ed")
    assert "digest edition set" in warnings(app, approved)[-1]
    app.editions.transition(
        edition.id, {EditionState.approved}, EditionState.fanning, at=NOW, by="send", finished=NOW
    )
    assert not any("another heading" in line for line in warnings(app, app.editions.get(edition.id)))


def test_what_was_wrong_with_it_when_it_was_made_is_told_in_the_preview(tmp_path: Path) -> None:
    app, _ = newsroom(tmp_path, now=NOW)
    assert "No postal address in the footer: set site.postal_address" in warnings(app, built(app))


@pytest.mark.parametrize(
    ("environ", "title"),
    [
        ({}, "This week’s most popular news"),
        ({"DIGEST_NEWSLETTER__WEEKLY__ORDER": "latest"}, "This week’s news"),
        ({"DIGEST_NEWSLETTER__WEEKLY__TITLE": "Our best", "DIGEST_NEWSLETTER__WEEKLY__ORDER": "latest"},
         "Our best"),
    ],
)  # fmt: skip
def test_only_a_list_by_figures_is_called_popular(
    tmp_path: Path, environ: dict[str, str], title: str
) -> None:
    app, _ = newsroom(tmp_path, now=NOW, environ=environ)
    edition = built(app)
    assert f"\n{title}\n" in edition.variants[0].text
    assert ("popular" in edition.variants[0].html.lower()) is (title == "This week’s most popular news")


def test_what_cannot_stand_in_a_header_is_found_when_it_is_built(tmp_path: Path) -> None:
    app, _ = newsroom(tmp_path, now=NOW, environ={"DIGEST_NEWSLETTER__WEEKLY__LIST_ID": "no list id"})
    with pytest.raises(EditionError, match="list_id") as refused:
        built(app)
    assert "newsletter.weekly" in refused.value.hint
    assert app.editions.list_() == []


def test_daily_readers_added_up_are_never_called_readers(tmp_path: Path) -> None:
    """Who came on three days is in three figures."""
    app, _ = newsroom(tmp_path, now=NOW, signals=False)
    daily = Metric("readers", MetricKind.count, distinct=True, bucket=dt.timedelta(days=1))
    stories = app.stories.list_(since=WEEK_END - dt.timedelta(days=7), limit=None)
    app.signals.record(
        daily,
        "sample",
        [
            Reading(story.external_id, WEEK_END - dt.timedelta(days=day), 1000 + story.id)
            for story in stories
            for day in (1, 2, 3)
        ],
    )
    edition = built(app)
    assert all("reader-days" in each.reasons[0] for each in edition.stories)
    for part in (edition.variants[0].html, edition.variants[0].text):
        assert " reads" in part
        assert " readers" not in part
