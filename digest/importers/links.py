"""One address for one page: `canonical_url` makes the forms of a link the same that lead to the same page.

It follows RFC 3986 section 6.2.2 (case, percent-encoding, dot segments) and the URL standard of the WHATWG
where browsers are more forgiving, because readers click in browsers.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote, unquote, urljoin, urlsplit

import idna

MAX_URL = 4096
"""Longer ones are refused: no mail client and few servers take them."""

_PORTS = {"http": 80, "https": 443}
_TRIM = "".join(map(chr, range(0x21)))  # WHATWG 4.4: leading and trailing C0 controls and spaces
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\Z")
_ESCAPED = re.compile(r"(%[0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PATH_SAFE = "/!$&'()*+,;=:@~"
_QUERY_SAFE = _PATH_SAFE + "?[]"

_CAME_FROM = {"cmp", "cmpid", "emc", "feed", "from", "partner", "ref", "rss", "source", "src"}
_TRACKING_PREFIXES = ("utm_", "mtm_", "pk_", "piwik_", "matomo_", "hsa_", "at_custom", "__hs", "_hs")
_TRACKING = frozenset(
    {
        "_ga", "_gl", "at_campaign", "at_campaign_type", "at_link_id", "at_link_origin", "at_link_type",
        "at_medium", "at_ptr_name", "at_bbc_team", "at_format", "dclid", "fbclid", "gad_source", "gbraid",
        "gclid", "gclsrc", "igsh", "igshid", "li_fat_id", "mc_cid", "mc_eid", "mkt_tok", "ml_subscriber",
        "ml_subscriber_hash", "msclkid", "ns_campaign", "ns_linkname", "ns_mchannel", "ns_source",
        "oly_anon_id", "oly_enc_id", "s_cid", "sc_campaign", "sc_channel", "spm", "srsltid", "ttclid",
        "twclid", "vero_conv", "vero_id", "wbraid", "wickedid", "wt_mc", "xtor", "yclid", "ysclid",
    }
)  # fmt: skip
# Only names that say where a reader came from. What may choose content (ref, source, id, p, s) stays.


def canonical_url(url: str, *, base: str = "") -> str:
    """The one form of an absolute http(s) address; idempotent.

    Lower-case scheme and host, A-labels (IDNA 2008, UTS 46), no default port, user name, trailing dot, dot
    segments, tracking parameters or fragment; other parameters stay in order. A fragment that names a page
    of its own (``#!...``, ``#/...``) stays too. A relative address is resolved against `base`.
    Raises ValueError saying what is wrong with it.
    """
    text = _UNPRINTABLE.sub("", url.strip(_TRIM))
    if not text:
        raise ValueError("no link")
    if base:
        try:
            text = urljoin(base, text)
        except ValueError:
            raise ValueError("the link has no valid host") from None
    if text.startswith("//"):
        text = "https:" + text
    elif text[:4].lower() == "www.":
        text = "https://" + text
    scheme_end = _SCHEME.match(text)
    if not scheme_end:
        raise ValueError("the link is relative and nothing says to what")
    scheme = scheme_end.group()[:-1].lower()
    if scheme not in _PORTS:
        raise ValueError(f"the link is not http or https but {scheme}:")
    head, mark, tail = _cut(text[scheme_end.end() :])
    try:
        parts = urlsplit(f"{scheme}:{_authority_slashes(head)}{mark}{tail}")
    except ValueError:
        raise ValueError("the link has no valid host") from None
    netloc = _netloc(parts.netloc, scheme)
    query = "&".join(p for p in (_recode(q, _QUERY_SAFE) for q in parts.query.split("&")) if _wanted(p))
    fragment = _recode(parts.fragment, _QUERY_SAFE) if parts.fragment[:1] in ("!", "/") else ""
    made = f"{scheme}://{netloc}{_path(parts.path)}"
    made += f"?{query}" if query else ""
    made += f"#{fragment}" if fragment else ""
    if len(made) > MAX_URL:
        raise ValueError(f"the link is longer than {MAX_URL} characters")
    return made


def is_url(text: str) -> bool:
    """Whether a cell holds a web address rather than an id."""
    return text.lstrip(_TRIM)[:8].lower().startswith(("http://", "https://"))


def _cut(text: str) -> tuple[str, str, str]:
    """Splits before the query or fragment: only ahead of it does a backslash mean a slash."""
    found = re.search(r"[?#]", text)
    if not found:
        return text, "", ""
    return text[: found.start()], found.group(), text[found.end() :]


def _authority_slashes(head: str) -> str:
    """``\\`` is ``/`` to browsers, and ``http:/host`` is ``http://host`` (WHATWG 4.4, special schemes)."""
    return "//" + head.replace("\\", "/").lstrip("/")


def _netloc(netloc: str, scheme: str) -> str:
    hostport = netloc.rpartition("@")[2]
    if hostport.startswith("["):
        address, closed, rest = hostport[1:].partition("]")
        try:
            host = f"[{ipaddress.IPv6Address(address).compressed}]"
        except ValueError:
            raise ValueError(f"the link has no valid host: {hostport}") from None
        if not closed or (rest and not rest.startswith(":")) or "%" in host:
            raise ValueError(f"the link has no valid host: {hostport}")
        port = rest[1:]
    else:
        name, _, port = hostport.partition(":")
        host = _host(name)
    if not port:
        return host
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise ValueError(f"the link has no valid port: {port}")
    return host if int(port) == _PORTS[scheme] else f"{host}:{int(port)}"


def _host(name: str) -> str:
    host = unquote(name, errors="replace").lower()
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            # Emoji are not in IDNA 2008 but registered under the older rules; browsers still follow those.
            try:
                host = host.encode("idna").decode("ascii").lower()
            except UnicodeError:
                raise ValueError(f"the link has no valid host: {name}") from None
    host = host.rstrip(".")
    if not _HOST.match(host):
        raise ValueError(f"the link has no valid host: {name}")
    return host


def _recode(text: str, safe: str) -> str:
    """RFC 3986 6.2.2.2: escapes of unreserved characters decoded, others in upper case, the rest escaped."""
    made = []
    for index, piece in enumerate(_ESCAPED.split(text)):
        if index % 2:
            character = chr(int(piece[1:], 16))
            made.append(character if character in _UNRESERVED else piece.upper())
        elif piece:
            made.append(quote(piece, safe=safe))
    return "".join(made)


def _path(path: str) -> str:
    """RFC 3986 5.2.4, after recoding, because ``%2e`` is a dot."""
    made: list[str] = []
    segments = _recode(path, _PATH_SAFE).split("/")[1:]
    for segment in segments:
        if segment == "..":
            if made:
                made.pop()
        elif segment != ".":
            made.append(segment)
    if segments and segments[-1] in (".", ".."):
        made.append("")
    return "/" + "/".join(made)


def _wanted(parameter: str) -> bool:
    name, _, value = unquote(parameter).lower().partition("=")
    if name in _CAME_FROM and value in ("rss", "feed", "atom"):
        return False
    return bool(parameter) and name not in _TRACKING and not name.startswith(_TRACKING_PREFIXES)
