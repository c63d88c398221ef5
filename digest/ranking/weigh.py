"""Several signals on one scale: each story beside the average one.

By each signal a story is so many times the average story that has figures of it; its score is the mean of
that over the signals, by their weights. A ratio to the average keeps what a signal says (twice as many
comments count twice) whatever its unit: multiplying all figures of a signal changes nothing. Ranks, or normal
scores of ranks, would make the step from a good story to the week's best as small as that between two
forgotten ones, and the best is what a list is about.

A story without figures of one signal is judged by the others alone, their weights sharing its own: no
figures are not zero readers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from digest.model import Score
from digest.ranking import figures
from digest.ranking.score import Scored
from digest.ranking.signals import Signal

Part = tuple[Signal, Scored]
"""What one signal says of a story."""


def averages(stories: Sequence[Sequence[Part]]) -> Mapping[str, float]:
    """Metric name -> mean score of the stories that have it; the same in any order of `stories`."""
    values: dict[str, list[float]] = {}
    for parts in stories:
        for signal, scored in parts:
            values.setdefault(signal.metric.name, []).append(scored.score.value)
    return {name: math.fsum(of) / len(of) for name, of in values.items()}


def combine(parts: Sequence[Part], signals: Sequence[Signal], average: Mapping[str, float]) -> Scored | None:
    """One score of a story by all of `signals`, heaviest first; None without a figure of any.

    `Score.value` is how many times the average story it is. All else is that of the first signal which the
    story has: the figure that readers are shown.
    """
    if not parts:
        return None
    if len(signals) == 1:
        return parts[0][1]
    weights = math.fsum(signal.weight for signal, _ in parts)
    value = math.fsum(signal.weight * _times(signal, scored, average) for signal, scored in parts) / weights
    first = parts[0][1]
    return replace(first, score=replace(first.score, value=value, notes=_notes(parts, signals)))


def _times(signal: Signal, scored: Scored, average: Mapping[str, float]) -> float:
    mean = average[signal.metric.name]
    return scored.score.value / mean if mean > 0 else 0.0


def _notes(parts: Sequence[Part], signals: Sequence[Signal]) -> tuple[str, ...]:
    notes = [note for _, scored in parts for note in scored.score.notes]
    known = {signal.metric.name for signal, _ in parts}
    missing = [figures.unit(signal.metric) for signal in signals if signal.metric.name not in known]
    if missing:
        judged = figures.listed([figures.unit(signal.metric) for signal, _ in parts])
        notes.append(f"no {figures.listed(missing, 'or')} known: judged by {judged} alone")
    return tuple(notes)


def heading(score: Score, parts: Sequence[Part]) -> str:
    """The score in words: "together 3.4 times the average story (readers 1, comments 0.3)"."""
    weights = ", ".join(f"{figures.unit(signal.metric)} {signal.weight:g}" for signal, _ in parts)
    return f"together {figures.times(score.value)} the average story ({weights})"
