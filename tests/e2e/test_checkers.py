"""What programs that know nothing of us say of a copy: SpamAssassin, w3m, a strict parser."""

from __future__ import annotations

import email.policy
import re
import shutil
import subprocess
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import format_datetime
from pathlib import Path

import pytest

from digest.model import Edition
from digest.work.build import build, period_at
from digest.work.preview import Preview, preview
from tests.newsroom import newsroom

READER = ("bea.brandt@example.org", "Bea Brandt")
SPAM = 2.0
"""Where we stop; servers put mail aside from 5 on."""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Preview:
    """A reader's copy of the sample newspaper's edition, made by the code that sends."""
    app, clock = newsroom(tmp_path_factory.mktemp("checkers"), people=2)
    edition = build(app, "weekly", period_at(app, "weekly", clock.now()), by="test")
    assert len(edition.stories) == 10
    return preview(app, edition, address=READER[0], name=READER[1])


def arrived(shown: Preview) -> bytes:
    """The message with what a mail server on the way puts before it."""
    assert shown.edition.date is not None
    at = format_datetime(shown.edition.date)
    relay = "relay.example.org (relay.example.org [IPv6:2001:db8::25])"
    return f"Received: from {relay}\r\n\tby mx.example.org; {at}\r\n".encode() + shown.eml


@pytest.mark.spamassassin
def test_spamassassin_sees_no_spam(shown: Preview, tmp_path: Path) -> None:
    program = needed("spamassassin")
    checked = subprocess.run(
        [program, "-L", "-x", "-t", "--cf=report_safe 0"],
        input=arrived(shown),
        capture_output=True,
        check=True,
        timeout=120,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
    )
    status = str(BytesParser(policy=email.policy.default).parsebytes(checked.stdout)["X-Spam-Status"])
    score = re.search(r"score=(-?[0-9.]+)", status)
    assert score is not None, checked.stdout[:2000]
    assert float(score[1]) < SPAM, status


def test_a_text_browser_shows_every_story_and_link_of_the_html(shown: Preview, tmp_path: Path) -> None:
    page = tmp_path / "digest.html"
    page.write_bytes(shown.html.encode())
    options = ("-dump", "-T", "text/html", "-I", "UTF-8", "-O", "UTF-8", "-cols", "200")
    dumped = subprocess.run(
        [needed("w3m"), *options, "-o", "display_link_number=1", page],
        capture_output=True,
        check=True,
        timeout=60,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    ).stdout.decode()
    assert missing(shown.edition, dumped) == []


def test_the_text_part_names_every_story_and_link(shown: Preview) -> None:
    assert missing(shown.edition, shown.text) == []


def test_a_strict_parser_finds_no_defect(shown: Preview) -> None:
    strict = email.policy.default.clone(raise_on_defect=True)
    message = BytesParser(policy=strict).parsebytes(shown.eml)
    assert isinstance(message, EmailMessage)
    for part in message.walk():
        assert part.defects == []
        for value in part.values():
            assert value.defects == ()
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]


def missing(edition: Edition, seen: str) -> list[str]:
    """Headings and addresses that are not in what was seen, wherever its lines are broken."""
    words = " ".join(seen.split())
    stories = [each.story for each in edition.stories]
    titles = [story.title for story in stories if " ".join(story.title.split()) not in words]
    return titles + [story.url for story in stories if story.url not in words]


def needed(program: str) -> str:
    """Where the program is; the test is skipped, visibly, on a machine without it."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found
