"""Why a story is where it is, in words and figures that an editor would print."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from digest.model import LeftOutBy, MetricKind, Story
from digest.ranking import figures, weigh
from digest.ranking.brief import Brief
from digest.ranking.diversity import Capped
from digest.ranking.entry import Entry
from digest.ranking.score import Scored
from digest.ranking.signals import Signal

_WORTH_COMPARING = 1.1
"""Below this many times the median a story is like any other."""
_WORTH_PROJECTING = 0.1
"""A projection of a smaller share of the figure moves nothing that a reader would ask about."""


def reasons(
    entry: Entry, brief: Brief, *, medians: Mapping[str, float], folded: int, replaced: Capped | None
) -> tuple[str, ...]:
    """The reasons of a pick. `medians` are of all candidates' increases by metric name, `folded` is how many
    it stands for."""
    words = []
    scored = entry.scored
    for signal, each in entry.parts:
        words.append(_figures(each, brief, medians[signal.metric.name]))
        if _rises(each):
            words.append(_rate(each, signal))
    if scored is not None and len(brief.signals) > 1:
        words.append(weigh.heading(scored.score, entry.parts))
    if scored is None and brief.latest:
        words.append(f"published {_local(entry.story.date, brief)}")
    if folded:
        words.append(f"{folded} similar folded")
    if replaced is not None:
        words.append(f"replaced {figures.quoted(replaced.entry.story.title)}: {replaced.reason}")
    if entry.pinned:
        position = brief.choices.pinned[entry.story.id]
        words.append("pinned by the editor" + (f" at number {position}" if position is not None else ""))
    if scored is not None:
        words += scored.score.notes
    return tuple(words)


def _figures(scored: Scored, brief: Brief, median: float) -> str:
    words = _gained(scored)
    ratio = scored.score.gained / median if median > 0 else 0.0
    if ratio >= _WORTH_COMPARING:
        words += f", {figures.times(ratio)} {_whose_median(brief.window.length)}"
    return words


def _gained(scored: Scored) -> str:
    return figures.measured(scored.score.gained, scored.score.unit)


def _whose_median(length: dt.timedelta) -> str:
    hours = length.total_seconds() / 3600
    if 166 <= hours <= 170:  # a week with a clock change is still a week
        return "the week's median"
    if 22 <= hours <= 26:
        return "the day's median"
    return "the period's median"


def _rises(scored: Scored) -> bool:
    return scored.score.projected > _WORTH_PROJECTING * scored.score.gained


def _rate(scored: Scored, signal: Signal) -> str:
    slow = signal.rate_over >= 86400
    rate = figures.measured(scored.rate * (24 if slow else 1), figures.unit(signal.metric))
    how = "still rising" if signal.metric.kind is MetricKind.total else "still being read"
    return f"{how}: {rate} {'a day' if slow else 'an hour'} at the end"


def _local(moment: dt.datetime, brief: Brief) -> str:
    """In the zone of the window, which is the newsletter's."""
    return figures.moment(moment.astimezone(brief.window.end.tzinfo))


# --- left out -------------------------------------------------------------------------------------

USED = "already in an earlier edition"
EXCLUDED = "excluded by the editor"
SPONSORED = "sponsored"


def withdrawn(story: Story, moment: dt.datetime, brief: Brief) -> str:
    if story.hidden:
        return f"hidden by an editor: {story.hidden}"
    return f"withdrawn by its source, {_local(moment, brief)}"


def too_young(story: Story, brief: Brief) -> str:
    age = figures.length(brief.cut - story.date)
    least = figures.length(brief.settings.minimum_age)
    return f"only {age} old, {least} are asked for; stays eligible for the next edition"


def too_late(story: Story, brief: Brief) -> str:
    return f"dated {_local(story.date, brief)}, after the cut-off; stays eligible for its own edition"


def used_as(title: str) -> str:
    return f"similar to {figures.quoted(title)}, {USED}"


def folded_into(title: str) -> str:
    return f"similar to {figures.quoted(title)}, which stands for it"


def below(entry: Entry, place: int, brief: Brief) -> str:
    if entry.scored is None or brief.signal is None:
        return f"{figures.ordinal(place)} by date"
    gained = figures.listed([_gained(scored) for _, scored in entry.parts])
    rates = "".join(f", {_rate(scored, signal)}" for signal, scored in entry.parts if _rises(scored))
    return f"{figures.ordinal(place)}, with {gained}{rates}"


def no_signal(brief: Brief) -> str:
    units = [figures.unit(signal.metric) for signal in brief.signals] or ["figures"]
    return f"no {figures.listed(units, 'or')} known in this window"


LIMITS: dict[LeftOutBy, int] = {
    LeftOutBy.rank: 25,
    LeftOutBy.no_signal: 25,
    LeftOutBy.used: 50,
    LeftOutBy.sponsored: 25,
    LeftOutBy.withdrawn: 25,
    LeftOutBy.section_cap: 100,
    LeftOutBy.author_cap: 100,
}
"""How many of a kind are listed, the nearest misses first: the question is "why not this one", not an
inventory. Always listed are those that an editor excluded, those folded into a story that is shown, and the
too young: the store holds these over to the next edition."""
