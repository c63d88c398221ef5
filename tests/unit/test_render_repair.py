"""Attribute repair: what a template says is what an HTML parser reads behind mrml and css-inline."""

from __future__ import annotations

from html import escape

import css_inline
import html5lib
from hypothesis import given
from hypothesis import strategies as st
from mjml import mjml2html

from digest.render.checks import check
from digest.render.repair import attribute_value, repaired

_BODY = "<mj-body><mj-section><mj-column>"
_HEAD = f"<mjml><mj-head></mj-head>{_BODY}"
_TAIL = "</mj-column></mj-section></mj-body></mjml>"


def compiled(source: str) -> str:
    mjml, css = repaired(source)
    inliner = css_inline.CSSInliner(
        inline_style_tags=False, keep_style_tags=True, load_remote_stylesheets=False, extra_css=css or None
    )
    return inliner.inline(mjml2html(mjml, fonts={}))


def attribute(html: str, tag: str, name: str) -> str | None:
    tree = html5lib.HTMLParser(namespaceHTMLElements=False).parse(html)
    found = tree.find(f".//{tag}")
    return None if found is None else found.get(name)


def readable(value: str) -> str:
    """What must come out: white space as single spaces, nothing that HTML cannot hold."""
    spaced = " ".join(part for part in value.replace("\t", " ").replace("\n", " ").split(" ") if part)
    return "".join(
        letter
        for letter in spaced
        if ord(letter) >= 0x20
        and not 0x7F <= ord(letter) <= 0x9F
        and not 0xFDD0 <= ord(letter) <= 0xFDEF
        and ord(letter) & 0xFFFE != 0xFFFE
    )


_VALUES = st.text(
    st.one_of(
        st.sampled_from("\\ \t\n\"'&<>`\xa0\xad\u0301\u200b\u200d\u2028\ufeff\U0001fae9"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\r\f"),
    ),
    max_size=40,
)


@given(_VALUES)
def test_an_attribute_value_survives_compiling(value: str) -> None:
    written = escape(value, quote=True)
    html = compiled(f'{_HEAD}<mj-text><p title="{written}">x</p></mj-text>{_TAIL}')
    assert (attribute(html, "p", "title") or "").split() == readable(value).split()


@given(_VALUES)
def test_an_attribute_of_a_component_survives_compiling(value: str) -> None:
    written = escape(value, quote=True)
    html = compiled(f'{_HEAD}<mj-image src="x.png" alt="{written}" />{_TAIL}')
    assert (attribute(html, "img", "alt") or "").split() == readable(value).split()


@given(_VALUES)
def test_repairing_twice_changes_nothing_more(value: str) -> None:
    once = attribute_value(escape(value))
    assert attribute_value(once) == once


def test_a_value_in_single_quotes_keeps_its_double_quotes() -> None:
    html = compiled(f"{_HEAD}<mj-text><p title='say \"yes\"'>x</p></mj-text>{_TAIL}")
    assert attribute(html, "p", "title") == 'say "yes"'


def test_decoration_keeps_its_empty_alternative_text() -> None:
    html = compiled(
        f'{_HEAD}<mj-image src="x.png" alt="" /><mj-text><img src="y.png" alt=""></mj-text>{_TAIL}'
    )
    assert html.count('alt=""') == 2


def test_an_attribute_without_value_stays_one() -> None:
    assert "<td nowrap>" in repaired(f"{_HEAD}<mj-raw><tr><td nowrap>x</td></tr></mj-raw>{_TAIL}")[0]


def test_a_bare_zero_in_padding_becomes_a_length() -> None:
    source, _ = repaired(f'{_HEAD}<mj-text padding="0 10px 0 0.5em" line-height="0">x</mj-text>{_TAIL}')
    assert 'padding="0px 10px 0px 0.5em" line-height="0"' in source


def test_white_space_between_words_becomes_one_space_and_none_is_left_between_components() -> None:
    source, _ = repaired(
        "<mjml>\n  <mj-body>\n <mj-raw> <b>a</b>\n\n <i>b</i> </mj-raw> </mj-body>\n</mjml>\n"
    )
    assert source == "<mjml><mj-body><mj-raw> <b>a</b> <i>b</i> </mj-raw></mj-body></mjml>"


def test_preformatted_text_keeps_its_lines() -> None:
    source, _ = repaired(f"{_HEAD}<mj-text><pre>a\n  b</pre>\n\nc</mj-text>{_TAIL}")
    assert "<pre>a\n  b</pre> c" in source


def test_only_the_inline_style_sheet_is_taken_out_and_inlined() -> None:
    head = "<mj-style inline='inline'>.a { color: red }</mj-style><mj-style>.b { color: blue }</mj-style>"
    source = f'<mjml><mj-head>{head}</mj-head>{_BODY}<mj-text><p class="a b">x</p></mj-text>{_TAIL}'
    assert check(source) == ()
    html = compiled(source)
    assert attribute(html, "p", "style") == "color: red;"
    assert ".b { color: blue }" in html
    assert ".a {" not in html


def test_no_web_font_is_ever_linked() -> None:
    html = compiled(f'{_HEAD}<mj-text font-family="Ubuntu, Roboto, sans-serif">x</mj-text>{_TAIL}')
    assert "fonts.googleapis" not in html
