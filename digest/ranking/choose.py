"""The ranking as a whole: from candidates to a list with reasons."""

from __future__ import annotations

import datetime as dt
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from digest.model import (
    Candidate,
    Choices,
    LeftOut,
    LeftOutBy,
    Pick,
    Ranking,
    RankingSettings,
    Story,
    StoryKind,
    Window,
)
from digest.ranking import diversity, duplicates, explain, holds, judge
from digest.ranking.arrange import arrange
from digest.ranking.brief import Brief
from digest.ranking.entry import Entry, in_order


def rank(
    candidates: Sequence[Candidate],
    window: Window,
    settings: RankingSettings,
    *,
    choices: Choices = Choices(),  # noqa: B008 - frozen, and its mapping is never written to
    used: frozenset[int] = frozenset(),
    until: dt.datetime | None = None,
    always: frozenset[int] = frozenset(),
) -> Ranking:
    """The list for `window` as it stands at `until` (the end of the window when None or later).

    `candidates` may come in any order and may hold stories from before the window (held over); a story dated
    after the cut-off waits for its own edition. `used` are stories of earlier editions. Why a story is left
    out is said of the near misses, and of those in `always`. Nothing that was read after the cut-off is
    looked at. Raises nothing: what is wrong is in `Ranking.hold`.
    """
    cut = window.end if until is None else min(until, window.end)
    by_id = {candidate.story.id: candidate for candidate in candidates}
    pool = [by_id[story] for story in sorted(by_id)]
    brief, trouble = judge.with_signals(Brief(window, cut, settings, choices, used), pool)
    entries = _entries(pool, brief)
    rejects = _Rejects({entry.story.id: place for place, entry in enumerate(entries)}, always)
    eligible, earlier = _eligible(entries, brief, rejects)
    leaders, groups = _folded(eligible, earlier, brief, rejects)
    selection = diversity.select(_comparable(leaders, brief, rejects), settings)
    for capped in selection.capped:
        rejects.add(capped.entry, capped.by, capped.reason)
    for place, entry in enumerate(selection.below, len(selection.chosen) + 1):
        rejects.add(entry, LeftOutBy.rank, partial(explain.below, entry, place, brief))
    picks = _picks(selection, groups, brief, medians=_medians(entries))
    return Ranking(
        window=window,
        picks=picks,
        left_out=rejects.listed(groups, picks),
        metric=" + ".join(signal.metric.name for signal in brief.signals),
        hold=_hold(picks, pool, brief, rejects, trouble),
    )


# --- the steps, in order --------------------------------------------------------------------------


def _entries(pool: Sequence[Candidate], brief: Brief) -> list[Entry]:
    """Every candidate with its score, in order."""
    entries = [
        Entry(candidate.story, scored, pinned=candidate.story.id in brief.choices.pinned, parts=parts)
        for candidate, (scored, parts) in zip(pool, judge.scores(pool, brief.signals), strict=True)
    ]
    return in_order(entries, brief.settings.order)


def _medians(entries: Sequence[Entry]) -> Mapping[str, float]:
    """Metric name -> median of the increases of all candidates that have figures of it."""
    gains: dict[str, list[float]] = {}
    for entry in entries:
        for signal, scored in entry.parts:
            gains.setdefault(signal.metric.name, []).append(scored.score.gained)
    return {name: statistics.median(of) for name, of in gains.items()}


def _eligible(entries: Sequence[Entry], brief: Brief, rejects: _Rejects) -> tuple[list[Entry], list[Entry]]:
    """Those that may be in the list, and those of earlier editions. Both keep the order.

    A pin overrules what an editor can judge (age, sponsored), not what is so (used, withdrawn, excluded).
    """
    eligible, earlier = [], []
    for entry in entries:
        story = entry.story
        if story.id in brief.choices.excluded:
            rejects.add(entry, LeftOutBy.excluded, explain.EXCLUDED)
        elif story.withdrawn is not None:
            rejects.add(entry, LeftOutBy.withdrawn, partial(explain.withdrawn, story, story.withdrawn, brief))
        elif story.id in brief.used:
            earlier.append(entry)
            rejects.add(entry, LeftOutBy.used, explain.USED)
        elif entry.pinned:
            eligible.append(entry)
        elif story.kind is StoryKind.sponsored:
            rejects.add(entry, LeftOutBy.sponsored, explain.SPONSORED)
        elif story.date >= brief.window.end or story.date > brief.cut:
            rejects.add(entry, LeftOutBy.too_young, partial(explain.too_late, story, brief))
        elif brief.cut - story.date < brief.settings.minimum_age:
            rejects.add(entry, LeftOutBy.too_young, partial(explain.too_young, story, brief))
        else:
            eligible.append(entry)
    return eligible, earlier


def _folded(
    eligible: Sequence[Entry], earlier: Sequence[Entry], brief: Brief, rejects: _Rejects
) -> tuple[list[Entry], dict[int, list[Entry]]]:
    """One entry of each group of near-duplicates, in order, and by its story's id the others of the group.

    What resembles a story of an earlier edition is that story again. A pinned story leads its group, else the
    most popular one does; its score stays its own.
    """
    pinned = [entry for entry in eligible if entry.pinned]
    claims = [*earlier, *pinned, *(entry for entry in eligible if not entry.pinned)]
    titles = {entry.story.id: entry.story.title for entry in claims}
    shown = {entry.story.id for entry in earlier}
    into = duplicates.fold(
        [entry.story for entry in claims],
        brief.settings.similarity,
        apart=frozenset(shown | {entry.story.id for entry in pinned}),
    )
    groups: dict[int, list[Entry]] = {entry.story.id: [] for entry in eligible}
    for entry in eligible:
        leader = into.get(entry.story.id)
        if leader is None:
            continue
        if leader in shown:
            rejects.add(entry, LeftOutBy.used, partial(explain.used_as, titles[leader]))
        else:
            groups[leader].append(entry)
            rejects.add(entry, LeftOutBy.folded, partial(explain.folded_into, titles[leader]))
    return [entry for entry in eligible if entry.story.id not in into], groups


def _comparable(leaders: Sequence[Entry], brief: Brief, rejects: _Rejects) -> list[Entry]:
    """Those that have figures, where figures decide: a story without any is not one that nobody read."""
    if brief.latest:
        return list(leaders)
    comparable = []
    for entry in leaders:
        if entry.scored is not None or entry.pinned:
            comparable.append(entry)
        else:
            rejects.add(entry, LeftOutBy.no_signal, explain.no_signal(brief))
    return comparable


def _picks(
    selection: diversity.Selection,
    groups: Mapping[int, list[Entry]],
    brief: Brief,
    *,
    medians: Mapping[str, float],
) -> tuple[Pick, ...]:
    order = arrange(in_order(selection.chosen, brief.settings.order), brief.choices.pinned)
    return tuple(
        Pick(
            rank=place,
            story=entry.story,
            score=entry.scored.score if entry.scored is not None else None,
            reasons=explain.reasons(
                entry,
                brief,
                medians=medians,
                folded=len(groups[entry.story.id]),
                replaced=selection.replaced.get(entry.story.id),
            ),
            folded=tuple(similar.story for similar in groups[entry.story.id]),
            pinned=entry.pinned,
        )
        for place, entry in enumerate(order, 1)
    )


def _hold(
    picks: Sequence[Pick], pool: Sequence[Candidate], brief: Brief, rejects: _Rejects, trouble: str
) -> str:
    """Every reason to wait. A list that an editor chose by hand does not need figures."""
    by_hand = len(picks) >= brief.least and all(pick.pinned for pick in picks)
    if not pool:
        few = holds.no_stories(brief.window)
    elif trouble and not picks:
        few = ""  # that there are none has just been explained
    else:
        few = holds.too_few(len(picks), len(pool), brief.least, rejects.all())
    ids = {candidate.story.id for candidate in pool}
    missing = sorted(story for story in brief.choices.pinned if story not in ids)
    parts = ("" if by_hand else trouble, few, holds.lost_pins(missing, rejects.pinned()))
    return " ".join(part for part in parts if part)


# --- left out -------------------------------------------------------------------------------------


Reason = str | Callable[[], str]


@dataclass
class _Rejects:
    """Collects who was left out, and then keeps the near misses."""

    places: Mapping[int, int]
    """Story -> its place in the order of all."""
    always: frozenset[int]
    _rows: list[tuple[Entry, LeftOutBy, Reason]] = field(default_factory=list)

    def add(self, entry: Entry, by: LeftOutBy, reason: Reason) -> None:
        """`reason` is put into words only for those that are listed: hardly any of twenty thousand."""
        self._rows.append((entry, by, reason))

    def all(self) -> Iterable[LeftOutBy]:
        return (by for _, by, _ in self._rows)

    def pinned(self) -> list[tuple[Story, LeftOutBy]]:
        return [(entry.story, by) for entry, by, _ in self._rows if entry.pinned]

    def listed(self, groups: Mapping[int, list[Entry]], picks: Sequence[Pick]) -> tuple[LeftOut, ...]:
        """Best first. Folded stories are listed where the one that stands for them is."""
        ordered = sorted(self._rows, key=lambda row: self.places[row[0].story.id])
        shown = {pick.story.id for pick in picks}
        counts: Counter[LeftOutBy] = Counter()
        kept = []
        for entry, by, reason in ordered:
            counts[by] += 1
            listed = counts[by] <= explain.LIMITS.get(by, len(ordered)) or entry.story.id in self.always
            if by is LeftOutBy.folded or listed:
                kept.append((entry, by, reason))
                shown.add(entry.story.id)
        leaders = {similar.story.id: leader for leader, group in groups.items() for similar in group}
        return tuple(
            LeftOut(entry.story, by, reason if isinstance(reason, str) else reason(), entry.value)
            for entry, by, reason in kept
            if by is not LeftOutBy.folded or leaders[entry.story.id] in shown or entry.story.id in self.always
        )
