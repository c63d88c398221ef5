"""Fixes who gets an edition, once, and says who does not."""

from __future__ import annotations

from collections.abc import Callable

from digest.model import Edition, EditionState
from digest.store.leased import LeasedEdition
from digest.work.departure import site_of
from digest.work.desk import Desk
from digest.work.guard import links_reach_nobody


def fix_audience(
    desk: Desk,
    edition: Edition,
    leased: LeasedEdition,
    *,
    by: str,
    warn: Callable[[str], object],
    told: Callable[[int], object],
) -> None:
    """Makes a delivery of each subscription, where that is not done yet; afterwards the edition is sending.

    `told` gets the size of each chunk, and may raise to end it there: the next call goes on.
    """
    state, now = desk.editions.get(edition.id).state, desk.clock.now()
    if state is EditionState.approved:
        desk.editions.transition(edition.id, {state}, EditionState.fanning, at=now, by=by)
        state = EditionState.fanning
    if state is EditionState.fanning:
        made = leased.fan_out(told=told)
        desk.editions.transition(edition.id, {state}, EditionState.sending, at=now, by=by)
        skipped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(made.skipped.items()))
        if skipped:
            warn(f"{made.candidates:,} subscribers: {made.queued:,} to send to, skipped: {skipped}")
    site = site_of(edition)
    if links_reach_nobody(site):
        outside = desk.ledger.outside_domain(edition.id)
        if outside:
            warn(
                f"Warning: readers at {outside} get links to {site}, which only "
                "this machine can open: they cannot unsubscribe. Set site.url in config.toml."
            )
