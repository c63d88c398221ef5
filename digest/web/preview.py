"""The coming edition for editors, read-only, behind a signed link that expires.

The frames show what the code that sends makes of it, with links that do nothing. Words are an editor's:
"approved version", not hash.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from fastapi import APIRouter, Path
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from digest.config import Approval, Newsletter
from digest.errors import TokenError
from digest.model import DeliveryState, Edition, EditionState
from digest.render.figures import Figures, locale_of
from digest.render.page import in_scheme, without_pictures
from digest.store.ledger import Sending
from digest.tokens import open_preview_link
from digest.web.guard import MAIL_POLICY, PAGE_POLICY
from digest.web.pages import Pages
from digest.work.alerts import why_it_waits
from digest.work.desk import Desk
from digest.work.forecast import forecast_in_words, forecast_of
from digest.work.preview import preview, state_words, warnings

MAX_AGE = dt.timedelta(days=30)
READER = "reader@example.org"
"""Whose copy is shown: nobody's (RFC 2606)."""

PRIVATE = {"x-robots-tag": "noindex, nofollow"}
_FRAMES = {"content-security-policy": PAGE_POLICY + "; frame-src 'self'", **PRIVATE}
_BOXED = "; sandbox allow-popups allow-popups-to-escape-sandbox"

_FILES = r"^((digest|light|dark|images-off)\.html|digest\.txt|digest\.eml)$"


def approval_words(edition: Edition) -> str:
    """What stands about the approved version."""
    if not edition.approved_hash:
        return "Not approved yet."
    by = f" by {edition.approved_by}" if edition.approved_by else ""
    if edition.approved_hash != edition.hash:
        return f"Changed since it was approved{by}: it needs a new approval."
    return f"This is the approved version, approved{by}."


def next_words(edition: Edition, newsletter: Newsletter, now: dt.datetime) -> str:
    """What happens next by itself, with its time in the newsletter's zone."""
    if edition.held or edition.paused or edition.state not in {EditionState.draft, EditionState.approved}:
        return ""
    lock, send = (_moment(at, newsletter) for at in (edition.period.lock_at, edition.period.send_at))
    if edition.state is EditionState.approved:
        return f"It leaves on {send}." if now < edition.period.send_at else "It is due to leave."
    if newsletter.approval is Approval.editor:
        return f"It leaves on {send}, if someone has approved it by then."
    return f"Unless it is held, it is approved by itself on {lock} and leaves on {send}."


def copies_words(going: Sending | None, edition: Edition) -> list[str]:
    """How far an edition is that leaves or has left, in an editor's words."""
    if edition.state is EditionState.fanning:
        return ["Its readers are being listed."]
    if going is None or edition.state not in {EditionState.sending, EditionState.finished}:
        return []
    counts = going.counts
    total = sum(counts.values()) - counts[DeliveryState.skipped] - counts[DeliveryState.cancelled]
    first = f"{counts[DeliveryState.accepted]:,} of {total:,} copies have left"
    if going.rate and edition.state is EditionState.sending:
        fast = going.rate >= 2
        first += f", {going.rate:,.0f} a second" if fast else f", {going.rate * 60:,.0f} a minute"
        if going.seconds_left is not None:
            minutes = max(round(going.seconds_left / 60), 1)
            first += f", about {minutes} min to go" if minutes < 120 else f", about {minutes // 60:,} h to go"
    lines = [f"{first}."]
    for state, one, many in (
        (DeliveryState.deferred, "reader's server asked to try later", "readers' servers asked to try later"),
        (DeliveryState.rejected, "address was refused", "addresses were refused"),
        (DeliveryState.expired, "copy came too late", "copies came too late"),
        (DeliveryState.uncertain, "reader may already have it", "readers may already have it"),
    ):
        if counts[state]:
            lines.append(f"{counts[state]:,} {one if counts[state] == 1 else many}.")
    if counts[DeliveryState.uncertain]:
        lines.append(
            "Whoever runs this decides whether to send again: "
            f"digest deliveries resolve {edition.name} --resend, or --skip."
        )
    return lines


def waits_words(why: str) -> list[str]:
    """Why an edition stands still that was leaving, in a line; none where `why` is ""."""
    return [f"It waits, and is tried again by itself. What stood in its way: {why}"] if why else []


class Previews:
    """The page behind a signed link, and the files that its frames show."""

    def __init__(self, desk: Desk, pages: Pages) -> None:
        self._desk, self._pages = desk, pages

    def newsletter(self, signed: str) -> tuple[str, Newsletter]:
        """Which newsletter a link is for; 404 for one that is expired or not ours."""
        try:
            slug = open_preview_link(self._desk.keys, signed, MAX_AGE)
        except TokenError:
            raise HTTPException(404) from None
        settings = self._desk.settings.newsletter.get(slug)
        if settings is None:
            raise HTTPException(404)
        return slug, settings

    def page(self, request: Request, signed: str) -> Response:
        slug, settings = self.newsletter(signed)
        edition = self._desk.editions.newest(slug)
        if edition is None or not edition.variants:
            return self._pages.answer(
                request,
                "preview-none.html",
                headers=PRIVATE,
                name=settings.name,
                state=state_words(edition) if edition else "",
                why=edition.held if edition else "",
            )
        shown = preview(self._desk, edition, address=READER)
        figures = Figures(settings.language, settings.zone)
        return self._pages.answer(
            request,
            "preview.html",
            headers=_FRAMES,
            name=settings.name,
            edition=edition,
            dates=figures.dates(edition.period.window),
            state=state_words(edition),
            calm=not (edition.held or edition.paused or edition.state is EditionState.failed),
            why=edition.held or edition.paused,
            approval=approval_words(edition),
            next=next_words(edition, settings, self._desk.clock.now()),
            leaving=[
                *(forecast_in_words(made) if (made := forecast_of(self._desk, edition)) else []),
                *copies_words(self._desk.ledger.progress(edition.id), edition),
                *waits_words(why_it_waits(self._desk, edition)),
            ],
            warnings=warnings(self._desk, edition),
            sizes=[
                f"{len(part) / 1000:.0f} kB" for part in (shown.html.encode(), shown.text.encode(), shown.eml)
            ],
            shown=shown,
        )

    def file(self, signed: str, name: str) -> Response:
        slug, _ = self.newsletter(signed)
        edition = self._desk.editions.newest(slug)
        if edition is None or not edition.variants:
            raise HTTPException(404)
        shown = preview(self._desk, edition, address=READER)
        if name.endswith(".html"):
            headers = {**PRIVATE, "content-security-policy": MAIL_POLICY + _BOXED}
            return Response(framed(name, shown.html), media_type="text/html; charset=utf-8", headers=headers)
        if name.endswith(".txt"):
            return Response(shown.text, media_type="text/plain; charset=utf-8", headers=PRIVATE)
        headers = {**PRIVATE, "content-disposition": f'attachment; filename="{edition.newsletter}.eml"'}
        return Response(shown.eml, media_type="message/rfc822", headers=headers)


def framed(name: str, html: str) -> str:
    """The HTML of one frame: digest.html is what leaves, to the byte; the others are as different programs
    show it, with links that open in a window of their own.
    """
    if name == "digest.html":
        return html
    if name == "images-off.html":
        html = without_pictures(html)
    html = in_scheme(html, dark=name == "dark.html")
    return re.sub(r"<head\b[^>]*>", lambda head: f'{head[0]}<base target="_blank">', html, count=1)


def routes(desk: Desk, pages: Pages) -> APIRouter:
    """/preview/SIGNED/ and the files beneath it."""
    router = APIRouter(include_in_schema=False)
    previews = Previews(desk, pages)

    @router.api_route("/preview/{signed}", methods=["GET", "HEAD"])
    def without_slash(signed: str) -> Response:
        previews.newsletter(signed)
        # Relative: the page's own links start from its folder, and the site may live under a path.
        return RedirectResponse(f"{signed}/", status_code=307, headers=PRIVATE)

    @router.api_route("/preview/{signed}/", methods=["GET", "HEAD"])
    def page(request: Request, signed: str) -> Response:
        return previews.page(request, signed)

    @router.api_route("/preview/{signed}/{name}", methods=["GET", "HEAD"])
    def file(
        signed: str,
        name: Annotated[str, Path(pattern=_FILES)],
    ) -> Response:
        return previews.file(signed, name)

    return router


def _moment(at: dt.datetime, newsletter: Newsletter) -> str:
    local = at.astimezone(ZoneInfo(newsletter.zone))
    # Pages for editors are in English, whatever the language of the newsletter.
    return format_datetime(local, "EEEE d MMMM, HH:mm", locale=locale_of("en"))
