"""Looking at what a source would bring, from a real server, without taking anything in."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from digest.app import App
from digest.cli import sources
from digest.config.settings import Settings, Source
from digest.errors import DigestError
from digest.importers.fetch import fetch
from digest.work.source_check import Checked, check_source, declared_encoding
from tests.fakes import FixedClock
from tests.feed_site import Answer, Site, feed_site, page

ITEM = (
    "<item><link>/{0}</link><title>Story {0}</title>"
    "<pubDate>Sun, 15 Nov 2026 0{0}:00:00 GMT</pubDate>{1}</item>"
)
PICTURE = "<enclosure url='https://a.example/{}.jpg' type='image/jpeg' length='9'/>"


def feed(*items: str) -> bytes:
    channel = "".join(items) + "<item><description></description></item>"
    text = f"<?xml version='1.0' encoding='ISO-8859-1'?><rss version='2.0'><channel>{channel}</channel></rss>"
    return text.encode("latin-1")


FEED = feed(ITEM.format(1, PICTURE.format(1)), ITEM.format(2, ""), ITEM.format(3, PICTURE.format(3)))


@pytest.fixture
def site() -> Iterator[Site]:
    with feed_site() as made:
        yield made


def well(handler: BaseHTTPRequestHandler) -> None:
    """Packed, and not sent again."""
    if handler.headers["If-None-Match"] == '"1"':
        page(status=304, ETag='"1"')(handler)
    else:
        page(gzip.compress(FEED), ETag='"1"', Content_Encoding="gzip", Content_Type="text/xml")(handler)


@pytest.fixture
def check(site: Site, clock: FixedClock, tmp_path: Path) -> Callable[..., Checked]:
    def run(answer: Answer, **options: Any) -> Checked:
        site.pages["/feed"] = answer
        source = Source.model_validate(
            {"name": "paper", "url": f"{site.url}/feed", "internal": True, **options}
        )
        return check_source(source, fetch=fetch, place=tmp_path.joinpath, now=clock.now())

    return run


Check = Callable[..., Checked]


def test_everything_that_matters_of_a_source_is_found(check: Check, site: Site) -> None:
    site.pages["/old"] = page(status=301, Location="/feed")
    found = check(well, url=f"{site.url}/old")
    assert found.error == ""
    assert (found.type, found.encoding, found.stories, found.undated) == ("feed", "iso-8859-1", 3, 0)
    assert (found.rejected, sum(found.reasons.values())) == (1, 1)
    assert (str(found.newest), str(found.oldest)) == (
        "2026-11-15 03:00:00+00:00",
        "2026-11-15 01:00:00+00:00",
    )
    assert (found.with_picture, found.with_full_text) == (0.667, 0.0)
    assert found.conditional
    assert found.redirects == (f"{site.url}/feed",)
    assert (found.size, found.travelled) == (len(FEED), len(gzip.compress(FEED)))
    assert found.advice == (f'It has moved for good: write url = "{site.url}/feed".',)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (page(FEED), "answer If-None-Match or If-Modified-Since with 304"),
        (page(FEED, ETag='"1"'), "with 304"),
        (page(feed()), "brings no story"),
        (page(feed("<item><link>/1</link><title>One</title></item>")), "1 of 1 stories have no date"),
        (page(feed(ITEM.format(1, ""))), "Most stories have no picture"),
        (page(feed(ITEM.format(1, "").replace("2026", "2025"))), "newest story is of 2025-11-15"),
        (page(feed(*(ITEM.format(1, f"<x>{n:0500}</x>") for n in range(300)))), "comes unpacked"),
    ],
)
def test_what_could_be_better_is_said(check: Check, answer: Answer, words: str) -> None:
    assert any(words in advice for advice in check(answer).advice)


def reset(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    raise ConnectionResetError


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (page(b"<html><body>Hello", Content_Type="text/html"), "HTML page"),
        (page(b'{"a": 1}\n'), "no name for title; found: a. Say which"),
        (page(b""), "empty"),
        (page(status=410), "gone for good"),
        (page(status=302, Location="/feed"), "redirects"),
        (page(status=302, Location="ftp://a.example/"), "neither http nor https"),
        (page(gzip.compress(FEED)[:-9], Content_Encoding="gzip"), "too early"),
        (reset, "no connection"),
    ],
)
def test_a_source_that_cannot_be_read_is_told_with_a_way_out(
    check: Check, answer: Answer, words: str
) -> None:
    assert words in check(answer).error


def test_a_feed_is_read_whatever_it_is_served_as(check: Check) -> None:
    for content_type in ("text/html", "application/octet-stream", "image/png", "nonsense"):
        assert check(page(FEED, Content_Type=content_type)).stories == 3


def test_a_password_in_the_address_is_sent_and_never_shown(
    check: Check, site: Site, clock: FixedClock
) -> None:
    site.pages["/old"] = page(status=301, Location="/feed")
    site.pages["/feed"] = page(FEED)
    secret = site.url.replace("http://", "http://ann:hunter2@") + "/old"
    found = check(page(FEED), url=secret)
    assert found.stories == 3
    assert "authorization" in site.asked[0][1]
    assert "hunter2" not in repr(found)
    app = App(Settings(source=(Source(name="paper", url=secret, internal=True),)), clock)
    assert "hunter2" not in run(app).output


def test_a_wrong_type_is_found(check: Check, tmp_path: Path) -> None:
    line = '{"id": 1, "title": "One", "url": "https://a.example/1"}\n'
    (tmp_path / "s.jsonl").write_text(line + line.replace("1", "2"))
    found = check(page(), url="s.jsonl", type="feed")
    assert found.type == "jsonl"
    assert found.error
    assert 'write type = "jsonl"' in found.advice[0]


def test_a_file_is_checked_as_well(check: Check, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("id,title,url,date\n1,One,https://a.example/1,2026-11-15\n")
    found = check(page(), url="s.csv", type="csv")
    assert (found.error, found.stories, found.conditional, found.redirects) == ("", 1, None, ())


@pytest.mark.parametrize(
    ("start", "content_type", "encoding"),
    [
        (b"\xef\xbb\xbf<?xml encoding='latin1'?>", "text/xml; charset=koi8-r", "utf-8"),
        (b"<?xml version='1.0' encoding='latin1'?>", "text/xml; charset=KOI8-R", "koi8-r"),
        (b'<?xml version="1.0" encoding="Latin1"?>', "text/xml", "latin1"),
        (b"\xff\xfe<\0", "", "utf-16"),
        (b"<rss>", "", "utf-8"),
    ],
)
def test_the_encoding_is_the_declared_one(start: bytes, content_type: str, encoding: str) -> None:
    assert declared_encoding(start, content_type) == encoding


@given(st.binary(max_size=200), st.text(max_size=60))
def test_any_beginning_has_an_encoding(start: bytes, content_type: str) -> None:
    assert declared_encoding(start, content_type).isascii()


def run(app: App, *args: str) -> Result:
    return CliRunner().invoke(sources.command, ["check", *args], obj=app)


def test_the_command_stores_nothing_and_says_by_its_exit_code(
    site: Site, clock: FixedClock, tmp_path: Path
) -> None:
    site.pages["/feed"], site.pages["/gone"] = well, page(status=410)
    configured = (
        Source(name="paper", url=f"{site.url}/feed", internal=True),
        Source(name="gone", url=f"{site.url}/gone", internal=True),
        Source(name="inside", url=f"{site.url}/feed"),
    )
    app = App(Settings(root=tmp_path, source=configured), clock)
    good = run(app, "paper")
    assert good.exit_code == 0
    assert "304 when unchanged" in good.stdout
    assert "1 " in good.stdout
    result = run(app, "--json")
    assert isinstance(result.exception, DigestError)
    assert result.exception.exit_code == 1
    paper, gone, inside = json.loads(result.stdout)["sources"]
    assert paper["stories"] == 3
    assert "gone for good" in gone["error"]
    assert "write internal = true" in inside["error"]
    assert "gone for good" in run(app, "gone").stderr
    unknown = run(app, "nope").exception
    assert isinstance(unknown, DigestError)
    assert unknown.exit_code == 2
    assert list(tmp_path.iterdir()) == [], "there is not even a store"
