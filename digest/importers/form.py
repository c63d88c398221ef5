"""What a document is, told by what is in it. How it is labelled is only a hint: servers call feeds
``text/html`` and files ``export.txt``."""

from __future__ import annotations

import json
import re
from enum import StrEnum

LOOK = 64 * 1024
"""Bytes of the beginning that are looked at."""

_BEFORE = b"\xef\xbb\xbf\xff\xfe \t\r\n"
_MARKUP = re.compile(r"<(?:rss|feed|rdf|channel|urlset|sitemapindex)[\s>:]", re.IGNORECASE)
_PROLOG = re.compile(
    r"\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*|<!doctype[^>\[]*(?:\[.*?\])?\s*>\s*)*", re.IGNORECASE | re.DOTALL
)
_ROOT = re.compile(r"<(?:[\w.-]+:)?(\w+)")
_XML = re.compile(r"\b(?:xml|rss|atom|rdf)\b|\+xml", re.IGNORECASE)


class Form(StrEnum):
    """A form that stories come in; the names are those of ``--format`` and ``type``."""

    feed = "feed"
    """RSS, RDF, Atom, and whatever else begins like markup."""
    sitemap = "sitemap"
    json = "json"
    """JSON Feed, or any document with objects in it."""
    jsonl = "jsonl"
    csv = "csv"


def detect(start: bytes, *, content_type: str = "", name: str = "") -> Form:
    """The form of a document that begins with `start`; at best with `LOOK` bytes of it.

    `content_type` (a media type) and `name` (a file's or an address) decide only what the content leaves
    open. Never raises: what is nothing else is a table.
    """
    text = start.replace(b"\0", b"").lstrip(_BEFORE).decode("utf-8", "replace")
    if text[:1] == "<":
        return _markup(text)
    if text[:1] == "[":
        return Form.json
    if text[:1] == "{":
        return _objects(text)
    path = name.partition("?")[0].removesuffix(".gz").lower()
    labelled = _XML.search(content_type.partition(";")[0]) or path.endswith((".xml", ".rss", ".atom", ".rdf"))
    if labelled and _MARKUP.search(text):  # something was printed before it
        return Form.feed
    return Form.csv


def _markup(text: str) -> Form:
    prolog = _PROLOG.match(text)
    root = _ROOT.match(text, prolog.end() if prolog else 0)
    return Form.sitemap if root and root[1].lower() in ("urlset", "sitemapindex") else Form.feed


def _objects(text: str) -> Form:
    """A line that is an object, with another one that begins like one under it, is JSONL."""
    first, ended, rest = text.partition("\n")
    if not ended:
        return Form.json
    try:
        json.loads(first, strict=False)
    except (ValueError, RecursionError):
        # A first line that is broken, with whole ones under it, is still one object a line.
        second = rest.lstrip().partition("\n")[0].strip()
        return Form.jsonl if len(first.strip()) > 2 and _is_object(second) else Form.json
    return Form.jsonl if rest.strip() else Form.json


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line, strict=False), dict)
    except (ValueError, RecursionError):
        return False
