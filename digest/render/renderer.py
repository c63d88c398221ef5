"""From an edition to HTML and text with slots: Jinja -> MJML -> checks -> repair -> mrml -> css-inline."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import css_inline
from mjml import mjml2html

from digest.errors import TemplateError
from digest.model import Edition, SlotContext, SlotName, Variant, slot_token
from digest.render.checks import check
from digest.render.colours import palette
from digest.render.presentation import Presentation
from digest.render.repair import repaired
from digest.render.templates import Templates
from digest.render.view import EditionView, clean, line, view_of

CLIPPED = 102_000
"""Bytes of HTML at which Gmail cuts a message off, unsubscribe link and all."""
WARNED = CLIPPED * 9 // 10


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes in UTF-8, before personalisation; `html_personal` allows for the longest values in the slots."""

    html: int
    text: int
    html_personal: int

    @property
    def clipped(self) -> bool:
        """Too large to be sent unless an editor says so."""
        return self.html_personal >= CLIPPED


@dataclass(frozen=True, slots=True)
class Rendered:
    """One variant, and what an editor and the edition's manifest need to know of its making.

    `sources` are the templates used, by name, as they were; `warnings` are sentences for the editor.
    """

    variant: Variant
    sources: Mapping[str, str]
    warnings: tuple[str, ...]
    sizes: Sizes


class Renderer:
    """Renders editions of one newsletter in one look.

    Deterministic: the same edition, nonce, templates and presentation give the same bytes.
    """

    def __init__(
        self, folders: Sequence[Path], presentation: Presentation, *, look: str = "front-page"
    ) -> None:
        self._templates = Templates(folders)
        self._facts = replace(
            presentation,
            name=line(presentation.name),
            title=line(presentation.title),
            postal_address=clean(presentation.postal_address),
        )
        self._palette = palette(presentation.accent)
        self._mjml = f"email/{look}.mjml"
        self._text = "email/digest.txt"
        self._subject = "email/subject.txt"

    def render(self, edition: Edition, *, nonce: str, variant: str = "default") -> Rendered:
        """HTML, text and subject of an edition, with slot tokens that carry `nonce` (16 hex digits).

        `TemplateError` names file and line of a template that cannot be used; `EditionError` names the story
        that cannot be shown. Nothing is changed in either case.
        """
        if not re.fullmatch(r"[0-9a-f]{16}", nonce):
            raise ValueError(f"a nonce is 16 hex digits, not {nonce!r}")
        view = view_of(edition, self._facts)
        html = self._html(self._context(view, nonce, SlotContext.html))
        texts = self._context(view, nonce, SlotContext.text)
        text = _tidy(self._templates.run(self._text, texts))
        subject = " ".join(self._templates.run(self._subject, texts).split())
        self._check_slots(self._mjml, html, nonce)
        self._check_slots(self._text, text, nonce)
        if "SLOT-" + nonce in subject:
            raise TemplateError(self._subject, 1, "a subject cannot be personal: it has a slot")
        sizes = _sizes(html, text, nonce)
        return Rendered(
            variant=Variant(key=variant, subject=subject, html=html, text=text, nonce=nonce),
            sources=self._templates.sources(),
            warnings=(*self._palette.warnings, *self._warnings(edition, view, sizes)),
            sizes=sizes,
        )

    # --- one format each ----------------------------------------------------------------------------

    def _context(self, view: EditionView, nonce: str, default: SlotContext) -> dict[str, Any]:
        right_to_left = self._facts.dir == "rtl"
        return {
            "edition": view,
            "newsletter": self._facts,
            "light": self._palette.light,
            "dark": self._palette.dark,
            "start": "right" if right_to_left else "left",
            "end": "left" if right_to_left else "right",
            "slot": _slot_function(nonce, default),
        }

    def _html(self, context: Mapping[str, Any]) -> str:
        source = self._templates.run(self._mjml, context)
        problems = check(source)
        if problems:
            first = problems[0]
            place = self._templates.locate(self._mjml, context, source, first.offset)
            others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise TemplateError(place.template, place.line, first.text + others, column=place.column)
        mjml, css = repaired(source)
        try:
            # No fonts: mrml would otherwise link to a web font for a name that it knows.
            compiled = mjml2html(mjml, fonts={}, disable_comments=False)
        except ValueError as error:
            raise TemplateError(self._mjml, None, f"MJML does not compile: {error}") from error
        return _finished(_inliner(css).inline(compiled), self._facts)

    # --- what must hold of any template -------------------------------------------------------------

    @staticmethod
    def _check_slots(template: str, output: str, nonce: str) -> None:
        known = {slot_token(nonce, name, context) for name in SlotName for context in SlotContext}
        for found in re.findall(rf"SLOT-{nonce}-[\w.-]*", output):
            if found not in known:
                raise TemplateError(template, None, f"a slot was changed after it was made: {found}")
        leave = f"SLOT-{nonce}-{SlotName.leave_url.value.replace('_', '.')}-"
        if leave not in output:
            raise TemplateError(
                template, None, "has no unsubscribe link: put {{ slot('leave_url', 'url') }} where it belongs"
            )

    def _warnings(self, edition: Edition, view: EditionView, sizes: Sizes) -> list[str]:
        warnings = []
        if sizes.clipped:
            warnings.append(
                f"the HTML has {sizes.html_personal:,} bytes: Gmail cuts off at {CLIPPED:,}; "
                "show fewer stories or shorten the intro"
            )
        elif sizes.html_personal >= WARNED:
            warnings.append(f"the HTML has {sizes.html_personal:,} bytes; Gmail cuts off at {CLIPPED:,}")
        if not self._facts.postal_address.strip():
            warnings.append("no postal address in the footer: set site.postal_address")
        if not edition.metric and re.search(r"\bpopular|\bmost read\b", view.title, re.IGNORECASE):
            warnings.append(
                f"the title {view.title!r} speaks of popularity, but the order is not by any signal"
            )
        by_position = {entry.position: entry.story for entry in edition.stories}
        for shown in (view.lead, *view.cards):
            picture = by_position[shown.position].picture
            if picture is not None and shown.picture is None:
                warnings.append(f"story {shown.position}: {picture.url[:80]!r} is no picture's address")
            elif picture is not None and picture.alt is None:
                warnings.append(
                    f"story {shown.position}: nobody described its picture ({shown.title[:60]!r})"
                )
        return warnings


def _slot_function(nonce: str, default: SlotContext) -> Callable[..., str]:
    def slot(name: str, context: str = "") -> str:
        """The word that stands for a reader's own value; in plain text every context is plain text."""
        plain = default is SlotContext.text
        try:
            return slot_token(
                nonce, SlotName(name), SlotContext.text if plain else SlotContext(context or default)
            )
        except ValueError as error:
            names, contexts = ", ".join(SlotName), ", ".join(SlotContext)
            raise ValueError(
                f"slot({name!r}, {context!r}): names are {names}; contexts are {contexts}"
            ) from error

    return slot


def _inliner(css: str) -> css_inline.CSSInliner:
    # Only the template's own inline sheet is inlined. mrml's resets for table, td and img stay in the head:
    # written on each of some 200 cells they would be a third of the message.
    return css_inline.CSSInliner(
        inline_style_tags=False,
        keep_style_tags=True,
        load_remote_stylesheets=False,
        minify_css=True,
        extra_css=css or None,
    )


_BODY = re.compile(r"(<body\b[^>]*)>(\s*<div)(?= style=\"display:\s*none)", re.IGNORECASE)


def _finished(html: str, facts: Presentation) -> str:
    """What mrml leaves undone: language and direction of the preheader, a child of the body too."""
    lang = re.sub(r"[^A-Za-z0-9-]", "", facts.language) or "en"
    return _BODY.sub(rf'\1 lang="{lang}" dir="{facts.dir}">\2 lang="{lang}" dir="{facts.dir}"', html, count=1)


def _tidy(text: str) -> str:
    """No trailing spaces, at most one empty line between blocks, one line end at the end."""
    lines = "\n".join(found.rstrip() for found in text.strip().split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines) + "\n"


def _sizes(html: str, text: str, nonce: str) -> Sizes:
    size = len(html.encode())
    # An address has at most 254 octets (RFC 5321 4.5.3.1); a link is not much longer than its token.
    return Sizes(html=size, text=len(text.encode()), html_personal=size + 100 * html.count(f"SLOT-{nonce}-"))
