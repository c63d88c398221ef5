"""What templates get to see: an edition with every decision made, so that they only have to place things.

Plain text throughout (no markup from stories), every URL checked, figures and dates already in words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from digest.errors import EditionError
from digest.model import Edition, EditionStory, LeftOutBy, Link, Picture, Story
from digest.render.excerpt import count_words, excerpt, paragraphs, prose, shortened
from digest.render.figures import Figures
from digest.render.presentation import Presentation, direction_of

HERO_WIDTH = 592
THUMBNAIL_WIDTH = 176
CARDS = 5
"""Stories shown in full, the lead among them; the others are a list of headings."""
MOST_LINKS = 3
TEASER_WORDS = 45

# C0 and C1 controls (but tab and newline), lone surrogates, and the code points that Unicode keeps for
# programs' own use: no mail program shows them, XML forbids most, and U+FDD0/1 mark lines (templates.py).
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\u2028\u2029]")


def clean(text: str) -> str:
    """Text without characters that must not stand in a message; Unicode's line separators become spaces."""
    return _UNSHOWABLE.sub(lambda found: " " if found[0] in "\x0b\x0c\r\x85\u2028\u2029" else "", text)


def line(text: str) -> str:
    """Cleaned text on one line, runs of white space as one space."""
    return " ".join(clean(text).split())


@dataclass(frozen=True, slots=True)
class PictureView:
    """A picture as it is shown, `width` in CSS pixels. `alt` "" says nothing that the text does not say."""

    url: str
    alt: str
    caption: str
    credit: str
    width: int


@dataclass(frozen=True, slots=True)
class StoryView:
    """One story; any of the texts may be empty. `meta` is the line of figures: "12,400 readers", "2 min".

    `section` is its site where it has none and the edition leads to several.
    `lang` and `dir` are set only where they differ from the newsletter's.
    """

    position: int
    title: str
    url: str
    section: str
    meta: tuple[str, ...]
    standfirst: str
    excerpt: tuple[str, ...]
    links: tuple[Link, ...]
    picture: PictureView | None
    lang: str = ""
    dir: str = ""

    @property
    def teaser(self) -> str:
        """The standfirst or, without one, the beginning of the story."""
        return self.standfirst or " ".join(self.excerpt)


@dataclass(frozen=True, slots=True)
class EditionView:
    """An edition. `ranked` is false where the order says nothing about popularity."""

    name: str
    number: int
    dates: str
    title: str
    intro: tuple[str, ...]
    subject: str
    preheader: str
    summary: tuple[str, ...]
    ranked: bool
    lead: StoryView
    cards: tuple[StoryView, ...]
    more: tuple[StoryView, ...]

    @property
    def stories(self) -> tuple[StoryView, ...]:
        return (self.lead, *self.cards, *self.more)


def _is_web_address(url: str) -> bool:
    """Whether it is an absolute http(s) URL that stands on one line of text."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
    return good and not re.search(r"[\s\x00-\x20\x7f<>\"]", url)


def marked(url: str, mark: str) -> str:
    """The address with `mark` added to its query; as it is where it has such a mark of its own."""
    parts = urlsplit(url)
    if not mark or re.search(r"(?:^|&)utm_(?:source|medium)=", parts.query, re.IGNORECASE):
        return url
    return urlunsplit(parts._replace(query=f"{parts.query}&{mark}" if parts.query else mark))


def _check_address(story: Story, edition: Edition) -> None:
    if not _is_web_address(story.url):
        raise EditionError(
            edition.name,
            f"story #{story.id} ({line(story.title)[:60]!r}) has {story.url[:80]!r} "
            "where an http or https address is needed",
            hint="Correct the story at its source, or leave it out: "
            f"digest edition exclude {edition.name} {story.id}",
        )


def view_of(edition: Edition, facts: Presentation) -> EditionView:
    """Decides what is shown of an edition, and how.

    `EditionError` for one without stories, or with a story that has no web address.
    """
    if not edition.stories:
        raise EditionError(edition.name, "it has no stories", hint="Build it again, or pin stories.")
    figures = Figures(facts.language, facts.zone)
    ordered = sorted(edition.stories, key=lambda entry: entry.position)
    for entry in ordered:
        _check_address(entry.story, edition)
    minutes = [_minutes(entry.story, figures) for entry in ordered]
    views = tuple(
        _story_view(entry, edition, facts, figures, lead=place == 0, body=place < CARDS)
        for place, entry in enumerate(ordered)
    )
    summary = [figures.stories(len(views))]
    if all(minutes):  # a sum that leaves some stories out would promise too little
        summary.append(figures.long_minutes(sum(minutes)))
    return EditionView(
        name=line(facts.name),
        number=edition.number,
        dates=figures.dates(edition.period.window),
        title=line(facts.title),
        intro=tuple(line(part) for part in re.split(r"\n\s*\n", edition.intro) if part.strip()),
        subject=line(edition.subject) or views[0].title,
        preheader=line(edition.preheader),
        summary=tuple(summary),
        ranked=bool(edition.metric),
        lead=views[0],
        cards=views[1:CARDS],
        more=views[CARDS:],
    )


def _minutes(story: Story, figures: Figures) -> int:
    if not story.full_text:
        return 0
    return figures.minutes(sum(count_words(text) for text in paragraphs(story.body)))


def _story_view(
    entry: EditionStory, edition: Edition, facts: Presentation, figures: Figures, *, lead: bool, body: bool
) -> StoryView:
    story = entry.story
    title, standfirst = line(story.title) or line(story.url), line(story.standfirst)
    picture = _picture_view(story.picture, hero=lead) if body and story.picture else None
    texts: tuple[str, ...] = ()
    if body and (lead or not standfirst):
        known = [title, standfirst]
        if story.picture:
            known += [line(story.picture.caption), line(story.picture.credit), line(story.picture.alt or "")]
        texts = tuple(line(text) for text in prose(clean(story.body), known=known))
        texts = excerpt(texts) if lead else (shortened(" ".join(texts[:2]), TEASER_WORDS),)
        texts = tuple(text for text in texts if text)
    meta = (
        figures.popularity(entry.score) if facts.show_figures else "",
        figures.short_minutes(_minutes(story, figures)),
    )
    lang, direction = _own_language(story, title, facts)
    return StoryView(
        position=entry.position,
        title=title,
        url=marked(story.url, facts.mark),
        section=_short(line(story.section) or _site_of(story, edition)),
        meta=tuple(part for part in meta if part),
        standfirst=standfirst,
        excerpt=texts,
        links=tuple(Link(link.title, marked(link.url, facts.mark)) for link in _further(entry, edition))
        if lead
        else (),
        picture=picture,
        lang=lang,
        dir=direction,
    )


def _site_of(story: Story, edition: Edition) -> str:
    """The site that a story is on, for a list that leads to many sites; "" where all are on one."""
    sites = {urlsplit(other.story.url).hostname for other in edition.stories}
    return (urlsplit(story.url).hostname or "").removeprefix("www.") if len(sites) > 1 else ""


def _short(label: str, longest: int = 40) -> str:
    return label if len(label) <= longest else label[: longest - 1].rstrip() + "…"


def _own_language(story: Story, title: str, facts: Presentation) -> tuple[str, str]:
    """The story's language and direction, each only if it is not the newsletter's."""
    lang = re.sub(r"[^A-Za-z0-9-]", "", story.language.replace("_", "-"))
    if lang.lower().split("-")[0] == facts.language.lower().split("-")[0]:
        lang = ""
    direction = direction_of(lang) if lang else _first_strong(title)
    return lang, direction if direction and direction != facts.dir else ""


def _first_strong(text: str) -> str:
    """The direction of a text's first letter that has one (Unicode bidirectional algorithm, rule P2)."""
    for letter in text:
        kind = unicodedata.bidirectional(letter)
        if kind in ("R", "AL"):
            return "rtl"
        if kind == "L":
            return "ltr"
    return ""


def _picture_view(picture: Picture, *, hero: bool) -> PictureView | None:
    """None for a picture whose address is none; the story is whole without it."""
    if not _is_web_address(picture.url):
        return None
    most = HERO_WIDTH if hero else THUMBNAIL_WIDTH
    # A small picture is shown small: one blown up to the card's width looks broken.
    width = min(most, picture.width) if picture.width and picture.width > 0 else most
    return PictureView(
        url=picture.url,
        alt=line(picture.alt or ""),
        caption=line(picture.caption),
        credit=line(picture.credit),
        width=width,
    )


def _further(entry: EditionStory, edition: Edition) -> tuple[Link, ...]:
    """ "Explore further": the story's own links, else its near-duplicates, else others of its section.

    Never a story that the edition shows anyway, never the same address twice.
    """
    shown = {other.story.url for other in edition.stories}
    section = entry.story.section
    neighbours: Iterable[Story] = (
        left.story
        for left in edition.left_out
        if section
        and left.story.section == section
        and left.by in (LeftOutBy.rank, LeftOutBy.section_cap, LeftOutBy.author_cap)
    )
    for links in (
        entry.story.related,
        tuple(Link(story.title, story.url) for story in entry.folded),
        tuple(Link(story.title, story.url) for story in neighbours),
    ):
        fresh: dict[str, Link] = {}
        for link in links:
            url, title = link.url.strip(), line(link.title)
            if title and url not in shown and _is_web_address(url):
                fresh.setdefault(url, Link(title, url))
        if fresh:
            return tuple(fresh.values())[:MOST_LINKS]
    return ()
