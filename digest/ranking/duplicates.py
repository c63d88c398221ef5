"""Near-duplicates: the same story twice, from two sources or under a second address.

Two stories are the same when their canonical address is the same; or when their headings or their standfirsts
agree and the other of the two does not speak against it. Agreement is the weighted Jaccard index of their
words, a word weighing more the fewer stories have it (log(1 + N / n), the inverse document frequency): what
two stories share in "the" says nothing, what they share in a name much.

A series is not a duplicate: headings that each have a number or a word in brackets that the other lacks
("Who is hiring? (March)", "Firefox 83 ..."), and short ones that differ in a single word ("Getting started
with ..."), agree only when their standfirsts do.

A whole week of thousands of stories takes well under a second: pairs are found through an index of each
text's rarest words. Two texts that agree to the share t must have one of those in common whose removal would
leave less than t of the text's weight (prefix filtering; Chaudhuri, Ganti, Kaushik: "A Primitive Operator for
Similarity Joins in Data Cleaning", 2006), so nothing is missed.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from urllib.parse import urlsplit

from digest.model import Story

_CONTRADICTS = 0.25
"""Below this agreement the other text speaks against it: a column keeps its heading, week after week."""
_LEAST_WORDS = 3
"""A shorter heading ("In pictures", "Obituaries") names a slot, not a story."""
_LONG_HEADING = 8
"""From so many words on, one word exchanged for another is an edit; in fewer it is another subject."""
_ROUNDING = 1e-9
_MOST_COPIES = 20
"""A text that more stories have word for word is boilerplate and says nothing about any of them."""

# Scripts without spaces between words: Thai, Lao, Burmese, Khmer, kana, Han.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_WORDS = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")
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
    marks: frozenset[str]
    """What tells one part of a series from the next: numbers, and words in brackets."""


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


def neighbours(stories: Sequence[Story], similarity: float) -> dict[int, set[int]]:
    """Every pair that is the same story, in both directions, whatever the order of `stories`."""
    alike: dict[int, set[int]] = defaultdict(set)

    def join(one: int, other: int) -> None:
        alike[stories[one].id].add(stories[other].id)
        alike[stories[other].id].add(stories[one].id)

    for group in _by_address(stories):
        for one, other in combinations(group, 2):
            join(one, other)

    headings = [_heading(story.title) for story in stories]
    titles = _weighed([heading.words for heading in headings])
    standfirsts = _weighed([frozenset(_words(story.standfirst)) for story in stories])
    for one, other in titles.pairs(similarity) | standfirsts.pairs(similarity):
        heading = titles.agreement(one, other) or 0.0
        standfirst = standfirsts.agreement(one, other)
        if _same(headings[one], headings[other], heading, standfirst, similarity):
            join(one, other)
    return dict(alike)


def _same(
    one: _Heading, other: _Heading, heading: float, standfirst: float | None, similarity: float
) -> bool:
    shorter = min(len(one.words), len(other.words))
    by_heading = heading >= similarity and shorter >= _LEAST_WORDS and not _series(one, other, shorter)
    if standfirst is None:
        return by_heading
    by_standfirst = standfirst >= similarity
    return (by_heading and standfirst >= _CONTRADICTS) or (by_standfirst and heading >= _CONTRADICTS)


def _series(one: _Heading, other: _Heading, shorter: int) -> bool:
    if one.marks - other.marks and other.marks - one.marks:
        return True
    exchanged = len(one.words - other.words) == len(other.words - one.words) == 1
    return exchanged and shorter < _LONG_HEADING


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


def _heading(title: str) -> _Heading:
    words = frozenset(_words(title))
    bracketed = {word for part in _BRACKETS.findall(title) for word in _words(part)}
    numbers = {word for word in words if any(character.isdigit() for character in word)}
    return _Heading(words, frozenset(bracketed | numbers))


@dataclass(frozen=True, slots=True)
class _Weighed:
    texts: list[_Text]
    weights: Mapping[str, float]

    def agreement(self, one: int, other: int) -> float | None:
        """Weighted Jaccard index of two texts, 0 to 1; None when one of them says nothing."""
        first, second = self.texts[one], self.texts[other]
        if not (first.words and second.words):
            return None
        # Sorted: a sum of floats depends on its order, and the order of a set on the run.
        shared = sum(self.weights[word] for word in sorted(first.words & second.words))
        return shared / (first.weight + second.weight - shared)

    def pairs(self, similarity: float) -> set[tuple[int, int]]:
        """Every pair of texts, by place, that may agree to the share `similarity`."""
        index: dict[str, list[int]] = defaultdict(list)
        found: set[tuple[int, int]] = set()
        for place, text in enumerate(self.texts):
            rest = text.weight
            # Rarest first; the word itself makes the order, and so the prefix, the same in every text.
            for word in sorted(text.words, key=lambda word: (-self.weights[word], word)):
                if rest < similarity * text.weight - _ROUNDING:
                    break
                found.update((other, place) for other in index[word])
                index[word].append(place)
                rest -= self.weights[word]
        return found


def _weighed(texts: Sequence[frozenset[str]]) -> _Weighed:
    copies = Counter(texts)
    texts = [words if copies[words] <= _MOST_COPIES else frozenset() for words in texts]
    counts = Counter(word for words in texts for word in words)
    weights = {word: math.log(1 + len(texts) / count) for word, count in counts.items()}
    return _Weighed([_Text(words, sum(weights[word] for word in sorted(words))) for words in texts], weights)
