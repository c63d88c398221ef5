"""Readings come in again and never double; candidates see what was known and no more; on both databases."""

from __future__ import annotations

import datetime as dt
import math
import threading

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.errors import DigestError, UsageError
from digest.model import Candidate, Metric, MetricKind, Reading, StoryDraft, Window
from digest.store import Database, tables
from digest.store.signals import SignalCounts, Signals
from digest.store.stories import Stories

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
POINTS = Metric("points", MetricKind.total)
READERS = Metric("readers", MetricKind.count, distinct=True, bucket=DAY)
START = dt.datetime(2026, 11, 9, tzinfo=dt.UTC)
WEEK = Window(START, START + 7 * DAY)


def add(
    database: Database, *names: str, source: str = "news", published: dt.datetime = START, url: str = ""
) -> None:
    drafts = [
        StoryDraft(name, url or f"https://news.example/{name}", f"Story {name}", published=published)
        for name in names
    ]
    Stories(database).import_drafts(source, drafts, seen=published)


def readings(
    name: str, *values: float, start: dt.datetime = START, step: dt.timedelta = HOUR
) -> list[Reading]:
    return [Reading(name, start + n * step, value) for n, value in enumerate(values)]


def stored(database: Database) -> int:
    with database.read() as connection:
        return int(
            connection.execute(sa.select(sa.func.count()).select_from(tables.observation)).scalar_one()
        )


def only(found: tuple[list[Candidate], frozenset[int]]) -> Candidate:
    (candidate,) = found[0]
    return candidate


def test_importing_again_replaces_and_never_doubles(database: Database) -> None:
    add(database, "1", "2")
    signals = Signals(database)
    first = [*readings("1", 1, 2, 3), *readings("2", 5)]
    sizes: list[int] = []
    assert signals.record(POINTS, "hn", first, progress=sizes.append) == SignalCounts(new=4)
    assert sizes == [4]
    assert signals.record(POINTS, "hn", first) == SignalCounts(same=4)
    corrected = [*readings("1", 1, 2.5, 3, 4)]
    assert signals.record(POINTS, "hn", iter(corrected)) == SignalCounts(new=1, replaced=1, same=2)
    assert stored(database) == 5
    series = Stories(database).signals(1, until=START + DAY)["points"]
    assert series.values == (1, 2.5, 3, 4)
    assert series.at == tuple(int(START.timestamp()) + 3600 * n for n in range(4))
    assert series.metric == POINTS


def test_of_two_readings_of_one_moment_the_later_counts(database: Database) -> None:
    add(database, "1")
    twice = [*readings("1", 1), *readings("1", 2), *readings("1", 2)]
    assert Signals(database).record(POINTS, "hn", twice) == SignalCounts(new=1, replaced=1, same=1)
    assert Stories(database).signals(1, until=START)["points"].values == (2.0,)


def test_what_belongs_to_no_story_is_counted_by_its_name(database: Database) -> None:
    add(database, "1")
    mixed = [*readings("1", 1), *readings("nobody", 1, 2), *readings("https://x.example/", 3)]
    counts = Signals(database).record(POINTS, "hn", mixed)
    assert counts == SignalCounts(new=1, unknown={"nobody": 2, "https://x.example/": 1})


def test_a_story_is_known_by_any_sources_name_or_by_its_url(database: Database) -> None:
    add(database, "guid", url="https://news.example/x")
    add(database, "77", source="hn", url="https://news.example/x")
    given = [
        *readings("guid", 1),
        *readings("77", 2, start=START + HOUR),
        *readings("https://news.example/x", 3, start=START + 2 * HOUR),
    ]
    assert Signals(database).record(POINTS, "analytics", given) == SignalCounts(new=3)
    assert Stories(database).signals(1, until=WEEK.end)["points"].values == (1, 2, 3)


def test_a_name_that_two_sources_use_goes_to_the_same_source_and_is_else_reported(database: Database) -> None:
    add(database, "1", url="https://a.example/")
    add(database, "1", source="hn", url="https://b.example/")
    signals = Signals(database)
    assert signals.record(POINTS, "hn", readings("1", 5)) == SignalCounts(new=1)
    assert signals.record(POINTS, "elsewhere", readings("1", 5, 6)) == SignalCounts(ambiguous={"1": 2})
    assert Stories(database).signals(2, until=WEEK.end)["points"].values == (5,)


def test_a_page_submitted_again_gives_its_readings_to_the_submission_of_that_time(
    database: Database,
) -> None:
    url = "https://news.example/x"
    add(database, "first", url=url, published=START)
    given = readings(url, 1, 2, 3, start=START - DAY, step=DAY)
    signals = Signals(database)
    assert signals.record(POINTS, "site", given).new == 3
    add(database, "second", url=url, published=START + 2 * DAY)
    given += readings(url, 4, start=START + 2 * DAY)
    assert signals.record(POINTS, "site", given) == SignalCounts(new=1, same=3)
    assert Stories(database).signals(2, until=WEEK.end)["points"].values == (4,)


def test_a_metric_keeps_its_kind(database: Database) -> None:
    add(database, "1")
    signals = Signals(database)
    signals.record(READERS, "site", readings("1", 1))
    with pytest.raises(DigestError, match="kept as a count") as caught:
        signals.record(Metric("readers", MetricKind.total), "site", readings("1", 9))
    assert "--kind count" in caught.value.hint
    signals.record(Metric("readers", MetricKind.count), "site", readings("1", 2))
    assert signals.metrics() == [READERS]
    assert Stories(database).signals(1, until=WEEK.end)["readers"].values == (2,)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_no_number_is_refused(database: Database, value: float) -> None:
    add(database, "1")
    with pytest.raises(UsageError, match="not a number"):
        Signals(database).record(POINTS, "hn", readings("1", 1, value))
    assert stored(database) == 0


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    add(database, "1")
    naive = [Reading("1", dt.datetime(2026, 11, 9), 1.0)]  # noqa: DTZ001 - meant
    with pytest.raises(ValueError, match="without a zone"):
        Signals(database).record(POINTS, "hn", naive)


def test_two_imports_at_the_same_time_do_not_double(database_url: str) -> None:
    database = Database(database_url)
    add(database, *(f"{n}" for n in range(50)))
    given = [reading for n in range(50) for reading in readings(f"{n}", *range(120))]
    barrier = threading.Barrier(2)
    counts: list[SignalCounts] = []

    def run() -> None:
        own = Database(database_url)
        barrier.wait()
        counts.append(Signals(own).record(POINTS, "hn", given))
        own.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) == 2
    assert stored(database) == 6000
    database.close()


# Candidates


def test_candidates_are_the_stories_dated_in_the_half_open_window(database: Database) -> None:
    for name, at in [
        ("before", WEEK.start - dt.timedelta(seconds=1)),
        ("first", WEEK.start),
        ("last", WEEK.end - dt.timedelta(seconds=1)),
        ("after", WEEK.end),
    ]:
        add(database, name, published=at)
    found, used = Stories(database).candidates(WEEK, "weekly", until=WEEK.end)
    assert [c.story.external_id for c in found] == ["first", "last"]
    assert used == frozenset()
    assert [dict(c.signals) for c in found] == [{}, {}]


def test_nothing_measured_after_the_cutoff_is_looked_at(database: Database) -> None:
    add(database, "1")
    signals = Signals(database)
    signals.record(POINTS, "hn", readings("1", *range(10)))
    signals.record(READERS, "site", readings("1", *range(10), step=DAY))
    candidate = only(Stories(database).candidates(WEEK, "weekly", until=START + 3 * HOUR))
    assert candidate.signals["points"].values == (0, 1, 2, 3)
    assert candidate.signals["readers"].values == (0,)
    assert candidate.signals["readers"].metric == READERS


def test_a_total_comes_with_its_last_reading_before_and_a_count_without(database: Database) -> None:
    add(database, "1")
    signals = Signals(database)
    early = readings("1", 1, 2, 3, start=START - 5 * DAY, step=DAY)  # the last of them two days before
    signals.record(POINTS, "hn", early + readings("1", 10))
    signals.record(READERS, "site", early + readings("1", 10))
    candidate = only(Stories(database).candidates(WEEK, "weekly", until=WEEK.end))
    assert candidate.signals["points"].values == (3, 10)
    assert candidate.signals["readers"].values == (10,)
    # Those of the day before all come: they show how fast it grew when the window began.
    signals.record(POINTS, "hn", readings("1", 5, 6, start=START - DAY))
    candidate = only(Stories(database).candidates(WEEK, "weekly", until=WEEK.end))
    assert candidate.signals["points"].values == (3, 5, 6, 10)
    # A cut-off before all that: the last reading up to it.
    candidate = only(Stories(database).candidates(WEEK, "weekly", until=START - 4 * DAY))
    assert candidate.signals["points"].values == (2,)


def test_counts_of_several_sources_add_up_and_totals_do_not(database: Database) -> None:
    add(database, "1")
    signals = Signals(database)
    signals.record(READERS, "site", readings("1", 1, 2, step=DAY))
    signals.record(READERS, "app", readings("1", 10, 20, start=START + DAY, step=DAY))
    signals.record(POINTS, "lobsters", readings("1", 900))
    signals.record(POINTS, "hn", readings("1", 5, 6))
    found = only(Stories(database).candidates(WEEK, "weekly", until=WEEK.end)).signals
    assert found["readers"].values == (1, 12, 20)
    assert found["points"].values == (5, 6)


def test_a_story_held_over_is_offered_to_the_next_edition(database: Database) -> None:
    add(database, "late", published=START - HOUR)
    add(database, "new", published=START + HOUR)
    stories = Stories(database)
    before = Window(START - 7 * DAY, START)
    stories_before = stories.candidates(before, "weekly", until=START)[0]
    assert [c.story.external_id for c in stories_before] == ["late"]
    with database.write() as connection:
        connection.execute(tables.newsletter.insert(), {"slug": "weekly", "since": START})
    stories.hold_over("weekly", 1, since=START)
    stories.hold_over("weekly", 1, since=START)
    found = stories.candidates(WEEK, "weekly", until=WEEK.end)[0]
    assert [c.story.external_id for c in found] == ["late", "new"]
    assert [c.story.id for c in stories.candidates(WEEK, "daily", until=WEEK.end)[0]] == [2]
    assert [c.story.id for c in stories.candidates(before, "weekly", until=START)[0]] == [1]


moments = st.integers(-3 * 24, 10 * 24).map(lambda hours: START + hours * HOUR)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given=st.lists(st.tuples(st.sampled_from("abc"), moments, st.integers(0, 99)), max_size=30), until=moments
)
def test_series_are_what_was_recorded_last_in_order_up_to_the_cutoff(
    database: Database, given: list[tuple[str, dt.datetime, int]], until: dt.datetime
) -> None:
    with database.write() as connection:
        connection.execute(tables.observation.delete())
    add(database, *"abc")
    readings = [Reading(name, at, value) for name, at, value in given]
    counts = Signals(database).record(POINTS, "hn", readings)
    assert counts.new + counts.replaced + counts.same == len(given)
    assert counts.new == len({(name, at) for name, at, _ in given}) == stored(database)
    last = {(name, at): value for name, at, value in given}
    for candidate in Stories(database).candidates(WEEK, "weekly", until=until)[0]:
        known = sorted(
            (int(at.timestamp()), float(value))
            for (name, at), value in last.items()
            if name == candidate.story.external_id and at <= until
        )
        edge = (START - DAY).timestamp()
        early = [pair for pair in known if pair[0] < edge]
        expected = early[-1:] + [pair for pair in known if pair[0] >= edge]
        series = candidate.signals.get("points")
        assert (list(zip(series.at, series.values, strict=True)) if series else []) == expected
