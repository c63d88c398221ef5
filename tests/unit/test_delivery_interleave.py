"""Domains leave side by side, and one that has to wait holds nobody up."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.delivery import Claimed
from digest.delivery.interleave import Interleave, interleaved
from digest.delivery.throttle import Domains
from digest.model import Rate, Recipient

NOW = 1000.0


def rows(*domains: str) -> list[Claimed]:
    return [Claimed(Recipient(n, n, f"r{n}@{domain}"), 0, domain) for n, domain in enumerate(domains, 1)]


def order(of: list[Claimed]) -> str:
    return "".join(row.domain for row in of)


@pytest.mark.parametrize(
    ("claimed", "wanted"),
    [
        ("", ""),
        ("aaaa", "aaaa"),
        ("aabb", "abab"),
        ("aaaabb", "abaaba"),
        ("aaaaaabbc", "aabacaaba"),
        ("abcabc", "abcabc"),
    ],
)
def test_domains_are_spread_evenly(claimed: str, wanted: str) -> None:
    assert order(interleaved(rows(*claimed))) == wanted


@given(st.lists(st.sampled_from("aaaaaabbcd"), max_size=120))
def test_nobody_is_lost_and_the_order_within_a_domain_is_kept(domains: list[str]) -> None:
    claimed = rows(*domains)
    out = interleaved(claimed)
    assert out == interleaved(claimed)
    for domain in set(domains):
        assert [row for row in out if row.domain == domain] == [r for r in claimed if r.domain == domain]
    assert len(out) == len(claimed)


@given(st.lists(st.sampled_from("aaaaaabbcd"), min_size=1, max_size=120))
def test_every_beginning_has_each_domain_in_its_share(domains: list[str]) -> None:
    """At no place is a domain further ahead or behind its share than by the other domains' one copy each."""
    sizes, seen = Counter(domains), Counter[str]()
    for place, row in enumerate(interleaved(rows(*domains)), 1):
        seen[row.domain] += 1
        for domain, size in sizes.items():
            assert abs(seen[domain] - size * place / len(domains)) <= len(sizes)


def test_without_rates_everything_comes_out_at_once() -> None:
    queue = Interleave()
    assert queue.wait(NOW) is None
    assert queue.pop(NOW) is None
    queue.add(rows("a", "a", "b"))
    queue.add(rows("c"))
    assert (len(queue), queue.wait(NOW)) == (4, 0.0)
    out = [queue.pop(NOW) for _ in range(5)]
    assert [row.domain if row else "" for row in out] == ["a", "b", "a", "c", ""]


def test_a_domain_that_has_to_wait_holds_nobody_up() -> None:
    queue = Interleave(Domains({"g": Rate(1, 1)}))
    queue.add(rows("g", "g", "g", "a", "b"))
    first = [queue.pop(NOW) for _ in range(4)]
    assert [row.domain if row else "" for row in first] == ["g", "a", "b", ""]
    assert queue.wait(NOW) == pytest.approx(1.0, abs=1e-5)
    assert len(queue) == 2
    assert queue.pop(NOW + 0.5) is None
    queue.add(rows("g", "c"))
    assert order([row for row in [queue.pop(NOW + 0.6)] if row]) == "c"
    taken = [queue.pop(NOW + 1.01 * second) for second in range(1, 5)]
    assert [row.recipient.delivery if row else 0 for row in taken] == [2, 3, 1, 0]
    assert (len(queue), queue.wait(NOW + 9)) == (0, None)


def test_a_domain_is_full_with_its_share_until_half_of_it_has_left() -> None:
    queue = Interleave(Domains({"g": Rate(1, 1), "h": Rate(1, 1)}), most=8)
    queue.add(rows(*"ggggg"))
    assert queue.pop(NOW)
    assert queue.full == frozenset()
    assert queue.pop(NOW) is None
    assert (len(queue), queue.full) == (4, frozenset("g"))
    seen = []
    for second in range(1, 5):
        assert queue.pop(NOW + 1.01 * second)
        seen.append(queue.full)
    assert seen == [{"g"}, set(), set(), set()]


def test_more_is_claimed_for_the_others_until_far_too_much_is_set_aside() -> None:
    queue = Interleave(Domains({"g": Rate(1, 3600)}), most=3)
    assert queue.wants_more(1)
    queue.add(rows(*"gggg"))
    assert not queue.wants_more(4)
    queue.pop(NOW)
    queue.pop(NOW)
    assert (len(queue), queue.full) == (3, frozenset("g"))
    assert queue.wants_more(4)
    queue.add(rows("g", "g", "g"))
    queue.pop(NOW)
    assert not queue.wants_more(4)
    assert [row.domain for row in queue.drain()] == ["g"] * 6
    assert (len(queue), queue.drain(), queue.wait(NOW), queue.full) == (0, [], None, frozenset())


def test_a_copy_that_did_not_start_is_the_next_and_costs_its_domain_nothing() -> None:
    queue = Interleave(Domains({"g": Rate(1, 3600)}))
    queue.add(rows("g", "a"))
    row = queue.pop(NOW)
    assert row
    queue.put_back(row, NOW)
    assert queue.pop(NOW + 1) == row


def test_two_editions_share_the_rate_of_a_domain() -> None:
    """The one that finds the rate used up by the other waits once more."""
    domains = Domains({"g": Rate(1, 1)})
    first, second = Interleave(domains), Interleave(domains)
    for queue in (first, second):
        queue.add(rows("g", "g"))
    assert first.pop(NOW)
    assert second.pop(NOW) is None
    assert first.pop(NOW + 1.01)
    assert second.pop(NOW + 1.01) is None
    assert second.wait(NOW + 1.01) == pytest.approx(1.0, abs=1e-4)
    assert second.pop(NOW + 2.02)


@given(
    st.lists(st.lists(st.sampled_from("ggghab"), max_size=20), max_size=6),
    st.integers(1, 5),
    st.lists(st.floats(0, 2), max_size=30),
)
def test_everybody_comes_out_once_and_each_domain_in_its_time(
    pages: list[list[str]], rate: int, pauses: list[float]
) -> None:
    queue, now = Interleave(Domains({"g": Rate(rate, 1), "h": Rate(1, 2)})), NOW
    numbers, out = iter(range(1, 1000)), list[tuple[float, Claimed]]()
    waiting = [[Claimed(Recipient(n := next(numbers), n, "x"), 0, d) for d in page] for page in pages]
    everybody = [row for page in waiting for row in page]
    for pause in [*pauses, *[0.0] * 1000]:
        if waiting:
            queue.add(waiting.pop(0))
        while row := queue.pop(now):
            out.append((now, row))
        wait = queue.wait(now)
        if wait is None and not waiting:
            break
        now += max(pause, 1e-5) if pause else (wait or 0.0) + 2e-6
    assert sorted(row.recipient.delivery for _, row in out) == [row.recipient.delivery for row in everybody]
    times = [moment for moment, row in out if row.domain == "g"]
    assert all(times[n + rate] - times[n] >= 0.999999 for n in range(len(times) - rate))
