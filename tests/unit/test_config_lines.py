"""Every key of a valid TOML text has a line, and the right one."""

from __future__ import annotations

import json
import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from digest.config.lines import Path, key_lines

SAMPLE = '''\
# a comment with [brackets] and = signs
top = "a # b"   # after
[smtp]
host = 'x'
"quoted.key" = """
several
"lines" \\"""
"""
port = 25
list = [1, # one
  [2, 3],
  "]",
]
inline = { a = 1, b.c = { d = "}" } }
[newsletter.weekly]
name = "W"
[newsletter . "daily"]
name = "D"
[[source]]
name = "one"
[source.more]
deep = 1
[[source]]
name = "two"
last = \'\'\'x''\'\'\'
'''


def test_keys_are_found_on_their_lines() -> None:
    lines = key_lines(SAMPLE)

    assert lines[("top",)] == 2
    assert lines[("smtp",)] == 3
    assert lines[("smtp", "quoted.key")] == 5
    assert lines[("smtp", "port")] == 9
    assert lines[("smtp", "list", 1, 0)] == 11
    assert lines[("smtp", "inline", "b", "c", "d")] == 14
    assert lines[("newsletter", "weekly", "name")] == 16
    assert lines[("newsletter", "daily")] == 17
    assert lines[("source", 0, "more", "deep")] == 22
    assert lines[("source", 1, "name")] == 24
    assert lines[("source", 1, "last")] == 25


def test_windows_line_ends_count_once() -> None:
    assert key_lines("a = 1\r\n\r\nb = 2\r\n")[("b",)] == 3


def paths(value: Any, path: Path = ()) -> set[Path]:
    found = {path} if path else set()
    if isinstance(value, dict):
        return found.union(*(paths(item, (*path, key)) for key, item in value.items()))
    if isinstance(value, list):
        return found.union(*(paths(item, (*path, index)) for index, item in enumerate(value)))
    return found


keys = st.one_of(st.from_regex(r"[A-Za-z0-9_-]{1,4}", fullmatch=True), st.text(max_size=4)).filter(
    lambda key: not any("\ud800" <= c <= "\udfff" for c in key)
)
scalars = st.one_of(
    st.integers(-(2**40), 2**40),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["#", "'''", '"""', "[[a]]", "a = 1\nb = 2", "\\", "}", "]", ",", "''", '""']),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
documents = st.dictionaries(keys, values, max_size=4)


def quoted(text: str, style: int) -> str:
    """One of TOML's ways to write a string; JSON's escapes are a subset of TOML's basic strings."""
    basic = json.dumps(text).replace("\x7f", "\\u007f")
    multi = basic[1:-1]
    printable = all(c == "\t" or (c >= " " and c != "\x7f") for c in text)
    if style == 1 and printable and "'" not in text:
        return f"'{text}'"
    if style == 2:
        return f'"""{multi}"""'
    if style == 3 and printable and "'" not in text:
        return f"'''{text}'''"
    return basic


def written(value: Any, draw: st.DataObject) -> str:
    blank = draw.draw(st.sampled_from(["", " ", "\n", " # ], } = [x]\n"]))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(_without_pairs(value), draw.draw(st.integers(0, 3)))
    if isinstance(value, list):
        return "[" + ",".join(blank + written(item, draw) + blank for item in value) + "]"
    if isinstance(value, dict):
        pairs = (f"{name(key, draw)} = {written(item, draw)}" for key, item in value.items())
        return "{ " + ", ".join(pairs) + " }"
    return repr(value)


def _without_pairs(text: str) -> str:
    """JSON writes characters beyond the BMP as surrogate pairs, which TOML refuses."""
    return "".join(c for c in text if ord(c) < 0x10000)


def name(key: str, draw: st.DataObject) -> str:
    bare = key.isascii() and key != "" and all(c.isalnum() or c in "_-" for c in key)
    return key if bare and draw.draw(st.booleans()) else quoted(key, 0)


@given(documents, st.data())
def test_every_key_that_tomllib_reads_has_a_line(document: dict[str, Any], draw: st.DataObject) -> None:
    document = {_without_pairs(key): value for key, value in document.items()}
    lines = []
    for key, value in document.items():
        if not isinstance(value, dict):
            lines.append(f"{name(key, draw)} = {written(value, draw)}")
    for key, value in document.items():
        if isinstance(value, dict):
            lines.append(f"[{name(key, draw)}] # header")
            lines.extend(f"{name(k, draw)} = {written(v, draw)}" for k, v in value.items())
    text = "\n".join(lines)
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # two keys that became one
        return
    found = key_lines(text)

    assert set(found) == paths(parsed)
    rows = text.split("\n")
    for path, line in found.items():
        top = path[0]
        if len(path) == 1 and isinstance(top, str):
            assert rows[line - 1].lstrip("[").startswith((top or '""', quoted(top, 0)))
