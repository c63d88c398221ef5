"""What would have been chosen in each past period, against what was read most in the end.

For every whole period that the store knows, the list is made as it could have been at the cut-off, where
nothing later is looked at, once for each way of ranking. The truth is how much each story of the period had
gained by one more length of the window after the cut-off, or as much of that as is known. Where figures end
less than a seventh of a window after the cut-off nobody can know the end: such a period is left out, with the
reason.

Figures: nDCG@10 (Järvelin & Kekäläinen 2002: what the ten chosen had in the end, each divided by
log2(rank + 1), over the same for the best ten); overlap@10, the share of the true best ten that was chosen;
how many of the ten are from the last seventh of the window (of a week: its last day); how many repeat another
of the ten. Ways are compared with the raw counts period by period: the interval is the middle 95 % of paired
bootstrap means (Efron & Tibshirani 1993), drawn alike on every run.

Texts and dates are those that the store has now; what earlier editions used, and the words of editors, do not
count.
"""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from digest.errors import NothingToDo
from digest.model import Candidate, Order, RankingSettings, Story, StoryKind, Window
from digest.ranking import duplicates, rank
from digest.ranking.judge import Outcome, in_the_end, reach
from digest.schedule import periods_between
from digest.work.desk import Desk

PLACES = 10
ROUNDS = 2000
_PARTS = 7
"""A window is looked at in sevenths: of a week, days."""
_MOST = 100_000
_SEED = 20261116
_SIX_HOURS = dt.timedelta(hours=6)

RAW = "raw counts"
CONFIGURED = "as configured"
NEWEST = "newest first"


@dataclass(frozen=True, slots=True)
class Judged:
    """One list of one period. `late` and `repeated` are shares of the list."""

    ndcg: float
    overlap: float
    late: float
    repeated: float


@dataclass(frozen=True, slots=True)
class Way:
    """One way of ranking over all periods: means, and the difference in nDCG to the raw counts."""

    name: str
    ndcg: float
    difference: float
    low: float
    high: float
    overlap: float
    late: float
    repeated: float
    each: tuple[float, ...]
    """nDCG of each period."""


@dataclass(frozen=True, slots=True)
class Backtest:
    newsletter: str
    metric: str
    periods: tuple[dt.date, ...]
    """Local dates on which the windows began."""
    ways: tuple[Way, ...]
    late_in_the_end: float
    """The share of the last seventh of the window among the true best ten."""
    left_out: Mapping[dt.date, str]
    """Periods that say nothing, and why."""


def backtest(
    desk: Desk, slug: str, *, weeks: int | None = None, progress: Callable[[int], object] | None = None
) -> Backtest:
    """Judges every way of ranking on the past of a newsletter: the last `weeks`, or all of it.

    `progress` is called with the number of periods looked at. Raises `NothingToDo` when no period says
    anything.
    """
    schedule, settings, now = desk.schedule(slug), desk.ranking_settings(slug), desk.clock.now()
    dates = desk.stories.dates()
    if dates is None:
        raise NothingToDo("there are no stories yet", hint="Import some: digest stories import FILE")
    until = min(now, dates[1] + dt.timedelta(days=schedule.days))
    periods = periods_between(schedule, dates[0], until, limit=_MOST)
    if weeks is not None:
        periods = periods[-(weeks * 7 // schedule.days) :]
    ways = _ways(settings)
    judged: dict[str, list[Judged]] = {name: [] for name in ways}
    starts, left_out, late, metric = list[dt.date](), dict[dt.date, str](), list[float](), ""
    for period in periods:
        past = _past(desk, slug, period.window, settings)
        if isinstance(past, str):
            left_out[period.start_date] = past
        else:
            starts.append(period.start_date)
            late.append(past.share_late(past.best))
            metric = " + ".join(signal.metric.name for signal in past.outcome.signals)
            for name, way in ways.items():
                judged[name].append(past.judge(way))
        if progress is not None:
            progress(1)
    if not starts:
        why = next(reversed(left_out.values()), "no whole period has passed since the first story")
        raise NothingToDo(
            f"no period of {slug} can be judged: {why}",
            hint="Figures from after the end of a window are needed: let digest run collect some, or import.",
        )
    raw = [each.ndcg for each in judged[RAW]]
    return Backtest(
        newsletter=slug,
        metric=metric,
        periods=tuple(starts),
        ways=tuple(_way(name, of, raw) for name, of in judged.items()),
        late_in_the_end=_mean(late),
        left_out=left_out,
    )


def _ways(settings: RankingSettings) -> dict[str, RankingSettings]:
    """Name -> settings: raw counts, what is configured, and that with one thing changed."""
    ours = replace(settings, count=PLACES)
    none = dt.timedelta(0)
    ways = {
        RAW: replace(
            ours, order=Order.popular, projection=none, similarity=math.inf, minimum_age=none, per_section=0,
            per_author=0,
        ),
        CONFIGURED: ours,
        "no projection": replace(ours, projection=none),
        "projection of six hours": replace(ours, projection=_SIX_HOURS),
        "projection as learned": replace(ours, projection=None),
        "nothing folded": replace(ours, similarity=math.inf),
        "no caps": replace(ours, per_section=0, per_author=0),
        NEWEST: replace(ours, order=Order.latest),
    }  # fmt: skip
    return {name: way for name, way in ways.items() if name in (RAW, CONFIGURED) or way != ours}


@dataclass(frozen=True, slots=True)
class _Past:
    """A period, and what became of its stories."""

    window: Window
    pool: Sequence[Candidate]
    outcome: Outcome
    alike: Mapping[int, set[int]]

    @property
    def best(self) -> list[int]:
        gains = self.outcome.gains
        return sorted(gains, key=lambda story: (-gains[story], story))[:PLACES]

    def share_late(self, chosen: Sequence[int]) -> float:
        late = self.window.end - self.window.length / _PARTS
        dates = {each.story.id: each.story.date for each in self.pool}
        return sum(dates[story] >= late for story in chosen) / len(chosen) if chosen else 0.0

    def judge(self, way: RankingSettings) -> Judged:
        chosen = [pick.story.id for pick in rank(self.pool, self.window, way).picks]
        repeats = sum(
            not self.alike.get(story, set()).isdisjoint(chosen[:place]) for place, story in enumerate(chosen)
        )
        return Judged(
            ndcg=ndcg(chosen, self.outcome.gains),
            overlap=len(set(chosen) & set(self.best)) / len(self.best),
            late=self.share_late(chosen),
            repeated=repeats / PLACES,
        )


def _past(desk: Desk, slug: str, window: Window, settings: RankingSettings) -> _Past | str:
    """A period that can be judged, or why it cannot."""
    known_until = window.end + window.length
    # With the stories of the period after it: that is where one sees how far figures reach.
    both, _ = desk.stories.candidates(Window(window.start, known_until), slug, until=known_until)
    pool = [each for each in both if each.story.date in window and _eligible(each.story)]
    if len(pool) < 2 * PLACES:
        return "too few stories to choose ten from"
    outcome = in_the_end(pool, window, settings, until=known_until)
    if isinstance(outcome, str):
        return outcome
    needed = window.end.timestamp() + window.length.total_seconds() / _PARTS
    for signal in outcome.signals:
        if reach(both, signal, known_until) < needed:
            return f"no {signal.metric.name} known from after it"
    if not any(outcome.gains.values()):
        return "nothing of it was read"
    alike = duplicates.neighbours([each.story for each in pool], RankingSettings().similarity)
    return _Past(window, pool, outcome, alike)


def _eligible(story: Story) -> bool:
    return story.withdrawn is None and story.kind is not StoryKind.sponsored


def _way(name: str, judged: Sequence[Judged], raw: Sequence[float]) -> Way:
    differences = [each.ndcg - other for each, other in zip(judged, raw, strict=True)]
    low, high = interval(differences)
    return Way(
        name=name,
        ndcg=_mean([each.ndcg for each in judged]),
        difference=_mean(differences),
        low=low,
        high=high,
        overlap=_mean([each.overlap for each in judged]),
        late=_mean([each.late for each in judged]),
        repeated=_mean([each.repeated for each in judged]),
        each=tuple(each.ndcg for each in judged),
    )


def ndcg(chosen: Sequence[int], gains: Mapping[int, float]) -> float:
    """Normalised discounted cumulative gain of the first ten chosen, 0 to 1, by what each story had in the
    end. There must be some gain."""
    best = sorted(gains.values(), reverse=True)
    return _discounted([gains[story] for story in chosen]) / _discounted(best)


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains[:PLACES], 1))


def interval(differences: Sequence[float], rounds: int = ROUNDS) -> tuple[float, float]:
    """The middle 95 % of the means of `rounds` resamples; the same on every run."""
    chance = random.Random(_SEED)  # noqa: S311 - resamples, not secrets, and alike on every run
    size = len(differences)
    means = sorted(sum(chance.choices(differences, k=size)) / size for _ in range(rounds))
    return means[round(0.025 * rounds)], means[round(0.975 * rounds) - 1]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
