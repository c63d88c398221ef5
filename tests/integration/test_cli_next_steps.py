"""What the command line says about what comes next: nobody should have to look for the next command."""

from __future__ import annotations

import datetime as dt
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from digest.app import App
from digest.cli import edition, rank, send
from digest.errors import NothingToDo, TransportError
from digest.model import EditionState
from digest.work.build import approve
from digest.work.coming import coming_up
from tests.newsroom import WEEK_END, newsroom

HOUR = dt.timedelta(hours=1)


def edit(app: App, *arguments: str) -> Result:
    return CliRunner().invoke(edition.command, arguments, obj=app)


def test_a_new_installation_hears_when_its_first_edition_is_made(tmp_path: Path) -> None:
    app, _ = newsroom(tmp_path, now=WEEK_END + 12 * HOUR, stories=False)
    assert coming_up(app) == [
        (
            "weekly/2026-11-16 is built on Mon 23 Nov 06:00 UTC, approved Tue 24 Nov 08:00 UTC, "
            "sent Tue 24 Nov 09:00 UTC"
        ),
        "[alerts] to is empty: what needs a person is only said here.",
    ]


def test_times_are_those_of_the_newsletters_zone(tmp_path: Path) -> None:
    environ = {
        "DIGEST_NEWSLETTER__WEEKLY__ZONE": "America/New_York",
        "DIGEST_NEWSLETTER__WEEKLY__APPROVAL": "editor",
        "DIGEST_ALERTS__TO": "operator@example.org",
    }
    app, _ = newsroom(tmp_path, now=WEEK_END + 12 * HOUR, stories=False, environ=environ)
    assert coming_up(app) == [
        (
            "weekly/2026-11-16 is built on Mon 23 Nov 06:00 EST, to be approved by an editor until "
            "Tue 24 Nov 08:00 EST, sent Tue 24 Nov 09:00 EST"
        )
    ]


@pytest.mark.parametrize(
    ("approval", "words"),
    [
        (
            "automatic",
            "unless held, it is approved by itself on Tue 17 Nov 08:00 UTC and leaves on Tue 17 Nov",
        ),
        ("editor", "once it is approved: digest edition approve weekly/2026-11-09"),
    ],
)
def test_a_draft_on_its_way_comes_before_the_next_edition(tmp_path: Path, approval: str, words: str) -> None:
    app, clock = newsroom(
        tmp_path, now=WEEK_END + 7 * HOUR, environ={"DIGEST_NEWSLETTER__WEEKLY__APPROVAL": approval}
    )
    assert edit(app, "build", "weekly").exit_code == 0
    draft, following, _ = coming_up(app)
    assert draft.startswith("weekly/2026-11-09 is a draft")
    assert words in draft
    assert following.startswith("weekly/2026-11-16 is built on Mon 23 Nov 06:00 UTC")
    approve(app, app.editions.get("weekly"), by="ada")
    assert coming_up(app)[0] == "weekly/2026-11-09 is approved and leaves on Tue 17 Nov 09:00 UTC"
    clock.advance(48 * HOUR)
    assert coming_up(app)[0] == "weekly/2026-11-09 is approved and was to leave on Tue 17 Nov 09:00 UTC"
    app.editions.hold(app.editions.get("weekly").id, "wait", at=app.clock.now(), by="ada")
    assert coming_up(app)[0] == "weekly/2026-11-09 is held: wait"


def test_a_build_that_is_held_says_why_and_how_to_go_on(tmp_path: Path) -> None:
    app, _ = newsroom(tmp_path, now=WEEK_END + 7 * HOUR, stories=False)
    told = edit(app, "build", "weekly")
    assert told.exit_code == 3
    assert "Held: No story was published between" in told.stderr
    assert "Once that is mended: digest edition build weekly --rebuild" in told.stderr


def test_a_new_draft_says_how_to_look_at_it_and_approve_it(tmp_path: Path) -> None:
    app, _ = newsroom(tmp_path, now=WEEK_END + 7 * HOUR)
    told = edit(app, "build", "weekly").stderr
    assert (
        "Look at it: digest preview weekly/2026-11-09. Then: digest edition approve weekly/2026-11-09" in told
    )
    assert edit(app, "build", "weekly", "--rebuild", "--json").stderr == ""


def test_a_ranking_up_to_now_says_which_window_an_edition_has(tmp_path: Path) -> None:
    app, _ = newsroom(tmp_path, now=WEEK_END + 60 * HOUR)
    told = CliRunner().invoke(rank.command, ["weekly"], obj=app).stderr
    assert "digest rank weekly --at 2026-11-16T00:00+00:00" in told
    asked = CliRunner().invoke(rank.command, ["weekly", "--at", "2026-11-16"], obj=app)
    assert "up to now" not in asked.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_edition_is_not_spent_on_nobody(tmp_path: Path) -> None:
    app, _ = newsroom(tmp_path, now=WEEK_END + 7 * HOUR)
    edit(app, "build", "weekly")
    edit(app, "approve", "weekly")
    refused = CliRunner().invoke(send.command, ["weekly"], obj=app)
    assert isinstance(refused.exception, NothingToDo)
    assert "digest subscribers import FILE --newsletter weekly" in refused.exception.hint
    assert app.editions.get("weekly").state is EditionState.approved


def test_whoever_tries_things_hears_of_the_inbox(tmp_path: Path) -> None:
    port = str(free_port())
    app, _ = newsroom(tmp_path, now=WEEK_END + 7 * HOUR, people=1, environ={"DIGEST_SMTP__PORT": port})
    edit(app, "build", "weekly")
    edit(app, "approve", "weekly")
    for more in ([], ["--test", "ada@example.org"]):
        refused = CliRunner().invoke(send.command, ["weekly", *more], obj=app)
        assert isinstance(refused.exception, TransportError)
        assert refused.exception.hint.endswith("in a second terminal: digest inbox")
