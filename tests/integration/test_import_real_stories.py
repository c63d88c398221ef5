"""Tables and documents of others, imported by the commands that docs/stories.md shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from digest.app import App
from digest.cli import stories
from digest.config.settings import Settings
from digest.store import Database
from tests.fakes import FixedClock

pytestmark = pytest.mark.real_data

Import = Callable[..., dict[str, Any]]


@pytest.fixture
def app(tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.chdir(tmp_path)
    made = App(Settings(root=tmp_path), clock)
    Database(made.settings.database_url()).create_or_upgrade()
    return made


@pytest.fixture
def take(app: App, real_data: Path) -> Import:
    def run(document: str, *options: str) -> dict[str, Any]:
        path = str(real_data / "stories" / document)
        result = CliRunner().invoke(stories.command, ["import", path, "--json", *options], obj=app)
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    return run


def test_a_community_of_three_years(take: Import) -> None:
    link = ("--link", "https://lobste.rs/s/{id}", "--source", "lobsters")
    figures = ("--signal", "points=score", "--signal", "comments=comments")
    for year, rows in (("2018", 10_987), ("2020", 11_730)):
        found = take(f"lobsters/lobsters-{year}.csv.gz", *figures, *link)
        assert (found["new"], found["rejected"]) == (rows, 0)
        assert found["signals"] == {"points": rows, "comments": rows}
    names = "short_id,created_at,url,title,submitter,comments,score,tags"
    found = take("lobsters/lobsters-2023-H1.psv.gz", *figures, *link, "--columns", names)
    # Ten headings have the delimiter in them and no quotation marks: cells without a place.
    assert (found["new"], found["rejected"]) == (4_591, 10)


def test_american_dates_and_a_mangled_header(take: Import, app: App) -> None:
    found = take(
        "hn_2016_sample/hacker_news.csv",
        "--signal", "points=num_points", "--signal", "comments=num_comments",
        "--link", "https://news.ycombinator.com/item?id={id}",
    )  # fmt: skip
    assert (found["new"], found["rejected"]) == (20_084, 0)
    assert any(note.startswith("dates have the month first") for note in found["notes"])
    newest, oldest = app.stories.list_(limit=None)[0], app.stories.list_(limit=None)[-1]
    assert (oldest.date.year, oldest.date.month, newest.date.year, newest.date.month) == (2015, 9, 2016, 9)


def test_an_interface_of_json_and_its_versions(take: Import, app: App) -> None:
    found = take("nunl_json_api", "--source", "nunl", "--base-url", "https://www.nu.nl/")
    assert (found["new"], found["rejected"]) == (2_526, 0)
    assert [each["error"] for each in found["files"]] == ["", "", ""]
    kinds = {story.kind.value for story in app.stories.list_(limit=None)}
    assert kinds == {"article", "video"}


def test_daily_counts_within_each_story(take: Import) -> None:
    found = take(
        "it_wiki_weekly_pageviews", "--source", "wiki",
        "--map", "title=article", "--map", "url=article_url", "--map", "standfirst=description",
        "--signal", "views:count:1d=daily_views",
    )  # fmt: skip
    assert (found["new"], found["rejected"], found["signals"]) == (790, 0, {"views": 9_135})


def test_positions_of_an_hourly_list(take: Import, app: App) -> None:
    found = take(
        "bbc_most_read/bbc_uk_most_read_hourly.csv.gz", "--source", "bbc", "--signal", "top:rank=rank"
    )
    assert (found["rejected"], found["signals"]) == (0, {"top": 37_897})
    first = min(story.first_seen for story in app.stories.list_(limit=None))
    assert first.isoformat() == "2025-04-21T00:54:16+00:00", "seen when it was first measured"
    found = take(
        "bbc_most_read/bbc_com_most_read_5min_2024-02-12_20.csv.gz", "--source", "bbc-com",
        "--map", "title=value", "--signal", "top:rank=order_var", "--base-url", "https://www.bbc.com/",
    )  # fmt: skip
    assert (found["new"], found["rejected"]) == (186, 0)
    found = take(
        "bbc_most_read/bbc_com_tt_subset_mojibake.csv", "--source", "bbc-tt",
        "--signal", "top:rank=order_var", "--link", "https://www.bbc.co.uk/search?q={title}",
    )  # fmt: skip
    assert (found["new"], found["rejected"]) == (255, 0)
    assert not [
        story.title for story in app.stories.list_(source_name="bbc-tt", limit=None) if "Ã" in story.title
    ]
