"""By which signals the list is ranked, and what each story has by them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from digest.model import Candidate, Choices, MetricKind, Order, RankingSettings, Window
from digest.ranking import carry, holds, signals, weigh
from digest.ranking.brief import Brief
from digest.ranking.score import Scored, score_story
from digest.ranking.signals import Signal, readings_until
from digest.ranking.weigh import Part


def with_signals(brief: Brief, pool: Sequence[Candidate]) -> tuple[Brief, str]:
    """Finds the metrics to rank by, and says what is wrong with them."""
    if brief.latest or not pool:
        return brief, ""
    known = signals.survey(pool, brief.window, brief.cut)
    weights = brief.settings.weights
    names = sorted(weights, key=lambda name: (-weights[name], name)) or [brief.settings.metric]
    chosen, trouble = list[Signal](), list[str]()
    for name in names:
        signal = signals.choose(known, name)
        if signal is None or not signal.coverage:
            trouble.append(holds.no_figures(name, known, len(pool)))
        else:
            chosen.append(_carried(replace(signal, weight=weights.get(name, 1.0)), pool, brief))
            trouble.append(holds.stale(signal, brief.settings.stale_after))
    mixed = signals.people_and_views(signal.metric for signal in chosen)
    if mixed is not None:
        return brief, holds.mixed(*mixed)
    return replace(brief, signals=tuple(chosen)), " ".join(each for each in trouble if each)


def _carried(signal: Signal, pool: Sequence[Candidate], brief: Brief) -> Signal:
    projection = brief.settings.projection
    seconds = carry.learned(pool, signal, brief.window) if projection is None else projection.total_seconds()
    return replace(signal, carry=seconds)


def scores(pool: Sequence[Candidate], by: Sequence[Signal]) -> list[tuple[Scored | None, tuple[Part, ...]]]:
    """Each candidate's score, and what each signal says of it; None and nothing where none says anything."""
    of = [_parts(candidate, by) for candidate in pool]
    average = weigh.averages(of) if len(by) > 1 else {}
    return [(weigh.combine(parts, by, average), parts) for parts in of]


def _parts(candidate: Candidate, by: Sequence[Signal]) -> tuple[Part, ...]:
    scored = ((s, score_story(candidate.story, candidate.signals.get(s.metric.name), s)) for s in by)
    return tuple((signal, found) for signal, found in scored if found is not None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How popular the stories of a window became. `gains` has all of them by id, on the scale of the list."""

    signals: tuple[Signal, ...]
    gains: Mapping[int, float]


def in_the_end(
    pool: Sequence[Candidate], window: Window, settings: RankingSettings, *, until: dt.datetime
) -> Outcome | str:
    """What each story had gained by `until`, well after the window, by the signals that rank its list; or why
    there is no such list."""
    popular = replace(settings, order=Order.popular)
    brief, trouble = with_signals(Brief(window, window.end, popular, Choices(), frozenset()), pool)
    if not brief.signals:
        return trouble or "there are no stories"
    later = [replace(signal, cut=until.timestamp(), carry=0.0) for signal in brief.signals]
    found = zip(pool, scores(pool, later), strict=True)
    gains = {each.story.id: scored.score.value if scored is not None else 0.0 for each, (scored, _) in found}
    return Outcome(brief.signals, gains)


def reach(pool: Sequence[Candidate], signal: Signal, until: dt.datetime) -> float:
    """Unix seconds up to which figures of a signal are known of any of these stories, by `until`."""
    name, latest = signal.metric.name, -math.inf
    for each in pool:
        series = each.signals.get(name)
        known = readings_until(series, until.timestamp()) if series is not None else 0
        if series is not None and known:
            latest = max(latest, series.at[known - 1])
    return latest + (signal.cadence if signal.metric.kind is MetricKind.count else 0.0)
