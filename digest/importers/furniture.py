"""What surrounds a story on its page and is not the story, told by its words and its class names.

The lists are in the languages that the newsrooms of our test feeds write in. A line must match as a whole, so
that a sentence that merely begins like one of them stays.
"""

from __future__ import annotations

import re
from typing import Literal

_RELATED = (
    r"explore further|read also|also read|see also|read next|more on this(?: story| topic)?|further reading"
    r"|related(?: stories| articles| coverage| news| posts| links| content| reading)?|you may also like"
    r"|recommended reading|more from [^:]{2,40}|don't miss"
    r"|lesen sie auch|mehr zum thema|lire aussi|à lire aussi|sur le même sujet|lees ook|lees verder"
    r"|lea también|leer también|te puede interesar|leggi anche|leia também|les også|läs också|lue myös"
    r"|czytaj (?:też|także)|читайте также|çok okunanlar|关联阅读|相关新闻|相关阅读|関連記事|קראו גם"
)
_RELATED_ALONE = re.compile(rf"\W{{0,3}}(?:{_RELATED})\W{{0,3}}\Z", re.IGNORECASE)
_RELATED_LINE = re.compile(rf"\W{{0,3}}(?:{_RELATED})\s*(?:[:：»>]|\s[-–—]\s)", re.IGNORECASE)

_MORE = (
    r"(?:click here to )?(?:read|continue|keep|view|see|find out|learn)\s*(?:reading|more|on"
    r"|the (?:full|rest of the|whole|entire) (?:story|article|post|entry|interview|text))"
    r"(?:\s+(?:at|on|of|about|in|from|here|this|\W)[^.!?]{0,80})?"
    r"|read (?:full|entire|original) (?:story|article|post)|full (?:story|article)"
    r"|more\s*(?:»|›|→|\.\.\.|…|&gt;)"
    r"|weiterlesen|mehr lesen|weiter lesen|lire la suite(?: de l['’]article)?|lees meer|verder lezen|leer más"
    r"|seguir leyendo|leggi tutto|continua a leggere|leia mais|les mer|läs mer|lue lisää"
    r"|czytaj (?:więcej|dalej)|читать (?:далее|полностью)|続きを読む|阅读全文|继续阅读"
)
_BRACKETS = r"[\[\](){}<>«»‹›→⇒\s….:!*|-]"
_MORE_LINE = re.compile(rf"{_BRACKETS}*(?:{_MORE}){_BRACKETS}*\Z", re.IGNORECASE)
_ELLIPSIS_LINE = re.compile(r"[\[(]?\s*(?:…|\.\.\.+)\s*[\])]?\Z")
_SIGNATURE_LINE = re.compile(
    r"(?:the post .{1,400} (?:first )?appeared (?:first )?on .{1,100}"
    r"|(?:share|tweet|like|email|print|comments?|\d+ comments?|permalink|add to|subscribe)"
    r"(?:[\s|·•,/-]+(?:this|it|on|to|share|tweet|like|email|print|comments?|permalink|facebook|twitter))*\W*"
    r"|(?:follow us|sign up|subscribe) (?:on|to|for) .{1,120}"
    r"|(?:©|\(c\)|copyright) .{1,150}|all rights reserved\.?)\Z",
    re.IGNORECASE,
)
# Run into the end of a paragraph: only after a mark or as a link, so that no sentence loses its verb.
_MORE_TAIL = re.compile(
    rf"\s*(?:<br>\s*)*(?:<a [^>]*>\s*{_BRACKETS}*(?:{_MORE}){_BRACKETS}*(?:</\w+>)*</a>"
    rf"|(?<=[.!?…\]”\"'])\s*[\[(]?\s*(?:{_MORE})\s*[\])]?)"
    rf"{_BRACKETS}*((?:</\w+>)*)\Z",
    re.IGNORECASE,
)
_ELLIPSIS_TAIL = re.compile(r"\s*(?:[\[(]\s*(?:…|\.\.\.+|&hellip;)\s*[\])]|…|\.\.\.)\s*((?:</\w+>)*)\Z")

_CREDIT = re.compile(
    r"[(\[]?(?:(?:photo(?:graph)?|image|picture|foto|bild|billede|immagine|imagen|illustration|file photo)s?"
    r"(?:\s+(?:by|credit|courtesy(?: of)?|source|via|from|de|von|di))?\s*[:/©]"
    r"|(?:photo|image|picture)s?\s+(?:by|courtesy)\s|credits?\s*:|crédits?\s*(?:photo)?\s*:|©"
    r"|fotocredit|getty images?\b|reuters/|ap photo/|afp/)"
    r"[^.!?]{0,100}[)\]]?\.?\Z",
    re.IGNORECASE,
)
_CAPTION_CLASS = re.compile(
    r"(?:^|[\s_-])(?:wp-)?(?:caption|photo-?credit|image-?credit|media-?credit)(?:$|[\s_-])|captiontext",
    re.IGNORECASE,
)
_FURNITURE_CLASS = re.compile(
    r"(?:^|\s)(?:feedflare|sharedaddy|share-?(?:buttons|links|bar|this)?|social-?(?:share|links|buttons)"
    r"|jp-relatedposts|related-?(?:posts|articles|stories)|addtoany[\w-]*|mc4wp[\w-]*|newsletter-?sign-?up|wp-block-embed"
    r"|advert(?:isement)?|ad-?(?:container|slot|wrapper)|screen-reader-text|visually-?hidden|sr-only)(?:$|\s)",
    re.IGNORECASE,
)


def is_related_label(text: str) -> Literal["", "alone", "line"]:
    """ "alone" for a label with nothing behind it, "line" for one with titles behind it."""
    if len(text) > 600:
        return ""
    if _RELATED_ALONE.match(text):
        return "alone"
    return "line" if _RELATED_LINE.match(text) else ""


def is_closing_line(text: str) -> Literal["", "more", "end"]:
    """ "more" where the line says that the text goes on elsewhere, "end" for other furniture at the end."""
    if len(text) > 600:
        return ""
    if _MORE_LINE.match(text) or _ELLIPSIS_LINE.match(text):
        return "more"
    return "end" if _SIGNATURE_LINE.match(text) else ""


def without_closing(html: str) -> tuple[str, bool]:
    """A paragraph's HTML without "Read more" or "[...]" run into its end, and whether there was one."""
    start = max(0, len(html) - 2000)  # far more than any such ending, and keeps the search short
    head, tail = html[:start], html[start:]
    while (shorter := _MORE_TAIL.sub(r"\1", tail)) != tail:
        tail = shorter
    dots = _ELLIPSIS_TAIL.search(tail)
    if dots:
        kept = tail[: dots.start()]
        tail = kept + ("" if kept.endswith((".", "!", "?", "”", '"')) else "…") + dots.group(1)
    made = head + tail
    return made, made != html or dots is not None


def is_credit(text: str) -> bool:
    """A line that only says who took the picture."""
    return len(text) <= 140 and _CREDIT.match(text) is not None


def without_caption(text: str, caption: str) -> str:
    """Text without a picture's caption run into its beginning.

    Only a caption of some length counts, followed by the start of a sentence; otherwise it may be how the
    story itself begins.
    """
    if len(caption) < 20 or not text.startswith(caption):
        return text
    rest = text[len(caption) :].lstrip(" .")
    if len(rest) < len(caption) // 2 or not rest[:1].strip() or rest[:1].islower() or rest[:1] in ",;:":
        return text
    return rest


def is_caption_class(classes: str) -> bool:
    return bool(classes) and _CAPTION_CLASS.search(classes) is not None


def is_furniture_class(classes: str) -> bool:
    return bool(classes) and _FURNITURE_CLASS.search(classes) is not None
