"""The look "Front Page" in a browser: readable at every width, light and dark, with pictures or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import FloatRect, Page, Route

from digest.model import Edition, Link, Picture
from digest.render import Presentation, Renderer
from digest.render.page import Shown, preview_page
from digest.render.templates import folders
from tests.sample_edition import NONCE, edition, presentation

pytestmark = pytest.mark.browser

WIDTHS = (320, 375, 700)
# A message is shown inside a mail program's page: landmarks are that page's business.
_AXE = {"rules": {"region": {"enabled": False}, "landmark-one-main": {"enabled": False}}}


def html_of(whole: Edition, facts: Presentation | None = None) -> str:
    return Renderer(folders(), facts or presentation()).render(whole, nonce=NONCE).variant.html


def show(page: Page, html: str, width: int, *, dark: bool = False, images: bool = True) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if dark else "light")
    if not images:

        def refuse(route: Route) -> None:
            route.abort()

        page.route("**/*.jpg", refuse)
    page.set_content(html, wait_until="load")


def violations(page: Page) -> list[str]:
    response: dict[str, Any] = Axe().run(page, options=_AXE).response
    found = response["violations"]
    # What axe cannot decide about contrast is a picture or a gradient behind text: there must be none.
    found += [rule for rule in response["incomplete"] if rule["id"] == "color-contrast"]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]


def box(page: Page, selector: str) -> FloatRect:
    found = page.locator(selector).first.bounding_box()
    assert found is not None, selector
    return found


def sideways(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


# --- accessible ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing(page: Page, pictures: str, width: int, dark: bool) -> None:
    show(page, html_of(edition(pictures=pictures)), width, dark=dark)
    assert violations(page) == []


def test_axe_finds_nothing_in_outlooks_dark_mode_on_the_web(page: Page, pictures: str) -> None:
    # Outlook.com keeps the light scheme and marks the elements that it darkens with these attributes.
    html = html_of(edition(pictures=pictures)).replace("<body", '<body data-ogsc="" data-ogsb=""', 1)
    show(page, html, 700)
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(237, 234, 228)"
    assert violations(page) == []


@pytest.mark.parametrize("accent", ["#F7C948", "#111111"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_any_accent_is_readable(page: Page, pictures: str, accent: str, dark: bool) -> None:
    show(page, html_of(edition(pictures=pictures), presentation(accent=accent)), 375, dark=dark)
    assert violations(page) == []


def test_axe_finds_nothing_from_right_to_left(page: Page, pictures: str) -> None:
    show(page, html_of(edition(pictures=pictures), presentation(language="ar")), 375)
    assert violations(page) == []


def test_no_text_is_smaller_than_14_pixels(page: Page, pictures: str) -> None:
    show(page, html_of(edition(pictures=pictures)), 320)
    small = page.evaluate(
        """() => [...document.body.querySelectorAll('*')].filter(e =>
            [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())
            && e.offsetParent && parseFloat(getComputedStyle(e).fontSize) < 14)
            .map(e => e.outerHTML.slice(0, 80))"""
    )
    assert small == []


def test_links_to_touch_are_44_pixels_high(page: Page, pictures: str) -> None:
    show(page, html_of(edition(pictures=pictures)), 375)
    # Headings and pictures lead to the same address as the "Read more" below them.
    heights = page.evaluate(
        """() => [...document.querySelectorAll('a')].filter(a => !a.closest('h2') && !a.querySelector('img'))
            .map(a => [a.textContent.trim().slice(0, 30), a.getBoundingClientRect().height])"""
    )
    assert len(heights) == 18
    assert [link for link in heights if link[1] < 44] == []


# --- at every width -----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ar"])
def test_nothing_scrolls_sideways(page: Page, pictures: str, language: str) -> None:
    html = html_of(edition(pictures=pictures), presentation(language=language))
    for width in (320, 375, 480, 539, 540, 600, 640, 700):
        show(page, html, width)
        assert sideways(page) == 0, width


def test_nothing_scrolls_sideways_whatever_a_story_says(page: Page, pictures: str) -> None:
    endless = "A " + "W" * 400 + " 👩‍👩‍👧‍👦 שלום עולם"
    whole = edition(pictures=pictures)
    stories = tuple(
        replace(
            each,
            story=replace(
                each.story,
                title=endless,
                standfirst=endless,
                section=endless,
                body=f"<p>{endless}</p>",
                related=(Link(endless, "https://example.org/"),),
                picture=replace(each.story.picture, alt=endless, caption=endless, credit=endless)
                if each.story.picture
                else None,
            ),
        )
        for each in whole.stories
    )
    facts = presentation(name=endless, title=endless, postal_address=endless)
    html = html_of(replace(whole, stories=stories, intro=endless), facts)
    for width in WIDTHS:
        for images in (True, False):
            show(page, html, width, images=images)
            assert sideways(page) == 0, (width, images)


def test_the_card_is_640_wide_with_a_gutter_of_24(page: Page, pictures: str) -> None:
    show(page, html_of(edition(pictures=pictures)), 700)
    assert box(page, "div.c")["width"] == 640
    hero = box(page, "img.hi")
    assert (hero["x"], hero["width"], hero["height"]) == (30 + 24, 592, 333)
    thumbnail = box(page, "img.th")
    assert (round(thumbnail["width"]), round(thumbnail["height"])) == (176, 132)
    assert thumbnail["x"] + thumbnail["width"] == 30 + 24 + 592


def test_on_a_phone_the_thumbnail_stands_beside_the_heading_and_the_text_below_both(
    page: Page, pictures: str
) -> None:
    show(page, html_of(edition(pictures=pictures)), 375)
    thumbnail, heading, text = box(page, "img.th"), box(page, ".st h2"), box(page, ".st p.sc")
    assert (thumbnail["width"], thumbnail["height"]) == (96, 72)
    assert thumbnail["x"] + thumbnail["width"] == 375 - 16
    assert thumbnail["y"] < heading["y"] + heading["height"]
    assert heading["x"] + heading["width"] <= thumbnail["x"]
    assert text["width"] == 375 - 32
    assert text["y"] > thumbnail["y"] + thumbnail["height"]


def test_without_media_queries_a_phone_still_has_room_for_the_text(page: Page, pictures: str) -> None:
    html = html_of(edition(pictures=pictures)).replace("@media", "@none")
    show(page, html, 375)
    assert sideways(page) == 0
    assert box(page, ".st p.sc")["width"] > 180


def test_from_right_to_left_everything_is_mirrored(page: Page, pictures: str) -> None:
    show(page, html_of(edition(pictures=pictures), presentation(language="ar")), 700)
    thumbnail, heading = box(page, "img.th"), box(page, ".st h2")
    assert thumbnail["x"] == 30 + 24
    assert heading["x"] >= thumbnail["x"] + thumbnail["width"] + 20
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).textAlign") == "right"


# --- pictures -----------------------------------------------------------------------------------------


def test_with_pictures_off_their_texts_are_read_and_no_room_is_wasted(page: Page, pictures: str) -> None:
    show(page, html_of(edition(pictures=pictures)), 375, images=False)
    assert box(page, "img.hi")["height"] <= 48
    assert violations(page) == []
    for image in page.locator("img").all():
        assert image.get_attribute("alt")


def test_without_a_picture_the_text_takes_the_width(page: Page, pictures: str) -> None:
    whole = edition(pictures=pictures)
    stories = tuple(replace(each, story=replace(each.story, picture=None)) for each in whole.stories)
    show(page, html_of(replace(whole, stories=stories)), 700)
    assert box(page, ".st h2")["width"] == 592
    assert page.locator("img").count() == 0


def test_a_tall_or_small_picture_does_not_take_over(page: Page, pictures: str) -> None:
    whole = edition(2, pictures=pictures)
    tall = replace(
        whole.stories[0], story=replace(whole.stories[0].story, picture=Picture(f"{pictures}/1.jpg", "x"))
    )
    show(page, html_of(replace(whole, stories=(tall, whole.stories[1]))), 700)
    page.add_style_tag(content="img.hi { aspect-ratio: 1/3 }")
    assert box(page, "img.hi")["height"] <= 444
    small = Picture(f"{pictures}/1.jpg", "x", width=120, height=90)
    lead = replace(whole.stories[0], story=replace(whole.stories[0].story, picture=small))
    show(page, html_of(replace(whole, stories=(lead, whole.stories[1]))), 700)
    assert box(page, "img.hi")["width"] == 120


# --- the preview page -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [375, 1600])
def test_the_preview_page_is_accessible_and_shows_both_schemes(
    page: Page, pictures: str, width: int, dark: bool
) -> None:
    variant = Renderer(folders(), presentation()).render(edition(pictures=pictures), nonce=NONCE).variant
    shown = Shown(variant.html, variant.text, "Subject: x", message_size=50_000)
    html = preview_page(
        [shown], newsletter="The Harbour Post", edition="weekly/2026-11-09", subject=variant.subject,
        date="17 November", reader="ann@example.org", state="Draft", warnings=["one thing"],
    )  # fmt: skip
    show(page, html, width, dark=dark)
    grounds = [
        frame.evaluate("getComputedStyle(document.body).backgroundColor")
        for frame in page.frames
        if frame.parent_frame
    ]
    light, night = "rgb(243, 241, 236)", "rgb(19, 18, 17)"
    assert grounds == [light, light, night, light, night]
    assert sideways(page) == 0
    found: dict[str, Any] = Axe().run(page, options={**_AXE, "iframes": False}).response
    assert [rule["id"] for rule in found["violations"]] == []


def test_pictures_beside_the_preview_page_are_shown(page: Page, tmp_path: Path) -> None:
    Image.new("RGB", (592, 333), (40, 60, 110)).save(tmp_path / "beside.jpeg")
    variant = Renderer(folders(), presentation()).render(edition(), nonce=NONCE).variant
    html = preview_page(
        [Shown(variant.html, variant.text)],
        newsletter="N",
        edition="e",
        subject="s",
        media=lambda _: "beside.jpeg",
    )
    (tmp_path / "index.html").write_text(html, encoding="utf-8")
    page.goto((tmp_path / "index.html").as_uri())
    widths = [
        [
            image.evaluate("image => image.decode().then(() => image.naturalWidth)")
            for image in frame.locator("img").all()
        ]
        for frame in page.frames
        if frame.parent_frame and "Images off" not in str(frame.frame_element().get_attribute("title"))
    ]
    assert widths == [[592] * 4] * 4
