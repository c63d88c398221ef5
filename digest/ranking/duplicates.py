"""Near-duplicates: the same story twice, from two sources or under a second address.

Two stories are the same when their canonical address is the same; or when their headings or their openings
agree and the other of the two does not speak against it. The opening is the standfirst or, without one, the
first words of the body. Agreement is the weighted Jaccard index of their words, a word weighing more the
fewer stories have it (log(1 + N / n), the inverse document frequency): what two stories share in "the" says
nothing, what they share in a name much.

A series is not a duplicate: headings that each have a number, a day or a word in brackets that the other
lacks ("Who is hiring? (March)", "Part 2", "Weather for Monday"), and short ones that differ in a single word
("Getting started with ..."), agree only when their openings do. On one site not even then where the
difference is a label (`parts`): parts of a series share their blurb. Neither do two authors of one site
write the same story: where nothing but the heading is known of theirs, it names a column. A site repeats a
story within a day or not at all; what it has day after day, or three times word for word, is a column. But
what it says anew within that day may be said in other words: then one of the two texts is enough, if long.
`benchmarks.duplicates` measures this against feeds that other people wrote.

A whole week of two thousand stories takes a quarter of a second: pairs are found through an index of each
text's rarest words. Two texts that agree to the share t must have one of those in common whose removal would
leave less than t of the text's weight (prefix filtering; Chaudhuri, Ganti, Kaushik: "A Primitive Operator for
Similarity Joins in Data Cleaning", 2006), so nothing is missed.
"""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from urllib.parse import urlsplit

from digest.model import Story
from digest.ranking.parts import Marks, differ, marks

_CONTRADICTS = 0.25
"""Below this agreement the other text speaks against it: a column keeps its heading, week after week."""
_LEAST_WORDS = 3
"""A shorter heading ("In pictures", "Obituaries") names a slot, not a story."""
_LONG_HEADING = 8
"""From so many words on, one word exchanged for another is an edit; in fewer it is another subject."""
_KEPT = 0.8
"""From this agreement on a text was kept while the other one was written anew."""
_LONG_KEPT = 6
"""Words of a heading that says enough to be kept; a shorter one is that of a column."""
_LONG_OPENING = 8
"""Words of an opening that does; a shorter one may be no more than a date."""
_EDITION = 20 * 3600.0
"""Seconds between a story and its second edition, on paper tomorrow morning. What one site has at the same
hour of the next day is the next part of a column, however alike."""
_HABIT = 3
"""So many texts of one site, word for word the same, name a slot or describe it ("Best photos", "Follow our
rolling coverage"): a story twice at one site is a second edition, three times a habit."""
_ROUNDING = 1e-9
COMPARED = 2000
"""So many of a list are compared by their texts: a whole week of most papers, and of a larger one the stories
that may get into the list. Further down a story is only folded by its address."""
_MOST_COPIES = 20
"""A text that more stories have word for word is boilerplate and says nothing about any of them."""

# Scripts without spaces between words: Thai, Lao, Burmese, Khmer, kana, Han.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_WORDS = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")
_OPENING = 60
"""Words of a body that stand for a standfirst."""
_USUAL_ADDRESS = re.compile(r"https?://(?:www\.)?([a-z0-9.-]+)(/[^?#\s]*)?(\?[^#\s]+)?", re.ASCII)
"""Nearly every one; the others are taken apart with more care, and more time."""
_TAG = re.compile(r"<[^>]*>")
_POSSESSIVE = re.compile(r"(?<=\w)['\u2019]s\b")
_APOSTROPHES = re.compile(r"['\u2019]")
_BRACKETS = re.compile(r"[(\[]([^()\[\]]*)[)\]]")


@dataclass(frozen=True, slots=True)
class _Text:
    words: frozenset[str]
    weight: float


@dataclass(frozen=True, slots=True)
class _Heading:
    words: frozenset[str]
    marks: Marks
    site: str
    author: str
    date: float
    """Unix seconds."""
    opening: int
    """Words that its opening has."""


def fold(
    stories: Sequence[Story], similarity: float, *, apart: frozenset[int] = frozenset()
) -> dict[int, int]:
    """Which story is folded into which: id -> id of the one that stands for it.

    `stories` come most popular first; the first of a group leads it, and only what resembles the leader
    itself is folded into it (resemblance is no chain). Stories in `apart` are never folded, but lead.
    """
    alike = neighbours(stories, similarity)
    leaders: dict[int, int] = {}  # id -> place
    folded: dict[int, int] = {}
    for place, story in enumerate(stories):
        before = [leaders[other] for other in alike.get(story.id, ()) if other in leaders]
        if before and story.id not in apart:
            folded[story.id] = stories[min(before)].id
        else:
            leaders[story.id] = place
    return folded


def neighbours(stories: Sequence[Story], similarity: float, *, most: int = COMPARED) -> dict[int, set[int]]:
    """Every pair that is the same story, in both directions.

    Of more than `most` stories the first ones are compared by their texts and all by their addresses; of
    fewer the order does not matter.
    """
    alike: dict[int, set[int]] = defaultdict(set)

    def join(one: int, other: int) -> None:
        alike[stories[one].id].add(stories[other].id)
        alike[stories[other].id].add(stories[one].id)

    for group in _by_address(stories):
        for one, other in combinations(group, 2):
            join(one, other)

    compared = stories[:most]
    texts = [_opening(story) for story in compared]
    headings = [_heading(story, len(text)) for story, text in zip(compared, texts, strict=True)]
    sites = [heading.site for heading in headings]
    titles = _weighed(_telling([heading.words for heading in headings], sites))
    openings = _weighed(_telling(texts, sites))
    for one, other in titles.alike(similarity) | openings.alike(similarity):
        heading = titles.agreement(one, other) or 0.0
        opening = openings.agreement(one, other)
        if _same(headings[one], headings[other], heading, opening, similarity):
            join(one, other)
    return dict(alike)


def _same(one: _Heading, other: _Heading, heading: float, opening: float | None, similarity: float) -> bool:
    shorter = min(len(one.words), len(other.words))
    one_site, near = one.site == other.site, abs(one.date - other.date) <= _EDITION
    if one_site and not near:
        return False
    series = differ(one.marks.all, other.marks.all) or _one_exchanged(one.words, other.words, shorter)
    by_heading = heading >= similarity and shorter >= _LEAST_WORDS and not series
    if opening is None:
        columns = one_site and one.author and other.author and one.author != other.author
        return by_heading and not columns
    by_opening = opening >= similarity and not (one_site and differ(one.marks.labels, other.marks.labels))
    # What one site says anew within a day it may say in other words: either text is enough, if it is long.
    enough = similarity if one_site else _KEPT
    alone = near and heading >= enough and shorter >= _LONG_KEPT
    kept = one_site and min(one.opening, other.opening) >= _LONG_OPENING
    return (by_heading and (opening >= _CONTRADICTS or alone)) or (
        by_opening and (heading >= _CONTRADICTS or kept)
    )


def _one_exchanged(one: frozenset[str], other: frozenset[str], shorter: int) -> bool:
    return shorter < _LONG_HEADING and len(one - other) == len(other - one) == 1


# --- addresses ------------------------------------------------------------------------------------


def _by_address(stories: Sequence[Story]) -> Iterable[list[int]]:
    groups = defaultdict(list)
    for place, story in enumerate(stories):
        key = address(story.url)
        if key:
            groups[key].append(place)
    return groups.values()


def address(url: str) -> str:
    """What is compared of a canonical URL: http and https, with www. or a last slash or without, are one."""
    usual = _USUAL_ADDRESS.fullmatch(url)
    if usual is not None:
        return f"{usual[1]}{(usual[2] or '').rstrip('/')}{usual[3] or ''}"
    try:
        parts = urlsplit(url)
    except ValueError:  # "http://[": nothing to compare by
        return ""
    host = (parts.netloc or "").lower().removeprefix("www.")
    query = f"?{parts.query}" if parts.query else ""
    return f"{host}{parts.path.rstrip('/')}{query}" if host else ""


# --- words ----------------------------------------------------------------------------------------


def _words(text: str) -> list[str]:
    """Words without case, width or possessive; pairs of characters in scripts without spaces."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = _APOSTROPHES.sub("", _POSSESSIVE.sub("", text))
    words = []
    for word in _WORDS.findall(text):
        if _IS_UNSPACED.match(word):
            words += [word[at : at + 2] for at in range(max(1, len(word) - 1))]
        else:
            words.append(word)
    return words


def _heading(story: Story, opening: int) -> _Heading:
    words = _words(story.title)
    bracketed = [word for part in _BRACKETS.findall(story.title) for word in _words(part)]
    site = address(story.url).partition("/")[0]
    author = " ".join(story.author.split()).casefold()
    return _Heading(frozenset(words), marks(words, bracketed), site, author, story.date.timestamp(), opening)


def _opening(story: Story) -> frozenset[str]:
    """What a story says first besides its heading."""
    if story.standfirst:
        return frozenset(_words(story.standfirst))
    # Enough characters for so many words, with their markup.
    return frozenset(_words(html.unescape(_TAG.sub(" ", story.body[: 20 * _OPENING])))[:_OPENING])


def _telling(texts: Sequence[frozenset[str]], sites: Sequence[str]) -> list[frozenset[str]]:
    """The texts, but nothing in place of those that a site, or all together, has by habit."""
    everywhere, of_site = Counter(texts), Counter(zip(texts, sites, strict=True))
    return [
        text if everywhere[text] <= _MOST_COPIES and of_site[text, site] < _HABIT else frozenset()
        for text, site in zip(texts, sites, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Weighed:
    texts: list[_Text]
    weights: Mapping[str, float]

    def agreement(self, one: int, other: int) -> float | None:
        """Weighted Jaccard index of two texts, 0 to 1; None when one of them says nothing."""
        first, second = self.texts[one], self.texts[other]
        if not (first.words and second.words):
            return None
        # fsum: a plain sum of floats depends on its order, and the order of a set on the run.
        shared = math.fsum(map(self.weights.__getitem__, first.words & second.words))
        return shared / (first.weight + second.weight - shared)

    def alike(self, similarity: float) -> set[tuple[int, int]]:
        """Every pair of texts, by place, that agree to the share `similarity`."""
        return {
            (one, other)
            for one, other in self.pairs(similarity)
            if (self.agreement(one, other) or 0.0) >= similarity
        }

    def pairs(self, similarity: float) -> set[tuple[int, int]]:
        """Every pair of texts, by place, that may agree to the share `similarity`."""
        index: dict[str, deque[int]] = defaultdict(deque)
        found: set[tuple[int, int]] = set()
        weigh = self.weights.__getitem__
        # Lightest first: no text agrees with one of less than `similarity` times its own weight, and what is
        # too light for this one is too light for all that follow.
        order = sorted(range(len(self.texts)), key=lambda place: self.texts[place].weight)
        for place in order:
            text = self.texts[place]
            rest, least = text.weight, similarity * text.weight - _ROUNDING
            # Rarest first; the word itself makes the order, and so the prefix, the same in every text.
            for word in sorted(sorted(text.words), key=weigh, reverse=True):
                if rest < least:
                    break
                others = index[word]
                while others and self.texts[others[0]].weight < least:
                    others.popleft()
                found.update((min(other, place), max(other, place)) for other in others)
                others.append(place)
                rest -= weigh(word)
        return found


def _weighed(texts: Sequence[frozenset[str]]) -> _Weighed:
    counts = Counter(word for words in texts for word in words)
    weights = {word: math.log(1 + len(texts) / count) for word, count in counts.items()}
    return _Weighed([_Text(words, math.fsum(map(weights.__getitem__, words))) for words in texts], weights)
