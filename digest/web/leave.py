"""Leaving: the page behind the link in every mail, and the one-click POST of RFC 8058.

GET shows and never acts: scanners follow every link in a mail. Any POST acts, whatever its body, at once and
as often as it is sent: it needs no cookie, gets no redirect, and may come from anywhere, for the token names
the subscription and nobody else has it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from digest.errors import TokenError
from digest.tokens import Purpose, is_inert, verify
from digest.web.guard import Attempts
from digest.web.pages import Pages
from digest.work.desk import Desk
from subscribers import UNDO_WITHIN, Subscription, SubscriptionState, TooLate, UnknownSubscription, masked

PRIVATE = {"x-robots-tag": "noindex, nofollow"}


@dataclass(frozen=True, slots=True)
class Intent:
    """What a POST said of itself."""

    one_click: bool


async def intent(request: Request) -> Intent:
    """Reads the form, urlencoded or multipart (RFC 8058 3.2 allows both). A body that is neither is still a
    POST to this address, and so a wish to leave.
    """
    try:
        form = await request.form(max_files=0, max_fields=20)
    except (MultiPartException, HTTPException) as error:
        if isinstance(error, HTTPException) and error.status_code == 413:
            raise
        return Intent(one_click=False)
    value = form.get("List-Unsubscribe")
    return Intent(one_click=isinstance(value, str) and value.strip().lower() == "one-click")


class Leaving:
    """The pages around one link."""

    def __init__(self, desk: Desk, pages: Pages) -> None:
        self._desk, self._pages = desk, pages
        self._attempts = Attempts(limit=20, within=dt.timedelta(minutes=1))
        self._writers = sorted({each.reply_to or each.sender for each in desk.settings.newsletter.values()})

    def page(self, request: Request, token: str) -> Response:
        """What GET shows."""
        if is_inert(token):
            return self._inert(request)
        try:
            number = verify(self._desk.keys, Purpose.leave, token)
            return self._show(request, self._desk.subscribers.subscription(number))
        except (TokenError, UnknownSubscription):
            return self._dead(request)

    def leave(self, request: Request, token: str, said: Intent) -> Response:
        """What POST does."""
        if is_inert(token):
            if said.one_click:
                return PlainTextResponse(
                    "This link is from a preview; nothing was changed.\n", headers=PRIVATE
                )
            return self._inert(request)
        source = "one-click" if said.one_click else "page"
        try:
            subscription = self._desk.subscribers.leave(self._acting(token), source=source)
        except (TokenError, UnknownSubscription):
            return self._dead(request)
        if said.one_click:
            return PlainTextResponse("Unsubscribed.\n", headers=PRIVATE)
        return self._show(request, subscription)

    def undo(self, request: Request, token: str) -> Response:
        """The button on the page after leaving."""
        if is_inert(token):
            return self._inert(request)
        try:
            number = self._acting(token)
            try:
                return self._show(request, self._desk.subscribers.undo(number, source="page"), returned=True)
            except TooLate:
                return self._show(request, self._desk.subscribers.subscription(number))
        except (TokenError, UnknownSubscription):
            return self._dead(request)

    def help(self, request: Request) -> Response:
        """Where the web version's links for leaving lead: it belongs to nobody."""
        return self._pages.answer(request, "leave-help.html", headers=PRIVATE, writers=self._writers)

    def _acting(self, token: str) -> int:
        """The subscription that a token names; raises `TokenError`, and 429 when it acts too often."""
        number = verify(self._desk.keys, Purpose.leave, token)
        if wait := self._attempts.wait(token.lower(), self._desk.clock.now()):
            raise HTTPException(429, headers={"retry-after": str(wait)})
        return number

    def _show(self, request: Request, subscription: Subscription, *, returned: bool = False) -> Response:
        settings = self._desk.settings.newsletter.get(subscription.newsletter)
        left = subscription.state is SubscriptionState.unsubscribed
        recently = self._desk.clock.now() - subscription.changed <= UNDO_WITHIN
        up = "../" if request.url.path.endswith("/undo") else ""
        return self._pages.answer(
            request,
            "left.html" if left else "leave.html",
            headers=PRIVATE,
            name=settings.name if settings else subscription.newsletter,
            address=masked(subscription.address) if subscription.address else "",
            here=up + request.path_params["token"],
            can_undo=left and recently and subscription.address is not None,
            returned=returned,
        )

    def _dead(self, request: Request) -> Response:
        return self._pages.answer(
            request, "leave-dead.html", status=404, headers=PRIVATE, writers=self._writers
        )

    def _inert(self, request: Request) -> Response:
        return self._pages.answer(request, "leave-inert.html", headers=PRIVATE)


def routes(desk: Desk, pages: Pages) -> APIRouter:
    """/u/TOKEN, /u/TOKEN/undo and /leave."""
    router = APIRouter(include_in_schema=False)
    leaving = Leaving(desk, pages)

    @router.api_route("/u/{token}", methods=["GET", "HEAD"])
    def page(request: Request, token: str) -> Response:
        return leaving.page(request, token)

    @router.post("/u/{token}")
    def leave(request: Request, token: str, said: Annotated[Intent, Depends(intent)]) -> Response:
        return leaving.leave(request, token, said)

    @router.post("/u/{token}/undo")
    def undo(request: Request, token: str) -> Response:
        return leaving.undo(request, token)

    @router.api_route("/leave", methods=["GET", "HEAD"])
    def help_page(request: Request) -> Response:
        return leaving.help(request)

    return router
