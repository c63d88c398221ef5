"""A blog's real log, and the agents of machines that others have collected."""

from __future__ import annotations

import datetime as dt
import io
import json
import random
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from digest.importers.imported import Rejected
from digest.importers.logs.agents import is_machine
from digest.importers.logs.days import Day
from digest.importers.logs.formats import detect
from digest.importers.logs.lines import Lines
from digest.importers.logs.requests import Requests, Site
from digest.importers.logs.tally import Log, Tally

pytestmark = pytest.mark.real_data


def ranked(data: bytes) -> tuple[Tally, list[Rejected], Counter[str]]:
    """What reading a log came to, and the reader-days of its pages."""
    rejected: list[Rejected] = []
    log = Log(
        Lines(io.BytesIO(data), b"", 0),
        detect(data[:65_536].split(b"\n")),
        Requests(Site("https://blog.example")),
        now=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        reject=rejected.append,
    )
    days: dict[int, Day] = defaultdict(lambda: Day(b"k" * 16))
    for visits in log.visits(final=True):
        for visit in visits:
            days[visit.at // 86_400].add(visit.address, visit.agent, visit.url, visit.at // 60 % 1440)
    readers: Counter[str] = Counter()
    for day in days.values():
        readers.update(dict(zip(day.pages, day.count().readers, strict=True)))
    return log.tally, rejected, +readers


@pytest.fixture(scope="module")
def blog(real_data: Path) -> bytes:
    return (real_data / "logs" / "apache_combined_blog.log").read_bytes()


@pytest.mark.parametrize("by", ["address and agent", "agent alone"])
def test_the_page_that_feed_readers_poll_is_not_the_most_popular(blog: bytes, by: str) -> None:
    hits = Counter(line.split(b'"')[1].split()[1] for line in blog.splitlines())
    target = next(target for target, _ in hits.most_common() if b"." not in target.partition(b"?")[0])
    assert b"/tags/" in target, "of all pages it has the most hits"
    if by == "agent alone":  # as if its address did not say that it is a feed
        blog = blog.replace(target, target.partition(b"?")[0])
    tally, rejected, readers = ranked(blog)
    assert tally.lines == blog.count(b"\n")
    assert tally.lines == tally.visits + len(rejected) + tally.headers + sum(tally.left_out.values())
    polled = target.partition(b"?")[0].decode()
    assert sum(count for url, count in readers.items() if polled in url) <= 5, "a few people look at it"
    assert readers.most_common(1)[0][1] > 50


def test_the_order_of_the_lines_does_not_matter(blog: bytes) -> None:
    lines = blog.splitlines(keepends=True)
    random.Random(1).shuffle(lines)
    assert ranked(b"".join(lines))[2] == ranked(blog)[2]


def test_a_real_log_that_breaks_off_anywhere_loses_one_line(blog: bytes) -> None:
    chance = random.Random(2)
    for _ in range(20):
        cut = chance.randrange(200_000, 400_000)
        tally, rejected, _ = ranked(blog[:cut])
        assert len(rejected) <= 1
        assert tally.lines == tally.visits + len(rejected) + sum(tally.left_out.values())


def test_machines_that_others_have_collected_are_known_as_such(real_data: Path) -> None:
    collected = json.loads((real_data / "logs" / "crawler-user-agents.json").read_text(encoding="utf-8"))
    agents = [agent for each in collected for agent in each["instances"]]
    missed = [agent for agent in agents if not is_machine(agent)]
    assert len(agents) > 2000
    assert len(missed) <= 0.015 * len(agents), missed


def test_those_who_load_pictures_and_styles_are_taken_for_people(blog: bytes) -> None:
    """Whoever loads what belongs to a page shows it to somebody: a check on the rules from another side."""
    loads: dict[str, set[str]] = defaultdict(set)
    for line in blog.decode().splitlines():
        parts = line.split('"')
        path = parts[1].split()[1]
        loads[parts[5]].add(path.partition("?")[0].rpartition(".")[2] if "." in path else "")
    browsers = [agent for agent, kinds in loads.items() if {"css", "png"} <= kinds]
    assert len(browsers) > 100
    taken_for_machines = [agent for agent in browsers if is_machine(agent)]
    assert len(taken_for_machines) <= 0.05 * len(browsers), taken_for_machines
