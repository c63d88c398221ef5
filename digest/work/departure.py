"""Whether an edition may leave: in the right state, as it was approved, with links that work."""

from __future__ import annotations

import hashlib

from digest.edition import Action, check, content_hash
from digest.errors import EditionError, NothingToDo
from digest.importers.fetch import fetch as fetch_url
from digest.model import Edition, EditionState
from digest.work.desk import Desk
from digest.work.guard import Fetch, check_public_url
from digest.work.meanwhile import withdrawn


def check_departure(desk: Desk, edition: Edition, *, resume: bool, by: str) -> None:
    """Whether it may leave. Raises `NothingToDo` or `EditionError` with the reason and the way out.

    One of which a story was withdrawn is held, in the name of `by`.
    """
    if edition.state is EditionState.finished:
        raise NothingToDo(
            f"edition {edition.name} was sent", hint=f"Look at it: digest deliveries {edition.name}"
        )
    leaving = edition.state in (EditionState.fanning, EditionState.sending)
    if edition.held or (leaving and edition.paused):
        flag = "held" if edition.held else "paused"
        way = (
            f"digest edition release {edition.name}"
            if edition.held
            else f"digest send {edition.name} --resume"
        )
        raise NothingToDo(
            f"edition {edition.name} is {flag}: {edition.held or edition.paused}", hint=f"Go on with: {way}"
        )
    check(edition, Action.send)
    if leaving and not resume:
        raise EditionError(
            edition.name,
            "is leaving already: an earlier run was interrupted, or copies wait for another attempt",
            hint=f"Go on with: digest send {edition.name} --resume",
        )
    if not leaving:
        check_content(desk, edition)
        reason = hold_withdrawn(desk, edition, by=by)
        if reason:
            raise NothingToDo(f"edition {edition.name} is held: {reason}")


def check_content(desk: Desk, edition: Edition) -> None:
    """What leaves is what was approved, to the byte: the hash is made anew from what the store holds."""
    sources = desk.editions.templates(edition.id)
    hashes = {name: hashlib.sha256(content.encode()).hexdigest() for name, content in sources.items()}
    pictures = desk.editions.pictures(edition.id)
    found = content_hash(edition, hashes, pictures=pictures, policy=edition.policy)
    if not edition.approved_hash or found != edition.approved_hash:
        raise EditionError(
            edition.name,
            "is not as it was approved",
            hint=f"Look at it again, then: digest edition approve {edition.name}",
        )


def hold_withdrawn(desk: Desk, edition: Edition, *, by: str) -> str:
    """Holds an edition of which a story was withdrawn, unless a person let it go on; why, or ""."""
    reason = withdrawn(desk, edition)
    if reason:
        desk.editions.hold(edition.id, reason, at=desk.clock.now(), by=by)
    return reason


def check_links(desk: Desk, edition: Edition, fetch: Fetch | None = None) -> None:
    """Raises `DigestError` where the links in its copies would lead nowhere (see `digest.work.guard`)."""
    check_public_url(desk.settings, desk.installation.id, fetch or _fetch, site_url=site_of(edition))


def site_of(edition: Edition) -> str:
    """What its links begin with."""
    return edition.sender.site_url if edition.sender else ""


def _fetch(url: str) -> bytes:
    # site.url is the operator's own, and may well be an address inside.
    return fetch_url(url, internal=True, max_bytes=10_000, total_seconds=15).body or b""
