"""Fetching from a server that misbehaves."""

from __future__ import annotations

import gzip
import re
import socket
import struct
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import ImportFailed
from digest.importers import fetch as fetching
from digest.importers.fetch import MAX_REDIRECTS, Fetched
from digest.importers.fetch import fetch as really_fetch
from digest.importers.reach import refusal
from tests.feed_site import Site, feed_site, page, tls_for


@pytest.fixture
def site() -> Iterator[Site]:
    with feed_site() as made:
        yield made


def fetch(url: str, **options: Any) -> Fetched:
    """The test server is on loopback, which has to be allowed."""
    return really_fetch(url, **{"internal": True, **options})


def test_a_document_comes_with_what_a_later_request_needs(site: Site) -> None:
    site.pages["/feed"] = page(
        b"<rss/>", ETag='"1"', Last_Modified="Mon, 16 Nov 2026 08:00:00 GMT", Content_Type="text/xml"
    )
    got = fetch(f"{site.url}/feed")
    assert (got.body, got.etag, got.modified) == (b"<rss/>", '"1"', "Mon, 16 Nov 2026 08:00:00 GMT")
    assert (got.url, got.content_type, got.moved) == (f"{site.url}/feed", "text/xml", "")
    assert "newsletter-digest/" in site.asked[0][1]["user-agent"]


def test_an_unchanged_document_is_not_sent_again(site: Site) -> None:
    site.pages["/feed"] = page(status=304, ETag='"1"')
    got = fetch(f"{site.url}/feed", etag='"1"', modified="Mon, 16 Nov 2026 08:00:00 GMT")
    assert got.body is None
    assert site.asked[0][1]["if-none-match"] == '"1"'
    assert site.asked[0][1]["if-modified-since"] == "Mon, 16 Nov 2026 08:00:00 GMT"


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data)[2:-4]),
    ],
)
def test_a_packed_document_is_unpacked(site: Site, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    body = b"<rss>" + b"x" * 100_000
    site.pages["/feed"] = page(pack(body), Content_Encoding=encoding)
    assert fetch(f"{site.url}/feed").body == body


def test_redirects_are_followed_and_a_lasting_one_is_told(site: Site) -> None:
    site.pages["/a"] = page(status=301, Location="/b")
    site.pages["/b"] = page(status=308, Location=f"{site.url}/c")
    site.pages["/c"] = page(b"here")
    site.pages["/t"] = page(status=302, Location="/a")
    got = fetch(f"{site.url}/a")
    assert (got.body, got.url, got.moved) == (b"here", f"{site.url}/c", f"{site.url}/c")
    assert fetch(f"{site.url}/t").moved == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1"])
def test_this_machine_is_never_asked_without_permission(site: Site, host: str) -> None:
    site.pages["/feed"] = page(b"secret")
    url = f"http://{host}:{site.server.server_port}/feed"
    with pytest.raises(ImportFailed, match=r"not public|Invalid IPv4"):
        fetch(url, internal=False)
    assert site.asked == []


def test_a_name_that_leads_inside_is_refused_after_dns(site: Site) -> None:
    for inside in ("127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"):
        with pytest.raises(ImportFailed, match=f"feed.example is {re.escape(inside)}"):
            fetch(
                f"http://feed.example:{site.server.server_port}/",
                internal=False,
                resolve=lambda _, inside=inside: [inside],
            )
    assert site.asked == []


def test_one_inside_address_among_public_ones_is_enough_to_refuse(site: Site) -> None:
    with pytest.raises(ImportFailed, match="not public") as failed:
        fetch("http://feed.example/", internal=False, resolve=lambda _: ["1.1.1.1", "10.0.0.7"])
    assert "internal = true" in failed.value.hint


def test_the_connection_is_made_to_the_address_that_was_checked(site: Site) -> None:
    site.pages["/feed"] = page(b"here")
    asked: list[str] = []

    def resolve(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["203.0.113.9"]

    assert fetch(f"http://feed.example:{site.server.server_port}/feed", resolve=resolve).body == b"here"
    assert asked == ["feed.example"], "one look-up: there is no second one to answer otherwise"
    assert site.asked[0][1]["host"] == f"feed.example:{site.server.server_port}"


def test_the_next_address_of_a_name_is_tried_when_the_first_is_not_there(site: Site) -> None:
    site.pages["/feed"] = page(b"here")
    url = f"http://feed.example:{site.server.server_port}/feed"
    assert fetch(url, resolve=lambda _: ["127.0.0.2", "127.0.0.1"]).body == b"here"


def test_the_certificate_is_checked_against_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, authority = tls_for("feed.example", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    fetching._authorities.cache_clear()
    try:
        with feed_site(tls=context) as site:
            site.pages["/feed"] = page(b"here")
            port = site.server.server_port
            got = fetch(f"https://feed.example:{port}/feed", resolve=lambda _: ["127.0.0.1"])
            assert got.body == b"here"
            with pytest.raises(ImportFailed, match="ertificate"):
                fetch(f"https://other.example:{port}/feed", resolve=lambda _: ["127.0.0.1"])
    finally:
        fetching._authorities.cache_clear()


def test_every_address_on_the_way_is_checked(site: Site) -> None:
    site.pages["/a"] = page(status=302, Location="http://metadata.example/latest")
    places = {"feed.example": ["127.0.0.1"], "metadata.example": ["169.254.169.254"]}

    def first_is_public(address: str) -> str:
        return "" if address == "127.0.0.1" else refusal(address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetching, "refusal", first_is_public)
        url = f"http://feed.example:{site.server.server_port}/a"
        with pytest.raises(ImportFailed, match=r"leads to metadata\.example, that is 169\.254"):
            fetch(url, internal=False, resolve=places.__getitem__)
        with pytest.raises(ImportFailed, match=r"leads to metadata\.example") as failed:
            fetch(url, internal=True, resolve=places.__getitem__)
    assert "must not lead inside" in failed.value.hint
    assert [path for path, _ in site.asked] == ["/a"] * 2


def test_an_inside_source_may_lead_on_inside_and_out(site: Site) -> None:
    site.pages["/a"] = page(status=302, Location=f"http://cms.example:{site.server.server_port}/b")
    site.pages["/b"] = page(b"here")
    assert fetch(f"{site.url}/a", resolve=lambda _: ["127.0.0.1"]).redirects == (
        f"http://cms.example:{site.server.server_port}/b",
    )


def test_a_name_server_that_never_answers_is_left() -> None:
    stuck = threading.Event()

    def resolve(host: str) -> list[str]:
        stuck.wait(5)
        return []

    started = time.monotonic()
    with pytest.raises(ImportFailed, match="longer than"):
        fetch("http://feed.example/", resolve=resolve, total_seconds=0.2)
    assert time.monotonic() - started < 3
    stuck.set()


def test_through_a_proxy_names_are_its_matter_and_addresses_are_not(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", site.url)
    monkeypatch.setenv("no_proxy", "cms.example")
    site.pages["http://feed.example/feed"] = page(b"by proxy")
    site.pages["/feed"] = page(b"direct")
    got = fetch("http://feed.example/feed", internal=False, resolve=lambda _: pytest.fail("not looked up"))
    assert got.body == b"by proxy"
    with pytest.raises(ImportFailed, match="this link only"):
        fetch("http://169.254.169.254/latest", internal=False)
    url = f"http://cms.example:{site.server.server_port}/feed"
    assert fetch(url, resolve=lambda _: ["127.0.0.1"]).body == b"direct"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"])
def test_a_redirect_leads_nowhere_but_to_the_web(site: Site, target: str) -> None:
    site.pages["/a"] = page(status=302, Location=target)
    with pytest.raises(ImportFailed, match="neither http nor https"):
        fetch(f"{site.url}/a")


def test_a_redirect_to_nonsense_is_told(site: Site) -> None:
    site.pages["/a"] = page(status=302, Location="http://[x/")
    with pytest.raises(ImportFailed, match="no address"):
        fetch(f"{site.url}/a")


def test_a_circle_of_redirects_ends(site: Site) -> None:
    site.pages["/a"] = page(status=302, Location="/a")
    with pytest.raises(ImportFailed, match="redirects"):
        fetch(f"{site.url}/a")
    assert len(site.asked) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    ("status", "headers", "hint"),
    [
        (401, {}, "sign-in"),
        (403, {}, "refuses"),
        (404, {}, "new one"),
        (410, {}, "gone for good"),
        (429, {"Retry_After": "120"}, "120"),
        (503, {}, "later"),
        (204, {}, "browser"),
    ],
)
def test_another_answer_is_told_with_a_way_out(
    site: Site, status: int, headers: dict[str, str], hint: str
) -> None:
    site.pages["/feed"] = page(b"", status, **headers)
    with pytest.raises(ImportFailed, match=str(status)) as failed:
        fetch(f"{site.url}/feed")
    assert hint in failed.value.hint


def test_a_document_too_large_is_refused_while_it_comes(site: Site) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    site.pages["/feed"] = endless
    with pytest.raises(ImportFailed, match="larger than 1 MB"):
        fetch(f"{site.url}/feed", max_bytes=1 << 20)


@given(st.binary(max_size=400_000) | st.integers(0, 400_000).map(bytes), st.lists(st.integers(1, 70_000)))
def test_what_is_unpacked_is_what_was_packed_however_it_comes(body: bytes, cuts: list[int]) -> None:
    for pack in (gzip.compress, zlib.compress, lambda data: zlib.compress(data)[2:-4]):
        packed, unpack, made, start = pack(body), fetching._Unpacker(), b"", 0
        for cut in [*cuts, len(packed) + 1]:
            pieces = list(unpack(packed[start : start + cut]))
            assert all(len(piece) <= 64 * 1024 for piece in pieces)
            made, start = made + b"".join(pieces), start + cut
        assert made == body
        assert unpack.complete


def test_a_small_answer_cannot_become_a_large_one(site: Site) -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))
    assert len(bomb) < 100_000
    site.pages["/feed"] = page(bomb, Content_Encoding="gzip")
    with pytest.raises(ImportFailed, match="larger than 1 MB unpacked"):
        fetch(f"{site.url}/feed", max_bytes=1 << 20)


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (b"no gzip at all", "gzip", "cannot be unpacked"),
        (gzip.compress(b"x" * 1000, mtime=0)[:-10], "gzip", "too early"),
        (b"x", "br", "packed as br"),
        (b"x", "gzip, gzip", "packed as"),
    ],
)
def test_a_badly_packed_answer_is_refused(site: Site, body: bytes, encoding: str, reason: str) -> None:
    site.pages["/feed"] = page(body, Content_Encoding=encoding)
    with pytest.raises(ImportFailed, match=reason):
        fetch(f"{site.url}/feed")


def test_a_server_that_drips_is_left(site: Site) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)

    site.pages["/feed"] = drip
    started = time.monotonic()
    with pytest.raises(ImportFailed, match="longer than"):
        fetch(f"{site.url}/feed", total_seconds=0.3)
    assert time.monotonic() - started < 3


def test_a_connection_that_breaks_is_told(site: Site) -> None:
    def broken(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"x")

    site.pages["/feed"] = broken
    with pytest.raises(ImportFailed, match="no connection"):
        fetch(f"{site.url}/feed")


def test_headers_without_end_are_left(site: Site) -> None:
    sent = 0

    def endless(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            sent += handler.wfile.write(b"X-More: " + b"x" * 8192 + b"\r\n")

    site.pages["/feed"] = endless
    with pytest.raises(ImportFailed, match="no connection"):
        fetch(f"{site.url}/feed")
    assert sent < 50_000_000


def test_a_connection_that_is_reset_is_told(site: Site) -> None:
    def reset(handler: BaseHTTPRequestHandler) -> None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
        raise ConnectionResetError

    site.pages["/feed"] = reset
    with pytest.raises(ImportFailed, match="no connection"):
        fetch(f"{site.url}/feed")


def test_a_feed_of_fifty_megabytes_costs_no_more_than_the_limit(site: Site) -> None:
    sent = 0

    def large(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.send_header("Content-Length", str(50 << 20))
        handler.end_headers()
        for _ in range(50):
            sent += handler.wfile.write(b"x" * (1 << 20))

    site.pages["/feed"] = large
    tracemalloc.start()
    try:
        with pytest.raises(ImportFailed, match="larger than 20 MB"):
            fetch(f"{site.url}/feed")
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://[::1/", "http://a..b/", "http://127.0.0.1:99999/"]
)
def test_an_address_that_leads_nowhere_is_told(url: str) -> None:
    with pytest.raises(ImportFailed):
        fetch(url)
