"""Feeds that nobody here wrote, where they are at hand."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import pytest

from digest.errors import ImportFailed
from digest.importers import read_feed

SEEN = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
MORE_THAN_INDEXED = {"simplepie/feed-utf16be.xml", "simplepie/feed-utf16le.xml"}
"""UTF-16 without a mark, which the index found empty."""


@pytest.mark.real_data
def test_every_entry_of_every_feed_is_imported_or_rejected_with_a_reason(real_data: Path) -> None:
    with (real_data / "feeds" / "INDEX.csv").open(newline="", encoding="utf-8") as file:
        index = list(csv.DictReader(file))
    for row in index:
        if row["file"].startswith("series/") and "T10" not in row["file"]:
            continue  # hundreds of nearly the same; a sample says as much
        data = (real_data / "feeds" / row["file"]).read_bytes()
        expected = int(row["entries"] or 0)
        try:
            imported = read_feed(data, base_url="https://feeds.example/", source=row["file"], seen=SEEN)
        except ImportFailed:
            assert expected == 0, row["file"]
            continue
        found = len(imported.drafts) + len(imported.rejected)
        assert found == expected or row["file"] in MORE_THAN_INDEXED, row["file"]
        assert all(rejected.reason for rejected in imported.rejected)
        for draft in imported.drafts:
            assert draft.title
            assert draft.url.startswith(("http://", "https://"))
            assert "<script" not in draft.body
