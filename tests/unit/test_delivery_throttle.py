"""Limits hold over every span of time, waste little, and spread starts evenly."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.delivery.throttle import Domains, Throttle, Window, growth_limit
from digest.model import Rate

SECOND, MINUTE, HOUR, DAY = 1, 60, 3600, 86400
START = 1000.0


def busiest(starts: Sequence[tuple[float, int]], seconds: float) -> int:
    """The most starts in any span [t, t + seconds)."""
    most = total = first = 0
    for moment, count in starts:
        total += count
        while moment - starts[first][0] >= seconds:
            total -= starts[first][1]
            first += 1
        most = max(most, total)
    return most


def run_greedily(throttle: Throttle, seconds: float, *, at_once: int = 10_000) -> list[tuple[float, int]]:
    """What leaves when as much as possible is started as soon as possible."""
    now, starts = START, list[tuple[float, int]]()
    while now < START + seconds:
        count = throttle.take(now, at_once)
        if count:
            starts.append((now, count))
        now += throttle.wait(now) or 1e-3
    return starts


def total(starts: Sequence[tuple[float, int]]) -> int:
    return sum(count for _, count in starts)


def test_without_limits_everything_may_start() -> None:
    throttle = Throttle([Rate(0, SECOND), Rate(0, HOUR)])
    assert throttle.take(START, 500) == 500
    assert throttle.wait(START) == 0.0


steps = st.lists(
    st.tuples(st.integers(0, 3_000_000), st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=80
)


@given(
    steps,
    st.lists(st.builds(Rate, st.integers(1, 60), st.sampled_from([1, 2, 7, 60])), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 30)), max_size=5),
)
def test_no_span_ever_has_more_starts_than_allowed(
    steps: list[tuple[int, int, int]], rates: list[Rate], before: list[tuple[int, int]]
) -> None:
    """Also when some that were taken are given back, and with what left before this process began."""
    throttle, now = Throttle(rates), START
    throttle.seed(now, before)
    earlier = sorted((now - ago, count) for ago, count in before)
    starts: list[tuple[float, int]] = []
    for pause, wanted, unused in steps:
        now += pause / 1_000_000
        taken = throttle.take(now, wanted)
        assert 0 <= taken <= wanted
        back = min(unused, taken)
        throttle.give_back(back, now)
        starts.append((now, taken - back))
    for rate in rates:
        allowed = max(rate.count, busiest(earlier, rate.seconds))
        assert busiest(earlier + starts, rate.seconds) <= allowed


@given(steps, st.integers(1, 30), st.sampled_from([1, 7, 60]))
def test_after_the_wait_something_may_start_and_not_before(
    steps: list[tuple[int, int, int]], count: int, seconds: int
) -> None:
    throttle, now = Throttle([Rate(count, seconds)]), START
    for pause, wanted, _ in steps:
        now += pause / 1_000_000
        throttle.take(now, wanted)
        wait = throttle.wait(now)
        assert 0.0 <= wait <= seconds + 0.01
        if wait > 0:
            assert throttle.take(now, 1) == 0
            now += wait + 2e-6
            assert throttle.take(now, 1) == 1


@pytest.mark.parametrize("rate", [Rate(1, 1), Rate(14, 1), Rate(1000, 1), Rate(5000, 1), Rate(1001, 1)])
def test_a_rate_a_second_is_reached_and_spread_evenly(rate: Rate) -> None:
    starts = run_greedily(Throttle([rate]), 20)
    assert 0.95 * rate.count * 20 - 1 <= total(starts) <= rate.count * 21
    assert busiest(starts, 1.0) <= rate.count
    assert busiest(starts, 0.1) <= rate.count * 0.1 + 2 * max(rate.count / 50, 1)


def test_a_high_rate_wakes_its_caller_some_fifty_times_a_second() -> None:
    assert len(run_greedily(Throttle([Rate(5000, 1)]), 10)) < 1000


@pytest.mark.parametrize("rate", [Rate(1_000_000, HOUR), Rate(50_000, DAY), Rate(7, HOUR)])
def test_a_long_span_is_used_up_at_once_and_again_when_it_is_over(rate: Rate) -> None:
    throttle = Throttle([rate])
    starts = run_greedily(throttle, 3 * rate.seconds, at_once=max(rate.count // 100, 1))
    assert busiest(starts, rate.seconds) <= rate.count
    assert total(starts) >= 2.9 * rate.count


def test_a_million_an_hour_needs_little_memory() -> None:
    window = Window(Rate(1_000_000, HOUR))
    for tick in range(100_000):
        moment = tick * 36_000
        window.put(moment, min(window.room(moment), 10))
    assert window.groups() <= 502


def test_the_tighter_of_two_limits_holds() -> None:
    starts = run_greedily(Throttle([Rate(100, SECOND), Rate(600, MINUTE)]), 60)
    assert total(starts) == 600
    assert busiest(starts, 1.0) <= 100


def test_what_left_before_a_restart_counts() -> None:
    throttle = Throttle([Rate(1000, HOUR), Rate(5000, DAY)])
    throttle.seed(START, [(60 * minute, 100) for minute in range(1, 8)])
    assert throttle.take(START, 10_000) == 300
    assert throttle.take(START + HOUR - 421, 10_000) == 0
    assert throttle.take(START + HOUR - 419, 10_000) == 100
    over = Throttle([Rate(50, HOUR)])
    over.seed(START, [(10, 80)])
    assert over.take(START, 1) == 0
    assert over.wait(START) == pytest.approx(HOUR - 10, abs=0.001)


def test_what_others_let_go_counts_for_long_spans_only() -> None:
    throttle = Throttle([Rate(10, SECOND), Rate(100, HOUR)])
    assert throttle.take(START, 1) == 1
    throttle.others(START + 10, 95)
    assert [throttle.take(START + 11 + n, 1) for n in range(6)] == [1, 1, 1, 1, 0, 0]
    assert throttle.wait(START + 20) == pytest.approx(HOUR - 20, abs=10)
    throttle.others(START + 30, 50)  # more than there was room for
    assert throttle.take(START + HOUR + 5, 10) == 0
    assert throttle.take(START + HOUR + 20, 10) == 1


def test_what_started_is_counted_without_what_was_given_back() -> None:
    throttle = Throttle()
    narrow = throttle.narrowed(Rate(5, HOUR))
    assert narrow.take(START, 9) == 5
    narrow.give_back(2, START)
    assert (throttle.taken, narrow.taken) == (3, 3)


def test_what_did_not_start_after_all_is_free_again() -> None:
    throttle = Throttle([Rate(10, HOUR)])
    assert throttle.take(START, 10) == 10
    throttle.give_back(4, START)
    assert throttle.take(START + 1, 10) == 4
    throttle.give_back(0, START)
    throttle.give_back(5, START - 99)  # nothing of that moment is remembered
    assert throttle.take(START + 2, 10) == 0


def test_a_limit_for_one_edition_stands_within_those_that_are_shared() -> None:
    relay = Throttle([Rate(100, HOUR)])
    first, second = relay.narrowed(Rate(30, HOUR)), relay.narrowed()
    assert first.take(START, 50) == 30
    assert first.wait(START) > 0
    assert second.take(START, 90) == 70
    assert relay.take(START, 1) == 0
    first.give_back(5, START)
    assert second.take(START, 90) == 5
    assert first.take(START, 90) == 0
    assert first.wait(START) == pytest.approx(HOUR, abs=0.001)


def test_editions_in_several_threads_share_one_limit() -> None:
    throttle, taken = Throttle([Rate(10_000, HOUR)]), list[int]()

    def edition() -> None:
        taken.append(sum(throttle.take(START, 7) for _ in range(1000)))

    threads = [threading.Thread(target=edition) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 10_000


def test_a_thread_that_read_the_clock_before_another_took_is_no_trouble() -> None:
    throttle = Throttle([Rate(2, SECOND), Rate(2, MINUTE)])
    assert throttle.take(START + 0.5, 1) == 1
    assert throttle.take(START, 5) == 0
    assert throttle.take(START + 1.0, 5) == 1


# --- domains ------------------------------------------------------------------------------------------


def test_a_domain_with_a_rate_waits_and_the_others_do_not() -> None:
    domains = Throttle(domains={"gmail.com": Rate(60, MINUTE)}).domains
    assert domains.limited("gmail.com")
    assert domains.take("gmail.com", START)
    assert not domains.take("gmail.com", START + 0.5)
    assert domains.wait("gmail.com", START + 0.5) == pytest.approx(0.5, abs=1e-5)
    assert domains.take("gmail.com", START + 1.0001)
    assert domains.take("example.org", START)
    assert domains.wait("example.org", START) == 0.0


def test_a_copy_to_a_domain_that_did_not_start_is_free_again() -> None:
    domains = Domains({"gmail.com": Rate(1, HOUR)})
    assert domains.take("gmail.com", START)
    domains.give_back("gmail.com", START)
    domains.give_back("example.org", START)
    assert domains.take("gmail.com", START + 1)
    assert not domains.take("gmail.com", START + 2)


@given(st.integers(1, 40), st.sampled_from([1, 60]), st.lists(st.integers(0, 2_000_000), max_size=120))
def test_a_domain_never_has_more_than_its_rate(count: int, seconds: int, pauses: list[int]) -> None:
    domains, now, starts = Domains({"d": Rate(count, seconds)}), START, list[tuple[float, int]]()
    for pause in pauses:
        now += pause / 1_000_000
        free = domains.wait("d", now) == 0.0
        assert domains.take("d", now) is free
        starts.append((now, int(free)))
    assert not starts or busiest(starts, seconds) <= count


# --- growth -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "growth", "limit"),
    [(10_000, 0.5, 15_000), (0, 0.5, 1000), (100, 1.0, 1000), (3, 0.0, None), (1001, 0.25, 1252)],
)
def test_the_cap_on_growth_is_a_limit_an_hour(last: int, growth: float, limit: int | None) -> None:
    assert growth_limit(last, growth, 1000) == (Rate(limit, HOUR) if limit else None)
