"""Tables however they were written."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import ImportFailed, UsageError
from digest.importers import Context, Rejected, read_stories
from digest.importers.columns import STORY, parse_map
from digest.importers.figures import parse_figure
from digest.model import DateOrder, StoryDraft, StoryKind

SEEN = dt.datetime(2026, 11, 16, 8, 0, tzinfo=dt.UTC)


class Outcome:
    """What reading a document gave."""

    def __init__(self, data: str | bytes, form: str = "auto", **context: Any) -> None:
        self.rejected: list[Rejected] = []
        self.notes: list[str] = []
        how = Context("table.csv", SEEN, **context)
        raw = io.BytesIO(data.encode() if isinstance(data, str) else data)
        found = read_stories(raw, how, form=form, reject=self.rejected.append, note=self.notes.append)
        self.drafts: list[StoryDraft] = list(found)

    @property
    def titles(self) -> list[str]:
        return [draft.title for draft in self.drafts]


ROWS = "id,title,url\n1,One,https://a.example/1\n2,Two,https://a.example/2\n"


def test_a_table_becomes_drafts() -> None:
    found = Outcome(
        "ID,Headline,Link,By,Category,Published at,Summary,Content,Image URL,Image alt,Lang,Kind\n"
        '7,"One, two",https://a.example/7?utm_source=x,Eva,Culture,2026-11-15T10:00:00+01:00,Short.,'
        "<p>Long.</p><p>Longer.</p>,/p.jpg,A pier,en_gb,video\n",
        base_url="https://a.example/",
    )
    (draft,) = found.drafts
    assert (draft.external_id, draft.title, draft.url) == ("7", "One, two", "https://a.example/7")
    assert (draft.author, draft.section, draft.language, draft.kind) == (
        "Eva",
        "Culture",
        "en-GB",
        StoryKind.video,
    )
    assert draft.published == dt.datetime(2026, 11, 15, 9, 0, tzinfo=dt.UTC)
    assert (draft.standfirst, draft.body) == ("Short.", "<p>Long.</p><p>Longer.</p>")
    assert draft.picture is not None
    assert (draft.picture.url, draft.picture.alt) == ("https://a.example/p.jpg", "A pier")
    assert not found.rejected
    assert not found.notes


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_the_delimiter_and_the_line_ends_are_found_out(delimiter: str, ending: str) -> None:
    assert Outcome(ROWS.replace(",", delimiter).replace("\n", ending)).titles == ["One", "Two"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
def test_the_encoding_is_found_out(encoding: str) -> None:
    found = Outcome(ROWS.replace("One", "Zürich – “alles”").encode(encoding))
    assert found.titles == ["Zürich – “alles”", "Two"]
    assert any("Windows-1252" in note for note in found.notes) == (encoding == "cp1252")


def test_a_file_of_mixed_encodings_is_read_byte_by_byte() -> None:
    data = ROWS.encode().replace(b"One", "Zürich".encode()).replace(b"Two", "Köln".encode("cp1252"))
    assert Outcome(data).titles == ["Zürich", "Köln"]


def test_gzip_is_told_by_its_content() -> None:
    assert Outcome(gzip.compress(ROWS.encode())).titles == ["One", "Two"]


def test_a_damaged_archive_gives_what_came_before_and_an_error() -> None:
    packed = gzip.compress(
        ("id,title,url\n" + "".join(f"{n},{n},https://a.example/{n}\n" for n in range(9999))).encode()
    )
    found: list[StoryDraft] = []
    with pytest.raises(ImportFailed, match="ends too early"):
        found.extend(
            read_stories(
                io.BytesIO(packed[: len(packed) // 2]),
                Context("t", SEEN),
                reject=lambda _: None,
                note=lambda _: None,
            )
        )


def test_nul_bytes_are_left_out_and_noted() -> None:
    found = Outcome(ROWS.replace("One", "O\0n\0e"))
    assert found.titles == ["One", "Two"]
    assert any("NUL" in note for note in found.notes)


def test_ragged_rows_are_rejected_with_their_number() -> None:
    found = Outcome(
        "id,title,url\n1,One,https://a.example/1,too,many\n\n2,Two\n3,Three,https://a.example/3,\n"
    )
    assert found.titles == ["Three"], "empty cells too many do no harm"
    assert [(r.row, r.reason) for r in found.rejected] == [
        (2, "5 cells where the header has 3"),
        (4, "2 cells where the header has 3"),
    ]
    assert found.rejected[0].content == "1,One,https://a.example/1,too,many"


def test_quoted_cells_may_hold_anything() -> None:
    found = Outcome(
        'id,title,url\n1,"One, ""two""\nand three",https://a.example/1\n2,Two,https://a.example/2\n'
    )
    assert found.titles == ['One, "two" and three', "Two"]


def test_a_stray_quotation_mark_costs_no_other_row() -> None:
    rows = "".join(f"{n}|Title {n}|https://a.example/{n}\n" for n in range(1, 50))
    found = Outcome("id|title|url\n" + rows.replace("|Title 7|", '|"Title 7|'))
    assert len(found.drafts) == 49
    assert found.rejected == []


def test_the_first_title_that_is_not_empty_counts() -> None:
    found = Outcome(
        "id,title_first,title_last,url\n1,Old,New,https://a.example/1\n2,Only,,https://a.example/2\n"
    )
    assert found.titles == ["New", "Only"]


def test_created_is_the_date_only_without_first_seen() -> None:
    row = "1,One,https://a.example/1,1604802084"
    created = Outcome(f"id,title,url,created_at\n{row}\n").drafts[0]
    assert created.published == dt.datetime(2020, 11, 8, 2, 21, 24, tzinfo=dt.UTC)
    seen = Outcome(f"id,title,url,created_at,first_seen\n{row},1604891936\n")
    assert seen.drafts[0].published is None
    assert seen.drafts[0].first_seen == dt.datetime(2020, 11, 9, 3, 18, 56, tzinfo=dt.UTC)
    assert seen.notes == ["columns that were not used: created_at"]


def test_a_date_that_cannot_be_read_rejects_the_row() -> None:
    found = Outcome("id,title,url,date\n1,One,https://a.example/1,the 8th of April\n")
    assert found.drafts == []
    assert "the 8th of April" in found.rejected[0].reason


def test_a_date_far_ahead_counts_as_missing() -> None:
    found = Outcome("id,title,url,date\n1,One,https://a.example/1,2030-01-01\n")
    assert found.drafts[0].published is None
    assert found.notes == ["dates more than a day ahead, which count as missing: 1"]


def test_rows_without_link_or_heading_are_rejected() -> None:
    found = Outcome("id,title,url\n1,One,\n2,,https://a.example/2\n3,Three,mailto:x@a.example\n")
    assert [r.reason.partition(" (")[0] for r in found.rejected] == [
        "no link", "no heading", "the link is not http or https but mailto:",
    ]  # fmt: skip


def test_relative_links_start_from_the_base_and_are_noted() -> None:
    found = Outcome("id,title,url\n1,One,item?id=1\n", base_url="https://a.example/news/")
    assert found.drafts[0].url == "https://a.example/news/item?id=1"
    assert "https://a.example/news/" in found.notes[0]


def test_an_id_that_is_an_address_serves_as_the_link() -> None:
    found = Outcome("guid,title\nhttps://a.example/1,One\n")
    assert found.drafts[0].url == "https://a.example/1"


def test_a_missing_column_names_those_found_and_the_way_out() -> None:
    with pytest.raises(UsageError, match="no column for title; found: id, überschrift, url") as failed:
        Outcome("id,überschrift,url\n1,One,https://a.example/1\n")
    assert "--map title=COLUMN" in failed.value.hint


def test_columns_are_mapped_by_hand() -> None:
    mapped = parse_map(["title=Schlagzeile|Titel", "id=Nummer"], STORY)
    found = Outcome(
        "Nummer,Schlagzeile,Titel,url,title\n1,,Zweite,https://a.example/1,never\n", mapped=mapped
    )
    assert (found.titles, found.drafts[0].external_id) == (["Zweite"], "1")


@pytest.mark.parametrize(
    ("setting", "said"), [("title", "no column"), ("title=", "no column"), ("tilte=x", "did you mean title")]
)
def test_a_wrong_map_is_refused(setting: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_map([setting], STORY)


def test_a_map_to_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no column 'Nope'") as failed:
        Outcome(ROWS, mapped={"title": ("Nope",)})
    assert "Found: id, title, url" in failed.value.hint


def test_a_column_of_tags_gives_its_first() -> None:
    assert Outcome('id,title,url,tags\n1,One,https://a.example/1,"ask,meta"\n').drafts[0].section == "ask"


def test_excel_may_say_its_separator_first() -> None:
    assert Outcome("sep=;\n" + ROWS.replace(",", ";")).titles == ["One", "Two"]


@pytest.mark.parametrize("data", ["", "\n\n", "\ufeff"])
def test_an_empty_table_is_an_error(data: str) -> None:
    with pytest.raises(ImportFailed, match="empty"):
        Outcome(data, form="csv")


def test_a_header_alone_is_an_empty_table() -> None:
    assert Outcome("id,title,url\n").drafts == []


# --- JSONL ----------------------------------------------------------------------------------------


def test_objects_become_drafts_and_paths_lead_into_them() -> None:
    line = {
        "id": 7, "title": "One", "url": "/7", "published_at": "2026-11-15T10:00:00+01:00",
        "authors": ["Eva", "Jo"], "canonical_section": {"name": "Culture"}, "duration": None,
    }  # fmt: skip
    found = Outcome(
        json.dumps(line) + "\n\n",
        base_url="https://a.example/",
        mapped=parse_map(["section=canonical_section.name"], STORY),
    )
    (draft,) = found.drafts
    assert (draft.external_id, draft.url, draft.author, draft.section) == (
        "7",
        "https://a.example/7",
        "Eva",
        "Culture",
    )
    assert "columns that were not used: duration" in found.notes


def test_lines_that_are_no_object_are_rejected() -> None:
    good = '{"id": 1, "title": "One", "url": "https://a.example/1"}'
    found = Outcome(f"{good}\n{{broken\n[1]\n{good.replace('1', '2')}\n")
    assert found.titles == ["One", "One"]
    assert [r.row for r in found.rejected] == [2, 3]


@pytest.mark.parametrize("data", ['[{"id": 1}]', "[\n{}\n]", "[\n1,\n2]"])
def test_one_document_is_no_object_a_line(data: str) -> None:
    with pytest.raises(ImportFailed, match="JSON") as failed:
        Outcome(data, form="jsonl")
    assert "--format json" in failed.value.hint


def test_a_feed_is_told_from_a_table() -> None:
    assert Outcome(
        "<rss version='2.0'><channel><item><link>https://a.example/1</link><title>One</title>"
        "</item></channel></rss>"
    ).titles == ["One"]


# --- properties -----------------------------------------------------------------------------------

_cell = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)


@given(st.lists(_cell, max_size=8), st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]))
def test_every_row_of_a_well_written_table_is_read(titles: list[str], delimiter: str, ending: str) -> None:
    import csv

    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=ending)
    writer.writerow(("id", "title", "url"))
    writer.writerows((n, title, f"https://a.example/{n}") for n, title in enumerate(titles))
    found = Outcome(text.getvalue())
    assert len(found.drafts) + len(found.rejected) == len(titles)
    assert all(rejected.reason == "no heading" for rejected in found.rejected)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for form in ("auto", "csv", "jsonl"):
        try:
            Outcome(b"id,title,url\n" + data if form == "csv" else data, form=form)
        except (ImportFailed, UsageError):
            continue


# --- however it was written -----------------------------------------------------------------------


def test_the_delimiter_is_what_cuts_all_lines_alike() -> None:
    found = Outcome("Title, short;Link\nOne;https://a.example/1\n", mapped={"title": ("Title, short",)})
    assert found.titles == ["One"]
    found = Outcome('title|url\n"A, b, c, d"|https://a.example/1\nE, f|https://a.example/2\n')
    assert found.titles == ["A, b, c, d", "E, f"]


def test_a_table_without_names_asks_for_them() -> None:
    rows = "7|2026-11-15T10:00:00Z|https://a.example/7|Seven|2\n8|2026-11-15T11:00:00Z|https://a.example/8|Eight|3\n"
    with pytest.raises(UsageError, match="names no columns: 7, 2026") as failed:
        Outcome(rows)
    assert "--columns" in failed.value.hint
    found = Outcome(rows, columns=("id", "created_at", "url", "title", "score"))
    assert found.titles == ["Seven", "Eight"]
    assert found.drafts[0].published == dt.datetime(2026, 11, 15, 10, tzinfo=dt.UTC)


def test_a_stated_encoding_is_used() -> None:
    data = "title,url\nПривет,https://a.example/1\n".encode("windows-1251")
    assert Outcome(data, encoding="windows-1251").titles == ["Привет"]
    with pytest.raises(UsageError, match="no encoding 'klingon'"):
        Outcome(data, encoding="klingon")


def test_letters_that_were_encoded_twice_are_read_as_they_were_meant() -> None:
    titles = ["Díaz’s “été”", "Привет", "plain"]
    data = "title,url\n" + "".join(f"{t},https://a.example/{n}\n" for n, t in enumerate(titles))
    mended = Outcome(data.encode().decode("latin-1").encode())
    assert mended.titles == titles
    assert any("encoded twice" in note for note in mended.notes)
    as_windows = "title,url\nDíaz’s été,https://a.example/1\n".encode().decode("cp1252").encode()
    assert Outcome(as_windows).titles == ["Díaz’s été"]


@pytest.mark.parametrize("title", ["BEYONCÉ’S TOUR", "café”—he said", "IRMÔ”", "São Paulo", "“NÃO”", "10 °C"])
def test_letters_that_are_right_stay(title: str) -> None:
    assert Outcome(f"title,url\n{title},https://a.example/1\n").titles == [title]


def test_all_dates_of_a_file_decide_whether_the_month_comes_first() -> None:
    rows = "".join(f"{n},T{n},https://a.example/{n},08/0{n}/2016 11:52\r\n" for n in range(1, 10))
    head = "id,title,url,author    id,created_at\r\n".replace("author    id,", "")
    late = Outcome(head + rows * 40 + "99,Last,https://a.example/99,6/23/2016 22:20\r\n")
    assert len(late.drafts) == 361
    assert late.drafts[0].published == dt.datetime(2016, 8, 1, 11, 52, tzinfo=dt.UTC)
    assert "dates have the month first, shown by 6/23/2016 22:20" in late.notes
    with pytest.raises(UsageError, match="nothing tells whether day or month comes first") as failed:
        Outcome(head + rows)
    assert 'date_order = "dmy"' in failed.value.hint
    assert Outcome(head + rows, order=DateOrder.dmy).drafts[1].published == dt.datetime(
        2016, 2, 8, 11, 52, tzinfo=dt.UTC
    )


def test_dates_in_two_orders_are_refused_unless_one_is_said() -> None:
    rows = "title,url,date\nA,https://a.example/1,13/4/2016\nB,https://a.example/2,4/13/2016\n"
    with pytest.raises(UsageError, match="stand beside each other"):
        Outcome(rows)
    found = Outcome(rows, order=DateOrder.mdy)
    assert found.titles == ["B"]
    assert "13/4/2016" in found.rejected[0].reason


def test_an_order_is_found_in_objects_too() -> None:
    row = {"id": 1, "title": "One", "url": "https://a.example/1", "date": "13/4/2016", "x": {"y": "z"}}
    found = Outcome("\n".join([json.dumps(row)] * 2), mapped={"author": ("x.y",)})
    assert found.drafts[0].author == "z"
    assert found.drafts[0].published == dt.datetime(2016, 4, 13, tzinfo=dt.UTC)


def test_a_story_without_link_gets_one_of_its_columns() -> None:
    rows = "id,title,url\na/1,One,\nb,Two,https://b.example/2\n,Three,\n"
    found = Outcome(rows, link="https://a.example/s/{id}?t={title}")
    assert [d.url for d in found.drafts] == ["https://a.example/s/a%2F1?t=One", "https://b.example/2"]
    assert found.rejected[0].reason == "no link"
    with pytest.raises(UsageError, match="link: there is no column 'nid'"):
        Outcome(rows, link="https://a.example/{nid}")


def test_figures_of_a_table_are_taken_with_its_stories() -> None:
    taken: list[tuple[str, str, float, dt.datetime]] = []
    found = Outcome(
        "timestamp,rank,title,link,hits\n"
        "2026-11-15 01:00:00 UTC,1,One,https://a.example/1,5\n"
        "2026-11-15 02:00:00 UTC,3,One,https://a.example/1,\n"
        "2026-11-15 02:00:00 UTC,0,Two,https://a.example/2,5\n"
        "2026-11-15 02:00:00 UTC,2,Three,https://a.example/3,many\n",
        figures=(parse_figure("top:rank=rank"), parse_figure("hits=hits")),
        measure=lambda metric, r: taken.append((metric.name, r.story, r.value, r.at)),
    )
    at = dt.datetime(2026, 11, 15, 1, tzinfo=dt.UTC)
    one = "https://a.example/1"
    assert taken == [
        ("top", one, 1.0, at),
        ("hits", one, 5.0, at),
        ("top", one, 0.5, at + dt.timedelta(hours=1)),
    ]
    assert [r.reason for r in found.rejected] == [
        "'0' is no position: the top is 1",
        "'many' is no number; write digits and a point",
    ]
    assert found.drafts[0].first_seen == at


def test_a_count_needs_its_time_and_a_signal_its_column() -> None:
    found = Outcome(ROWS.replace("id,", "n,"), figures=(parse_figure("views:count=n"),))
    assert found.drafts == []
    assert "no time at which it was measured" in found.rejected[0].reason
    with pytest.raises(UsageError, match="signal: there is no column 'points'"):
        Outcome(ROWS, figures=(parse_figure("points=points"),))


@pytest.mark.parametrize("text", ["points", "=x", "points=", "points:sum=x", "auto=x", "p:0d=x", ":total=x"])
def test_a_signal_that_is_none_is_refused_with_its_form(text: str) -> None:
    with pytest.raises(UsageError, match="signal"):
        parse_figure(text)


def test_a_table_with_many_columns_of_one_name_is_read_at_once() -> None:
    data = "title,url," + ",".join(["x"] * 200_000) + "\nOne,https://a.example/1" + "," * 200_000 + "\n"
    assert Outcome(data).titles == ["One"]


_CELL = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Co", "Cn", "Zl", "Zp"), blacklist_characters="\ufeff"),
    min_size=1,
    max_size=20,
).map(lambda text: "T" + text)


@given(
    st.lists(_CELL, min_size=1, max_size=6),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_a_table_of_any_dialect_gives_its_rows(
    titles: list[str], delimiter: str, ending: str, encoding: str, quoting: Any
) -> None:
    made = io.StringIO()
    writer = csv.writer(made, delimiter=delimiter, lineterminator=ending, quoting=quoting)
    writer.writerow(("id", "url", "title", "section"))
    for number, title in enumerate(titles):
        writer.writerow((number, f"https://a.example/{number}", title, "News"))
    found = Outcome(made.getvalue().encode(encoding))
    assert [d.external_id for d in found.drafts] == [str(n) for n in range(len(titles))]
    assert not found.rejected
