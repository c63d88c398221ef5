"""Which requests are a person reading a page, and which page: everything that one line alone can tell.

What counts is an answer that showed a page to somebody: GET, answered with 200, or with 304. A browser that
asks "has it changed?" (RFC 9110 15.4.5) shows the page that it kept: without 304 a site that lets browsers
keep pages would lose those who come back the next day. As a reader counts once a day, it adds no more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from digest.importers.links import canonical_url
from digest.importers.logs.agents import is_machine
from digest.importers.logs.entry import Entry

NOT_GET = "not GET"
STATUS = "not answered with 200 or 304"
ASSET = "no pages: pictures, styles, scripts, files"
FEED = "feeds and interfaces for programs"
PREFETCH = "fetched ahead, not looked at"
MACHINE = "machines by their agent: crawlers, feed readers, monitors, previews, libraries"
OURS = "our own newsletter: what is pushed does not rank itself"
NO_ADDRESS = "an address that is none, or longer than any story's"
NO_SITE = "nothing says of which site"

_ASSETS = {
    "css", "js", "mjs", "map", "json", "webmanifest", "xml", "xsl", "txt", "log", "csv", "md", "png",
    "jpg", "jpeg", "gif", "webp", "avif", "svg", "svgz", "ico", "bmp", "tif", "tiff", "heic", "woff",
    "woff2", "ttf", "otf", "eot", "mp3", "mp4", "m4a", "m4v", "m4s", "m3u8", "mpd", "ts", "webm", "ogg",
    "ogv", "oga", "opus", "wav", "flac", "avi", "mov", "mkv", "vtt", "srt", "pdf", "epub", "doc",
    "docx", "xls", "xlsx", "ppt", "pptx", "odt", "zip", "gz", "tgz", "bz2", "xz", "7z", "rar", "tar",
    "deb", "rpm", "exe", "msi", "dmg", "apk", "iso", "jar", "war", "bin", "swf", "wasm", "ics", "vcf",
    "sig", "asc", "patch", "diff", "torrent",
}  # fmt: skip
_FEEDS = {
    "rss", "rss1", "rss2", "rss20", "rss091", "rss092", "atom", "atom10", "rdf", "feed", "feeds",
    "opml",
}  # fmt: skip
_PROGRAMS = re.compile(
    r"/(?:wp-json|wp-admin|wp-login\.php|xmlrpc\.php|wp-cron\.php|wp-includes|wp-content|\.well-known|api|ajax"
    r"|graphql|cgi-bin|robots\.txt)(?:/|\Z)|/(?:favicon|apple-touch-icon)",
    re.IGNORECASE,
)
_SHOWN = (200, 304)
_PAGE_TYPES = ("text/html", "application/xhtml")
_AHEAD = re.compile(r"prefetch|prerender|preview", re.IGNORECASE)  # Purpose, Sec-Purpose, X-Moz, X-Purpose

_CAMPAIGN = re.compile(r"(?:utm|mtm|pk|piwik|matomo)_(source|medium|campaign|cid|kwd)", re.ASCII)
_BY_MAIL = {"email", "e-mail", "mail", "newsletter", "newsletters", "e-newsletter", "enews", "nl"}
_OF_MAILERS = {"mc_cid", "mc_eid", "ml_subscriber", "ml_subscriber_hash", "mkt_tok", "oly_enc_id", "vero_id",
               "vero_conv", "_hsenc"}  # fmt: skip
_WEBMAIL = {"mail", "webmail", "outlook", "email", "posteingang", "roundcube", "owa", "com.google.android.gm"}

_MOST = 100_000
"""Targets and agents remembered, but for long ones: judging one again costs ten times a look-up."""
_LONG = 1_000
"""Characters. No story has a longer address, and no browser a longer agent."""

Judged = tuple[str, str]
"""The canonical address of a page and "", or "" and why it is left out."""


@dataclass(frozen=True, slots=True)
class Site:
    """Which addresses the log's paths belong to.

    `origin` (``https://www.example.org``) is for lines that name no site, and for those that name this one,
    with or without www. `schemes` says which scheme the stories of other sites have; without one it is https.
    """

    origin: str
    schemes: Mapping[str, str] = field(default_factory=dict)

    def origin_of(self, host: str) -> str:
        """The beginning of a page's address; "" where nothing tells it."""
        host = host.lower().removesuffix(":443").removesuffix(":80").rstrip(".")
        if host in self.schemes:
            return f"{self.schemes[host]}://{host}"
        own = urlsplit(self.origin).netloc.lower()
        if not host or (own and host.removeprefix("www.") == own.removeprefix("www.")):
            return self.origin
        return f"https://{host}"


class Requests:
    """Judges entries of one log. `ours` are words that mark our newsletters' links (their slugs), `pages` the
    beginnings of our own pages (the web version of an edition)."""

    def __init__(self, site: Site, *, ours: Collection[str] = (), pages: Collection[str] = ()) -> None:
        self._site = site
        self._ours = frozenset(word.lower() for word in ours)
        self._pages = tuple(pages)
        self._targets: dict[tuple[str, str], Judged] = {}
        self._agents: dict[str, bool] = {}

    def judge(self, entry: Entry) -> Judged:
        """The page that a person read with it, or why it counts as none."""
        reason = _not_shown(entry)
        if reason:
            return "", reason
        key = (entry.host, entry.target)
        judged = self._targets.get(key)
        if judged is None:
            if len(self._targets) >= _MOST:
                self._targets.clear()
            judged = self._page(*key)
            if len(entry.target) <= _LONG:
                self._targets[key] = judged
        reason = judged[1] or self._not_a_reader(entry)
        return ("", reason) if reason else judged

    def _not_a_reader(self, entry: Entry) -> str:
        """ "" for a person who came by themselves."""
        agent = entry.agent
        if agent is not None:
            machine = self._agents.get(agent)
            if machine is None:
                if len(self._agents) >= _MOST:
                    self._agents.clear()
                machine = is_machine(agent)
                if len(agent) <= _LONG:
                    self._agents[agent] = machine
            if machine:
                return MACHINE
        if entry.purpose and _AHEAD.search(entry.purpose):
            return PREFETCH
        return OURS if entry.referrer and self._from_us(entry.referrer) else ""

    def _page(self, host: str, target: str) -> Judged:
        try:
            if target.startswith("/"):
                origin = self._site.origin_of(host)
                if not origin:
                    return "", NO_SITE
                url = canonical_url(f"{origin}/{target.lstrip('/')}")
            else:
                url = canonical_url(target)
            parts = urlsplit(target if not target.startswith("/") else f"//x/{target.lstrip('/')}")
        except ValueError:
            return "", NO_ADDRESS
        if len(url) > _LONG:
            return "", NO_ADDRESS
        reason = _no_page(parts.path, parts.query)
        if not reason and parts.query and self._marked(parts.query):
            reason = OURS
        return ("", reason) if reason else (url, "")

    def _marked(self, query: str) -> bool:
        """Whether a link was marked as one of a newsletter: by us, or by a mailer's habit."""
        for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=None):
            key, word = name.lower(), value.strip().lower()
            if key in _OF_MAILERS:
                return True
            part = _CAMPAIGN.fullmatch(key)
            if part and (word in self._ours or (part[1] in ("source", "medium") and word in _BY_MAIL)):
                return True
        return False

    def _from_us(self, referrer: str) -> bool:
        """Whether the page before was an edition's web version, or a mailbox in a browser."""
        if referrer.startswith(self._pages):
            return True
        try:
            host = (urlsplit(referrer).hostname or "").lower()
        except ValueError:
            return False
        return host in _WEBMAIL or (host.count(".") > 1 and host.partition(".")[0] in _WEBMAIL)


def _not_shown(entry: Entry) -> str:
    """ "" for an answer that showed a page to somebody, as far as its kind tells."""
    if entry.method != "GET":
        return NOT_GET
    if entry.status not in _SHOWN:
        return STATUS
    if entry.content_type and not entry.content_type.lower().startswith(_PAGE_TYPES):
        return ASSET
    return ""


def _no_page(path: str, query: str) -> str:
    """ "" for what may be a page, by its path alone: logs seldom have the content type."""
    last = unquote(path.rstrip("/").rpartition("/")[2]).lower()
    name, dot, ending = last.rpartition(".")
    if (last in _FEEDS or name in _FEEDS or (dot and ending in _FEEDS)) or _PROGRAMS.match(path):
        return FEED
    if query and any(value.lower() in _FEEDS for _, value in parse_qsl(query)):
        return FEED
    return ASSET if dot and ending in _ASSETS else ""
