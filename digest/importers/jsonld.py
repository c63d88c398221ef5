"""JSON-LD within a page (schema.org): the one thing that the page is about, and what is said of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from digest.importers.links import is_url

_DEPTH = 8
_NODES = 2000
_WRAPPED = re.compile(r"\A\s*(?:<!--|//\s*<!\[CDATA\[|<!\[CDATA\[)|(?:-->|//\s*\]\]>|\]\]>)\s*\Z")
_ARTICLE = re.compile(r"(?:article|blogposting|report|review|newsarticle)\Z", re.IGNORECASE)
_OTHER = (
    "liveblogposting",
    "videoobject",
    "imagegallery",
    "mediagallery",
    "videogallery",
    "recipe",
    "podcastepisode",
)
_PAGE = ("webpage", "itempage", "creativework")

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Image:
    """An ImageObject, or the address of one."""

    url: str
    caption: str = ""
    credit: str = ""
    width: str = ""
    height: str = ""


def subject(scripts: list[str]) -> Node:
    """The node that says what the page is: an article, else a live blog, video or gallery, else the page.

    What is no JSON is passed over; {} when nothing is said.
    """
    nodes = [node for script in scripts for node in _nodes(_loaded(script), 0)][:_NODES]
    ranked = [(rank, node) for node in nodes if (rank := _rank(node)) is not None]
    return min(ranked, key=lambda pair: pair[0], default=(0, {}))[1]


def types(node: Node) -> list[str]:
    """Its types, without the address of schema.org."""
    return [name.rpartition("/")[2] for name in texts(node.get("@type"))]


def texts(value: Any) -> list[str]:
    """A text, a list of them, or the names of objects."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, Mapping):
        return texts(value.get("name") or value.get("@value") or value.get("alternateName") or "")
    if isinstance(value, list):
        return [text for each in value[:50] for text in texts(each)]
    return []


def images(node: Node) -> Iterator[Image]:
    """Its pictures, the first one first."""
    for key in ("image", "thumbnailUrl", "thumbnail"):
        stated = node.get(key)
        for each in stated if isinstance(stated, list) else [stated]:
            if isinstance(each, str) and each.strip():
                yield Image(each)
            elif isinstance(each, Mapping):
                url = next((t for k in ("url", "contentUrl", "@id") for t in texts(each.get(k))), "")
                if url:
                    yield Image(
                        url,
                        next(iter(texts(each.get("caption") or each.get("description"))), ""),
                        next((t for k in _CREDITS for t in texts(each.get(k)) if not is_url(t)), ""),
                        *(_size(each.get(k)) for k in ("width", "height")),
                    )


_CREDITS = ("creditText", "author", "creator", "copyrightHolder", "copyrightNotice")


def _size(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("value") or value.get("@value")
    return str(value).removesuffix("px").strip() if isinstance(value, str | int) else ""


def _loaded(script: str) -> Any:
    try:
        return json.loads(_WRAPPED.sub("", script).strip().rstrip(";"), strict=False)
    except (ValueError, RecursionError):
        return None


def _nodes(value: Any, depth: int) -> Iterator[Node]:
    """The objects of a document: of lists, of ``@graph``, and the one that a page is said to be about."""
    if depth > _DEPTH:
        return
    if isinstance(value, list):
        for each in value[:_NODES]:
            yield from _nodes(each, depth + 1)
    elif isinstance(value, Mapping):
        yield value
        for key in ("@graph", "mainEntity"):
            yield from _nodes(value.get(key), depth + 1)


def _rank(node: Node) -> int | None:
    named = [name.lower() for name in types(node)]
    if {"liveblogposting", "advertisercontentarticle"} & set(named):
        return 0
    if any(_ARTICLE.search(name) for name in named):
        return 1
    if any(name in _OTHER for name in named):
        return 2
    return 3 if any(name in _PAGE for name in named) else None
