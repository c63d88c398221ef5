"""Gets one document over HTTP, politely and within limits.

Conditional (RFC 9110 section 13), so that an unchanged feed costs nothing; with a deadline for the whole, so
that a server that drips bytes cannot stop the others; with a limit before and after decompression, so that a
small answer cannot become a large one here. Nothing but the public internet is asked, unless the operator
says so (`digest.importers.reach`), and the connection is made to the very address that was checked: a name
that means something else a moment later (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import io
import ssl
import urllib.request
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar
from urllib.parse import urljoin

import httpx

from digest import __version__
from digest.errors import FetchFailed
from digest.importers.clean import line
from digest.importers.links import canonical_url, is_url
from digest.importers.reach import Resolve, literal, refusal, resolved, system_resolve

MAX_BYTES = 20 * 1024 * 1024
"""Both as it travels and unpacked."""
MAX_REDIRECTS = 5
PRODUCT = "newsletter-digest"
"""Our product token in User-Agent (RFC 9110 10.1.5), which robots.txt can name."""
PAGE_SECONDS = 10.0
CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS = 10.0, 20.0, 60.0
USER_AGENT = f"{PRODUCT}/{__version__} (feed reader)"
PAGE_AGENT = f"{PRODUCT}/{__version__} (looks whether a story is still there)"
_ACCEPT = (
    "application/rss+xml, application/atom+xml, application/rdf+xml, application/xml;q=0.9, text/xml;q=0.9, "
    "text/csv;q=0.8, application/x-ndjson;q=0.8, */*;q=0.5"
)
_PIECE = 64 * 1024
_PLACES = 3
"""Addresses of a name that are tried, one after the other."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came back. `body` is None when the document is what it was (304)."""

    url: str
    """Where it was in the end, after redirects: relative links start from here."""
    body: bytes | None
    etag: str = ""
    modified: str = ""
    content_type: str = ""
    moved: str = ""
    """The new address when every redirect on the way was permanent; "" otherwise."""
    redirects: tuple[str, ...] = ()
    """Where it led, hop by hop; the last one is `url`."""
    travelled: int = 0
    """Bytes of the body as they came, packed or not."""
    packed: str = ""
    """Content-Encoding: "gzip", "deflate" or ""."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How far a request may reach, and who says where a name leads."""

    asked: str
    internal: bool
    resolve: Resolve


def fetch(
    url: str,
    *,
    etag: str = "",
    modified: str = "",
    internal: bool = False,
    resolve: Resolve = system_resolve,
    max_bytes: int = MAX_BYTES,
    total_seconds: float = TOTAL_SECONDS,
) -> Fetched:
    """Raises `FetchFailed` naming the address and what to change; blocks, at most `total_seconds`.

    Every address on the way has to be a public one. With `internal` it may also be one of this machine or of
    its network, but what was on the internet never leads inside.
    """
    headers = {"User-Agent": USER_AGENT, "Accept": _ACCEPT, "Accept-Encoding": "gzip, deflate"}
    if etag:
        headers["If-None-Match"] = etag
    if modified:
        headers["If-Modified-Since"] = modified

    async def whole(response: httpx.Response, hops: tuple[str, ...], moved: str) -> Fetched:
        return await _answer(response, url, hops, moved, max_bytes)

    way = _Way(url, internal, resolve)
    return asyncio.run(_within(total_seconds, url, _follow(way, headers, whole)))


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """What the server of a page says of it: the status (RFC 9110 15), and where a redirect leads to."""

    status: int
    location: str = ""


def ask_page(
    url: str,
    *,
    internal: bool = False,
    resolve: Resolve = system_resolve,
    total_seconds: float = PAGE_SECONDS,
) -> PageAnswer:
    """Asks whether a page is there, without reading it or following where it leads.

    GET, for many servers answer HEAD otherwise. Raises `FetchFailed` when there is no answer.
    """
    headers = {"User-Agent": PAGE_AGENT, "Accept": "text/html, */*;q=0.5"}
    way = _Way(url, internal, resolve)
    return asyncio.run(_within(total_seconds, url, _ask_page(way, headers)))


async def _ask_page(way: _Way, headers: dict[str, str]) -> PageAnswer:
    _well_formed(way.asked, way.asked)
    places, _ = await _places(way, way.asked, outside=False)
    async with _response(way.asked, places, headers) as response:
        led = response.headers.get("location", "") if response.is_redirect else ""
        return PageAnswer(response.status_code, _next(way.asked, led, way.asked) if led else "")


async def _within(seconds: float, url: str, work: Awaitable[T]) -> T:
    """The result of `work`, or the words for what went wrong on the way."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise FetchFailed(
            url,
            f"it took longer than {seconds:g} s",
            hint="The server is slow or stuck; it is asked again later.",
        ) from None
    except httpx.TimeoutException as error:
        raise FetchFailed(
            url,
            f"no answer in time ({type(error).__name__})",
            hint="The server is slow; it is asked again later.",
        ) from error
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, UnicodeError) as error:
        raise FetchFailed(
            url,
            f"no connection: {line(str(error), 200) or type(error).__name__}",
            hint="Check the address and the network.",
        ) from error


async def _follow(
    way: _Way,
    headers: dict[str, str],
    answer: Callable[[httpx.Response, tuple[str, ...], str], Awaitable[T]],
) -> T:
    """What `answer` makes of the response at the end, of the redirects before it, and of a lasting move."""
    address, permanent, outside = way.asked, True, False
    hops: list[str] = []
    for _ in range(MAX_REDIRECTS + 1):
        _well_formed(address, way.asked)
        places, outside = await _places(way, address, outside=outside)
        async with _response(address, places, headers) as response:
            if response.status_code in (301, 302, 303, 307, 308) and "location" in response.headers:
                permanent = permanent and response.status_code in (301, 308)
                address = _next(address, response.headers["location"], way.asked)
                hops.append(address)
                continue
            moved = address if permanent and address != way.asked else ""
            return await answer(response, tuple(hops), moved)
    raise FetchFailed(
        way.asked,
        f"more than {MAX_REDIRECTS} redirects, the last to {line(address, 200)}",
        hint="Use the final address.",
    )


async def _places(way: _Way, address: str, *, outside: bool) -> tuple[list[str], bool]:
    """The addresses to connect to, checked, and whether the way has been on the internet by now.

    None where a proxy of the environment makes the connection: what may be reached is its decision then,
    except for addresses that stand in the link itself.
    """
    host = httpx.URL(address).host
    written = literal(host)
    if not written and _proxy(address):
        return [], True
    found = [written] if written else list(await resolved(host, way.resolve))
    if not found:
        raise OSError(f"{host} has no address")
    for place in found:
        what = refusal(place)
        if what and (outside or not way.internal):
            raise _inside(way, address, host, place, what, outside=outside)
        outside = outside or not what
    return found[:_PLACES], outside


def _inside(way: _Way, address: str, host: str, place: str, what: str, *, outside: bool) -> FetchFailed:
    name = "it" if host == place else host
    where = f"{name} is {place}" if address == way.asked else f"it leads to {host}, that is {place}"
    hint = (
        "Correct its url. If it is on this machine or in your own network, write internal = true beside it."
    )
    if way.internal and outside:
        hint = (
            "What is on the internet must not lead inside, whatever internal says: write its final address."
        )
    return FetchFailed(way.asked, f"{line(where, 200)}, which is not public: {what}", hint=hint)


def _proxy(address: str) -> str:
    """The proxy that the environment names for an address (HTTPS_PROXY, NO_PROXY); "" for none."""
    url = httpx.URL(address)
    if urllib.request.proxy_bypass(url.host):
        return ""
    proxies = urllib.request.getproxies()
    return proxies.get(url.scheme) or proxies.get("all") or ""


@cache
def _authorities() -> ssl.SSLContext:
    """Made once: to read the list of authorities takes longer than to fetch a small feed."""
    return httpx.create_ssl_context()


@asynccontextmanager
async def _response(
    address: str, places: list[str], headers: dict[str, str]
) -> AsyncIterator[httpx.Response]:
    """Asks the first of `places` that can be reached, under the name that the address has.

    The name goes into Host (RFC 9110 7.2) and into the TLS handshake (RFC 6066 3), which the certificate is
    checked against.
    """
    url, proxy = httpx.URL(address), None if places else _proxy(address)
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    async with httpx.AsyncClient(
        timeout=timeout, verify=_authorities(), proxy=proxy, trust_env=False
    ) as client:
        response = None
        for number, place in enumerate(places or [url.host], 1):
            request = client.build_request(
                "GET",
                url.copy_with(host=place),
                headers={"Host": url.netloc.decode("ascii"), **headers},
                extensions={"sni_hostname": url.raw_host.decode("ascii")},
            )
            try:
                response = await client.send(request, stream=True)
                break
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if number >= len(places):
                    raise
        assert response is not None
        try:
            yield response
        finally:
            await response.aclose()


def _next(address: str, location: str, asked: str) -> str:
    try:
        return urljoin(address, location)
    except ValueError:
        raise FetchFailed(asked, f"it leads to {line(location, 200)}, which is no address") from None


def _well_formed(address: str, asked: str) -> None:
    """What httpx would stumble over in many ways is refused in one."""
    if ":" in address and not is_url(address):
        raise FetchFailed(asked, f"it leads to {line(address, 200)}, which is neither http nor https")
    try:
        canonical_url(address)
    except ValueError as error:
        raise FetchFailed(asked, str(error), hint="Correct the url of this source.") from None


async def _answer(
    response: httpx.Response, url: str, hops: tuple[str, ...], moved: str, max_bytes: int
) -> Fetched:
    status, given = response.status_code, response.headers
    made = Fetched(
        hops[-1] if hops else url,
        None,
        given.get("etag", ""),
        given.get("last-modified", ""),
        given.get("content-type", ""),
        moved,
        hops,
        packed=given.get("content-encoding", "").strip().lower(),
    )
    if status == 304:
        return made
    if status != 200:
        raise FetchFailed(
            url,
            f"the server answered {status} {response.reason_phrase}".rstrip(),
            hint=_way_out(response),
            status=status,
            retry_after=given.get("retry-after", ""),
            date=given.get("date", ""),
        )
    body, travelled = await _body(response, url, max_bytes)
    return replace(made, body=body, travelled=travelled)


def _way_out(response: httpx.Response) -> str:
    status = response.status_code
    if status in (401, 403):
        return "It asks for a sign-in or refuses programs: use an address that is open to feed readers."
    if status == 410:
        return (
            "Its server says that it is gone for good; it is asked once a day. Look for its new address and "
            "correct the url of this source, or take the source out."
        )
    if status == 404:
        return "There is nothing at this address: look for the new one and correct the url of this source."
    if status == 429 or status >= 500:
        after = response.headers.get("retry-after", "")
        return "It is asked again later" + (f"; the server says: {line(after, 60)}." if after else ".")
    return "Open the address in a browser and correct the url of this source."


async def _body(response: httpx.Response, url: str, max_bytes: int) -> tuple[bytes, int]:
    """The body unpacked, and its length as it came."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise FetchFailed(url, f"the answer is packed as {line(encoding, 40)}, which was not asked for")
    unpack = None if encoding in ("", "identity") else _Unpacker()
    travelled = 0
    # Closed on the way out of any error: its traceback would keep what was read until somebody collects it.
    with io.BytesIO() as kept:
        async for chunk in response.aiter_raw():
            travelled += len(chunk)
            try:
                for piece in unpack(chunk) if unpack else (chunk,):
                    kept.write(piece)
                    if kept.tell() > max_bytes:
                        break
            except zlib.error as error:
                raise FetchFailed(url, f"the answer cannot be unpacked: {error}") from error
            if max(travelled, kept.tell()) > max_bytes:
                raise FetchFailed(
                    url,
                    f"it is larger than {max_bytes // 1024 // 1024} MB"
                    + (" unpacked" if travelled <= max_bytes else ""),
                    hint="Ask for a document of the newest stories only.",
                )
        if unpack and not unpack.complete:
            raise FetchFailed(url, "the answer ends too early", hint="It is asked again later.")
        return kept.getvalue(), travelled


class _Unpacker:
    """gzip and deflate, in small pieces however small the packed bytes: whoever has enough stops asking."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=47)  # gzip or zlib, told by the header
        self._head: bytes | None = b""

    @property
    def complete(self) -> bool:
        return self._inflate.eof

    def __call__(self, chunk: bytes) -> Iterator[bytes]:
        if self._head is not None:
            chunk = self._head + chunk
            if len(chunk) < 2:  # which of them it is takes two bytes to tell
                self._head = chunk
                return
        try:
            made = self._inflate.decompress(chunk, _PIECE)
        except zlib.error:
            if self._head is None:
                raise
            # "deflate" without its header, as some servers send it
            self._inflate = zlib.decompressobj(wbits=-15)
            made = self._inflate.decompress(chunk, _PIECE)
        self._head = None
        while made:
            yield made
            made = self._inflate.decompress(self._inflate.unconsumed_tail, _PIECE)
