"""Checks of MJML source: what the compiler would swallow is refused, with its place."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.render.checks import DEEPEST, MOST_CHARACTERS, MOST_TAGS, Problem, check, scan


def page(content: str, head: str = "") -> str:
    body = f"<mj-body><mj-section><mj-column>{content}</mj-column></mj-section></mj-body>"
    return f"<mjml><mj-head>{head}</mj-head>{body}</mjml>"


def text(content: str) -> str:
    return page(f"<mj-text>{content}</mj-text>")


def said(source: str) -> str:
    return "; ".join(problem.text for problem in check(source))


GOOD = [
    text("Plain words &amp; an entity &nbsp; 1 > 0"),
    text('<h1 class="x">A<br>b<br/>c <img src="x.png" alt=""></h1><hr>'),
    text("<!--[if mso]><table><tr><td><![endif]-->x<!--[if mso]></td></tr></table><![endif]-->"),
    text('<p title="a > b">x</p>'),
    text("<o:p>Outlook's own</o:p>"),
    page('<mj-image src="x.png" alt="" width="100px" padding="0px 8px" />'),
    page('<mj-button href="https://example.org" color="rgb(1, 2, 3)">Go <b>on</b></mj-button>'),
    page("<mj-raw><tr><td>x</td></tr></mj-raw>"),
    page(
        '<mj-text color="red">x</mj-text>',
        head="<mj-title>T</mj-title><mj-preview>P</mj-preview>"
        '<mj-style inline="inline">.a > .b { color: red }</mj-style>'
        '<mj-attributes><mj-all padding="0px"/><mj-class name="q" color="blue"/></mj-attributes>'
        "<mj-raw><style>p < b {}</style></mj-raw>",
    ),
    "<!doctype mjml>" + text("x"),
]


@pytest.mark.parametrize("source", GOOD)
def test_good_source_has_no_problem(source: str) -> None:
    assert check(source) == ()


BAD = [
    (page("<mj-txt>x</mj-txt>"), "unknown tag <mj-txt>; did you mean mj-text?"),
    (text("<blink>x</blink>"), "unknown tag <blink>"),
    (page('<mj-text colour="red">x</mj-text>'), "<mj-text> has no attribute colour; did you mean color?"),
    (page('<mj-text color="#12">x</mj-text>'), "color='#12' on <mj-text> is not a colour"),
    (
        page('<mj-section background-color="">x</mj-section>'),
        "background-color='' on <mj-section> is not a colour",
    ),
    (page('<mj-text padding="1 potato">x</mj-text>'), "is not a length"),
    (page("<mj-text color>x</mj-text>"), 'color on <mj-text> needs a value: color="..."'),
    (page('<mj-text color="red" color="blue">x</mj-text>'), "<mj-text> has color twice"),
    (page("<mj-section></mj-section>"), "<mj-section> is not allowed in <mj-column>"),
    (text("<mj-button>x</mj-button>"), "<mj-button> is not allowed in <mj-text>"),
    (text("<div><mj-button>x</mj-button></div>"), "<mj-button> is not allowed in <div>"),
    (page("<p>x</p>"), "<p> is not allowed in <mj-column>: put HTML into <mj-text> or <mj-raw>"),
    (page("words"), "stray text in <mj-column>: 'words'"),
    ("words" + text("x"), "stray text outside of <mjml>: 'words'"),
    (text("x") + "<p>y</p>", "<p> is not allowed outside of <mjml>"),
    (text("<p>unclosed"), "<p> is never closed"),
    (text("<b><i>x</b></i>"), "<i> is never closed"),
    (text("x</p>"), "</p> closes nothing"),
    (text("<br></br>"), "</br>: <br> has no closing tag"),
    (text("a < b"), "this is no tag"),
    (text("<td width=32>x</td>"), "this is no tag"),
    (text('<p title="x>y</p>'), "this is no tag"),
    (text("</p =>"), "this is no tag"),
    (text("<!-- never closed"), "a comment is never closed"),
    (text("<script>alert(1)</script>"), "<script> is not possible here: mail programs remove scripts"),
    (text('<p onclick="x()">x</p>'), "onclick on <p>: mail programs remove scripts"),
    (text('<form action="x"></form>'), "<form> is not possible here"),
    (page('<mj-include path="x" />'), "use {% include"),
    (page('<mj-image src="x.png" />'), "<mj-image> has no alt"),
    (text('<img src="x.png">'), "<img> has no alt"),
    ("<mjml></mjml>", "<mjml> has no <mj-body>"),
    ("<mj-body></mj-body>", "<mj-body> is outside of <mjml>"),
    ("", "the source must be one <mjml> element"),
    (text("x") + text("y"), "the source must be one <mjml> element"),
]


@pytest.mark.parametrize(("source", "problem"), BAD)
def test_bad_source_is_named(source: str, problem: str) -> None:
    assert problem in said(source)


def test_a_problem_has_the_place_of_its_tag() -> None:
    source = text("x <blink>y</blink>")
    assert [problem.offset for problem in check(source)] == [source.index("<blink>")]


def test_stray_text_has_the_place_of_its_first_letter() -> None:
    source = page("\n\n  words")
    assert check(source) == (Problem(source.index("words"), "stray text in <mj-column>: 'words'"),)


def test_nesting_that_would_crash_the_compiler_is_refused() -> None:
    assert "nested more than" in said(text("<b>" * 20_000))
    assert "nested more than" not in said(text("<b>" * (DEEPEST - 6) + "</b>" * (DEEPEST - 6)))


def test_source_without_end_is_refused() -> None:
    assert "tags" in said(text("<br>" * (MOST_TAGS + 1)))
    assert "characters of MJML" in said(text("x" * MOST_CHARACTERS))


@pytest.mark.parametrize("part", ["<a ", '<a b="', "<!--", "<a b='c' ", "</", '<a b="c"', "< "])
def test_checking_takes_linear_time(part: str) -> None:
    source = text(part * (200_000 // len(part)))
    started = time.process_time()
    check(source)
    assert time.process_time() - started < 5


@given(st.text(alphabet="<>/\"'=!-abm j\n&;"))
def test_any_text_can_be_scanned_and_nothing_is_lost(source: str) -> None:
    pieces = list(scan(source))
    assert "".join(source[piece.start : piece.end] for piece in pieces) == source
    assert all(problem.offset <= len(source) for problem in check(source))
