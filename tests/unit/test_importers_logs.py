"""Lines of access logs become entries, or are refused with a reason; whatever is in the file."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.importers.imported import Rejected
from digest.importers.logs.entry import Entry
from digest.importers.logs.formats import FORMATS, detect
from digest.importers.logs.lines import BLOCK, LONGEST, Lines
from digest.importers.logs.requests import Requests, Site
from digest.importers.logs.tally import Log, Tally, Visit
from tests.access_logs import CHROME, FIREFOX, WRITERS, combined, entry, log

NOW = dt.datetime(2026, 11, 17, tzinfo=dt.UTC)
SITE = Site("https://a.example")


def read(
    text: str | bytes, *, form: str = "", final: bool = True, start: int = 0
) -> tuple[Tally, list[Visit], list[Rejected]]:
    data = text.encode() if isinstance(text, str) else text
    rejected: list[Rejected] = []
    lines = Lines(io.BytesIO(data), b"", start)
    found = Log(lines, form or detect(data.split(b"\n")), Requests(SITE), now=NOW, reject=rejected.append)
    visits = [visit for block in found.visits(final=final) for visit in block]
    return found.tally, visits, rejected


def parse(text: str, form: str = "combined") -> Entry:
    made = FORMATS[form]()(text)
    assert made is not None
    return made


# --- what is written is read -----------------------------------------------------------------------

_words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20)
_agents = st.lists(_words, min_size=1, max_size=6).map(" ".join).filter(lambda text: text != "-")
_paths = st.lists(_words, max_size=4).map(lambda words: "/" + "/".join(words))
_zones = st.integers(-12 * 4, 14 * 4).map(lambda quarters: dt.timezone(dt.timedelta(minutes=15 * quarters)))
_entries = st.builds(
    Entry,
    at=st.integers(86_400 * 400, 86_400 * 365 * 80),
    address=st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str),
    method=st.sampled_from(["GET", "HEAD", "POST", "PURGE"]),
    target=_paths,
    status=st.integers(100, 599),
    agent=_agents,
    referrer=st.sampled_from(["", "https://b.example/x?y=1"]),
    host=st.sampled_from(["", "a.example", "xn--bcher-kva.example"]),
    content_type=st.just(""),
    purpose=st.just(""),
)


@given(_entries, _zones, st.sampled_from(sorted(WRITERS)))
def test_a_request_is_read_as_every_kind_of_server_writes_it(
    request: Entry, zone: dt.tzinfo, kind: str
) -> None:
    if kind == "combined":  # its target is read as it was escaped, and Apache escapes these in agents
        request = request._replace(target=request.target.replace('"', "").replace("\\", ""))
        agent = (request.agent or "").replace('"', "").replace("\\", "").strip()
        request = request._replace(agent="" if agent == "-" else agent)
    text = WRITERS[kind](request, zone)
    form = "json" if kind == "caddy" else kind
    if kind == "w3c":
        if "%" in (request.agent or "") or " " not in (request.agent or ""):
            return  # IIS and CloudFront cannot be told apart there
        head = log(kind="w3c").splitlines()
        reader = FORMATS["w3c"]()
        assert [reader(line) for line in head] == [None, None]
        request = request._replace(target=request.target.replace("?", ""))
        found = reader(WRITERS[kind](request, zone))
    else:
        found = parse(text, form)
    assert found is not None
    host = f"{request.host}:443" if kind == "combined" and request.host else request.host
    assert found == request._replace(host=host)


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_the_format_is_told_by_the_lines(kind: str) -> None:
    requests = [entry(f"/news/{number}", host="a.example") for number in range(3)]
    tally, visits, rejected = read(log(*requests, kind=kind))
    assert (tally.visits, rejected) == (3, [])
    assert [visit.url for visit in visits] == [f"https://a.example/news/{number}" for number in range(3)]
    assert {visit.agent for visit in visits} == {FIREFOX}


@pytest.mark.parametrize(
    "text",
    [
        "story,at,value\n1,2026-11-15,5\n",
        '{"story": "1", "at": "2026-11-15", "value": 5}\n',
        "<rss version='2.0'></rss>\n",
        "Nov 16 08:00:00 host sshd[1]: Accepted publickey\n",
        "\x00\x01\x02\n",
        "",
    ],
)
def test_what_is_no_log_is_not_taken_for_one(text: str) -> None:
    assert detect(text.encode().split(b"\n")) == ""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            'www.a.example:80 203.0.113.7 - - [16/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "A/1"',
            {"host": "www.a.example:80", "address": "203.0.113.7"},
            id="vhost_combined",
        ),
        pytest.param(
            '203.0.113.7 - John Q Public [16/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "A/1"',
            {"host": "", "address": "203.0.113.7"},
            id="a user with spaces",
        ),
        pytest.param(
            '203.0.113.7 - - [16/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 - "-" "A \\"B\\" C"',
            {"agent": 'A \\"B\\" C'},
            id="quotes that were escaped",
        ),
        pytest.param(
            '203.0.113.7 - - [16/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "http://x/"y" "A "B" C"',
            {"agent": 'A "B" C', "referrer": 'http://x/"y'},
            id="quotes that were not",
        ),
        pytest.param(
            '10.0.0.9 - - [16/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "A" "203.0.113.7, 10.1.1"',
            {"address": "203.0.113.7"},
            id="a proxy's own address is not the reader's",
        ),
        pytest.param(
            '203.0.113.9 - - [16/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "A/1" "198.51.100.1"',
            {"address": "203.0.113.9"},
            id="what a reader claims is not believed",
        ),
        pytest.param(
            '2001:db8::7 - - [16/Nov/2026:09:00:00 +0100] "GET /\\xC3\\xA4 HTTP/1.1" 304 0 "-" "A/1" 0.003',
            {"address": "2001:db8::7", "target": "/%C3%A4", "status": 304},
            id="escapes in the path, and more fields behind",
        ),
        pytest.param(
            '203.0.113.7 - - [16/Nov/2026:08:00:00 +0000] "\\x16\\x03\\x01" 400 226 "-" "-"',
            {"method": "", "target": "", "agent": ""},
            id="TLS on the wrong port is a request, though none of ours",
        ),
    ],
)
def test_combined_lines_as_they_are_met(line: str, expected: dict[str, object]) -> None:
    found = parse(line)
    assert {name: getattr(found, name) for name in expected} == expected
    if found.method:
        assert found.at == entry().at


def test_json_is_read_by_the_usual_names() -> None:
    traefik = (
        '{"ClientHost":"203.0.113.7","RequestMethod":"GET","RequestPath":"/x?y=1","DownstreamStatus":200,'
        '"RequestHost":"a.example","StartUTC":"2026-11-16T08:00:00.123456789Z","request_User-Agent":"A/1"}'
    )
    ecs = (
        '{"@timestamp":"2026-11-16T08:00:00Z","source":{"ip":"203.0.113.7"},'
        '"http":{"request":{"method":"GET"},'
        '"response":{"status_code":200}},"url":{"path":"/x","query":"y=1"},"user_agent":{"original":"A/1"}}'
    )
    apache = (
        '{"time":"16/Nov/2026:08:00:00 +0000","clientip":"203.0.113.7","method":"GET","uri":"/x",'
        '"query":"?y=1","status":"200","useragent":"A/1","referer":"-"}'
    )
    for text in (traefik, ecs, apache):
        found = parse(text, "json")
        assert (found.at, found.address, found.target) == (entry().at, "203.0.113.7", "/x?y=1")
        assert (found.agent, found.status, found.referrer) == ("A/1", 200, "")


def test_an_agent_that_was_not_sent_is_not_one_that_was_not_logged() -> None:
    caddy = WRITERS["caddy"](entry(agent=""), dt.UTC)
    assert parse(caddy, "json").agent == ""
    assert parse(caddy.replace('"headers": {}, ', "").replace(', "headers": {}', ""), "json").agent is None
    nginx = '{"ts":1794816000,"ip":"::1","status":200,"request":"GET / HTTP/1.1","http_user_agent":"-"}'
    assert parse(nginx, "json").agent == ""
    assert parse(nginx.replace(',"http_user_agent":"-"', ""), "json").agent is None


def test_w3c_logs_of_iis_are_read_and_columns_may_change_on_the_way() -> None:
    text = (
        "#Software: Microsoft Internet Information Services 10.0\n"
        "#Fields: date time cs-method cs-uri-stem cs-uri-query c-ip cs(User-Agent) cs(Referer) sc-status\n"
        "2026-11-16 08:00:00 GET /news/one - 203.0.113.7 " + CHROME.replace(" ", "+") + " - 200\n"
        "#Fields: date time c-ip cs-method cs-uri-stem sc-status cs(User-Agent)\n"
        "2026-11-16 08:00:01 203.0.113.8 GET /news/one 200 " + CHROME.replace(" ", "+") + "\n"
        "2026-11-16 08:00:01 203.0.113.8 GET\n"
    )
    tally, visits, rejected = read(text)
    assert [(visit.address, visit.agent) for visit in visits] == [
        ("203.0.113.7", CHROME),
        ("203.0.113.8", CHROME),
    ]
    assert (tally.headers, [each.reason for each in rejected]) == (3, ["4 fields instead of 7"])


def test_an_agent_that_cloudfront_encoded_twice_is_one() -> None:
    text = log(entry(), kind="w3c").replace("%20", "%2520")
    assert read(text)[1][0].agent == FIREFOX


# --- what is wrong is said of the line --------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (combined(entry())[:-20], "it ends before the agent"),
        (combined(entry())[:60], "it is cut off"),
        ("\x00\x01\xff", "it is no line of an access log"),
        (combined(entry()).replace("16/Nov", "31/Nov"), "its time cannot be read"),
        (combined(entry()).replace("+0000", "+0x00"), "its time cannot be read"),
        (combined(entry()).replace(":00 +", ":99 +"), "its time cannot be read"),
        (combined(entry(at=1_900_000_000)), "it lies in the future"),
    ],
)
def test_a_line_that_cannot_be_read_is_rejected_with_the_reason(line: str, reason: str) -> None:
    tally, visits, rejected = read(f"{combined(entry())}\n{line}\n{combined(entry())}\n")
    assert (len(visits), tally.lines) == (2, 3)
    assert [(each.row, each.reason) for each in rejected] == [(2, reason)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"a": 1', "it is no JSON"),
        ("[1, 2]", "it is no JSON object"),
        ('{"status": 200}', "no key of it is known as address, at"),
        ('{"time": "then", "ip": "::1", "status": 200, "uri": "/", "method": "GET"}', "could not convert"),
        ('{"ts": 1794816000, "ip": "::1", "status": "ok", "uri": "/", "method": "GET"}', "no number"),
        ('{"ts": 1794816000, "ip": "::1", "status": 200}', "no key of it is known as request"),
        ('{"ts": true, "ip": "::1", "status": 200, "uri": "/", "method": "GET"}', "time cannot be read"),
        ("[" * 100_000, "it is no JSON"),
    ],
)
def test_a_json_line_that_cannot_be_read_is_rejected_with_the_reason(line: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(line, "json")


@given(st.lists(st.binary(max_size=200), max_size=20), st.sampled_from(sorted(FORMATS)))
def test_every_line_is_read_left_out_or_rejected(noise: list[bytes], form: str) -> None:
    data = b"\n".join(noise)
    tally, visits, rejected = read(data, form=form)
    assert len(visits) == tally.visits
    assert len(rejected) == tally.rejected
    assert tally.lines == tally.visits + tally.rejected + tally.headers + sum(tally.left_out.values())


@given(st.data(), st.sampled_from(sorted(WRITERS)))
def test_a_log_that_was_damaged_anywhere_is_read_all_the_same(data: st.DataObject, kind: str) -> None:
    whole = log(entry(), entry("/news/two"), entry("/news/three"), kind=kind).encode()
    first, last = sorted((data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, len(whole)))))
    damaged = whole[:first] + data.draw(st.binary(max_size=30)) + whole[last:]
    tally, _, rejected = read(damaged, form="json" if kind == "caddy" else kind)
    assert tally.lines == tally.visits + len(rejected) + tally.headers + sum(tally.left_out.values())


@pytest.mark.parametrize(
    "noise",
    [
        "[ " * 30_000,
        combined(entry(agent='" 200 1 "' * 7000)),
        combined(entry())[:60] + "\\" * 60_000,
        "a " * 32_000,
    ],
    ids=["brackets", "quotes", "backslashes", "words"],
)
def test_no_line_takes_long_however_it_was_made_up(noise: str) -> None:
    start = time.process_time()
    read("\n".join([noise] * 10), form="combined")
    assert time.process_time() - start < 2


def test_minutes_out_of_order_and_two_zones_give_the_same_moments() -> None:
    paris = dt.timezone(dt.timedelta(hours=1))
    text = log(entry(at=1_794_816_120), entry(at=1_794_816_000), zone=paris) + log(entry(at=1_794_816_060))
    assert [visit.at for visit in read(text)[1]] == [1_794_816_120, 1_794_816_000, 1_794_816_060]


# --- bytes ------------------------------------------------------------------------------------------


def test_a_line_that_never_ends_is_rejected_and_the_next_is_read() -> None:
    huge = b"x" * (2 * BLOCK + 5)
    data = combined(entry()).encode() + b"\n" + huge + b"\n" + combined(entry("/two")).encode() + b"\n"
    tally, visits, rejected = read(data, form="combined")
    assert [visit.url[-4:] for visit in visits] == ["/one", "/two"]
    assert [each.reason for each in rejected] == [f"it is longer than {LONGEST:,} bytes"]
    assert tally.lines == 3


@given(
    st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=10),
    st.binary(max_size=9),
)
def test_the_offset_stands_behind_the_last_whole_line(whole: list[bytes], tail: bytes) -> None:
    tail = tail.replace(b"\n", b"")
    data = b"".join(line + b"\n" for line in whole) + tail
    stream = io.BytesIO(data)
    lines = Lines(stream, stream.read(5), 0)  # a beginning that was read before, to see what it is
    assert [line for block in lines.blocks() for line in block] == whole
    assert (lines.offset, lines.tail) == (len(data) - len(tail), tail)


def test_reading_goes_on_where_it_ended() -> None:
    first, second = log(entry("/one")).encode(), log(entry("/two")).encode()
    for stream in (
        io.BytesIO(first + second),
        gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(first + second))),
    ):
        lines = Lines(stream, b"", len(first))  # type: ignore[arg-type]
        assert [line + b"\n" for block in lines.blocks() for line in block] == [second]
        assert lines.offset == len(first + second)


def test_a_packed_log_that_breaks_off_is_read_as_far_as_it_goes() -> None:
    data = gzip.compress(
        log(*(entry(f"/{number}", at=1_794_816_000 + number) for number in range(5000))).encode()
    )
    lines = Lines(gzip.GzipFile(fileobj=io.BytesIO(data[: len(data) // 2])), b"", 0)  # type: ignore[arg-type]
    assert sum(map(len, lines.blocks())) >= 0
    assert "damaged" in lines.damage


def test_a_line_that_is_being_written_is_left_for_the_next_time() -> None:
    text = log(entry("/one")) + combined(entry("/two"))
    for cut, seen in ((0, 2), (20, 1)):  # whole but for its end: read, and read again; cut off: not yet
        tally, visits, rejected = read(text[: len(text) - cut], final=False)
        assert (len(visits), tally.lines, tally.unfinished, rejected) == (seen, 1, True, [])


def test_a_log_without_agents_is_read_and_says_so() -> None:
    common = combined(entry()).rpartition(' "-"')[0]
    tally, visits, _ = read(f"{common}\n{common}\n")
    assert [visit.agent for visit in visits] == ["", ""]
    assert not tally.agents
