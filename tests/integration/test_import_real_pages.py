"""Pages of others: each says what the index of them says, or the difference has a reason."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from digest.importers.clean import plain
from digest.importers.links import canonical_url
from digest.importers.page import read_page

ANYWHERE = "https://somewhere.example/a/page"
SHOWN = 149
"""Characters: the index cuts texts after about so many."""


def same(ours: str, indexed: str) -> bool:
    """The index has texts cut, with white space as it stood, and some decoded in the wrong way."""
    try:
        meant = indexed.encode("latin-1").decode("utf-8", "ignore")
    except UnicodeError:
        meant = indexed
    return any(ours.startswith(plain(text)[: SHOWN - 20]) for text in (indexed, meant))


@pytest.mark.real_data
def test_each_page_says_what_its_index_says(real_data: Path) -> None:
    folder = real_data / "articles"
    with (folder / "INDEX.csv").open(newline="", encoding="utf-8") as file:
        index = list(csv.DictReader(file))
    differ: Counter[str] = Counter()
    told: Counter[str] = Counter()
    for row in index:
        base = row["canonical"] if row["canonical"].startswith("http") else ANYWHERE
        found = read_page((folder / row["file"]).read_bytes(), url=base)
        if row["og_title"]:
            assert same(found.title, row["og_title"]), row["file"]
        if row["og_description"] or row["description"]:
            assert same(found.standfirst, row["og_description"] or row["description"]), row["file"]
        if row["og_image"]:
            assert found.picture is not None, row["file"]
            assert found.picture.url.startswith(canonical_url(row["og_image"], base=base)[:SHOWN]), row[
                "file"
            ]
        if row["lang"]:
            assert found.language, row["file"]
        if row["published"] and found.published is None:
            differ["a date with two digits for the year, first"] += 1
        if row["canonical"] and not found.url.startswith(row["canonical"][:SHOWN]):
            differ["a canonical link that is a number"] += row["canonical"].isdigit()
            assert row["canonical"].isdigit() or canonical_url(row["canonical"]) == found.url, row["file"]
        told.update(
            name for name in ("title", "standfirst", "author", "section", "picture") if getattr(found, name)
        )
        told["credit"] += bool(found.picture and found.picture.credit)
        told["alt"] += bool(found.picture and found.picture.alt)
        told[found.kind.value] += 1
    assert len(index) == 154
    assert differ == {"a date with two digits for the year, first": 1, "a canonical link that is a number": 1}
    assert told["title"] == sum(bool(row["title"] or row["og_title"]) for row in index)
    assert told["picture"] >= sum(bool(row["og_image"]) for row in index)
