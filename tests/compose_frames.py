"""What the tests of messages share: a frame, and the nonce and the tokens of their slots."""

from __future__ import annotations

import datetime as dt

from digest.compose import Frame
from digest.model import Sender

NONCE = "0123456789abcdef"
TOKENS = {"leave": "l" * 28, "bounce": "b" * 28, "message": "m" * 28}
FRAME = Frame(
    sender=Sender("News", "news@example.org"),
    newsletter="weekly",
    list_id="",
    site_url="https://news.example.org",
    date=dt.datetime(2026, 11, 17, 9, 0, tzinfo=dt.UTC),
    edition_name="weekly/2026-11-09",
)
