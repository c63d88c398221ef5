"""Links that expire: the editors' read-only previews."""

from __future__ import annotations

import datetime as dt
import hashlib

import itsdangerous

from digest.errors import TokenError
from digest.tokens.ring import KeyRing
from digest.tokens.signed import FOREIGN


def _preview_serializer(ring: KeyRing) -> itsdangerous.URLSafeTimedSerializer:
    return itsdangerous.URLSafeTimedSerializer(
        ring.link_secret, salt="digest preview link", signer_kwargs={"digest_method": hashlib.sha256}
    )


def preview_link(ring: KeyRing, subject: str) -> str:
    """A signed value for the address of the read-only preview of `subject`; it carries the present time."""
    return str(_preview_serializer(ring).dumps(subject))


def open_preview_link(ring: KeyRing, value: str, max_age: dt.timedelta) -> str:
    """The subject of a preview link that is not older than `max_age`; raises `TokenError`."""
    try:
        subject = _preview_serializer(ring).loads(value, max_age=int(max_age.total_seconds()))
    except itsdangerous.SignatureExpired:
        raise TokenError(
            "this preview link has expired", hint="The mail about a newer draft has a new one."
        ) from None
    except itsdangerous.BadData:
        raise TokenError(FOREIGN) from None
    return str(subject)
