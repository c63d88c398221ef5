"""The benchmark's own arithmetic, and how benchmarks are found."""

from __future__ import annotations

import math

import pytest

from benchmarks.__main__ import main, names
from digest.work.backtest import interval, ndcg


def test_the_best_order_scores_one() -> None:
    assert ndcg([1, 2, 3], {1: 30.0, 2: 20.0, 3: 10.0}) == 1


def test_a_worse_order_loses_by_the_logarithm_of_the_rank() -> None:
    best = 30 + 10 / math.log2(3)
    assert ndcg([2, 1], {1: 30.0, 2: 10.0}) == pytest.approx((10 + 30 / math.log2(3)) / best)


def test_what_was_missed_counts_against_the_list() -> None:
    assert ndcg([2], {1: 30.0, 2: 10.0}) == pytest.approx(10 / (30 + 10 / math.log2(3)))


def test_only_ten_places_count() -> None:
    gains = {number: 100.0 - number for number in range(20)}
    assert ndcg(list(range(20)), gains) == 1


def test_the_interval_is_the_same_on_every_run() -> None:
    differences = [0.01 * number for number in range(-5, 9)]
    assert interval(differences) == interval(differences)
    low, high = interval([0.5] * 9)
    assert low == pytest.approx(0.5)
    assert high == pytest.approx(0.5)


def test_missing_input_is_said_and_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BENCH_DATA", "/nonexistent")
    assert main(["ranking"]) == 0
    assert "set BENCH_DATA" in capsys.readouterr().out


def test_every_module_is_a_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    assert "ranking" in names()
    assert main(["nothing"]) == 2
    assert "there are" in capsys.readouterr().err
