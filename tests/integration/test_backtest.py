"""`digest backtest`: past lists against what was read most in the end, from a real store."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from digest.app import App
from digest.cli.backtest import command
from digest.cli.plot import drawn
from digest.config import Settings
from digest.config.settings import Database, Newsletter
from digest.model import Metric, MetricKind, Reading, StoryDraft
from digest.store import Database as Store
from digest.work.backtest import CONFIGURED, NEWEST, RAW, Backtest, Way, backtest, interval, ndcg
from tests.fakes import FixedClock

VIEWS = Metric("views", MetricKind.count, bucket=dt.timedelta(hours=1))
HOUR = dt.timedelta(hours=1)
WEEKS = 4
STORIES = 28


NEWSLETTER = Newsletter(name="Weekly", sender="news@example.org")
END = dt.datetime(2026, 11, 9, tzinfo=dt.UTC)


@pytest.fixture
def app(tmp_path: Path) -> App:
    settings = Settings(
        root=tmp_path, database=Database(url="sqlite:///digest.db"), newsletter={"weekly": NEWSLETTER}
    )
    Store(settings.database_url()).create_or_upgrade()
    return App(settings, FixedClock(dt.datetime(2026, 11, 16, 8, tzinfo=dt.UTC)))


def fill(app: App, *, until: dt.datetime) -> None:
    """Four whole weeks of one story every six hours, each read for two days, as far as that is known."""
    start = END - dt.timedelta(weeks=WEEKS)
    drafts, readings = [], []
    for number in range(WEEKS * STORIES):
        published, name = start + number * 6 * HOUR, f"s{number}"
        title = f"heading number {number * 7919} of {number * 104729}"
        drafts.append(StoryDraft(name, f"https://news.example/{name}", title, published=published))
        pace = 10 + number * 37 % 101
        readings += [Reading(name, published + hour * HOUR, max(0.0, pace - hour // 2)) for hour in range(48)]
    app.stories.import_drafts("news", drafts, seen=app.clock.now())
    app.signals.record(VIEWS, "news", [each for each in readings if each.at < until])


@pytest.fixture
def past(app: App) -> None:
    fill(app, until=END + 48 * HOUR)


def run(app: App, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["weekly", *arguments], obj=app)


def way(found: Backtest, name: str) -> Way:
    return next(each for each in found.ways if each.name == name)


def test_projecting_finds_the_late_stories_that_raw_counts_miss(app: App, past: None) -> None:
    found = backtest(app, "weekly")
    assert found.metric == "views"
    assert len(found.periods) == WEEKS
    raw, ours = way(found, RAW), way(found, CONFIGURED)
    assert raw.difference == raw.low == raw.high == 0
    assert ours.ndcg > raw.ndcg
    assert ours.overlap > raw.overlap
    assert raw.late < found.late_in_the_end
    assert way(found, NEWEST).late == pytest.approx(0.4)  # four of ten are from the last day


@pytest.mark.parametrize(("known", "periods"), [(23, WEEKS - 1), (24, WEEKS)])
def test_a_week_of_which_too_little_is_known_afterwards_is_left_out_and_named(
    app: App, known: int, periods: int
) -> None:
    fill(app, until=END + known * HOUR)
    found = backtest(app, "weekly")
    assert len(found.periods) == periods
    reasons = {} if periods == WEEKS else {dt.date(2026, 11, 2): "no views known from after it"}
    assert found.left_out == reasons
    if reasons:
        assert "Left out: 1 period, no views known from after it" in run(app).stderr


def test_it_is_the_same_on_every_run(app: App, past: None) -> None:
    assert backtest(app, "weekly") == backtest(app, "weekly")


def test_only_the_last_weeks_are_looked_at_when_asked(app: App, past: None) -> None:
    assert len(backtest(app, "weekly", weeks=2).periods) == 2


def test_the_table_says_how_sure_it_is(app: App, past: None) -> None:
    done = run(app)
    assert done.exit_code == 0
    assert "as configured" in done.stdout
    assert "Against raw counts (95 %)" in done.stdout
    assert "from the last day of a period" in done.stderr


def test_the_document_has_each_period_of_each_way(app: App, past: None) -> None:
    document = json.loads(run(app, "--json").stdout)
    assert [each["name"] for each in document["ways"]][:2] == [RAW, CONFIGURED]
    assert {len(each["each"]) for each in document["ways"]} == {len(document["periods"])}
    assert all(each["low"] <= each["difference"] <= each["high"] for each in document["ways"])


def test_the_plot_names_every_way_and_is_well_formed(app: App, past: None, tmp_path: Path) -> None:
    file = tmp_path / "plot.svg"
    assert run(app, "--svg", str(file)).exit_code == 0
    drawing = file.read_text(encoding="utf-8")
    ET.fromstring(drawing)
    found = backtest(app, "weekly")
    assert all(each.name in drawing for each in found.ways[1:])
    assert drawing == drawn(found)
    assert "prefers-color-scheme: dark" in drawing


@pytest.mark.parametrize("spread", [0.0, 1e-6, 0.02, 0.9])
def test_the_plot_holds_differences_of_any_size(app: App, past: None, spread: float) -> None:
    found = backtest(app, "weekly")
    made = [
        Way(each.name, 0.5, 0, -spread, spread, 0.5, 0.1, 0, each.each) for each in found.ways
    ]  # fmt: skip
    changed = Backtest(found.newsletter, "a & b", found.periods, tuple(made), 0.1, {})
    ET.fromstring(drawn(changed))


def test_without_stories_there_is_nothing_to_judge(app: App) -> None:
    done = run(app)
    assert "there are no stories yet" in str(done.exception)


def test_without_figures_the_reason_is_the_lists_own(app: App) -> None:
    drafts = [
        StoryDraft(str(n), f"https://news.example/{n}", f"h {n}", published=app.clock.now() - n * 8 * HOUR)
        for n in range(90)
    ]
    app.stories.import_drafts("news", drafts, seen=app.clock.now())
    assert "There are no figures" in str(run(app).exception)


def test_the_best_list_has_an_ndcg_of_one() -> None:
    gains = {number: float(number) for number in range(1, 30)}
    assert ndcg(sorted(gains, reverse=True)[:10], gains) == pytest.approx(1)
    assert ndcg([1], gains) < 0.01


def test_an_interval_of_equal_differences_is_a_point() -> None:
    low, high = interval([0.25] * 9)
    assert [low, high] == pytest.approx([0.25, 0.25])
