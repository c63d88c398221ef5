"""`digest demo` as a user runs it: what it says, what it leaves behind, and what it never touches."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.parser import BytesHeaderParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import pytest

from digest.cli import demo
from digest.cli.init import make
from digest.errors import UsageError
from digest.model import DeliveryState, EditionState
from tests.fakes import FixedClock

DIGEST = Path(sys.executable).with_name("digest")
MONDAY = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
NEW_YEAR = dt.datetime(2027, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=14)))
"""On Kiritimati, where it is always the earliest."""


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str
    seconds: float


def digest(*arguments: str | Path, cwd: Path) -> Run:
    """Runs the command with an empty path, as `make demo` does it for somebody who installed nothing."""
    start = time.monotonic()
    done = subprocess.run(
        [DIGEST, *arguments],
        cwd=cwd,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Run(done.returncode, done.stdout, done.stderr, time.monotonic() - start)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def first(home: Path) -> Run:
    """The first run, into home/demo."""
    return digest("demo", cwd=home)


@pytest.fixture
def any_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others may use the usual ones while tests run; and a few subscribers do."""
    for name in ("SMTP_PORT", "WEB_PORT", "INBOX_PORT"):
        monkeypatch.setattr(demo, name, 0)
    monkeypatch.setattr(demo, "PEOPLE", 20)


def files(folder: Path) -> dict[str, str]:
    """What lies in it, but for the side files of an open database: name -> hash."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith("digest.db-")
    }


# --- the first run --------------------------------------------------------------------------------------


def test_it_ends_within_ten_seconds(first: Run) -> None:
    assert first.code == 0, first.err
    assert first.err == ""
    assert first.seconds < 10


def test_it_tells_steps_with_times_picks_with_reasons_and_where_to_look(first: Run, home: Path) -> None:
    steps = re.findall(r"^  (\w[\w ]*?)  .* (\d+\.\d\d) s$", first.out, re.MULTILINE)
    assert [name for name, _ in steps] == [
        "Stories", "Readers", "Subscribers", "Edition", "Sending", "Preview", "All of it",
    ]  # fmt: skip
    *each, whole = (float(seconds) for _, seconds in steps)
    assert sum(each) <= whole + 0.1
    picks = re.findall(r"^ {2,3}(\d+)  \S.*\n {6}([\d,]+ readers, .*)", first.out, re.MULTILINE)
    assert [int(position) for position, _ in picks] == list(range(1, 11))
    for reason in ("x the week's median", "1 similar folded", "still rising", "City already has 3"):
        assert reason in first.out
    (url,) = re.findall(r"file://\S+", first.out)
    assert Path(unquote(urlsplit(url).path)) == home / "demo" / "preview" / "index.html"
    assert max(len(line) for line in first.out.splitlines() if "file://" not in line) <= 140


def test_every_command_that_it_names_works(first: Run, home: Path) -> None:
    commands = re.findall(r"^  (\S*digest --config .*?)  +#", first.out, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        done = subprocess.run(shlex.split(command), cwd=home, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stderr)


def test_it_leaves_a_store_to_go_on_from(first: Run, home: Path) -> None:
    config = home / "demo" / "config.toml"
    deliveries = json.loads(digest("deliveries", "weekly", "--json", "--config", config, cwd=home).out)
    assert {state: count for state, count in deliveries["counts"].items() if count} == {"accepted": 200}
    edition = json.loads(digest("edition", "show", "weekly", "--json", "--config", config, cwd=home).out)
    assert edition["state"] == "finished"
    ranked = json.loads(
        digest("rank", "weekly", "--at", edition["window"]["end"], "--json", "--config", config, cwd=home).out
    )
    # The same list, but for those that are used by now: it is what the edition shows.
    assert len(ranked["picks"]) + len(ranked["left_out"]) >= 20
    assert digest("config", "check", "--config", config, cwd=home).code == 0


def test_every_subscriber_has_one_copy_in_the_inbox(first: Run, home: Path) -> None:
    arrived = [path.read_bytes() for path in (home / "demo" / "inbox" / "new").iterdir()]
    heads = [BytesHeaderParser(policy=policy.default).parsebytes(each) for each in arrived]
    assert len({str(head["Delivered-To"]) for head in heads}) == len(heads) == 200
    assert {str(head["Subject"]) for head in heads} == {
        "Night ferries return to Aldermouth after eleven years"
    }


def test_the_preview_has_its_pictures_beside_it(first: Run, home: Path) -> None:
    folder = home / "demo" / "preview"
    page = (folder / "index.html").read_text(encoding="utf-8")
    named = set(re.findall(r"media/[0-9a-f]{64}\.jpeg", page))
    assert len(named) == 5
    assert all((folder / name).is_file() for name in named)


# --- the second run, and beginning anew -----------------------------------------------------------------


def test_a_second_run_leaves_everything_as_it_is(first: Run, home: Path) -> None:
    before = files(home / "demo")
    again = digest("demo", cwd=home)
    assert again.code == 0
    assert "left as it is" in again.err
    assert "Night ferries return" in again.out
    assert files(home / "demo") == before


@pytest.mark.usefixtures("any_ports")
def test_fresh_begins_anew_and_keeps_what_is_not_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo.make_demo(folder, tell=str)
    made = files(folder)
    own = ("notes.txt", "preview/notes.html", "inbox/cur/letter", "preview/media/photo.png")
    for name in own:
        (folder / name).write_text("mine", encoding="utf-8")
    demo.remove(folder)
    assert sorted(files(folder)) == sorted(own)
    demo.make_demo(folder, tell=str)
    assert set(files(folder)) - set(own) >= {name for name in made if not name.startswith("inbox/")}
    assert all((folder / name).read_text(encoding="utf-8") == "mine" for name in own)


def test_removing_leaves_an_empty_folder_and_follows_no_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "index.html").write_text("mine", encoding="utf-8")
    folder = tmp_path / "demo"
    (folder / "inbox" / "new").mkdir(parents=True)
    (folder / "inbox" / "new" / "1.2_3.inbox").write_text("mail", encoding="utf-8")
    (folder / "config.toml").write_text("x", encoding="utf-8")
    (folder / "preview").symlink_to(elsewhere)
    demo.remove(folder)
    assert (elsewhere / "index.html").read_text(encoding="utf-8") == "mine"
    assert [path.name for path in folder.iterdir()] == ["preview"]


@pytest.mark.parametrize("options", [(), ("--fresh",)], ids=["as it is", "fresh"])
@pytest.mark.parametrize("name", ["config.toml", "digest.db", "digest.keys"])
def test_a_folder_that_is_not_a_demo_is_refused_and_kept(
    tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    (tmp_path / name).write_text("# somebody's own\n", encoding="utf-8")
    refused = digest("demo", "--folder", tmp_path, *options, cwd=tmp_path)
    assert refused.code == 2
    assert name in refused.err
    assert "folder" in refused.err
    assert files(tmp_path).keys() == {name}
    assert (tmp_path / name).read_text(encoding="utf-8") == "# somebody's own\n"


def test_one_that_was_broken_off_says_how_to_begin_anew(tmp_path: Path) -> None:
    make(tmp_path / "demo", demo._config(2525, 8765))  # and then the power went
    found = digest("demo", cwd=tmp_path)
    assert found.code == 1
    assert "broken off" in found.err
    (again,) = re.findall(r"Begin anew: (.*)", found.err)
    done = subprocess.run(shlex.split(again), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- ports and pages ------------------------------------------------------------------------------------


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of loopback that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_ports_in_use_are_passed_over(tmp_path: Path, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SMTP_PORT", taken)
    monkeypatch.setattr(demo, "WEB_PORT", taken)
    app = demo.make_demo(tmp_path / "demo", tell=str)
    chosen = {app.settings.smtp.port, int(app.settings.site.listen.rpartition(":")[2])}
    assert len(chosen) == 2
    assert taken not in chosen
    assert app.editions.get("weekly").state is EditionState.finished


@pytest.mark.usefixtures("any_ports")
def test_serving_on_a_port_in_use_says_what_to_do(tmp_path: Path) -> None:
    app = demo.make_demo(tmp_path / "demo", tell=str)
    with (
        socket.create_server(("127.0.0.1", app.settings.smtp.port)),
        pytest.raises(UsageError, match=str(app.settings.smtp.port)) as caught,
    ):
        demo._serve(app, tmp_path / "demo")
    assert "demo --fresh --serve" in caught.value.hint


@pytest.mark.usefixtures("any_ports")
def test_served_pages_show_what_was_sent_and_end_when_asked(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo.make_demo(folder, tell=str)
    command = [str(DIGEST), "demo", "--serve", "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = ""
            for line in process.stderr:
                said += line
                if "Preview of" in line:
                    break
            (inbox,) = re.findall(r"Inbox: (\S+)", said)
            (preview,) = re.findall(r"Preview of weekly: (\S+)", said)
            site = preview.partition("/preview/")[0]
            assert "20 messages" in httpx.get(inbox).text
            front = httpx.get(f"{site}/").text
            (edition,) = re.findall(r'href="\./(e/weekly/[\d-]+)"', front)
            shown = httpx.get(f"{site}/{edition}").text
            pictures = set(re.findall(r'src="([^"]+/media/[^"]+)"', shown))
            assert len(pictures) == 5
            assert all(httpx.get(url).headers["content-type"] == "image/jpeg" for url in pictures)
            assert httpx.get(preview).status_code == 200
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)
    assert process.returncode == 0


# --- any day, any hour ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("any_ports")
@pytest.mark.parametrize(
    ("now", "end"),
    [
        (MONDAY - dt.timedelta(minutes=1), MONDAY - dt.timedelta(days=7)),
        (MONDAY, MONDAY),
        (MONDAY + dt.timedelta(minutes=1), MONDAY),
        (dt.datetime(2028, 2, 29, 12, tzinfo=dt.UTC), dt.datetime(2028, 2, 28, tzinfo=dt.UTC)),
        (NEW_YEAR, dt.datetime(2026, 12, 28, tzinfo=dt.UTC)),
    ],
    ids=["Sunday 23:59", "Monday 00:00", "Monday 00:01", "29 February", "New Year on Kiritimati"],
)  # fmt: skip
def test_it_works_on_any_day_at_any_hour(tmp_path: Path, now: dt.datetime, end: dt.datetime) -> None:
    app = demo.make_demo(tmp_path / "demo", clock=FixedClock(now), tell=str)
    edition = app.editions.get("weekly")
    assert edition.period.window.end == end
    assert (edition.state, edition.held, len(edition.stories)) == (EditionState.finished, "", 10)
    assert app.ledger.counts(edition.id)[DeliveryState.accepted] == demo.PEOPLE
    assert app.frame(edition).date <= now
