"""Gets one document over HTTP, politely and within limits.

Conditional (RFC 9110 section 13), so that an unchanged feed costs nothing; with a deadline for the whole, so
that a server that drips bytes cannot stop the others; with a limit before and after decompression, so that a
small answer cannot become a large one here.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin

import httpx

from digest import __version__
from digest.errors import ImportFailed
from digest.importers.clean import line
from digest.importers.links import canonical_url, is_url

MAX_BYTES = 20 * 1024 * 1024
"""Both as it travels and unpacked."""
MAX_REDIRECTS = 5
CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS = 10.0, 20.0, 60.0
USER_AGENT = f"newsletter-digest/{__version__} (feed reader)"
_ACCEPT = (
    "application/rss+xml, application/atom+xml, application/rdf+xml, application/xml;q=0.9, text/xml;q=0.9, "
    "text/csv;q=0.8, application/x-ndjson;q=0.8, */*;q=0.5"
)


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


def anywhere(url: str) -> None:
    """The check that is made of every address before it is asked, after each redirect too: this one lets all
    pass. Another raises `ImportFailed`."""
    del url


def fetch(
    url: str,
    *,
    etag: str = "",
    modified: str = "",
    check: Callable[[str], None] = anywhere,
    max_bytes: int = MAX_BYTES,
    total_seconds: float = TOTAL_SECONDS,
) -> Fetched:
    """Raises `ImportFailed` naming the address and what to change; blocks, at most `total_seconds`."""
    return asyncio.run(
        _fetch(url, etag=etag, modified=modified, check=check, max_bytes=max_bytes, seconds=total_seconds)
    )


async def _fetch(
    url: str, *, etag: str, modified: str, check: Callable[[str], None], max_bytes: int, seconds: float
) -> Fetched:
    headers = {"User-Agent": USER_AGENT, "Accept": _ACCEPT, "Accept-Encoding": "gzip, deflate"}
    if etag:
        headers["If-None-Match"] = etag
    if modified:
        headers["If-Modified-Since"] = modified
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    try:
        async with asyncio.timeout(seconds), httpx.AsyncClient(timeout=timeout, headers=headers) as client:
            return await _follow(client, url, check, max_bytes)
    except TimeoutError:
        raise ImportFailed(
            url,
            f"it took longer than {seconds:g} s",
            hint="The server is slow or stuck; it is asked again later.",
        ) from None
    except httpx.TimeoutException as error:
        raise ImportFailed(
            url,
            f"no answer in time ({type(error).__name__})",
            hint="The server is slow; it is asked again later.",
        ) from error
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as error:
        raise ImportFailed(
            url,
            f"no connection: {line(str(error), 200) or type(error).__name__}",
            hint="Check the address and the network.",
        ) from error


async def _follow(
    client: httpx.AsyncClient, url: str, check: Callable[[str], None], max_bytes: int
) -> Fetched:
    address, permanent = url, True
    for _ in range(MAX_REDIRECTS + 1):
        _well_formed(address, url)
        check(address)
        async with client.stream("GET", address) as response:
            if response.status_code in (301, 302, 303, 307, 308) and "location" in response.headers:
                permanent = permanent and response.status_code in (301, 308)
                address = _next(address, response.headers["location"], url)
                continue
            moved = address if permanent and address != url else ""
            return await _answer(response, url, address, moved, max_bytes)
    raise ImportFailed(
        url,
        f"more than {MAX_REDIRECTS} redirects, the last to {line(address, 200)}",
        hint="Use the final address.",
    )


def _next(address: str, location: str, asked: str) -> str:
    try:
        return urljoin(address, location)
    except ValueError:
        raise ImportFailed(asked, f"it leads to {line(location, 200)}, which is no address") from None


def _well_formed(address: str, asked: str) -> None:
    """What httpx would stumble over in many ways is refused in one."""
    if ":" in address and not is_url(address):
        raise ImportFailed(asked, f"it leads to {line(address, 200)}, which is neither http nor https")
    try:
        canonical_url(address)
    except ValueError as error:
        raise ImportFailed(asked, str(error), hint="Correct the url of this source.") from None


async def _answer(response: httpx.Response, url: str, address: str, moved: str, max_bytes: int) -> Fetched:
    status, given = response.status_code, response.headers
    if status == 304:
        return Fetched(address, None, given.get("etag", ""), given.get("last-modified", ""), moved=moved)
    if status != 200:
        raise ImportFailed(
            url, f"the server answered {status} {response.reason_phrase}".rstrip(), hint=_way_out(response)
        )
    return Fetched(
        address,
        await _body(response, url, max_bytes),
        given.get("etag", ""),
        given.get("last-modified", ""),
        given.get("content-type", ""),
        moved,
    )


def _way_out(response: httpx.Response) -> str:
    status = response.status_code
    if status in (401, 403):
        return "It asks for a sign-in or refuses programs: use an address that is open to feed readers."
    if status in (404, 410):
        return "The document is gone: look for its new address and correct the url of this source."
    if status == 429 or status >= 500:
        after = response.headers.get("retry-after", "")
        return "It is asked again later" + (f"; the server says: {line(after, 60)}." if after else ".")
    return "Open the address in a browser and correct the url of this source."


async def _body(response: httpx.Response, url: str, max_bytes: int) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise ImportFailed(url, f"the answer is packed as {line(encoding, 40)}, which was not asked for")
    unpack = _Unpacker(max_bytes) if encoding not in ("", "identity") else None
    travelled, kept = 0, bytearray()
    async for chunk in response.aiter_raw():
        travelled += len(chunk)
        try:
            kept += unpack(chunk) if unpack else chunk
        except zlib.error as error:
            raise ImportFailed(url, f"the answer cannot be unpacked: {error}") from error
        if max(travelled, len(kept)) > max_bytes:
            raise ImportFailed(
                url,
                f"it is larger than {max_bytes // 1024 // 1024} MB"
                + (" unpacked" if travelled <= max_bytes else ""),
                hint="Ask for a document of the newest stories only.",
            )
    if unpack and not unpack.complete:
        raise ImportFailed(url, "the answer ends too early", hint="It is asked again later.")
    return bytes(kept)


class _Unpacker:
    """gzip and deflate, never further than just past the limit, however small the packed bytes are."""

    def __init__(self, limit: int) -> None:
        self._left = limit + 1
        self._inflate = zlib.decompressobj(wbits=47)  # gzip or zlib, told by the header
        self._first = True

    @property
    def complete(self) -> bool:
        return self._inflate.eof

    def __call__(self, chunk: bytes) -> bytes:
        try:
            made = self._inflate.decompress(chunk, self._left)
        except zlib.error:
            if not self._first:
                raise
            self._inflate = zlib.decompressobj(
                wbits=-15
            )  # "deflate" without its header, as some servers send it
            made = self._inflate.decompress(chunk, self._left)
        self._first = False
        self._left -= len(made)
        return made
