"""The preview page: display copies are changed, what is sent is not."""

from __future__ import annotations

import html5lib

from digest.render import Renderer
from digest.render.page import (
    ALWAYS,
    NEVER,
    Shown,
    in_scheme,
    preview_page,
    with_pictures_from,
    without_pictures,
)
from digest.render.templates import folders
from tests.sample_edition import NONCE, edition, presentation

HTML = Renderer(folders(), presentation()).render(edition(), nonce=NONCE).variant.html


def test_a_scheme_is_forced_in_the_display_copy() -> None:
    dark, light = in_scheme(HTML, dark=True), in_scheme(HTML, dark=False)
    assert f"@media {ALWAYS}" in dark
    assert f"@media {NEVER}" in light
    assert "prefers-color-scheme" not in dark + light
    assert '<meta name="color-scheme" content="dark">' in dark
    assert '<meta name="color-scheme" content="light">' in light
    assert "color-scheme: light dark" not in dark + light


def test_pictures_can_be_taken_away_and_alternative_texts_stay() -> None:
    off = without_pictures(HTML)
    assert ".jpg" not in off
    assert off.count("<img") == HTML.count("<img")
    assert 'alt="A lighthouse stands out of low fog"' in off


def test_addresses_of_pictures_can_be_replaced_for_display() -> None:
    html = '<img alt="src=&quot;no&quot; > x" src="/media/ab?x=1&amp;y=2"><a href="/media/ab">x</a>'
    seen = []

    def media(address: str) -> str:
        seen.append(address)
        return 'local"&.png'

    shown = with_pictures_from(html, media)
    assert seen == ["/media/ab?x=1&y=2"]
    assert 'src="local&quot;&amp;.png"' in shown
    assert '<a href="/media/ab">' in shown


def page(**changes: object) -> str:
    values: dict[str, object] = {
        "newsletter": "The <b>Post</b>",
        "edition": "weekly/2026-11-09",
        "subject": "Subject </title><script>alert(1)</script>",
        "preheader": "Preheader",
        "date": "17 November, 09:00",
        "reader": "ann@example.org",
        "state": "Draft",
        "warnings": ["one thing"],
    }
    shown = [Shown(HTML, "the <text> part", "Subject: x\nTo: <ann@example.org>", message_size=50_000)]
    return preview_page(shown, **{**values, **changes})  # type: ignore[arg-type]


def test_the_page_shows_everything_side_by_side() -> None:
    document = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page())
    frames = list(document.iter("iframe"))
    assert [frame.get("title") for frame in frames] == [
        "Desktop: 700 px wide",
        "Phone: 375 px wide",
        "Dark: 375 px wide, dark scheme",
        "Images off: 375 px wide, no picture loaded",
        "Dark, desktop: 700 px wide, dark scheme",
    ]
    assert all("allow-scripts" not in frame.get("sandbox", "x allow-scripts") for frame in frames)
    assert all("This week’s most popular news" in frame.get("srcdoc", "") for frame in frames)
    text = "".join(document.itertext())
    for part in (
        "weekly/2026-11-09",
        "Draft",
        "one thing",
        "the <text> part",
        "Subject: x",
        "50.0 kB",
        "ann@example.org",
    ):
        assert part in text


def test_nothing_on_the_page_can_run() -> None:
    document = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page())
    assert list(document.iter("script")) == []
    policy = next(e for e in document.iter("meta") if e.get("http-equiv") == "Content-Security-Policy")
    assert policy.get("content", "").startswith("default-src 'none'")


def test_links_of_a_frame_open_outside_of_it() -> None:
    assert page().count("&lt;base target=&#34;_blank&#34;&gt;") == 5


def test_a_page_without_warnings_says_that_there_are_none() -> None:
    assert "nothing to report" in page(warnings=[])


def test_variants_are_named_where_there_are_several() -> None:
    shown = [Shown(HTML, "a", key="default"), Shown(HTML, "b", key="sport")]
    assert "Variant sport" in preview_page(shown, newsletter="N", edition="e", subject="s")


def test_pictures_are_shown_from_where_the_caller_says() -> None:
    assert (
        page(media=lambda address: "data:image/png;base64,AAAA").count("data:image/png;base64,AAAA") == 4 * 4
    )
