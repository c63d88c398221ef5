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


def check_public_url(settings: Settings, installation: str, fetch: Fetch, *, site_url: str = "") -> None:
    """Raises `DigestError` unless both servers are on this machine or the public address leads to us.

    `site_url` is what the links of an edition begin with, frozen when it was made; without one it is that of
    config.toml.
    """
    hosts = (settings.smtp.host, settings.fallback.host)
    outside = next((host for host in hosts if host and not is_loopback(host)), None)
    if outside is None:
        return
    site = site_url or settings.site.url
    url = site.rstrip("/") + WELL_KNOWN
    refusal = f"mail to {outside} is refused, because links in it would not work"
    hint = f"Run `digest serve` so that {site} reaches it, or correct site.url in config.toml."
    if site.rstrip("/") != settings.site.url.rstrip("/"):
        hint = (
            f"It was made while site.url was {site}. Let that address reach `digest serve`, "
            "or cancel the edition and build it again (digest edition cancel)."
        )
    if is_loopback(urlsplit(url).hostname or ""):
        raise DigestError(f"{refusal}: site.url is {site}, which only this machine reaches", hint=hint)
    try:
        answer = json.loads(fetch(url))
    except DigestError as error:
        raise DigestError(f"{refusal}: {url} does not answer ({error})", hint=hint) from error
    except ValueError as error:
        raise DigestError(f"{refusal}: {url} is not answered by digest", hint=hint) from error
    found = answer.get("installation") if isinstance(answer, dict) else None
    if found != installation:
        raise DigestError(f"{refusal}: {url} is answered by another installation", hint=hint)


def links_reach_nobody(site_url: str) -> bool:
    """Whether links in the mail lead to this machine only: fine for trying things, and for nothing else."""
    return is_loopback(urlsplit(site_url).hostname or "")
