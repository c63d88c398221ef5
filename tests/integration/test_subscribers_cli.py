"""`digest subscribers`, from file to store."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from digest.cli.subscribers import command
from digest.errors import DigestError, ImportFailed, StoreError, UsageError
from subscribers import ImportRefused, SubscriptionState, SuppressionReason
from tests.web_site import WebSite

BASIS = ("--basis", "double opt-in at the old site")


@pytest.fixture
def site(tmp_path: Path) -> WebSite:
    return WebSite(tmp_path)


def run(site: WebSite, *args: object) -> Result:
    return CliRunner().invoke(command, [str(each) for each in args], obj=site)


def said(site: WebSite, *args: object) -> Any:
    """The JSON document on stdout: the whole of it."""
    result = run(site, *args, "--json")
    assert result.exception is None, result.output
    return json.loads(result.stdout)


def people(folder: Path, text: str, name: str = "people.csv") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_import_takes_people_in_and_lists_the_others(site: WebSite, tmp_path: Path) -> None:
    file = people(
        tmp_path,
        "email,name,status\nanna@example.org,Anna,active\nnot an address,,\ngone@example.org,,unsubscribed\n"
        "用户@example.org,,\n",
    )
    document = said(site, "import", file, "--newsletter", "weekly", *BASIS)
    assert document == {
        "newsletter": "weekly",
        "rows": 4,
        "new": 2,
        "already": 0,
        "left_before": 0,
        "suppressed": 0,
        "rejected": 2,
        "rejected_file": f"{file}.rejected.csv",
        "smtputf8": 1,
    }
    with Path(document["rejected_file"]).open(encoding="utf-8", newline="") as rejected:
        rows = list(csv.DictReader(rejected))
    assert [(row["line"], row["email"]) for row in rows] == [
        ("3", "not an address"),
        ("4", "gone@example.org"),
    ]
    assert "'unsubscribed'" in rows[1]["reason"]
    again = said(site, "import", file, "--newsletter", "weekly", *BASIS)
    assert (again["new"], again["already"]) == (0, 2)


def test_import_says_in_words_what_it_did(site: WebSite, tmp_path: Path) -> None:
    file = people(tmp_path, "Kontakt\nanna@example.org\nrubbish\n")
    result = run(site, "import", file, "--newsletter", "weekly", *BASIS, "--map", "email=kontakt")
    assert "1 new, 0 already there" in result.stdout
    assert "line 3: rubbish: there is no @ in it" in result.stderr
    assert "people.csv.rejected.csv" in result.stderr


def test_import_leaves_no_list_of_rejected_rows_when_there_are_none(site: WebSite, tmp_path: Path) -> None:
    file = people(tmp_path, "email\nanna@example.org\n")
    assert said(site, "import", file, "--newsletter", "weekly", *BASIS)["rejected_file"] is None
    assert [each.name for each in tmp_path.glob("people*")] == ["people.csv"]


def test_rejected_rows_are_named_even_where_no_file_can_be_written(site: WebSite, tmp_path: Path) -> None:
    file = people(tmp_path, "email\nanna@example.org\n" + "rubbish\n" * 12)
    result = run(
        site,
        "import",
        file,
        "--newsletter",
        "weekly",
        *BASIS,
        "--rejected",
        tmp_path / "no" / "such" / "folder",
    )
    assert result.exit_code == 0
    assert "use --rejected" in result.stderr
    assert "... and 2 more" in result.stderr


@pytest.mark.parametrize(
    ("text", "options", "error", "words"),
    [
        ("email\na@example.org\n", ("--newsletter", "weeky", *BASIS), UsageError, "'weeky'"),
        ("email\na@example.org\n", ("--newsletter", "weekly", "--basis", " "), ImportRefused, "basis"),
        ("", ("--newsletter", "weekly", *BASIS), ImportRefused, "empty"),
        ("<html></html>", ("--newsletter", "weekly", *BASIS), ImportRefused, "no column"),
        ('email,name\na@example.org,"x\n', ("--newsletter", "weekly", *BASIS), ImportRefused, "line 2"),
        ("email\nrubbish\n", ("--newsletter", "weekly", *BASIS), ImportFailed, "not one row"),
    ],
)
def test_import_that_cannot_be_done_says_why_and_changes_nothing(
    site: WebSite, tmp_path: Path, *, text: str, options: tuple[str, ...], error: type[Exception], words: str
) -> None:
    result = run(site, "import", people(tmp_path, text), *options)
    assert isinstance(result.exception, error)
    assert words in str(result.exception)
    assert site.subscribers.subscriptions("weekly") == []


def test_mapping_that_is_none_is_refused(site: WebSite, tmp_path: Path) -> None:
    result = run(site, "import", people(tmp_path, "x\n"), "--newsletter", "weekly", *BASIS, "--map", "email")
    assert result.exit_code == 2
    assert "FIELD=COLUMN" in result.stderr


def test_busy_store_ends_the_import_with_a_clear_error(site: WebSite, tmp_path: Path) -> None:
    file = people(tmp_path, "email\nanna@example.org\n")
    with site.locked():
        result = run(site, "import", file, "--newsletter", "weekly", *BASIS)
    assert isinstance(result.exception, DigestError)
    assert "locked" in str(result.exception)


def test_suppressing_takes_files_and_single_addresses(site: WebSite, tmp_path: Path) -> None:
    file = people(tmp_path, "email,status\nanna@example.org,cleaned\nrubbish,\n")
    document = said(
        site,
        "suppress",
        file,
        "--address",
        "bob@example.org",
        "--reason",
        "hard_bounce",
        "--note",
        "old site",
    )
    assert (document["rows"], document["new"], document["already"], document["rejected"]) == (3, 2, 0, 1)
    assert site.subscribers.suppressions() == {SuppressionReason.hard_bounce: 2}
    words = run(site, "suppress", "--address", "Anna@example.org")
    assert "0 new, 1 suppressed before" in words.stdout
    assert isinstance(run(site, "suppress").exception, UsageError)
    assert isinstance(run(site, "suppress", "--address", "rubbish").exception, ImportFailed)


def test_operator_takes_off_who_asked_by_mail(site: WebSite) -> None:
    reader = site.reader
    words = run(site, "leave", "ANNA.LEE@example.org")
    assert "gets weekly no more" in words.stdout
    assert site.subscribers.subscription(reader.id).state is SubscriptionState.unsubscribed
    [document] = said(site, "leave", "anna.lee@example.org", "--newsletter", "weekly")
    assert document["state"] == "unsubscribed"
    nobody = run(site, "leave", "anna.lee@example.org", "--newsletter", "daily")
    assert isinstance(nobody.exception, UsageError)


def test_listing_and_counting(site: WebSite) -> None:
    reader = site.reader
    [listed] = said(site, "list", "--newsletter", "weekly", "--state", "confirmed")
    assert listed["subscription"] == reader.id
    assert listed["address"] == "Anna.Lee@example.org"
    assert "Anna.Lee@example.org" in run(site, "list", "--newsletter", "weekly").stdout
    assert "--after" in run(site, "list", "--newsletter", "weekly", "--limit", 1).stderr
    said(site, "suppress", "--address", "anna.lee@example.org")
    assert said(site, "count", "--newsletter", "weekly") == {
        "newsletters": [
            {"newsletter": "weekly", "pending": 0, "confirmed": 1, "unsubscribed": 0, "reachable": 0}
        ],
        "suppressed": {"manual": 1},
    }
    words = run(site, "count").stdout
    assert "daily" in words
    assert "Suppressed addresses: 1 (manual: 1)" in words


def test_a_store_that_fails_half_way_says_what_became_of_the_list(
    site: WebSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError("the disk is full", hint="Free some space.")

    monkeypatch.setattr("subscribers.Subscribers.import_confirmed", full)
    file = people(tmp_path, "email\nanna@example.org\n")
    failure = run(site, "import", file, "--newsletter", "weekly", *BASIS).exception
    assert isinstance(failure, StoreError)
    assert failure.hint.startswith("Free some space. What came before stays; importing people.csv again")
