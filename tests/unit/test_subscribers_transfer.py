"""Lists of people as other programs write them."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subscribers import Entry, ImportRefused, Listing, read_list


def listing(folder: Path, content: str | bytes, columns: dict[str, str] | None = None) -> Listing:
    file = folder / "people.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_list(file, columns)


def people(found: Listing) -> list[tuple[str, str]]:
    return [(entry.address, entry.name) for entry in found.entries()]


def reasons(found: Listing) -> list[tuple[int, str]]:
    return [(each.row, each.reason) for each in found.left_out]


def test_plain_list_is_read(tmp_path: Path) -> None:
    found = listing(tmp_path, "email,name\nanna@example.org,Anna\nbob@example.org,\n")
    assert list(found.entries()) == [
        Entry("anna@example.org", "Anna", "", 2),
        Entry("bob@example.org", "", "", 3),
    ]
    assert found.rows == 2
    assert found.left_out == ()


@pytest.mark.parametrize(
    "content",
    [
        "email,name\r\nanna@example.org,Zoë\r\n".encode(),
        b"\xef\xbb\xbf" + "email;name\nanna@example.org;Zoë".encode(),
        "email;name\r\nanna@example.org;Zoë\r\n".encode("latin-1"),
        "email\tname\nanna@example.org\tZoë\n".encode("utf-16"),
        "email|name\ranna@example.org|Zoë\r".encode(),
        "sep=;\r\nemail;name\r\nanna@example.org;Zoë\r\n".encode(),
        '\n\n"E-Mail Address","Full Name"\n" anna@example.org\u00a0","Zoë"\n'.encode(),
    ],
    ids=["crlf", "bom-semicolon", "latin-1", "utf-16-tab", "old-mac-bar", "excel-hint", "quoted"],
)
def test_encodings_line_ends_and_delimiters_are_found(tmp_path: Path, content: bytes) -> None:
    assert people(listing(tmp_path, content)) == [("anna@example.org", "Zoë")]


def test_one_line_of_another_encoding_spoils_nothing(tmp_path: Path) -> None:
    content = "email,name\na@example.org,Zoë\n".encode() + "b@example.org,Zoë\n".encode("latin-1")
    assert people(listing(tmp_path, content)) == [("a@example.org", "Zoë"), ("b@example.org", "Zoë")]


@pytest.mark.parametrize(
    ("heading", "row", "name"),
    [
        (
            "Email Address,First Name,Last Name,MEMBER_RATING,UNSUB_TIME",
            "a@example.org,Anna,Lee,2,",
            "Anna Lee",
        ),
        ("id,email,name,subscribed_to_emails,deleted_at", ",a@example.org,Anna Lee,true,", "Anna Lee"),
        ("id,email,name,subscribed_to_emails,deleted_at", ",a@example.org,Anna Lee,,", "Anna Lee"),
        ("email,active_subscription,email_disabled", "a@example.org,false,false", ""),
        ("uuid,email,name,attributes,status", '1,a@example.org,Anna,"{""age"": 2}",enabled', "Anna"),
        ("EMAIL;PRENOM;NOM;BLACKLISTED", "a@example.org;Anna;Lee;0", "Anna Lee"),
    ],
)
def test_headings_of_other_programs_are_known(tmp_path: Path, heading: str, row: str, name: str) -> None:
    assert people(listing(tmp_path, f"{heading}\n{row}\n")) == [("a@example.org", name)]


@pytest.mark.parametrize(
    ("heading", "row", "said"),
    [
        ("email,status", "a@example.org,Unsubscribed", "'Unsubscribed'"),
        ("email,status", "a@example.org,cleaned", "'cleaned'"),
        ("email,status", "a@example.org,blocklisted", "'blocklisted'"),
        ("email,status", "a@example.org,whatever", "'whatever'"),
        ("email,subscribed_to_emails", "a@example.org,false", "subscribed_to_emails is 'false'"),
        ("email,email_disabled", "a@example.org,TRUE", "email_disabled is 'TRUE'"),
        ("Email Address,UNSUB_TIME", "a@example.org,2024-01-01 10:00:00", "UNSUB_TIME"),
        ("email,deleted_at", "a@example.org,2024-01-01", "deleted_at"),
        ("EMAIL;BLACKLISTED", "a@example.org;1", "BLACKLISTED"),
    ],
)
def test_people_who_are_not_subscribed_there_are_left_out(
    tmp_path: Path, heading: str, row: str, said: str
) -> None:
    found = listing(tmp_path, f"{heading}\n{row}\n")
    assert people(found) == []
    [(line, reason)] = reasons(found)
    assert line == 2
    assert reason.startswith("not subscribed there: ")
    assert said in reason


def test_a_list_of_suppressions_is_of_everyone_in_it(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("email,status,bounced\na@example.org,cleaned,true\nb@example.org,subscribed,\n")
    assert [entry.address for entry in read_list(file, everyone=True).entries()] == [
        "a@example.org",
        "b@example.org",
    ]


def test_short_rows_are_taken_and_long_ones_are_not(tmp_path: Path) -> None:
    found = listing(
        tmp_path,
        "email,name,status\nshort@example.org\nblank@example.org,B,,,\nlong@example.org,Lee, Anna,active\n",
    )
    assert people(found) == [("short@example.org", ""), ("blank@example.org", "B")]
    assert reasons(found) == [(4, "4 cells where the heading has 3")]


def test_row_without_an_address_is_named_by_its_line(tmp_path: Path) -> None:
    found = listing(tmp_path, 'email,name\n\n"a@example.org","two\nlines"\n,Nobody\n')
    assert people(found) == [("a@example.org", "two\nlines")]
    assert reasons(found) == [(5, "there is no address")]


def test_row_with_stray_quotation_marks_is_named_and_the_next_is_read(tmp_path: Path) -> None:
    found = listing(tmp_path, 'email,name\na@example.org,"Anna"x\nb@example.org,Bob\n')
    assert people(found) == [("b@example.org", "Bob")]
    assert reasons(found)[0][0] == 2


def test_list_without_a_heading_is_one_of_addresses(tmp_path: Path) -> None:
    assert people(listing(tmp_path, "a@example.org\nb@example.org\n")) == [
        ("a@example.org", ""),
        ("b@example.org", ""),
    ]


def test_columns_can_be_named(tmp_path: Path) -> None:
    found = listing(
        tmp_path,
        "Kontakt,Wer,status\na@example.org,Anna,VIP\n",
        {"email": "kontakt", "name": "Wer", "status": "-"},
    )
    assert people(found) == [("a@example.org", "Anna")]


@pytest.mark.parametrize(
    ("content", "columns", "said"),
    [
        (b"", {}, "empty"),
        (b"\n \n", {}, "empty"),
        (b"PK\x03\x04rest", {}, "spreadsheet"),
        (b"<html><body>Sign in</body></html>", {}, "no column has email addresses"),
        (b"name,age\nAnna,3\n", {}, "no column has email addresses"),
        (b"email\na@example.org\n", {"email": "Mail"}, "no column 'Mail'"),
        (b"email\na@example.org\n", {"mail": "email"}, "nothing called 'mail'"),
        (b'email,name\na@example.org,"never closed\nb@example.org,Bob\n', {}, "line 2: a quotation mark"),
        (b'"email,name\n', {}, "line 1: a quotation mark"),
        (b'"email"x,name\n', {}, "line 1"),
        (b'email,name\na@example.org,"' + b"x" * 200_000, {}, "line 2: a quotation mark"),
    ],
)
def test_what_is_no_list_is_refused_whole(
    tmp_path: Path, content: bytes, columns: dict[str, str], said: str
) -> None:
    with pytest.raises(ImportRefused, match=said):
        listing(tmp_path, content, columns)


def test_zero_bytes_stay_in_their_cell(tmp_path: Path) -> None:
    assert people(listing(tmp_path, b"email,name\na\x00@example.org,Anna\n")) == [
        ("a\x00@example.org", "Anna")
    ]


cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.lists(st.tuples(cells, cells), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_that_was_written_is_an_entry_or_left_out(
    tmp_path: Path, rows: list[tuple[str, str]]
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(("email", "name"))
    writer.writerows((f"x{address}", name) for address, name in rows)
    found = listing(tmp_path, out.getvalue())
    entries = list(found.entries())
    assert len(entries) == found.rows == len(rows)
    assert found.left_out == ()


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    try:
        found = listing(tmp_path, content)
    except ImportRefused:
        return
    assert len(list(found.entries())) + len(found.left_out) == found.rows


@pytest.mark.real_data
def test_real_exports_are_read(real_data: Path) -> None:
    folder = real_data / "subscribers" / "csv"
    counts = {}
    for file in sorted(folder.glob("*.csv")):
        found = read_list(file)
        counts[file.name] = (len(list(found.entries())), len(found.left_out))
    assert counts == {
        "ghost_export_crlf.csv": (1, 0),
        "ghost_members-duplicate-emails.csv": (2, 0),
        "ghost_members-ragged-row.csv": (2, 0),
        "ghost_valid-members-import.csv": (1, 1),
        "listmonk_export_header.csv": (0, 0),
        "listmonk_subs.csv": (100, 0),
        "mailchimp_subscribed_export.csv": (1, 0),
        "mailchimp_with_tags.csv": (1, 0),
        "substack_email_list.csv": (5, 1),
    }


def test_a_list_packed_by_gzip_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "people.csv.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbfemail,name\r\nada@example.org,Ada\r\n"))
    assert [entry.address for entry in read_list(path).entries()] == ["ada@example.org"]


def test_a_packed_list_that_ends_too_early_is_refused_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "people.csv.gz"
    whole = gzip.compress(b"email,name\n" + b"".join(b"a%d@example.org,A\n" % n for n in range(5000)))
    for kept in (2, 12, len(whole) // 2):
        path.write_bytes(whole[:kept])
        with pytest.raises(ImportRefused, match="damaged or ends too early") as refused:
            read_list(path)
        assert "nothing was imported" in refused.value.hint
