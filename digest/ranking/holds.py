"""Why a list must not be sent as it is, and the way out. Each sentence says both."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from digest.model import LeftOutBy, Story, Window
from digest.ranking import explain, figures
from digest.ranking.signals import AUTO, Signal

_BY_HAND = "choose by hand (digest edition pin)"


def no_stories(window: Window) -> str:
    start, end = figures.moment(window.start), figures.moment(window.end)
    return (
        f"No story was published between {start} and {end}. Check the sources (digest sources poll), "
        "or change the newsletter's window."
    )


def no_figures(name: str, signals: Mapping[str, Signal], stories: int) -> str:
    """For a metric that is not there at all, or knows nothing of this window."""
    asked = signals.get(name)
    others = sorted(signal.metric.name for signal in signals.values() if signal.coverage)
    if asked is not None:
        what = f'The metric "{name}" has no figures in this window; its last are from {_reach(asked)}.'
    elif name != AUTO:
        what = f'No story has figures of the metric "{name}".'
    else:
        what = f"There are no figures for the {figures.stories(stories)} of this window."
    change = f'set metric to "{AUTO}" or one of {", ".join(others)}' if others else 'set order to "latest"'
    return f"{what} Import them (digest signals import), {_BY_HAND}, or {change}."


def mixed(people: str, views: str) -> str:
    """For weights that would add people and page views."""
    return (
        f'"{people}" counts people and "{views}" page views: two measures of the same reading, which no '
        f"list adds up. Leave one of them out of the newsletter's signals, or {_BY_HAND}."
    )


def stale(signal: Signal, allowed: dt.timedelta) -> str:
    """ "" when the figures are fresh enough: the latest is at most `allowed` older than the cut-off."""
    age = signal.cut - signal.reach
    if age <= allowed.total_seconds():
        return ""
    unit = figures.unit(signal.metric)
    return (
        f"The latest {unit} are from {_reach(signal)}, "
        f"{figures.length(dt.timedelta(seconds=age))} before the cut-off; at most "
        f"{figures.length(allowed)} is allowed. Import newer ones and build again (digest edition build), "
        f"use these (digest edition release), or {_BY_HAND}."
    )


def too_few(picks: int, candidates: int, least: int, left_out: Iterable[LeftOutBy]) -> str:
    """ "" when there are at least `least` picks."""
    if picks >= least:
        return ""
    why = Counter(left_out)
    told = ", ".join(f"{count} {_WORDS[by]}" for by, count in sorted(why.items()) if by in _WORDS)
    return (
        f"Only {figures.stories(picks)} of {candidates:,} can be in this edition, and it needs "
        f"{least}{f': {told}' if told else ''}. Add more (digest stories import), {_BY_HAND}, "
        "or lower the newsletter's minimum."
    )


def lost_pins(missing: Sequence[int], gone: Sequence[tuple[Story, LeftOutBy]]) -> str:
    """A pinned story that cannot be in the list: the editor has to hear of it."""
    told = [f"Story #{story} is pinned, but there is no such story." for story in missing]
    hidden = "hidden by an editor"
    told += [
        f"{figures.quoted(story.title)} is pinned, but {hidden if story.hidden else _WORDS[by]}."
        for story, by in gone
    ]
    return " ".join([*told, "Unpin it, or pin another (digest edition pin)."]) if told else ""


def _reach(signal: Signal) -> str:
    return figures.moment(dt.datetime.fromtimestamp(signal.reach, signal.zone))


_WORDS = {
    LeftOutBy.used: explain.USED,
    LeftOutBy.sponsored: "sponsored",
    LeftOutBy.withdrawn: "withdrawn by its source",
    LeftOutBy.too_young: "too young",
    LeftOutBy.excluded: explain.EXCLUDED,
    LeftOutBy.no_signal: "without figures",
    LeftOutBy.section_cap: "over the section's cap",
    LeftOutBy.author_cap: "over the author's cap",
}
