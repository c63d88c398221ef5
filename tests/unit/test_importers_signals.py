"""Tables of popularity."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest

from digest.errors import ImportFailed, UsageError
from digest.importers import Rejected, read_readings
from digest.importers.columns import READING, parse_map
from digest.model import MetricKind, Reading

SEEN = dt.datetime(2026, 11, 16, 8, 0, tzinfo=dt.UTC)
AT = dt.datetime(2026, 11, 15, 12, 0, tzinfo=dt.UTC)


def read(
    text: str, metric: str = "points", kind: MetricKind = MetricKind.total, **options: Any
) -> tuple[list[Reading], list[Rejected]]:
    rejected: list[Rejected] = []
    found = read_readings(
        io.BytesIO(text.encode()), name="t.csv", metric=metric, kind=kind, seen=SEEN, reject=rejected.append,
        note=lambda _: None, **options,
    )  # fmt: skip
    return list(found), rejected


def test_story_at_and_value_are_a_reading() -> None:
    assert read("story,at,value\n7,2026-11-15T12:00:00Z,41\n")[0] == [Reading("7", AT, 41.0)]


def test_the_column_of_the_metrics_name_is_its_value() -> None:
    found, _ = read("ts,rank,id,points,comments\n1794744000,1,7,41,9\n")
    assert found == [Reading("7", dt.datetime.fromtimestamp(1794744000, dt.UTC), 41.0)]
    assert read("ts,rank,id,points,comments\n1794744000,1,7,41,9\n", metric="comments")[0][0].value == 9.0


def test_an_address_is_brought_into_its_one_form() -> None:
    found, _ = read("url,at,value\nHTTPS://Paper.Example/a?utm_source=x#y,2026-11-15,1\n/b,2026-11-15,1\n",
                    base_url="https://paper.example/")  # fmt: skip
    assert [reading.story for reading in found] == ["https://paper.example/a", "https://paper.example/b"]


def test_columns_are_mapped_by_hand() -> None:
    mapped = parse_map(["story=Seite", "at=Tag", "value=Leser"], READING)
    found, _ = read("Tag;Seite;Leser\n2026-11-15 12:00;7;41\n", mapped=mapped)
    assert found == [Reading("7", AT, 41.0)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("7,2026-11-15,", "no value"),
        ("7,2026-11-15,many", "no number"),
        ("7,2026-11-15,nan", "no number"),
        ("7,2026-11-15,inf", "no number"),
        ("7,2026-11-15,1_000", "no number"),
        ("7,,1", "no time"),
        ("7,11/15/2026,1", "guessing"),
        ("7,2026-11-20,1", "future"),
        (",2026-11-15,1", "no story"),
        ("7,2026-11-15", "cells"),
        ("https://a..b/,2026-11-15,1", "host"),
    ],
)
def test_what_is_no_reading_is_rejected_with_its_row(row: str, reason: str) -> None:
    found, rejected = read(f"story,at,value\n1,2026-11-15,1\n{row}\n")
    assert len(found) == 1
    assert rejected[0].row == 3
    assert reason in rejected[0].reason


def test_only_a_running_total_may_be_negative() -> None:
    rows = "story,at,value\n7,2026-11-15,-2\n"
    assert read(rows)[0][0].value == -2.0
    assert "below zero" in read(rows, kind=MetricKind.count)[1][0].reason


def test_a_missing_column_is_named() -> None:
    with pytest.raises(UsageError, match="no column for at; found: story, value"):
        read("story,value\n7,1\n")


def test_objects_are_read_too() -> None:
    assert read('{"story": 7, "at": 1794744000, "value": 4.5}\n')[0][0].value == 4.5


def test_a_page_is_no_table() -> None:
    with pytest.raises(ImportFailed, match="not a table"):
        read("<html>")


def test_places_in_a_list_count_more_the_higher_they_are() -> None:
    found, _ = read(
        "timestamp,rank,link\n2026-11-15 12:00:00 UTC,1,https://paper.example/a\n"
        "2026-11-15 12:00:00 UTC,10,https://paper.example/b\n",
        metric="most read",
        kind=MetricKind.count,
        places=10,
    )
    assert [(reading.story[-1], reading.at, reading.value) for reading in found] == [
        ("a", AT, 10),
        ("b", AT, 1),
    ]


@pytest.mark.parametrize("rank", ["0", "11", "1.5", "-1", "first"])
def test_what_is_no_place_in_the_list_is_rejected(rank: str) -> None:
    found, rejected = read(f"id,at,rank\n7,2026-11-15,{rank}\n", kind=MetricKind.count, places=10)
    assert found == []
    assert len(rejected) == 1
