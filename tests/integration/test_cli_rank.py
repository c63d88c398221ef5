"""`digest rank` over a real store: what scripts read from it, and what people see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from digest.app import App
from digest.cli.rank import command
from digest.config import Settings
from digest.config.settings import Database, Newsletter
from digest.model import (
    Edition,
    EditionState,
    EditionStory,
    Metric,
    MetricKind,
    Period,
    Reading,
    StoryDraft,
)
from digest.store import Database as Store
from tests.fakes import FixedClock
from tests.ranking_material import END, START, WEEK, hours

NEWSLETTER = Newsletter(
    name="Weekly", sender="news@example.org", zone="Europe/Berlin", count=3, minimum=2, per_section=1
)


@pytest.fixture
def app(tmp_path: Path) -> App:
    settings = Settings(
        root=tmp_path, database=Database(url="sqlite:///digest.db"), newsletter={"weekly": NEWSLETTER}
    )
    Store(settings.database_url()).create_or_upgrade()
    app = App(settings, FixedClock(END))
    drafts = [
        StoryDraft(
            external_id=f"x{number}",
            url=f"https://example.org/{number}",
            title=f"{word.title()} number {number} opens at last",
            section="Politics" if number in (3, 4) else f"s{number}",
            published=START + hours(number),
        )
        for number, word in enumerate(["harbour", "violin", "glacier", "orchard", "tunnel"], 1)
    ]
    app.stories.import_drafts("feed", drafts, seen=START)
    readings = [
        Reading(f"x{number}", at, value)
        for number in range(1, 5)
        for at, value in ((START + hours(50), 10.0 * number), (END, 100.0 * number), (END + hours(1), 9e6))
    ]
    app.signals.record(Metric("points", MetricKind.total), "feed", readings)
    return app


def run(app: App, *options: str) -> Result:
    return CliRunner().invoke(command, ["weekly", *options], obj=app)


def document(result: Result) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


def test_scripts_get_the_promised_shape(app: App) -> None:
    result = run(app, "--at", "2026-11-16T00:00:00Z", "--window", "7d", "--limit", "2", "--json")
    assert result.exit_code == 0, result.stderr
    found = document(result)
    assert found["newsletter"] == "weekly"
    assert found["window"] == {"start": "2026-11-09T00:00:00Z", "end": "2026-11-16T00:00:00Z"}
    assert [pick["external_id"] for pick in found["picks"]] == ["x4", "x2"]
    first = found["picks"][0]
    assert {"rank", "story", "external_id", "url", "title", "score", "reasons"} <= set(first)
    assert (first["rank"], first["url"]) == (1, "https://example.org/4")
    assert first["score"] >= 400
    assert first["reasons"][0] == "400 points, 1.6x the week's median"
    assert {left["external_id"]: left["by"] for left in found["left_out"]} == {
        "x3": "section_cap",
        "x1": "rank",
        "x5": "no_signal",
    }
    assert found["metric"] == "points"
    assert found["hold"] == ""


def test_without_options_it_is_the_newsletter_s_own_list_now(app: App) -> None:
    found = document(run(app, "--json"))
    assert found["window"] == {"start": "2026-11-09T00:00:00Z", "end": "2026-11-16T00:00:00Z"}
    assert [pick["external_id"] for pick in found["picks"]] == ["x4", "x2", "x1"]


def test_nothing_later_than_the_cut_off_is_looked_at(app: App) -> None:
    earlier = document(run(app, "--at", "2026-11-12", "--window", "3d", "--json"))
    assert [pick["score"] for pick in earlier["picks"]] == [40, 20, 10]
    assert earlier["window"]["start"] == "2026-11-09T00:00:00Z"


def test_a_held_list_is_printed_all_the_same_with_exit_code_3(app: App) -> None:
    result = run(app, "--metric", "readers", "--json")
    assert result.exit_code == 3
    assert document(result)["picks"] == []
    assert 'No story has figures of the metric "readers"' in document(result)["hold"]
    assert result.stderr.startswith("Held: No story has figures")


def test_people_get_a_table_of_the_list_and_of_the_near_misses(app: App) -> None:
    result = run(app)
    assert result.exit_code == 0
    assert "09 November 01:00 to 16 November 01:00 CET, by points" in result.stdout
    assert "Orchard number 4 opens at last" in result.stdout
    assert "Politics already has 1" in result.stdout


def test_a_long_list_of_near_misses_is_cut_on_a_screen(app: App) -> None:
    many = [
        StoryDraft(f"y{number}", f"https://example.org/y{number}", f"n{number}", published=START)
        for number in range(40)
    ]
    app.stories.import_drafts("feed", many, seen=START)
    assert "more with --json." in run(app).stderr
    assert "Left out" not in run(app, "--at", "2020-01-08").stdout


def test_the_edition_of_this_window_does_not_count_as_an_earlier_one(app: App) -> None:
    before = document(run(app, "--json"))["picks"]
    period = Period(START.date(), WEEK, END + hours(6), END + hours(32), END + hours(33))
    stories = tuple(
        EditionStory(pick["rank"], app.stories.get(pick["story"]), ("as ranked",)) for pick in before
    )
    app.editions.create(Edition(0, "weekly", 0, period, EditionState.draft, stories), at=END, by="a test")
    assert document(run(app, "--json"))["picks"] == before
    # For a window that is not its own they are taken.
    other = document(run(app, "--at", "2026-11-15", "--json"))
    assert [pick["external_id"] for pick in other["picks"]] == ["x3"]


@pytest.mark.parametrize("options", [("--window", "0"), ("--limit", "0"), ("--at", "yesterday")])
def test_wrong_use_is_refused(app: App, options: tuple[str, str]) -> None:
    result = run(app, *options)
    assert result.exit_code != 0
    assert "Traceback" not in result.output


def test_an_unknown_newsletter_is_named_with_those_that_are_known(app: App) -> None:
    result = CliRunner().invoke(command, ["daily"], obj=app)
    assert "there is no newsletter 'daily'" in str(result.exception)


def test_one_story_is_explained_in_or_out(app: App) -> None:
    first, second = (pick["score"] for pick in document(run(app, "--limit", "2", "--json"))["picks"])
    best = document(run(app, "--limit", "2", "--explain", "x4", "--json"))
    assert (best["rank"], best["by"], best["score"], best["needed"]) == (1, None, first, second)
    assert best["reasons"][0].startswith("400 points")
    below = document(run(app, "--limit", "2", "--explain", "x1", "--json"))
    assert (below["rank"], below["by"], below["needed"]) == (None, "rank", second)
    assert below["score"] < second
    assert below["reasons"][0].startswith("3rd, with 100 points")
    capped = document(run(app, "--explain", "x3", "--json"))
    assert capped["reasons"] == ["Politics already has 1"]
    elsewhere = document(run(app, "--at", "2026-11-09T01:30Z", "--window", "1h", "--explain", "x4", "--json"))
    assert "not in the window" in elsewhere["reasons"][0]


def test_a_story_far_down_the_list_is_explained_too(app: App) -> None:
    names = [f"y{number}" for number in range(40)]
    drafts = [StoryDraft(n, f"https://example.org/{n}", f"quiet {n}", published=START) for n in names]
    app.stories.import_drafts("feed", drafts, seen=START)
    readings = [Reading(name, START + hours(2), float(place)) for place, name in enumerate(names, 1)]
    app.signals.record(Metric("points", MetricKind.total), "feed", readings)
    listed = [left["external_id"] for left in document(run(app, "--json"))["left_out"]]
    assert "y0" not in listed
    assert document(run(app, "--explain", "y0", "--json"))["reasons"] == ["43rd, with 1 point"]


def test_people_are_told_what_a_story_stands_for_and_what_was_needed(app: App) -> None:
    twin = StoryDraft(
        "t4", "https://other.example/4", "Orchard number 4 opens at last", published=START + hours(4)
    )
    app.stories.import_drafts("other", [twin], seen=START)
    app.signals.record(Metric("points", MetricKind.total), "other", [Reading("t4", START + hours(9), 5.0)])
    told = run(app, "--explain", "x4").stdout
    assert "number 1 of the list" in told
    assert "stands for" in told
    folded = run(app, "--explain", "t4").stdout
    assert "not in the list" in folded
    assert "which stands for it" in folded
