"""What robots.txt allows (RFC 9309)."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.importers.robots import MOST, parse_robots

US = "newsletter-digest"


def allows(robots: str, path: str) -> bool:
    return parse_robots(robots.encode(), US).allows(f"https://a.example{path}")


@pytest.mark.parametrize(
    ("robots", "path", "allowed"),
    [
        ("", "/x", True),
        ("User-agent: *\nDisallow: /", "/x", False),
        ("User-agent: *\nDisallow: /", "/robots.txt", True),
        ("User-agent: *\nDisallow:", "/x", True),
        ("User-agent: other\nDisallow: /", "/x", True),
        ("User-Agent: Newsletter-Digest\nDisallow: /", "/x", False),
        ("user-agent: newsletter-digest/2.0\ndisallow: /", "/x", False),
        ("User-agent: *\nDisallow: /\nUser-agent: newsletter-digest\nAllow: /", "/x", True),
        ("User-agent: *\nDisallow: /\nUser-agent: newsletter-digest", "/x", True),
        ("User-agent: a\nUser-agent: *\nDisallow: /x", "/x/y", False),
        ("User-agent: *\nDisallow: /x\nSitemap: https://a.example/s\nDisallow: /y", "/y", False),
        ("User-agent: *\nDisallow: /x\n\nUser-agent: a\nDisallow: /y", "/y", True),
        (
            "User-agent: newsletter-digest\nDisallow: /x\nUser-agent: newsletter-digest\nDisallow: /y",
            "/x",
            False,
        ),
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("User-agent: *\nAllow: /a/b\nDisallow: /a", "/a/c", False),
        ("User-agent: *\nDisallow: /p\nAllow: /p", "/p", True),
        ("User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf?z", True),
        ("User-agent: *\nDisallow: /*/amp/*print", "/2026/amp/x-print-1", False),
        ("User-agent: *\nDisallow: /fish*$", "/fisher", False),
        ("User-agent: *\nDisallow: /a$", "/a/b", True),
        ("User-agent: *\nDisallow: /?s=", "/?s=x", False),
        ("User-agent: *\nDisallow: /caf%c3%a9", "/café", False),
        ("User-agent: *\nDisallow: /café", "/caf%C3%A9/x", False),
        ("User-agent: *\nDisallow: /%7Ejoe", "/~joe", False),
        ("User-agent: *  # everybody\r\nDisallow: /x # not here\r", "/x", False),
        ("\ufeffUser-agent: *\nDisallow: /x", "/x", False),
        ("Disallow: /x\nUser-agent: *", "/x", True),
        ("<html><body>Not found", "/x", True),
    ],
)
def test_what_may_be_looked_at(robots: str, path: str, allowed: bool) -> None:
    assert allows(robots, path) is allowed


@given(st.binary(max_size=300), st.text(max_size=40))
def test_any_file_has_an_answer(content: bytes, path: str) -> None:
    assert parse_robots(content, US).allows(f"https://a.example/{path}") in (True, False)


@given(
    st.text(alphabet="ab/*", max_size=8).map(lambda text: f"/{text}"),
    st.booleans(),
    st.text(alphabet="ab/", max_size=10),
)
def test_a_pattern_means_what_a_regular_expression_would(pattern: str, whole: bool, path: str) -> None:
    same = "".join(".*" if c == "*" else re.escape(c) for c in pattern) + (r"\Z" if whole else "")
    refused = not allows(f"User-agent: *\nDisallow: {pattern}{'$' * whole}", f"/{path}")
    assert refused == bool(re.match(same, f"/{path}"))


def test_no_pattern_takes_long() -> None:
    robots = "User-agent: *\n" + "Disallow: /" + "*a" * 2000 + "*b$\n"
    started = time.monotonic()
    assert allows(robots, "/" + "a" * 4000)
    assert time.monotonic() - started < 1


def test_what_stands_behind_the_limit_is_ignored() -> None:
    assert allows("#" * MOST + "\nUser-agent: *\nDisallow: /", "/x")
