"""Telling the operator of a source that will not mend by itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from digest.work import alerts
from digest.work.desk import Desk
from digest.work.poll import Polled

PATIENCE = dt.timedelta(days=1)
"""A source that could not be read for so long is worth an alert; one that is gone (410) is at once."""
_ATTEMPTS = 3


def key_of(name: str) -> str:
    """The key of the alert about a source."""
    return f"source {name}"


def note(desk: Desk, polled: Polled, open_keys: Collection[str]) -> None:
    """Opens an alert about a source that is in trouble, and settles it once the source is well."""
    key, now = key_of(polled.source), desk.clock.now()
    if not polled.error:
        if key in open_keys:
            desk.installation.settle(key, at=now)
        return
    since = polled.last_success
    for_long = polled.failures >= _ATTEMPTS and (since is None or since + PATIENCE <= now)
    if polled.gone or for_long:
        until = f"since {since:%Y-%m-%d %H:%M} UTC" if since is not None else "and never could be"
        message = f"Source {polled.source} cannot be read, {until}: {polled.error} Look: digest sources check"
        alerts.raise_(desk, key, f"{message} {polled.source}")


def settle_others(desk: Desk, open_keys: Collection[str]) -> None:
    """Settles alerts about sources that config.toml no longer has."""
    for key in {key for key in open_keys if key.startswith(key_of(""))} - {
        key_of(source.name) for source in desk.settings.source
    }:
        desk.installation.settle(key, at=desk.clock.now())
