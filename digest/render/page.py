"""The preview: one page that shows an edition as it will arrive, side by side, for an editor to look at.

The frames show copies that are changed for display (a scheme forced, pictures taken away); what is written
beside the page, and what is sent, is never touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape, unescape

from digest.render.renderer import CLIPPED
from digest.render.templates import Templates, folders

_DARK_QUERY = re.compile(r"\(\s*prefers-color-scheme\s*:\s*dark\s*\)", re.IGNORECASE)
_LIGHT_QUERY = re.compile(r"\(\s*prefers-color-scheme\s*:\s*light\s*\)", re.IGNORECASE)
_SCHEME_META = re.compile(r'(<meta name="(?:supported-)?color-schemes?" content=")[^"]*', re.IGNORECASE)
_SCHEME_RULE = re.compile(r"(color-schemes?\s*:\s*)light dark", re.IGNORECASE)
_IMAGE = re.compile(r"<img\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*>", re.IGNORECASE)
_SOURCE = re.compile(r"\s(?:src|srcset)=(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)

ALWAYS, NEVER = "(min-width:0px)", "(max-width:0px)"
"""Media conditions that hold everywhere and nowhere."""


def in_scheme(html: str, *, dark: bool) -> str:
    """The HTML as a reader with that colour scheme sees it, whatever the scheme of the one who looks."""
    html = _DARK_QUERY.sub(ALWAYS if dark else NEVER, html)
    html = _LIGHT_QUERY.sub(NEVER if dark else ALWAYS, html)
    scheme = "dark" if dark else "light"
    return _SCHEME_RULE.sub(rf"\g<1>{scheme}", _SCHEME_META.sub(rf"\g<1>{scheme}", html))


def without_pictures(html: str) -> str:
    """The HTML as a mail program shows it that loads no pictures: alternative texts only."""
    return _IMAGE.sub(lambda image: _SOURCE.sub("", image[0]), html)


def with_pictures_from(html: str, media: Callable[[str], str]) -> str:
    """The HTML with every picture's address replaced by what `media` makes of it."""

    def replaced(image: re.Match[str]) -> str:
        return _SOURCE.sub(lambda source: f' src="{_source(source)}"', image[0])

    def _source(source: re.Match[str]) -> str:
        written = source[1] if source[1] is not None else source[2]
        return escape(media(unescape(written)), quote=True)

    return _IMAGE.sub(replaced, html)


def _links_open_outside(html: str) -> str:
    """Links of a framed copy open in a window of their own: the frame stays what it is."""
    return _HEAD.sub(lambda head: f'{head[0]}<base target="_blank">', html, count=1)


@dataclass(frozen=True, slots=True)
class Shown:
    """One variant as one reader gets it: HTML and text with the slots filled in, and the message's headers.

    `message_size` is the whole message in bytes, as it goes over the wire; 0 where it is not known.
    """

    html: str
    text: str
    headers: str = ""
    key: str = "default"
    message_size: int = 0


@dataclass(frozen=True, slots=True)
class _Panel:
    title: str
    note: str
    width: int
    html: str


def preview_page(
    variants: Sequence[Shown],
    *,
    newsletter: str,
    edition: str,
    subject: str,
    preheader: str = "",
    sender: str = "",
    date: str = "",
    reader: str = "",
    state: str = "",
    warnings: Sequence[str] = (),
    media: Callable[[str], str] | None = None,
    files: Sequence[str] = ("digest.html", "digest.txt", "digest.eml"),
) -> str:
    """The page ``index.html``: desktop, phone, dark, without pictures, text, headers and sizes.

    It needs nothing else but the pictures; `media` turns a picture's address into one that works where the
    page is looked at (a data: address, a local file). `date` and `state` are shown as given; `reader` is the
    address that the copy is made for.
    """
    shown = [
        {
            "key": variant.key,
            "panels": _panels(variant.html, media),
            "text": variant.text,
            "headers": variant.headers,
            "html_size": len(variant.html.encode()),
            "text_size": len(variant.text.encode()),
            "message_size": variant.message_size,
        }
        for variant in variants
    ]
    return Templates(folders()).run(
        "preview/page.html",
        {
            "newsletter": newsletter,
            "edition": edition,
            "subject": subject,
            "preheader": preheader,
            "sender": sender or newsletter,
            "date": date,
            "reader": reader,
            "state": state,
            "warnings": list(warnings),
            "variants": shown,
            "files": list(files),
            "clipped": CLIPPED,
            "kilobytes": _kilobytes,
        },
    )


def _kilobytes(size: int) -> str:
    return f"{size / 1000:,.1f} kB"


def _panels(html: str, media: Callable[[str], str] | None) -> list[_Panel]:
    framed = _links_open_outside(with_pictures_from(html, media) if media else html)
    light, dark = in_scheme(framed, dark=False), in_scheme(framed, dark=True)
    return [
        _Panel("Desktop", "700 px wide", 700, light),
        _Panel("Phone", "375 px wide", 375, light),
        _Panel("Dark", "375 px wide, dark scheme", 375, dark),
        _Panel("Images off", "375 px wide, no picture loaded", 375, without_pictures(light)),
        _Panel("Dark, desktop", "700 px wide, dark scheme", 700, dark),
    ]
