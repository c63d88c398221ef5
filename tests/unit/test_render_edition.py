"""From an edition to HTML and text: what is shown, what is refused, and that it is the same every time."""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import html5lib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.errors import EditionError
from digest.model import (
    Edition,
    EditionStory,
    LeftOut,
    LeftOutBy,
    Link,
    Picture,
    SlotContext,
    SlotName,
    slot_token,
)
from digest.render import Presentation, Rendered, Renderer
from digest.render.checks import check
from digest.render.templates import folders
from tests.sample_edition import NONCE, SITE, edition, entry, presentation, story

ADDRESS = slot_token(NONCE, SlotName.address, SlotContext.html)
LEAVE = slot_token(NONCE, SlotName.leave_url, SlotContext.url)


@functools.cache
def renderer(facts: Presentation) -> Renderer:
    return Renderer(folders(), facts)


def render(whole: Edition | None = None, facts: Presentation | None = None, nonce: str = NONCE) -> Rendered:
    return renderer(facts or presentation()).render(whole or edition(), nonce=nonce)


def with_lead(**changes: object) -> Edition:
    whole = edition()
    lead = replace(whole.stories[0], story=replace(whole.stories[0].story, **changes))  # type: ignore[arg-type]
    return replace(whole, stories=(lead, *whole.stories[1:]))


def tree(html: str) -> html5lib.treebuilders.etree.Element:  # type: ignore[name-defined]
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html)


def texts(html: str, tag: str) -> list[str]:
    return ["".join(element.itertext()).strip() for element in tree(html).iter(tag)]


# --- what every edition keeps -------------------------------------------------------------------------


def test_the_same_edition_and_nonce_give_the_same_bytes() -> None:
    assert render().variant == render().variant
    other = render(nonce="f" * 16).variant
    assert other.html.replace("f" * 16, NONCE) == render().variant.html


def test_the_html_parses_strictly() -> None:
    # html5lib's strict mode raises at the first parse error of the HTML standard. Outlook's conditionals are
    # comments to it, so they stay and the parse is still clean.
    html = render().variant.html
    assert tree(html) is not None
    assert html.count("<!--[if mso") == html.count("<![endif]-->") - html.count("<!--[if !mso]") - html.count(
        "<!--[if lte mso"
    )


def test_twelve_stories_stay_well_below_eighty_kilobytes() -> None:
    rendered = render()
    assert rendered.sizes.html == len(rendered.variant.html.encode())
    assert rendered.sizes.html < 60_000
    assert rendered.sizes.html_personal < 80_000
    assert not rendered.sizes.clipped


def test_the_style_sheets_fit_what_gmail_reads() -> None:
    # Gmail drops every style sheet of a message whose style blocks have more than 8,192 characters.
    sheets = re.findall(r"<style[^>]*>(.*?)</style>", render().variant.html, re.DOTALL)
    assert sum(map(len, sheets)) < 8_192


def test_text_and_html_have_the_same_stories_and_links_in_the_same_order() -> None:
    variant = render().variant
    shown = [element.get("href") for element in tree(variant.html).iter("a")]
    first_seen = list(dict.fromkeys(link for link in shown if link and link.startswith(SITE)))
    written = [line for line in (part.strip() for part in variant.text.split("\n")) if line.startswith(SITE)]
    lead, *further = written[3:4] + written[:3]
    assert first_seen[:4] == [lead, *further]
    assert first_seen[4:] == written[4:]
    for each in edition().stories:
        assert each.story.title in " ".join(variant.text.split())
        assert each.story.title in texts(variant.html, "h2") + texts(variant.html, "span")


def test_text_lines_are_at_most_72_columns_but_for_links_and_slots() -> None:
    for line in render().variant.text.split("\n"):
        assert len(line) <= 72 or "://" in line or "SLOT-" in line


def test_slots_stand_where_a_readers_values_belong() -> None:
    variant = render().variant
    assert variant.html.count(ADDRESS) == 1
    assert [link.get("href") for link in tree(variant.html).iter("a")].count(LEAVE) == 2
    assert slot_token(NONCE, SlotName.address, SlotContext.text) in variant.text.split("\n")
    assert slot_token(NONCE, SlotName.leave_url, SlotContext.text) in variant.text.split("\n")
    assert "SLOT-" not in variant.subject


def test_the_document_has_title_language_direction_one_h1_and_one_preheader() -> None:
    html = render().variant.html
    document = tree(html)
    assert texts(html, "title") == [edition().subject]
    assert texts(html, "h1") == ["This week’s most popular news"]
    root = next(document.iter("html"))
    body = next(document.iter("body"))
    for element in (root, body, *[child for child in body if isinstance(child.tag, str)]):
        assert (element.get("lang"), element.get("dir")) == ("en", "ltr")
    hidden = [e for e in body.iter() if "display:none" in (e.get("style") or "").replace(" ", "")]
    assert ["".join(element.itertext()) for element in hidden] == [edition().preheader]
    levels = [int(e.tag[1]) for e in body.iter() if re.fullmatch("h[1-6]", str(e.tag))]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_table_is_for_layout_and_every_picture_has_alternative_text() -> None:
    document = tree(render().variant.html)
    assert {table.get("role") for table in document.iter("table")} == {"presentation"}
    assert all(image.get("alt") is not None for image in document.iter("img"))


def test_links_say_where_they_lead() -> None:
    labels = [link.get("aria-label") for link in tree(render().variant.html).iter("a")]
    assert f"Read more: {story(1).title}" in labels
    assert f"Read more: {story(2).title}" in labels


def test_the_number_of_a_story_is_read_out() -> None:
    badges = [e.get("aria-label") for e in tree(render().variant.html).iter("div") if e.get("role") == "img"]
    assert badges == [f"Number {number}" for number in range(1, 6)]


def test_what_the_edition_was_made_of_can_be_frozen() -> None:
    sources = render().sources
    assert {"email/front-page.mjml", "email/digest.txt", "email/subject.txt"} <= set(sources)
    assert all(content for content in sources.values())


# --- what is shown ------------------------------------------------------------------------------------


def test_an_edition_without_figures_never_speaks_of_popularity() -> None:
    plain = tuple(replace(each, score=None) for each in edition().stories)
    rendered = render(edition(metric="", stories=plain, intro=""), presentation(title="New this week"))
    everything = rendered.variant.html + rendered.variant.text
    assert "opular" not in everything
    assert "readers" not in everything
    assert "Number 1" not in everything
    assert "More stories" in everything
    assert rendered.warnings == ()


def test_a_title_that_claims_popularity_without_figures_is_reported() -> None:
    assert "speaks of popularity" in " ".join(render(edition(metric="")).warnings)


def test_figures_can_be_switched_off() -> None:
    variant = render(facts=presentation(show_figures=False)).variant
    assert "12,400" not in variant.html + variant.text
    assert "2 min" in variant.html


def test_minutes_are_only_summed_where_every_story_has_its_full_text() -> None:
    assert "12 stories · 13 minutes" in render().variant.html
    assert "13 minutes" not in render(with_lead(full_text=False)).variant.html
    assert ">12 stories<" in render(with_lead(full_text=False)).variant.html


def test_a_single_story_is_an_edition() -> None:
    variant = render(edition(1)).variant
    assert texts(variant.html, "h2") == [story(1).title]
    assert "1 story" in variant.text


def test_a_list_that_leads_to_many_sites_names_them_where_there_is_no_section() -> None:
    whole = edition(2)
    elsewhere = replace(story(2), section="", url="https://www.elsewhere.example/x")
    assert "elsewhere.example" not in render(edition(2)).variant.text
    text = render(
        replace(whole, stories=(whole.stories[0], replace(whole.stories[1], story=elsewhere)))
    ).variant.text
    assert "\nelsewhere.example · 9,870 readers" in text


def test_an_edition_without_stories_is_refused() -> None:
    with pytest.raises(EditionError, match="no stories"):
        render(edition(stories=()))


def test_a_story_without_picture_section_or_standfirst_leaves_no_gap() -> None:
    bare = replace(story(2), picture=None, section="", standfirst="", body="")
    whole = edition(2)
    variant = render(
        replace(whole, stories=(whole.stories[0], replace(whole.stories[1], story=bare)))
    ).variant
    cells = [e for e in tree(variant.html).iter("td") if e.get("rowspan")]
    assert cells == []


def test_a_story_without_standfirst_shows_how_it_begins() -> None:
    whole = edition(2)
    bare = replace(whole.stories[1], story=replace(story(2), standfirst=""))
    assert (
        "It began with a telephone call"
        in render(replace(whole, stories=(whole.stories[0], bare))).variant.text
    )


def test_a_small_picture_is_not_blown_up() -> None:
    html = render(
        with_lead(picture=Picture(f"{SITE}/small.png", "A stamp", width=120, height=90))
    ).variant.html
    image = next(e for e in tree(html).iter("img") if e.get("alt") == "A stamp")
    assert image.get("width") == "120"


def test_a_picture_that_nobody_described_is_decoration_and_reported() -> None:
    rendered = render(with_lead(picture=Picture(f"{SITE}/p.png", None)))
    image = next(e for e in tree(rendered.variant.html).iter("img") if e.get("src") == f"{SITE}/p.png")
    assert image.get("alt") == ""
    assert "story 1: nobody described its picture" in " ".join(rendered.warnings)


def test_a_picture_without_a_web_address_is_left_out_and_reported() -> None:
    rendered = render(with_lead(picture=Picture("javascript:alert(1)", "x")))
    assert "javascript:" not in rendered.variant.html
    assert "story 1: 'javascript:alert(1)' is no picture's address" in rendered.warnings


def test_a_logo_stands_on_a_plate_with_the_name_as_its_alternative_text() -> None:
    html = render(facts=presentation(logo=f"{SITE}/logo.png")).variant.html
    image = next(e for e in tree(html).iter("img") if e.get("src") == f"{SITE}/logo.png")
    assert image.get("alt") == "The Harbour Post"


def test_a_missing_postal_address_is_reported() -> None:
    assert "no postal address" in " ".join(render(facts=presentation(postal_address="")).warnings)


def test_an_accent_is_used_in_both_schemes() -> None:
    html = render(facts=presentation(accent="#0B5CAD")).variant.html
    assert "#0B5CAD" in html
    assert "#9E1B32" not in html


def further(whole: Edition) -> list[str]:
    text = render(whole).variant.text
    return re.findall(r"^  (http\S+)$", text, re.MULTILINE)


def test_further_links_are_the_storys_own() -> None:
    assert further(edition()) == [link.url for link in story(1).related]


def test_without_own_links_the_near_duplicates_are_linked() -> None:
    twin = replace(story(1), id=500, url=f"{SITE}/twin", title="The same, elsewhere")
    lead = replace(entry(1), story=replace(story(1), related=()), folded=(twin,))
    assert further(edition(1, stories=(lead,))) == [f"{SITE}/twin"]


def test_without_either_others_of_the_section_are_linked() -> None:
    whole = with_lead(related=())
    near = replace(story(10), id=501, url=f"{SITE}/near", title="Another journey")
    gone = replace(near, id=502, url=f"{SITE}/gone")
    left = (LeftOut(near, LeftOutBy.rank, "rank 14"), LeftOut(gone, LeftOutBy.withdrawn, "withdrawn"))
    assert further(replace(whole, left_out=left)) == [f"{SITE}/near"]
    assert further(replace(whole, left_out=())) == []


def test_further_links_never_repeat_what_is_shown_and_are_at_most_three() -> None:
    links = (
        Link("shown anyway", story(2).url),
        Link("a script", "javascript:alert(1)"),
        *(Link(f"link {number}", f"{SITE}/link/{number % 4}") for number in range(8)),
    )
    assert further(with_lead(related=links)) == [f"{SITE}/link/{number}" for number in range(3)]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "/relative", "http://", "https://x y", 'https://x/"', "http://["]
)
def test_a_story_without_a_web_address_is_named(url: str) -> None:
    with pytest.raises(EditionError, match="story #101") as caught:
        render(with_lead(url=url))
    assert caught.value.hint.endswith("digest edition exclude weekly/2026-11-09 101")


# --- hostile and foreign content ------------------------------------------------------------------------

_HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> {{ 7 * 7 }} {% raw %} </mj-text></mjml> "
    "\x00\x07\x1b\ufdd0 "
    f"{ADDRESS[:5]}{'0' * 16}-address-html-TOLS \\u{{200b}} \u202e&amp; ]]> --> " + "W" * 120
)


def hostile_edition(text: str) -> Edition:
    whole = edition()

    def spoiled(each: EditionStory) -> EditionStory:
        picture = Picture(f"{SITE}/p.png", text, text, text, 10, 10)
        return replace(
            each,
            story=replace(
                each.story,
                title=text,
                standfirst=text,
                section=text,
                body=f"<p>{text}</p>",
                author=text,
                picture=picture,
                related=(Link(text, f"{SITE}/r"),),
                language=text,
            ),
        )

    return replace(
        whole,
        stories=tuple(spoiled(each) for each in whole.stories),
        intro=text,
        subject=text,
        preheader=text,
    )


def test_hostile_content_stays_text() -> None:
    facts = presentation(name=_HOSTILE, title=_HOSTILE, postal_address=_HOSTILE)
    variant = render(hostile_edition(_HOSTILE), facts).variant
    document = tree(variant.html)
    assert list(document.iter("script")) == []
    assert [e for e in document.iter() if any(name.startswith("on") for name in e.attrib)] == []
    assert "{{ 7 * 7 }}" in texts(variant.html, "h1")[0]
    for part in (variant.html, variant.text, variant.subject):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\ufdd0]", part)
    assert "\n" not in variant.subject


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_any_story_text_gives_html_that_parses_strictly(text: str) -> None:
    variant = render(hostile_edition(text)).variant
    assert tree(variant.html) is not None
    assert variant.html.count(NONCE) == 3


def test_lone_surrogates_never_reach_the_message() -> None:
    variant = render(with_lead(title="broken \ud83d emoji")).variant
    variant.html.encode()
    assert "broken emoji" in " ".join(variant.text.split())


def test_a_newsletter_in_arabic_runs_from_right_to_left() -> None:
    html = render(facts=presentation(language="ar")).variant.html
    root = next(tree(html).iter("html"))
    assert (root.get("lang"), root.get("dir")) == ("ar", "rtl")
    assert "border-right:3px solid" in html.replace(" solid", " solid")
    assert "9–15 نوفمبر" in html


def test_a_story_in_another_language_says_so() -> None:
    html = render(with_lead(language="he", title="המעבורת האחרונה")).variant.html
    heading = next(e for e in tree(html).iter("h2"))
    assert (heading.get("lang"), heading.get("dir")) == ("he", "rtl")
    unknown = render(with_lead(language="", title="המעבורת האחרונה")).variant.html
    heading = next(e for e in tree(unknown).iter("h2"))
    assert (heading.get("lang"), heading.get("dir")) == (None, "rtl")


def test_direction_can_be_set_by_hand() -> None:
    assert presentation(language="en", direction="rtl").dir == "rtl"


@pytest.mark.parametrize("nonce", ["", "0123", "x" * 16, "A" * 16])
def test_a_nonce_that_is_none_is_refused(nonce: str) -> None:
    with pytest.raises(ValueError, match="16 hex digits"):
        render(nonce=nonce)


def test_a_large_edition_is_reported_before_gmail_cuts_it_off() -> None:
    near = render(edition(intro="word " * 12_000))
    assert near.sizes.html_personal > 90_000
    assert "Gmail cuts off" in " ".join(near.warnings)
    over = render(edition(intro="word " * 20_000))
    assert over.sizes.clipped
    assert "show fewer stories" in " ".join(over.warnings)


@pytest.mark.real_data
def test_published_templates_pass_the_checks_but_for_real_faults(real_data: Path) -> None:
    faults = ("has no alt", "twice", "stray text")
    for path in sorted((real_data / "templates" / "mjml").glob("*.mjml")):
        problems = check(path.read_text(encoding="utf-8"))
        assert all(any(fault in problem.text for fault in faults) for problem in problems), path.name
