"""The moves of copies on PostgreSQL: one statement each, since every further one is a round trip.

A statement sees the moment of its beginning, and waits for rows that others are changing. So the lease comes
first (whoever takes it over waits for us, or we find it gone), the edition is locked against changes of its
state, and rows are looked at once more when they are reached.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from digest.delivery import Result
from digest.store.moves import MAY_GO, Claim, Committed, Held, Place, Row, Taken, When
from digest.store.tables import STATES

if TYPE_CHECKING:
    import psycopg

_LAST = (1 << 63) - 1

_FENCE = """
fence AS (
    UPDATE lease SET until = %(until)s
    WHERE name = %(name)s AND owner = %(owner)s AND epoch = %(epoch)s AND until > %(now)s RETURNING 1
), place AS MATERIALIZED (
    SELECT state, held, paused, (SELECT count(*) FROM fence) AS leased FROM edition
    WHERE id = %(edition)s FOR SHARE
), going AS MATERIALIZED (
    SELECT 1 FROM place WHERE leased = 1 AND state = 'sending' AND held = '' AND paused = ''
)"""
_MINE = "d.owner = %(owner)s AND d.epoch = %(epoch)s"
_GOING = "EXISTS (SELECT 1 FROM going)"

_CHANGES = ", ".join(
    f"count(*) FILTER (WHERE now = '{state}') - count(*) FILTER (WHERE was = '{state}') AS {state}"
    for state in STATES
)
_SETS = ", ".join(f"{state} = s.{state} + m.{state}" for state in STATES)
# What was moved is counted in the same statement; `moved` has a row (was, now) for each.
_COUNT = f"""
counted AS (
    UPDATE sending s SET {_SETS} FROM (SELECT {_CHANGES} FROM moved) m
    WHERE s.edition = %(edition)s RETURNING s.queued
)"""
_COUNT_OFFERS = f"""
counted AS (
    UPDATE sending s SET {_SETS}, minute = CASE WHEN m.new > 0 THEN %(minute)s ELSE s.minute END,
        minute_offered = m.new
            + CASE WHEN m.new > 0 AND s.minute <> %(minute)s THEN 0 ELSE s.minute_offered END
    FROM (SELECT {_CHANGES}, count(*) FILTER (WHERE now = 'offered') AS new FROM moved) m
    WHERE s.edition = %(edition)s
)"""

_MAY_GO = MAY_GO.format(server="%(server)s")
_QUEUE = f"d.edition = %(edition)s AND d.pile = 'queued' AND {_MAY_GO}"
_PICKS = {
    "queue": f"{_QUEUE} AND d.id > %(after)s AND d.id <= %(to)s ORDER BY d.id",
    "only": f"{_QUEUE} AND d.address_key = ANY(%(only)s::text[]) ORDER BY d.id",
    # The empty text keeps an index from being used: rows are found by the time of their next attempt.
    "due": "d.edition = %(edition)s AND d.next_attempt <= %(now)s AND d.pile || '' = 'deferred'"
    f" AND {_MAY_GO} ORDER BY d.next_attempt, d.id",
}


def _claim(pick: str, why: str) -> str:
    return f"""
WITH {_FENCE}, pick AS MATERIALIZED (
    SELECT d.id, d.state, d.next_attempt FROM delivery d
    WHERE {_GOING} AND {pick} LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), wanted AS MATERIALIZED (
    SELECT d.id, pick.state AS was, pick.next_attempt, {why} AS why
    FROM pick JOIN delivery d ON d.id = pick.id
), claimed AS (
    UPDATE delivery d SET
        state = CASE WHEN w.why IS NULL THEN 'claimed' ELSE 'skipped' END,
        pile = CASE WHEN w.why IS NULL THEN NULL ELSE 'skipped' END,
        skip_reason = coalesce(w.why, d.skip_reason),
        settled = CASE WHEN w.why IS NULL THEN d.settled ELSE %(now)s END,
        owner = %(owner)s, epoch = %(epoch)s, next_attempt = NULL
    FROM wanted w WHERE d.id = w.id
    RETURNING d.id, d.subscription, d.address, d.name, d.variant, d.attempts, d.domain,
        d.state AS now, w.was, w.next_attempt
), moved AS (SELECT was, now FROM claimed), {_COUNT}
SELECT p.leased, p.state, p.held, p.paused, (SELECT queued FROM counted),
    c.id, c.subscription, c.address, c.name, c.variant, c.attempts, c.domain, c.now
FROM place p LEFT JOIN claimed c ON true ORDER BY c.next_attempt, c.id
"""


_RESULTS = f"""
result AS MATERIALIZED (
    SELECT * FROM unnest(
        %(ids)s::bigint[], %(states)s::text[], %(next)s::bigint[], %(codes)s::int[], %(enhanced)s::text[],
        %(replies)s::text[]
    ) AS r (id, state, next_attempt, code, enhanced, reply)
), open AS MATERIALIZED (
    SELECT d.id, d.state, d.resends FROM delivery d, place WHERE d.id = ANY(%(ids)s::bigint[]) AND {_MINE}
    AND d.state IN ('offered', 'claimed', 'uncertain') FOR UPDATE OF d
), outcome AS MATERIALIZED (
    SELECT r.*, o.state AS was,
        CASE WHEN p.state = 'cancelled' AND r.state IN ('queued', 'deferred') THEN 'cancelled'
            WHEN r.state = 'expired' AND o.resends > 0 THEN 'uncertain' ELSE r.state END AS now
    FROM result r JOIN open o ON o.id = r.id CROSS JOIN place p
), written AS (
    UPDATE delivery d SET
        state = o.now,
        pile = CASE WHEN o.now = 'accepted' THEN NULL ELSE o.now END,
        attempts = d.attempts + CASE WHEN o.state = 'queued' THEN 0 ELSE 1 END
            - CASE WHEN o.was = 'uncertain' THEN 1 ELSE 0 END,
        next_attempt = CASE WHEN o.now = 'deferred' THEN o.next_attempt END,
        settled = CASE WHEN o.now IN ('queued', 'deferred') THEN NULL ELSE %(now)s END,
        code = o.code, enhanced = o.enhanced, reply = o.reply
    FROM outcome o WHERE d.id = o.id RETURNING o.was, o.now
), reopened AS (
    UPDATE edition SET state = 'sending', finished = NULL WHERE id = %(edition)s AND state = 'finished'
    AND EXISTS (SELECT 1 FROM written WHERE now IN ('queued', 'deferred'))
)"""


def _offers(why: str) -> str:
    return f"""
pick AS MATERIALIZED (
    SELECT d.id, d.state, {why} AS why FROM delivery d
    WHERE {_GOING} AND d.id = ANY(%(offers)s::bigint[]) AND {_MINE}
    AND (d.state = 'claimed' OR (%(again)s AND d.state = 'offered')) AND {_MAY_GO}
), offer AS (
    UPDATE delivery d SET
        state = CASE WHEN p.why IS NULL THEN 'offered' ELSE 'skipped' END,
        pile = CASE WHEN p.why IS NULL THEN NULL ELSE 'skipped' END,
        skip_reason = coalesce(p.why, d.skip_reason),
        offered = CASE WHEN p.why IS NULL THEN %(now)s ELSE d.offered END,
        server = CASE WHEN p.why IS NULL THEN %(server)s ELSE d.server END,
        settled = CASE WHEN p.why IS NULL THEN d.settled ELSE %(now)s END
    FROM pick p WHERE d.id = p.id AND d.state = p.state RETURNING d.id, p.state AS was, d.state AS now
)"""


_END = """
SELECT p.leased, p.state, p.held, p.paused, {offered}, {skipped} FROM place p
"""
_NONE = _END.format(offered="NULL", skipped="NULL")
_SOME = _END.format(
    offered="(SELECT array_agg(id) FROM offer WHERE now = 'offered')",
    skipped="(SELECT array_agg(id) FROM offer WHERE now = 'skipped')",
)
_GIVE_BACK = f"""
WITH given AS (
    UPDATE delivery d SET state = 'queued', pile = 'queued', next_attempt = NULL
    WHERE {{which}} AND d.state = 'claimed' AND {_MINE} RETURNING 1
), counted AS (
    UPDATE sending SET claimed = claimed - (SELECT count(*) FROM given),
        queued = queued + (SELECT count(*) FROM given) WHERE edition = %(edition)s
) SELECT count(*) FROM given
"""
_KEEP_MINUTE = """
INSERT INTO sending_minute (minute, edition, offered) SELECT minute, edition, minute_offered FROM sending
WHERE edition = %(edition)s AND minute <> %(minute)s AND minute_offered > 0
ON CONFLICT (minute, edition) DO UPDATE SET offered = greatest(sending_minute.offered, excluded.offered)"""


class PostgresMoves:
    """See `digest.store.moves.Moves`; `why` is the text that `why_not` makes."""

    def __init__(self, number: int, held: Held, why: str, mine: AbstractSet[int]) -> None:
        self._outstanding = mine
        self._this = {"edition": number, "name": held.name, "owner": held.owner, "epoch": held.epoch}
        self._minute = -1
        self._claims = {name: _claim(pick, why) for name, pick in _PICKS.items()}
        offers = _offers(why)
        none = "moved AS (SELECT was, now FROM written)"
        new = "moved AS (SELECT was, now FROM offer)"
        both = "moved AS (SELECT was, now FROM written UNION ALL SELECT was, now FROM offer)"
        self._renew = f"WITH {_FENCE}{_NONE}"
        self._commit_results = f"WITH {_FENCE}, {_RESULTS}, {none}, {_COUNT}{_NONE}"
        self._commit_offers = f"WITH {_FENCE}, {offers}, {new}, {_COUNT_OFFERS}{_SOME}"
        self._commit_both = f"WITH {_FENCE}, {_RESULTS}, {offers}, {both}, {_COUNT_OFFERS}{_SOME}"

    def claim(self, driver: psycopg.Connection[Any], what: Claim, when: When) -> Taken:
        parameters: dict[str, Any] = self._this | {
            "now": when.now,
            "until": when.until,
            "limit": what.limit,
            "server": what.server,
        }
        if what.due:
            kind = "due"
        elif what.only is not None:
            kind = "only"
            parameters["only"] = list(what.only)
        else:
            kind = "queue"
            parameters |= {"after": what.after, "to": _LAST if what.to is None else what.to}
        found = driver.execute(self._claims[kind], parameters, prepare=True, binary=True).fetchall()
        leased, state, held, paused, left = found[0][:5]
        place = Place(leased == 1, state, held, paused)
        if found[0][5] is None:
            return Taken(place, left=left or 0)
        rows: list[Row] = [row[5:12] for row in found if row[12] == "claimed"]
        return Taken(place, rows, len(found), found[-1][5], left or 0)

    def commit(
        self,
        driver: psycopg.Connection[Any],
        results: Sequence[Result],
        offers: Sequence[int],
        server: str,
        when: When,
        *,
        again: bool = False,
    ) -> Committed:
        parameters: dict[str, Any] = self._this | {"now": when.now, "until": when.until}
        statement = self._renew
        if results:
            statement = self._commit_results
            parameters |= _arrays(results)
        offers = [number for number in offers if number in self._outstanding]
        if offers:
            statement = self._commit_both if results else self._commit_offers
            parameters |= {
                "offers": _array(offers),
                "server": server,
                "again": again,
                "minute": when.minute,
            }
            if when.minute != self._minute:
                driver.execute(_KEEP_MINUTE, parameters)
                self._minute = when.minute
        cursor = driver.execute(statement, parameters, prepare=True, binary=True)
        leased, state, held, paused, offered, skipped = cursor.fetchone()  # type: ignore[misc]
        place = Place(leased == 1, state, held, paused)
        return Committed(place, frozenset(offered or ()), frozenset(skipped or ()))

    def give_back(self, driver: psycopg.Connection[Any], deliveries: Collection[int]) -> int:
        return self._give_back(driver, "d.id = ANY(%(these)s::bigint[])", deliveries)

    def give_back_unknown(self, driver: psycopg.Connection[Any]) -> int:
        which = "d.edition = %(edition)s AND d.id <> ALL(%(these)s::bigint[])"
        return self._give_back(driver, which, self._outstanding)

    def _give_back(self, driver: psycopg.Connection[Any], which: str, these: Collection[int]) -> int:
        parameters = self._this | {"these": _array(these)}
        row = driver.execute(_GIVE_BACK.format(which=which), parameters).fetchone()
        return int(row[0]) if row else 0


def _array(numbers: Iterable[int | None]) -> str:
    """As PostgreSQL writes an array: one text, and the statement is always the same."""
    return "{" + ",".join(["NULL" if number is None else str(number) for number in numbers]) + "}"


def _arrays(results: Sequence[Result]) -> dict[str, Any]:
    outcomes = [result.outcome for result in results]
    times = [result.next_attempt for result in results]
    return {
        "ids": _array([outcome.delivery for outcome in outcomes]),
        "states": "{" + ",".join([result.state.value for result in results]) + "}",
        "next": _array([None if time is None else int(time.timestamp()) for time in times]),
        "codes": _array([outcome.code for outcome in outcomes]),
        "enhanced": [outcome.enhanced for outcome in outcomes],
        "replies": [outcome.reply for outcome in outcomes],
    }
