"""The folder that `digest preview` writes: what leaves, and a page that shows it."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest

from digest.model import Edition
from digest.work.build import approve, build, period_at
from digest.work.preview import preview, state_words, write
from tests.newsroom import WEEK_END, newsroom


@pytest.fixture
def made(tmp_path: Path) -> tuple[Edition, str, Path]:
    """A held edition, the page of its preview as a browser reads it, and the folder."""
    app, clock = newsroom(tmp_path)
    edition = build(app, "weekly", period_at(app, "weekly", WEEK_END), by="a test")
    app.editions.hold(edition.id, "The <mayor> wants to read it first.", at=clock.now(), by="an editor")
    edition = app.editions.get(edition.id)
    page = write(app, preview(app, edition, address="ada@example.org"), tmp_path / "preview")
    return edition, page.read_text(encoding="utf-8"), page.parent


def test_the_page_says_where_the_edition_stands_and_why(made: tuple[Edition, str, Path]) -> None:
    edition, page, _ = made
    assert state_words(edition) == "On hold"
    assert "On hold</span>" in page
    assert "On hold: The <mayor> wants to read it first." in unescape(page)
    assert "The <mayor>" not in page


def test_files_are_what_leaves(made: tuple[Edition, str, Path]) -> None:
    _, page, folder = made
    assert {path.name for path in folder.iterdir()} == {
        "index.html",
        "digest.html",
        "digest.txt",
        "digest.eml",
    }
    message = (folder / "digest.eml").read_bytes()
    assert b"\r\n\r\n" in message
    assert b"\n" not in message.replace(b"\r\n", b"")
    assert (folder / "digest.txt").read_text(encoding="utf-8").splitlines()[0] in unescape(page)


def test_the_date_is_the_one_in_the_message(tmp_path: Path) -> None:
    app, _ = newsroom(tmp_path)
    edition = approve(app, build(app, "weekly", period_at(app, "weekly", WEEK_END), by="a test"), by="a test")
    assert state_words(edition) == "Approved"
    shown = preview(app, edition, address="ada@example.org")
    page = write(app, shown, tmp_path / "preview").read_text(encoding="utf-8")
    assert dict(shown.headers)["Date"] == "Tue, 17 Nov 2026 09:00:00 +0000"
    assert "Tue 17 Nov 2026 09:00 UTC" in page
