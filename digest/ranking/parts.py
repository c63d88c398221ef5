"""What tells the parts of a series apart: numbers, days, and the words in brackets of a heading.

Whatever else such a word may mean: it counts only where each of two headings has one that the other lacks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Marks:
    """Of one heading. `labels` are those that hardly are a figure in a sentence: "part 2", not "2 dead"."""

    all: frozenset[str]
    labels: frozenset[str]


def marks(words: Sequence[str], bracketed: Iterable[str]) -> Marks:
    """The marks among the words of a heading, which come in order and without case."""
    labels = set(bracketed)
    numbers = set()
    last = len(words) - 1
    for place, word in enumerate(words):
        if word in _DAYS or not _HAN_NUMERALS.isdisjoint(word):
            labels.add(word)
        elif word in _NUMBERS or any(character.isdigit() for character in word):
            numbers.add(word)
            counted = place > 0 and words[place - 1] in _COUNTED
            dated = not _MONTHS.isdisjoint(words[max(0, place - 1) : place + 2])
            if dated or place == last or counted or _YEAR.fullmatch(word):
                labels.add(word)
    return Marks(frozenset(labels | numbers), frozenset(labels))


def differ(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether each has one that the other lacks."""
    return bool(one - other and other - one)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_HAN_NUMERALS = frozenset("一二三四五六七八九十")
_NUMBERS = _set("""
    one two three four five six seven eight nine ten eleven twelve
    first second third fourth fifth sixth seventh eighth ninth tenth
    i ii iii iv v vi vii viii ix x
""")
_MONTHS = _set("""
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec
    januar februar märz mai juni juli oktober dezember
    janvier février mars avril juin juillet août septembre octobre novembre décembre
    enero febrero marzo mayo junio julio agosto septiembre octubre noviembre diciembre
    gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre
    januari februari maart mei augustus
    janeiro fevereiro março abril maio junho julho setembro outubro novembro dezembro
""")
"""A number beside one of these is a date, and a date is a label."""
_DAYS = _MONTHS | _set("""
    monday tuesday wednesday thursday friday saturday sunday
    montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag
    lundi mardi mercredi jeudi vendredi samedi dimanche
    lunes martes miércoles jueves viernes sábado domingo
    lunedì martedì mercoledì giovedì venerdì sabato domenica
    maandag dinsdag woensdag donderdag vrijdag zaterdag zondag
    segunda terça quarta quinta sexta
""")
_COUNTED = _set("""
    part episode chapter day week no nr number vol volume season round stage lesson
    teil folge kapitel tag woche
    partie épisode chapitre jour semaine
    parte episodio capítulo capitolo día
    deel aflevering
""")
"""What is counted: a number behind such a word is a label."""
