"""Fetching from a server that misbehaves."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from digest.errors import ImportFailed
from digest.importers.fetch import MAX_REDIRECTS, fetch

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A web server on loopback whose pages are functions."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                try:
                    site.pages[self.path](self)
                except OSError:
                    self.close_connection = True  # the client had enough

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def page(body: bytes = b"", status: int = 200, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


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


def test_every_address_on_the_way_is_checked(site: Site) -> None:
    site.pages["/a"] = page(status=302, Location="/secret")
    checked: list[str] = []

    def check(url: str) -> None:
        checked.append(url)
        if "secret" in url:
            raise ImportFailed(url, "not allowed")

    with pytest.raises(ImportFailed, match="not allowed"):
        fetch(f"{site.url}/a", check=check)
    assert checked == [f"{site.url}/a", f"{site.url}/secret"]
    assert [path for path, _ in site.asked] == ["/a"], "what is not allowed is never asked"


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
        (404, {}, "gone"),
        (410, {}, "gone"),
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


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://[::1/", "http://a..b/", "http://127.0.0.1:99999/"]
)
def test_an_address_that_leads_nowhere_is_told(url: str) -> None:
    with pytest.raises(ImportFailed):
        fetch(url)
