"""What was sent, as pages: the list of newsletters and the web version of each edition."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from digest.compose.slots import IN_HTML, fill, split
from digest.model import Edition, EditionState, SlotName, Variant
from digest.render.figures import Figures
from digest.web.guard import MAIL_POLICY
from digest.web.pages import Pages
from digest.work.desk import Desk

READABLE = frozenset(
    {EditionState.approved, EditionState.fanning, EditionState.sending, EditionState.finished}
)
"""States in which the web version answers. Approved ones too: the link in an editor's test copy works."""

SENT = (EditionState.fanning, EditionState.sending, EditionState.finished)
"""States in which the front page names an edition: readers have it, or are getting it."""


def web_version(variant: Variant, *, leave_help: str) -> str:
    """The HTML that readers got, with nobody's values in its slots: the link for leaving explains itself."""
    nobody = {SlotName.address: "•••", SlotName.name: "", SlotName.leave_url: leave_help}
    return fill(split("html", variant.html, variant.nonce, IN_HTML), nobody)


def routes(desk: Desk, pages: Pages) -> APIRouter:
    """/ and /e/NEWSLETTER/DATE."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/", methods=["GET", "HEAD"])
    def front(request: Request) -> Response:
        newsletters = []
        for slug, settings in sorted(desk.settings.newsletter.items()):
            newest = _newest(desk, slug)
            figures = Figures(settings.language, settings.zone)
            newsletters.append(
                {
                    "name": settings.name,
                    "title": settings.title,
                    "edition": f"e/{newest.name}" if newest else "",
                    "dates": figures.dates(newest.period.window) if newest else "",
                    "number": newest.number if newest else 0,
                }
            )
        return pages.answer(
            request, "front.html", newsletters=newsletters, headers={"cache-control": "public, max-age=60"}
        )

    @router.api_route("/e/{newsletter}/{start_date}", methods=["GET", "HEAD"])
    def edition(
        newsletter: Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")],
        start_date: Annotated[str, Path(pattern=r"^\d{4}-\d{2}-\d{2}$")],
    ) -> Response:
        try:
            day = dt.date.fromisoformat(start_date)
        except ValueError:
            raise HTTPException(404) from None
        found = desk.editions.for_period(newsletter, day)
        if found is None or found.state not in READABLE or not found.variants:
            raise HTTPException(404)
        help_page = f"{desk.settings.site.url.rstrip('/')}/leave"
        return HTMLResponse(
            web_version(found.variants[0], leave_help=help_page),
            headers={
                "content-security-policy": MAIL_POLICY,
                # Short: until it is sent, an editor may still take the approval back.
                "cache-control": "public, max-age=60",
            },
        )

    return router


def _newest(desk: Desk, newsletter: str) -> Edition | None:
    """The newest edition that readers have, without its content."""
    return next(iter(desk.editions.list_(newsletter, states=SENT, limit=1, content=False)), None)
