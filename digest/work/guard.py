"""Mail leaves this machine only when its links will work.

Every copy carries a link for leaving. Before a relay elsewhere gets the first one, the public address of
config.toml has to answer with this installation's id; so nobody ever gets a link that is dead or another's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

from digest.config import Settings
from digest.errors import DigestError
from digest.smtp import is_loopback

WELL_KNOWN = "/.well-known/newsletter-digest"
"""Answers with JSON {"installation": id} (digest.web)."""

Fetch = Callable[[str], bytes]
"""The body that an http(s) address answers with; raises `DigestError` when there is none."""


def check_public_url(settings: Settings, installation: str, fetch: Fetch) -> None:
    """Raises `DigestError` unless the relay is on this machine or the public address leads to us."""
    if is_loopback(settings.smtp.host):
        return
    url = settings.site.url.rstrip("/") + WELL_KNOWN
    refusal = f"mail to {settings.smtp.host} is refused, because links in it would not work"
    hint = f"Run `digest serve` so that {settings.site.url} reaches it, or correct site.url in config.toml."
    if is_loopback(urlsplit(url).hostname or ""):
        raise DigestError(
            f"{refusal}: site.url is {settings.site.url}, which only this machine reaches", hint=hint
        )
    try:
        answer = json.loads(fetch(url))
    except DigestError as error:
        raise DigestError(f"{refusal}: {url} does not answer ({error})", hint=hint) from error
    except ValueError as error:
        raise DigestError(f"{refusal}: {url} is not answered by digest", hint=hint) from error
    found = answer.get("installation") if isinstance(answer, dict) else None
    if found != installation:
        raise DigestError(f"{refusal}: {url} is answered by another installation", hint=hint)


def links_reach_nobody(settings: Settings) -> bool:
    """Whether links in the mail lead to this machine only: fine for trying things, and for nothing else."""
    return is_loopback(urlsplit(settings.site.url).hostname or "")
