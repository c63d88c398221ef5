"""Rates as people write them, and the section that they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.config import Sending, load
from digest.config.rates import parse_domain_rate, parse_rate
from digest.errors import ConfigError
from digest.model import Rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/s", Rate(10, 1)),
        ("600/h", Rate(600, 3600)),
        (" 20 / M ", Rate(20, 60)),
        ("50000/d", Rate(50_000, 86_400)),
    ],
)
def test_a_rate(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "10", "0/h", "10/y", "-1/s", "1.5/s", "1/s/s", "٣/s", "1234567890/s"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        parse_rate(text)


def test_a_domain_is_known_by_its_a_labels() -> None:
    assert parse_domain_rate("Bücher.example  5/m") == ("xn--bcher-kva.example", Rate(5, 60))


def loaded(folder: Path, sending: str) -> Sending:
    file = folder / "config.toml"
    file.write_text(f"[sending]\n{sending}\n", "utf-8")
    return load(file, {}).sending


def test_limits_that_are_set_are_rates(tmp_path: Path) -> None:
    assert Sending().rates == ()
    found = loaded(tmp_path, 'per_second = 14\nper_day = 50000\ndomains = ["gmail.com 600/h", "x.org 1/s"]')
    assert found.rates == (Rate(14, 1), Rate(50_000, 86_400))
    assert found.domain_rates == {"gmail.com": Rate(600, 3600), "x.org": Rate(1, 1)}


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ('domains = ["gmail.com"]', "sending.domains[1]", 'such as "gmail.com 600/h"'),
        ('domains = ["gmail.com 600"]', "sending.domains[1]", 'such as "gmail.com 600/h"'),
        ('domains = ["-.com 6/h"]', "sending.domains[1]", "is not a domain"),
        ('domains = ["a.org 6/h", "A.org 7/h"]', "sending.domains", "two rates for a.org"),
        ('retry_first = "2h"\nretry_longest = "1h"', "sending.retry_longest", "shorter than retry_first"),
        ('retry_first = "0"', "sending.retry_first", "too small"),
        ("hard_bounce_limit = 1", "sending.hard_bounce_limit", "too large"),
        ("per_hour = -1", "sending.per_hour", "too small"),
    ],
)
def test_a_wrong_limit_is_named(tmp_path: Path, text: str, key: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert caught.value.key == key
    assert says in str(caught.value)
