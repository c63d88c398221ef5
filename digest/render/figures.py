"""Figures that a reader sees, kept honest: rounded down, in the language's own format, or not shown at all.

English words for now, every one of them through gettext, so that a catalogue can take their place.
"""

from __future__ import annotations

import datetime as dt
import gettext
import re
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_decimal

from digest.model import Score, Window

LEAST_READERS = 500
"""Fewer readers than this are not shown: the figure would say less than the place in the list."""
LEAST_OTHER = 20
"""The same for metrics that are not people, such as points."""
WORDS_A_MINUTE = 230

_ENGLISH = gettext.NullTranslations()


def locale_of(language: str) -> Locale:
    """The locale of a language tag; plain ``en`` is international English ("14–20 October")."""
    tag = language.strip().replace("-", "_")
    if tag.lower() in ("", "en"):
        return Locale.parse("en_001")
    try:
        return Locale.parse(tag)
    except (UnknownLocaleError, ValueError):
        try:
            return Locale.parse(tag.split("_")[0])
        except (UnknownLocaleError, ValueError):
            return Locale.parse("en_001")


def rounded_down(value: float) -> int:
    """Three leading digits, never up: 12,413 becomes 12,400."""
    whole = int(value)
    unit = int(10 ** max(0, len(str(abs(whole))) - 3))
    return whole // unit * unit


class Figures:
    """Figures and dates in one language."""

    def __init__(
        self,
        language: str = "en",
        zone: str = "UTC",
        *,
        translations: gettext.NullTranslations = _ENGLISH,
    ) -> None:
        self.locale = locale_of(language)
        self._zone = ZoneInfo(zone)
        self._words = translations

    def number(self, value: int) -> str:
        return str(format_decimal(value, locale=self.locale))

    def popularity(self, score: Score | None) -> str:
        """``12,400 readers``, or "" where that would be wrong or say nothing.

        "Readers" only where nobody is counted twice; other figures keep the word of the ranking. The figure
        is what the story gained in the window: what it is expected to gain yet belongs to the order, not on
        the page.
        """
        if score is None:
            return ""
        shown = rounded_down(score.gained)
        if shown < (LEAST_READERS if score.distinct else LEAST_OTHER):
            return ""
        one, many = self._unit(score)
        return self._words.ngettext(f"{{number}} {one}", f"{{number}} {many}", shown).format(
            number=self.number(shown)
        )

    @staticmethod
    def _unit(score: Score) -> tuple[str, str]:
        name = (score.unit or score.metric).replace("_", " ").replace("-", " ").strip().lower() or "signals"
        if name.endswith((" days", " day")):
            # A reader on three days counts three times: that is reads, in words for readers.
            return "read", "reads"
        if name.endswith("s"):
            return name[:-1], name
        return name, name

    def minutes(self, words: int) -> int:
        """Reading time of so many words, at least one minute; 0 where their number is not known."""
        return max(1, round(words / WORDS_A_MINUTE)) if words > 0 else 0

    def short_minutes(self, minutes: int) -> str:
        if not minutes:
            return ""
        return self._words.ngettext("{number} min", "{number} min", minutes).format(
            number=self.number(minutes)
        )

    def long_minutes(self, minutes: int) -> str:
        if not minutes:
            return ""
        return self._words.ngettext("{number} minute", "{number} minutes", minutes).format(
            number=self.number(minutes)
        )

    def stories(self, count: int) -> str:
        return self._words.ngettext("{number} story", "{number} stories", count).format(
            number=self.number(count)
        )

    def dates(self, window: Window) -> str:
        """The days that a half-open window touches in the newsletter's zone: ``14–20 October``."""
        first = window.start.astimezone(self._zone).date()
        last = (window.end.astimezone(self._zone) - dt.timedelta(microseconds=1)).date()
        if first >= last:
            return self._day(first)
        return self._range(first, last)

    def _day(self, day: dt.date) -> str:
        # Without a year: an edition is read in the week it is sent.
        pattern = str(self.locale.datetime_skeletons["MMMEd"].pattern)
        wide = re.sub(r"(?<![A-Za-z])(E{1,3}|c{1,3})(?![A-Za-z])", lambda found: found[0][0] * 4, pattern)
        return format_date(day, format=_long_month(wide), locale=self.locale)

    def _range(self, first: dt.date, last: dt.date) -> str:
        same_year, same_month = first.year == last.year, first.month == last.month
        skeleton, field = ("MMMd", "d" if same_month else "M") if same_year else ("yMMMd", "y")
        parts: Iterable[str] = self.locale.interval_formats.get(skeleton, {}).get(field, ())
        patterns = [_long_month(part) for part in parts]
        if len(patterns) != 2:
            days = (format_date(day, format="long", locale=self.locale) for day in (first, last))
            return " – ".join(days)
        return "".join(
            format_date(day, format=pattern, locale=self.locale)
            for day, pattern in zip((first, last), patterns, strict=True)
        )


def _long_month(pattern: str) -> str:
    """CLDR has intervals with short months only; the long name fits the masthead and reads better."""
    return pattern.replace("MMM", "MMMM") if pattern.count("M") == 3 and "MMM" in pattern else pattern
